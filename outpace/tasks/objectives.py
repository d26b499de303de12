"""Further objectives: the metrics beside the score by which a run keeps a Pareto front. None of them ranks."""

import math
from collections.abc import Iterable, Mapping
from numbers import Real

from outpace.errors import TaskError
from outpace.tasks.spec import Objective, Output, Problem, Task, TaskSpec

MEASURED: Mapping[str, str] = {
    "length": "characters of what may change of the program",
    "memory_mb": "the most memory that the process of the program held while it was checked, in whole megabytes",
    "cpu_s": "CPU seconds of the calls by which it was checked (metric tasks)",
}
"""What the judge measures of every program that is right."""
SCORE, CASE, INSTANCE = "score", "case/", "instance/"
"""The score, and how the names of the scores of cases and of their problems begin among the metrics."""
TAKEN = frozenset({*MEASURED, SCORE, "champion_failed", "load", "mean_of_ratios", "pairs", "processes"})
"""Names of metrics that no task may give to its own."""


def measured(spec: TaskSpec) -> tuple[str, ...]:
    """Return the metrics of every program of a task that are known before one was judged, but for the task's own.

    A worker that may start programs (self-reported scores) is not all that is running, so its memory says nothing.
    """
    timed = spec.goal.kind == "speedup"
    cases = tuple(f"{CASE}{case.name}" for case in spec.split("train") if case.timed or not timed)
    left_out = {"cpu_s"} if timed else {"memory_mb"} if spec.goal.self_reported else set()
    return (*(name for name in MEASURED if name not in left_out), *cases)


def fault(spec: TaskSpec, objectives: Iterable[Objective]) -> tuple[int, str] | None:
    """Return which of several objectives cannot be one, counted from 0, and why; None where all is well.

    Any other identifier may be a metric of the task's own, which shows when its starting program is judged.
    """
    known, seen = measured(spec), dict[str, int]()
    for index, one in enumerate(objectives):
        if one.metric == SCORE:
            return index, "got 'score', the goal itself; it is the first objective of every run, name others"
        if one.metric in seen:
            return index, f"got '{one.metric}', which is an objective already; name each once"
        if one.metric not in known and (one.metric in TAKEN or not one.metric.isidentifier()):
            return index, f"got '{one.metric}', expected {', '.join(known)}, or a metric that Task.metrics gives"
        seen[one.metric] = index
    return None


def own(task: Task, problem: Problem, output: Output) -> dict[str, float]:
    """Return the task's own metrics of an accepted answer.

    Raises ``TaskError`` for what no answer can excuse (no mapping, a name that is none or taken), ``ValueError`` for a
    value that is no finite number, and whatever ``Task.metrics`` raises.
    """
    given: object = task.metrics(problem, output)
    if not isinstance(given, Mapping):
        raise _wrong(task, f"returned a {type(given).__name__}, expected a dict of names to numbers")
    for name, value in given.items():
        if not (isinstance(name, str) and name.isidentifier()):
            raise _wrong(task, f"gave the name {name!r:.60}, expected an identifier")
        if name in TAKEN:
            raise _wrong(task, f"gave the name '{name}', which is one of ours; taken: {', '.join(sorted(TAKEN))}")
        if isinstance(value, bool) or not isinstance(value, Real):  # numpy's numbers are such, too
            raise _wrong(task, f"gave '{name}' as a {type(value).__name__}, expected a number")
    return {name: _finite(name, value) for name, value in given.items()}


def _finite(name: str, value: Real) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"the metric '{name}' is {number}, not a finite number")
    return number


def _wrong(task: Task, said: str) -> TaskError:
    return TaskError(f"Task '{task.spec.name}': Task.metrics {said}.")
