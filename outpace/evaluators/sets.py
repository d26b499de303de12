"""The figures of a set of tasks, as the tools that such sets come from report them."""

from collections.abc import Iterable, Sequence
from statistics import harmonic_mean


def algotune_score(speedups: Sequence[float | None]) -> float:
    """Return the AlgoTune score of a set: the harmonic mean over its tasks of ``max(1, speed-up)``.

    None is a task that is missing or failed, which counts as 1, as does a slower program: the reference is still there
    (Press et al. 2025, "AlgoTune", section 3). An empty set scores 1.
    """
    return harmonic_mean([1.0 if one is None else max(1.0, one) for one in speedups]) if speedups else 1.0


def fast_p(correct_speedups: Iterable[float], total: int, p: float) -> float:
    """Return which share of all ``total`` tasks is correct and more than ``p`` times as fast as the reference.

    ``correct_speedups`` are those of the tasks with a correct program; fast_0 is the share of these (Ouyang et al.
    2025, "KernelBench", section 3). Raises ``ValueError`` where there are more of them than tasks, or no tasks.
    """
    found = list(correct_speedups)
    if total < 1 or len(found) > total:
        raise ValueError(f"got {len(found)} correct tasks of {total}, expected at least one task and no more correct")
    return sum(one > p for one in found) / total
