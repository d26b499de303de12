"""Builds cap sets in F_3^n; the score is the number of points."""

from itertools import product

import numpy as np


def greedy(points: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Go through ``points`` by ``order`` (indices into it) and keep each one that closes no line with two kept before.

    points: (m, n) digits, all of F_3^n or a part of it. Returns the kept ones, a cap set.
    """
    n = points.shape[1]
    weights = 3 ** np.arange(n)
    digits = points[order]
    numbers = digits @ weights
    blocked = np.zeros(3**n, dtype=bool)
    kept = np.empty((len(points), n), dtype=np.int64)
    count = 0
    for point, number in zip(digits, numbers.tolist(), strict=True):
        if not blocked[number]:
            blocked[(-point - kept[:count]) % 3 @ weights] = True
            blocked[number] = True
            kept[count] = point
            count += 1
    return kept[:count].copy()


# EVOLVE-BLOCK-START
def priority(points: np.ndarray) -> np.ndarray:
    """Return one number per row of ``points``, (3**n, n) digits; the highest is tried first, the first of equals."""
    return np.zeros(len(points))


def cap_set(n: int) -> np.ndarray:
    """Return a cap set of F_3^n, an integer array of shape (points, n)."""
    points = np.array(list(product(range(3), repeat=n)))
    return greedy(points, np.argsort(-priority(points), kind="stable"))


# EVOLVE-BLOCK-END
