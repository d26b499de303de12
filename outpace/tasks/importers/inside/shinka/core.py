"""Stands in for ShinkaEvolve's ``shinka.core``: ``run_shinka_eval``, the frame that most of its evaluators use."""

from __future__ import annotations

import importlib.util
import json
import math
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Metrics = dict[str, Any]
FAILED: Metrics = {
    "combined_score": 0.0,
    "execution_time_mean": 0.0,
    "execution_time_std": 0.0,
    "num_successful_runs": 0,
    "num_valid_runs": 0,
    "num_invalid_runs": 0,
    "all_validation_errors": [],
}
"""The figures of a program that could not be run."""


ORDER = ("experiment_fn_name", "num_runs", "get_experiment_kwargs", "aggregate_metrics_fn", "validate_fn")
"""What follows ``results_dir`` where it is given by position."""


def run_shinka_eval(
    program_path: str, results_dir: str, *further: Any, **named: Any
) -> tuple[Metrics, bool, str | None]:
    """Run a function of the program ``num_runs`` times, check and sum up what it gives, and write that down.

    ``further`` and ``named`` are ShinkaEvolve's: ``experiment_fn_name``, ``num_runs``, ``get_experiment_kwargs(run)``,
    ``validate_fn(answer)``, ``aggregate_metrics_fn(answers)``, ``default_metrics_on_error``, ``run_workers``,
    ``max_workers_cap``. Nothing is drawn, and no run is left out: ``plotting_fn`` and ``early_stop_...`` do nothing.

    Writes ``metrics.json`` and ``correct.json`` into ``results_dir``; returns the figures, whether all was correct, and
    the first error.
    """
    given = {**dict(zip(ORDER, further, strict=False)), **named}
    name, num_runs = given["experiment_fn_name"], given["num_runs"]
    get_experiment_kwargs, validate_fn = given.get("get_experiment_kwargs"), given.get("validate_fn")
    aggregate_metrics_fn = given.get("aggregate_metrics_fn")
    folder = Path(results_dir)
    folder.mkdir(parents=True, exist_ok=True)
    errors: list[str] = []
    metrics: Metrics
    try:
        inputs = [get_experiment_kwargs(run) if get_experiment_kwargs else {"seed": run + 1} for run in range(num_runs)]
        workers = given.get("run_workers", 1)
        workers = min(workers, given.get("max_workers_cap") or workers, num_runs)
        answers, times_s = _run(program_path, name, inputs, workers)
        valid = 0
        for answer in answers:
            right, why = validate_fn(answer) if validate_fn else (True, None)
            valid += bool(right)
            if not right:
                errors.append(f"Validation failed: {why}" if why else "Validation failed")
        metrics = aggregate_metrics_fn(answers) if aggregate_metrics_fn else {"num_successful_runs": len(answers)}
        metrics |= {"execution_time_mean": statistics.fmean(times_s) if times_s else 0.0}
        metrics |= {"execution_time_std": statistics.pstdev(times_s) if times_s else 0.0}
        if validate_fn:
            metrics |= {"num_valid_runs": valid, "num_invalid_runs": len(answers) - valid}
            metrics |= {"all_validation_errors": list(dict.fromkeys(errors))}
        if "combined_score" in metrics and not math.isfinite(metrics["combined_score"]):
            errors.append(f"combined_score is {metrics['combined_score']}")
    except Exception as error:  # noqa: BLE001  whatever the program or the evaluator's functions raise
        metrics = FAILED | dict(given.get("default_metrics_on_error") or {})
        errors = [f"{type(error).__name__}: {error}"]
    metrics.pop("extra_data", None)  # for ShinkaEvolve's own plots
    first = errors[0] if errors else None
    save_json_results(results_dir, metrics, not errors, first)
    return metrics, not errors, first


def save_json_results(results_dir: str, metrics: Metrics, correct: bool, *further: Any, **named: Any) -> None:
    """Write ``metrics.json`` and ``correct.json``; then comes the text ``error``; anything else does nothing."""
    error = named.get("error", further[0] if further else None)
    folder = Path(results_dir)
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"correct": correct, "error": error}
    for name, table in (("metrics.json", metrics), ("correct.json", facts)):
        (folder / name).write_text(json.dumps(table, indent=2, default=_plain), encoding="utf-8")


def load_program(program_path: str) -> Any:
    """Return the program as a module."""
    spec = importlib.util.spec_from_file_location("program", program_path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{program_path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _run(program_path: str, name: str, inputs: list[dict[str, Any]], workers: int) -> tuple[list[Any], list[float]]:
    """Return the answers and the times of all runs, in order; each in a process of its own where ``workers`` > 1."""
    if workers > 1:
        with ProcessPoolExecutor(workers) as pool:
            found = list(pool.map(partial(_one_run, program_path, name), inputs))
    else:
        function = _function(program_path, name)
        found = [_timed(function, given) for given in inputs]
    return [answer for answer, _ in found], [time_s for _, time_s in found]


def _one_run(program_path: str, name: str, given: dict[str, Any]) -> tuple[Any, float]:
    return _timed(_function(program_path, name), given)


def _function(program_path: str, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] | None = getattr(load_program(program_path), name, None)
    if function is None:
        raise AttributeError(f"the program defines no '{name}', which is what gets called")
    return function


def _timed(function: Callable[..., Any], given: dict[str, Any]) -> tuple[Any, float]:
    begin = time.perf_counter()
    answer = function(**given)
    return answer, time.perf_counter() - begin


def _plain(value: Any) -> Any:
    """Return what JSON knows for numpy's numbers and arrays; the text of anything else."""
    return value.tolist() if hasattr(value, "tolist") else str(value)
