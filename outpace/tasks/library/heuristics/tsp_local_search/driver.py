"""Guided local search with 2-opt: runs inside the sandbox, and again in the judge's process to work out the score.

Inside the sandbox ``run`` asks the rule by how much to lengthen the edges of each local optimum. Its answer is what the
rule said, in whole millionths, and no tour: the judge makes the same search with these numbers (``replay``). All
lengths are whole numbers, so that both take the same steps on any machine.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

UNIT = 1_000_000
"""Millionths of the side of the square: the unit of points, lengths and answers."""
MOST = 1_000_000_000
"""No edge is lengthened, or shortened, by more than that at once."""
NEAR = 10
"""A city is only joined anew to one of that many nearest cities."""


def run(entry: Callable[..., Any], points: NDArray[np.int64], rounds: int) -> NDArray[np.int64]:
    """Return what the rule added to the tour's edges, in millionths: one row a round, in the order of the tour then."""
    search = Search(points)
    lengths = search.lengths / UNIT
    lengths.flags.writeable = False
    said = np.zeros((rounds, len(points)), dtype=np.int64)
    for number in range(rounds):
        tour = np.array(search.tour)
        added = _added(entry(tour.copy(), lengths, search.guided / UNIT), tour.shape, number)
        search.round(added)
        said[number] = added
    return said


def replay(points: NDArray[np.int64], said: NDArray[np.int64]) -> int:
    """Return the length of the shortest tour that a search comes past, in millionths, given the answer of ``run``."""
    search = Search(points)
    for added in said:
        search.round(added)
    return search.best


def _added(answer: Any, shape: tuple[int, ...], number: int) -> NDArray[np.int64]:
    """Return the rule's answer in whole millionths, or say what is wrong with it."""
    added = answer if type(answer) is np.ndarray else np.asarray(answer)
    if added.shape != shape:
        raise ValueError(f"lengthen in round {number} returned shape {added.shape}, expected {shape}: one per edge")
    if added.dtype.kind not in "fiub":
        raise TypeError(f"lengthen in round {number} returned {added.dtype} values; expected real numbers")
    if not np.all(np.abs(added.astype(np.float64)) * UNIT <= MOST):
        raise ValueError(f"lengthen in round {number} returned NaN or a number beyond +-{MOST // UNIT}")
    whole: NDArray[np.int64] = np.rint(added.astype(np.float64) * UNIT).astype(np.int64)
    return whole


class Search:
    """A tour and the lengths that guide it; begins with a local optimum of the nearest neighbour tour."""

    def __init__(self, points: NDArray[np.int64]) -> None:
        """``points``: (n, 2) whole numbers, n >= 5."""
        squares = ((points[:, None, :] - points[None, :, :]) ** 2).sum(axis=2)
        self.lengths: NDArray[np.int64] = np.rint(np.sqrt(squares)).astype(np.int64)
        self.guided = self.lengths.copy()
        self.tour = _nearest_neighbour(self.lengths)
        self.best = self.length = int(self.lengths[self.tour, np.roll(self.tour, -1)].sum())
        self._place = [0] * len(points)
        for place, city in enumerate(self.tour):
            self._place[city] = place
        self._true: list[list[int]] = self.lengths.tolist()
        self._rows: list[list[int]] = self.guided.tolist()
        order = np.argsort(self.lengths + np.diag([-1] * len(points)), axis=1, kind="stable")
        self._near: list[list[int]] = order[:, 1 : NEAR + 1].tolist()
        self._descend(list(self.tour))

    def round(self, added: NDArray[np.int64]) -> None:
        """Lengthen the edges of the tour, edge i from its i-th city to the next, and descend to a local optimum."""
        tour, after = np.array(self.tour), np.roll(self.tour, -1)
        self.guided[tour, after] += added
        self.guided[after, tour] += added
        changed: list[int] = []
        for place in np.flatnonzero(added).tolist():
            a, b = int(tour[place]), int(after[place])
            self._rows[a][b] = self._rows[b][a] = int(self.guided[a, b])
            changed += [a, b]
        self._descend(changed)

    def _descend(self, cities: list[int]) -> None:
        """Apply 2-opt moves that shorten the guided tour, from these cities on; at most ten for each city there is."""
        waiting = deque(dict.fromkeys(cities))
        queued = set(waiting)
        moves = 10 * len(self.tour)
        while waiting and moves:
            city = waiting.popleft()
            queued.discard(city)
            while moves and (touched := self._move(city)):
                moves -= 1
                for one in touched:
                    if one not in queued:
                        queued.add(one)
                        waiting.append(one)

    def _move(self, a: int) -> tuple[int, int, int, int] | None:
        """Apply the first improving move that gives city ``a`` a new neighbour; return the four cities of it, or None.

        The edges a-b and c-d become a-c and b-d, where b and d both follow a and c, or both precede them.
        """
        tour, place, rows = self.tour, self._place, self._rows
        count = len(tour)
        for step in (1, -1):
            b = tour[(place[a] + step) % count]
            now = rows[a][b]
            for c in self._near[a]:
                d = tour[(place[c] + step) % count]
                if c == b or d == a:
                    continue
                if rows[a][c] + rows[b][d] < now + rows[c][d]:
                    true = self._true
                    self.length += true[a][c] + true[b][d] - true[a][b] - true[c][d]
                    self.best = min(self.best, self.length)
                    self._reverse(b, c) if step == 1 else self._reverse(c, b)
                    return a, b, c, d
        return None

    def _reverse(self, first: int, last: int) -> None:
        """Turn round the path from one city forward to another, or what is left of the tour if that is shorter."""
        tour, place = self.tour, self._place
        count = len(tour)
        i, j = place[first], place[last]
        inside = (j - i) % count + 1
        if 2 * inside > count:
            i, j, inside = j + 1, i - 1, count - inside
        for _ in range(inside // 2):
            i, j = i % count, j % count
            tour[i], tour[j] = tour[j], tour[i]
            place[tour[i]], place[tour[j]] = i, j
            i += 1
            j -= 1


def _nearest_neighbour(lengths: NDArray[np.int64]) -> list[int]:
    """Return the tour from city 0 on that goes to the nearest city that is left, the first of equals."""
    away = lengths.copy()
    tour = [0]
    far = int(lengths.max()) + 1
    for _ in range(len(lengths) - 1):
        away[:, tour[-1]] = far
        tour.append(int(away[tour[-1]].argmin()))
    return tour
