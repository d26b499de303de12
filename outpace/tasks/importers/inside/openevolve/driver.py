"""Has the task's own ``evaluator.py`` judge the program, as OpenEvolve does, and reports what it says."""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import told

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import ModuleType

STAGES = ("evaluate_stage1", "evaluate_stage2", "evaluate_stage3")
FLAGS = ("error", "timeout")
"""Metrics that tell of a failure; they are never averaged in."""


def run(path: str, params: dict[str, Any]) -> dict[str, Any]:
    """Return the report of ``evaluator.py`` on the program at ``path``.

    ``params``: ``evaluator`` (its file), ``suffix`` of the program's file, ``thresholds`` of the stages (absent:
    ``evaluate`` alone), ``features`` that are no part of the score, ``artifacts`` (False: not to be passed on).
    """
    place = told.laid_out()
    if params["suffix"] != ".py":
        path = str(shutil.copyfile(path, Path(path).with_name(f"candidate{params['suffix']}")))
    report: dict[str, Any] = told.alone(lambda: judged(_loaded(place / params["evaluator"]), path, params))
    return report


def judged(evaluator: ModuleType, path: str, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the report on the program at ``path``."""
    if "thresholds" in params and hasattr(evaluator, STAGES[0]):
        functions = [getattr(evaluator, name) for name in STAGES if hasattr(evaluator, name)]
        metrics, artifacts = staged(functions, path, params["thresholds"])
    else:
        metrics, artifacts = taken(evaluator.evaluate(path))
    score, refusal = fitness(metrics, params["features"])
    if not score and not refusal and (failure := told.prose(_errors(artifacts))):
        score, refusal = None, failure
    words = {name: value for name, value in metrics.items() if _figure(value) is None and name != "timeout"}
    if params.get("artifacts", True):
        words |= artifacts
    if refusal:
        words = {name: value for name, value in words.items() if str(value) not in refusal}
    figures = {name: value for name, value in metrics.items() if _figure(value) is not None and name not in FLAGS}
    text = "\n".join(filter(None, [refusal, told.prose(words)]))
    return told.report(score, figures, text=text)  # type: ignore[no-any-return]


def staged(
    functions: Sequence[Callable[[str], Any]], path: str, thresholds: Sequence[float]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return metrics and artifacts of all stages that the program gets through; those of later stages win.

    A stage is reached where the mean (or ``combined_score``) of those before it reaches their threshold.
    """
    metrics: dict[str, Any] = {}
    artifacts: dict[str, Any] = {}
    for index, function in enumerate(functions):
        if index:
            metrics.pop("error", None)
        found, said = taken(function(path))
        metrics |= found
        artifacts |= said
        if index + 1 == len(functions) or index >= len(thresholds):
            break
        reached = fitness(metrics, ())[0]
        if reached is None or reached < thresholds[index]:
            value = "no score" if reached is None else f"{reached:.6g}"
            artifacts["stages"] = (
                f"stopped after {index + 1} of {len(functions)}: {value}, {thresholds[index]:g} needed to go on"
            )
            break
    return metrics, artifacts


def taken(result: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return metrics and artifacts of what an evaluator returned; raises ``TypeError`` for anything else."""
    if inspect.iscoroutine(result):
        result = asyncio.run(result)
    metrics, artifacts = getattr(result, "metrics", result), getattr(result, "artifacts", None) or {}
    if not (isinstance(metrics, dict) and isinstance(artifacts, dict)):
        raise TypeError(f"the evaluator returned a {type(result).__name__}, expected a dict of metrics")
    return _named(metrics), _named(artifacts)


def fitness(metrics: Mapping[str, Any], features: Sequence[str]) -> tuple[float | None, str]:
    """Return the score, or None and why there is none.

    It is ``combined_score``, else the mean of the figures but for ``features`` and ``FLAGS``. A score of 0 beside a
    text ``error`` (or ``error_...``) is how evaluators tell of a program that failed: no score.
    """
    told_error = told.prose(_errors(metrics))
    if "combined_score" in metrics:
        given = metrics["combined_score"]
        score = told.number(given)
        if score is None:
            return None, f"combined_score is {given!s:.60}, expected a finite number"
    else:
        figures = {name: found for name, value in metrics.items() if (found := _figure(value)) is not None}
        kept = [value for name, value in figures.items() if name not in features and name not in FLAGS]
        kept = kept or [value for name, value in figures.items() if name not in FLAGS]
        if not kept:
            return None, told_error or "the evaluator returned no figure"
        score = told.number(sum(kept) / len(kept))
    if metrics.get("timeout") is True and not score:
        return None, told_error or "the evaluator says that the program took too long"
    return (None, told_error) if told_error and not score else (score, "")


def _named(table: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): value for name, value in table.items()}


def _errors(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name.startswith("error") and isinstance(value, str)}


def _figure(value: Any) -> float | None:
    found: float | None = None if isinstance(value, str | bytes) else told.number(value)
    return found


def _loaded(file: Path) -> ModuleType:
    """Import the evaluator under the name that OpenEvolve gives it."""
    spec = importlib.util.spec_from_file_location("evaluation_module", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module
