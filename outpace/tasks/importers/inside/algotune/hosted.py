"""The trusted half of an AlgoTune task, in a process of its own: the user's own copy of it lies in ``original/``."""

import importlib
import logging
import os
import random
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "support"), str(HERE / "original")]

from algotune_values import is_tagged, packed, unpacked  # noqa: E402  it lies there
from stored import stored  # noqa: E402

LARGEST_SEED = 2_000_000_000
"""Numpy's and Python's old generators take 32 bits, and tasks count on from the seed that they are given."""
ATTEMPTS = 10
_MOST_CHARS = 500


class _Words(logging.Handler):
    """Keeps the last thing that was logged: checkers say there what they found wrong."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = " ".join(record.getMessage()[:_MOST_CHARS].split())


class _System:
    """The system's own source of chance, drawn from the seed: some tasks take their keys from there."""

    drawn = np.random.default_rng(0)

    def urandom(self, size: int) -> bytes:
        return self.drawn.bytes(size)


_SYSTEM = _System()
os.urandom = _SYSTEM.urandom  # before any package takes it for its own
_WORDS = _Words(logging.WARNING)
logging.basicConfig(handlers=[_WORDS], level=logging.WARNING, force=True)


def _task() -> Any:
    folder = next(path for path in sorted((HERE / "original/AlgoTuneTasks").iterdir()) if path.is_dir())
    importlib.import_module(f"AlgoTuneTasks.{folder.name}.{folder.name}")
    registry = importlib.import_module("AlgoTuneTasks.base").TASK_REGISTRY
    if folder.name not in registry:
        found = ", ".join(sorted(registry)) or "nothing"
        raise LookupError(f"{folder.name}.py registers {found}, expected a class under @register_task('{folder.name}')")
    return registry[folder.name]()


_TASK = _task()


def generate(params: dict[str, Any], seed: int) -> dict[str, Any]:
    """Return the problem of size ``n`` for a seed, as its reader would hand it out, packed."""
    problem = packed(_problem(params, seed), ordered=True)
    return {"problem": problem, "tagged": True} if is_tagged(problem) else {"problem": problem}


def _problem(params: dict[str, Any], seed: int) -> Any:
    if params.get("seeds"):  # the published ones of this split, and no others
        seed = params["first"] + (seed - params["first"]) % params["seeds"]
    seed %= LARGEST_SEED
    for attempt in range(ATTEMPTS):  # a seed that fails is passed over, as AlgoTune does
        _seed(seed + attempt)
        try:
            problem = _TASK.generate_problem(params["n"], random_seed=seed + attempt)
        except Exception:
            if attempt == ATTEMPTS - 1:
                raise
        else:
            return stored(problem) if params["roundtrip"] else problem
    raise AssertionError


def _seed(seed: int) -> None:
    """Seed whatever draws at random."""
    random.seed(seed)
    np.random.seed(seed)
    _SYSTEM.drawn = np.random.default_rng(seed)


def reference(problem: dict[str, Any]) -> Any:
    """Return the original's own answer, packed."""
    return packed(_TASK.solve(unpacked(problem["problem"])))


def check(problem: dict[str, Any], output: Any) -> str | None:
    """Return why the original refuses an answer, None if it takes it."""
    _WORDS.last = ""
    try:
        found = _TASK.is_solution(unpacked(problem["problem"]), unpacked(output))
    except Exception as error:  # noqa: BLE001  others' code raises what it likes
        return f"is_solution failed: {type(error).__name__}: {error}"[:_MOST_CHARS]
    if type(found) is not bool:
        return f"is_solution returned a {type(found).__module__}.{type(found).__qualname__}, expected a plain bool"
    return None if found else f"is_solution refuses it: {_WORDS.last or 'it does not say why'}"


def timed(params: dict[str, Any], seeds: list[int]) -> float:
    """Return the median of the seconds that the reference takes for fresh problems, after one to warm up."""
    took = []
    for seed in seeds:
        problem = _problem(params, seed)
        begin = time.perf_counter()
        _TASK.solve(problem)
        took.append(time.perf_counter() - begin)
    return float(np.median(took[1:]))
