"""What a few seeds can tell: the chance that one does better than another, exact tests, ranks with their intervals.

Samples are values where more is better, one for each seed; there is a sample for each task.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Sample = Sequence[float]
LEVEL = 0.05
"""Differences with an adjusted p below this are told apart."""
RESAMPLES = 4000


def superiority(one: Sample, other: Sample) -> float:
    """Return the chance that a value of ``one`` is above one of ``other``, ties counting half.

    The probability of superiority (Vargha and Delaney 2000, their A), which is Mann-Whitney's U over its maximum.
    """
    difference = np.subtract.outer(np.asarray(one, dtype=float), np.asarray(other, dtype=float))
    return float(np.mean((difference > 0) + 0.5 * (difference == 0)))


def p_value(pairs: Sequence[tuple[Sample, Sample]]) -> float:
    """Return how often chance alone would part the two as far, either way, over all tasks together.

    The permutation test of the rank sums of all tasks added up: the Wilcoxon-Mann-Whitney test in strata (van Elteren
    1960, of equal weights). Exact, ties included: within each task every way to deal the values out is counted.
    """
    total, expected = np.ones(1), 0.0
    observed = 0
    for one, other in pairs:
        ranks = _doubled_ranks([*one, *other])
        observed += sum(ranks[: len(one)])
        expected += len(one) * sum(ranks) / len(ranks)
        total = np.convolve(total, _rank_sums(ranks, len(one)))
    far = abs(observed - expected) - 1e-9
    sums = np.arange(len(total))
    return min(1.0, float(np.sum(total[np.abs(sums - expected) >= far])))


def least_p(sizes: Sequence[tuple[int, int]]) -> float:
    """Return the smallest p that samples of these sizes can give."""
    return min(1.0, 2.0 / math.prod(math.comb(one + other, one) for one, other in sizes))


def holm(found: Mapping[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    """Return p-values adjusted for how many there are (Holm 1979), so that the whole list errs in 5 % at most."""
    adjusted: dict[tuple[str, str], float] = {}
    highest, many = 0.0, len(found)
    for place, pair in enumerate(sorted(found, key=lambda one: (found[one], one))):
        highest = max(highest, min(1.0, (many - place) * found[pair]))
        adjusted[pair] = highest
    return adjusted


def mean_ranks(samples: Mapping[str, Sequence[Sample]], *, seed: int = 0) -> dict[str, tuple[float, float, float]]:
    """Return the mean rank of each over the tasks, with the ends of its interval: 1 is the best, ties share.

    On each task they are ranked by their medians. The interval (95 %) is the bootstrap's, seeds drawn anew for each and
    each task. It knows nothing of tasks that were not compared on, and with few seeds it is too narrow rather than too
    wide.
    """
    names = list(samples)
    tasks = len(next(iter(samples.values())))
    chance = np.random.default_rng(seed)
    point, drawn = np.zeros(len(names)), np.zeros((RESAMPLES, len(names)))
    for task in range(tasks):
        values = [np.asarray(samples[name][task], dtype=float) for name in names]
        point += _ranks(np.array([[np.median(one) for one in values]]))[0]
        again = [np.median(one[chance.integers(len(one), size=(RESAMPLES, len(one)))], axis=1) for one in values]
        drawn += _ranks(np.stack(again, axis=1))
    low, high = np.percentile(drawn / tasks, [2.5, 97.5], axis=0)
    return {
        name: (float(point[index]) / tasks, float(low[index]), float(high[index])) for index, name in enumerate(names)
    }


def groups(order: Sequence[str], told_apart: Mapping[tuple[str, str], bool]) -> list[tuple[str, ...]]:
    """Return the longest stretches of ``order`` (best first) of which no two are told apart (Demšar 2006, his bars)."""
    found: list[tuple[str, ...]] = []
    reached = 0
    for begin in range(len(order)):
        end = begin + 1
        while end < len(order) and not any(_apart(told_apart, one, order[end]) for one in order[begin:end]):
            end += 1
        if end > reached and end - begin > 1:
            found.append(tuple(order[begin:end]))
        reached = max(reached, end)
    return found


def _apart(told_apart: Mapping[tuple[str, str], bool], one: str, other: str) -> bool:
    return told_apart.get((one, other), told_apart.get((other, one), False))


def _doubled_ranks(values: Sample) -> list[int]:
    """Return twice the rank of each value, from 1; equal values share their mean rank, so twice it is whole."""
    array = np.asarray(values, dtype=float)
    below = np.sum(array[:, None] > array[None, :], axis=1)
    equal = np.sum(array[:, None] == array[None, :], axis=1)
    return [int(one) for one in 2 * below + equal + 1]


def _rank_sums(ranks: Sequence[int], count: int) -> NDArray[np.float64]:
    """Return the chance of each sum of ``count`` of the ranks, all choices alike; index is the sum."""
    ways = np.zeros((count + 1, sum(ranks) + 1))
    ways[0, 0] = 1.0
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, : ways.shape[1] - rank].copy()
    chances: NDArray[np.float64] = ways[count] / math.comb(len(ranks), count)
    return chances


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the ranks along each row: 1 for the highest, ties share their mean rank."""
    above = np.sum(values[:, None, :] > values[:, :, None], axis=2)
    equal = np.sum(values[:, None, :] == values[:, :, None], axis=2)
    ranks: NDArray[np.float64] = 1.0 + above + (equal - 1) / 2
    return ranks
