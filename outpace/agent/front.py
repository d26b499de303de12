"""The Pareto front: what nothing else beats in every objective at once.

A member dominates another if it is no worse in any objective and better in one. A front of bounded size keeps its
shape by the crowding distance of NSGA-II (Deb, Pratap, Agarwal and Meyarivan 2002, IEEE Transactions on Evolutionary
Computation 6(2), section III-B): where it is too large, the member goes whose neighbours are nearest.
"""

import math
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from outpace.errors import UsageError
from outpace.tasks.spec import Objective

T = TypeVar("T")
Values = tuple[float, ...]
"""One figure for each objective, the goal's first, turned so that more is better."""


def values_of(rank: float | None, metrics: Mapping[str, float], objectives: Sequence[Objective]) -> Values | None:
    """Return the values of a program by which it stands in a front: its rank, then each objective.

    ``rank`` is ``Evaluation.rank``: the pessimistic end of the score. None for a program without one (it failed, or
    was not measured), and for one of which an objective is not known.
    """
    if rank is None or any(one.metric not in metrics for one in objectives):
        return None
    return (rank, *(one.rank(metrics[one.metric]) for one in objectives))


@dataclass(frozen=True, slots=True)
class Standing(Generic[T]):
    """A member of a front with its values."""

    member: T
    values: Values


class Front(Generic[T]):
    """Members of which none dominates another, each combination of values once (the first that came with it).

    As long as there were never more than ``most``, the values in it are the same whatever the order of ``add``. Each
    ``add`` takes time in proportion to the size of the front, however many members were seen.
    """

    def __init__(self, *, most: int | None = None) -> None:
        """Start empty; ``most`` bounds the size (None: no bound). Raises ``UsageError`` if it is below 1."""
        if most is not None and most < 1:
            raise UsageError(f"A front of at most {most} members holds nothing; expected 1 or more.")
        self.most, self.pruned = most, 0
        self._standings: list[Standing[T]] = []  # by their values: what may dominate another comes after it

    def __len__(self) -> int:
        """Count the members."""
        return len(self._standings)

    def __iter__(self) -> Iterator[Standing[T]]:
        """Yield the members with their values, the best in the first objective first."""
        return reversed(self._standings)

    def add(self, member: T, values: Sequence[float]) -> bool:
        """Let a member in unless one dominates it or has the same values; those that it dominates leave.

        Return whether it is kept. Raises ``ValueError`` for values that are no numbers, or not as many as before.
        """
        new = Standing(member, tuple(values))
        if any(math.isnan(value) for value in new.values):
            raise ValueError(f"no front holds a member with the values {new.values}: expected numbers")
        if self._standings and len(self._standings[0].values) != len(new.values):
            raise ValueError(f"got {len(new.values)} values, expected {len(self._standings[0].values)} as before")
        place = bisect_left(self._standings, new.values, key=_values)
        for index in range(place, len(self._standings)):  # the nearest first: it is the likeliest
            if _as_good(self._standings[index].values, new.values):
                return False
        left = [one for one in self._standings[:place] if not _as_good(new.values, one.values)]
        self._standings[:place] = [*left, new]
        if self.most is None or len(self._standings) <= self.most:
            return True
        return self._prune() is not new

    def _prune(self) -> Standing[T]:
        """Take the member out that is crowded most; of equals the one that is worst in the first objective."""
        distances = crowding([one.values for one in self._standings])
        self.pruned += 1
        return self._standings.pop(distances.index(min(distances)))


def crowding(points: Sequence[Values]) -> list[float]:
    """Return the crowding distance of each point: the sides of the box of its neighbours, in parts of the whole range.

    The first and the last by an objective are infinitely far from the crowd; of points with the same figure the order
    of their other values tells which are next to each other.
    """
    distances = [0.0] * len(points)
    for objective in range(len(points[0])):
        order = sorted(range(len(points)), key=lambda index: (points[index][objective], points[index]))
        low, high = points[order[0]][objective], points[order[-1]][objective]
        distances[order[0]] = distances[order[-1]] = math.inf
        if not 0 < high - low < math.inf:
            continue
        for before, index, after in zip(order, order[1:], order[2:], strict=False):
            distances[index] += (points[after][objective] - points[before][objective]) / (high - low)
    return distances


def _as_good(one: Values, other: Values) -> bool:
    """Tell whether ``one`` is no worse than ``other`` in any objective."""
    for mine, theirs in zip(one, other, strict=True):  # noqa: SIM110  (three times as fast as all(), and asked often)
        if mine < theirs:
            return False
    return True


def _values(one: Standing[T]) -> Values:
    return one.values
