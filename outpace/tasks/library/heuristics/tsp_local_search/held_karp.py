"""The Held-Karp bound: no tour is shorter, and the best one is about 0.8 % longer on random points."""

import numpy as np
from numpy.typing import NDArray

STEPS = 150
"""Trees that are tried; 2,000 raise the bound by less than 0.1 % more, measured on 50, 100 and 200 uniform points."""


def bound(lengths: NDArray[np.float64]) -> float:
    """Return a lower bound on the length of a tour, given the symmetric (n, n) distances, n >= 3.

    A tour is a 1-tree (a tree over all points but the first, and two edges of the first), so that the shortest 1-tree
    is no longer. What is added to all edges of a point is added to every tour twice, and can be subtracted again: it is
    chosen by subgradient ascent so that the shortest 1-tree looks as much as possible like a tour (Held, Karp 1971).
    Each of these trees gives a bound, whatever the ascent does; the best is returned.
    """
    extra = np.zeros(len(lengths))
    previous = np.zeros(len(lengths))
    best = -np.inf
    for step in range(STEPS):
        total, excess = _one_tree(lengths + extra[:, None] + extra[None, :])
        total -= 2.0 * float(extra.sum())
        best = max(best, total)
        if not excess.any():
            break  # the tree is a tour: the bound is exact
        far = 0.2 * (1.0 - step / STEPS) ** 3 * best  # how much higher it may be
        extra += far / float(excess @ excess) * (0.7 * excess + 0.3 * previous)
        previous = excess
    return best


def _one_tree(costs: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Return the cost of the shortest 1-tree and by how much the degree of each point exceeds two; spoils ``costs``."""
    count = len(costs)
    degrees = np.full(count, -2.0)
    first, second = np.argpartition(costs[0, 1:], 1)[:2] + 1
    total = float(costs[0, first] + costs[0, second])
    degrees[[0, first, second]] += [2.0, 1.0, 1.0]
    costs[:, :2] = np.inf  # points in the tree (and point 0) are nobody's next
    nearest, parents = costs[1].copy(), np.ones(count, dtype=np.int64)
    for _ in range(count - 2):
        new = int(nearest.argmin())
        total += float(nearest[new])
        degrees[new] += 1.0
        degrees[parents[new]] += 1.0
        costs[:, new] = np.inf
        nearest[new] = np.inf
        closer = costs[new] < nearest
        np.copyto(nearest, costs[new], where=closer)
        parents[closer] = new
    return total, degrees
