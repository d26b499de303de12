"""Builds kissing configurations of whole vectors; the score is their number."""

from math import isqrt

import numpy as np


def shell(dimension: int, length: int) -> np.ndarray:
    """Return all whole vectors of the squared length ``length``, (m, dimension), in the order of a dictionary."""
    found: list[tuple[list[int], int]] = [([], length)]
    for _ in range(dimension):
        found = [([*begun, x], left - x * x) for begun, left in found for x in range(-isqrt(left), isqrt(left) + 1)]
    return np.array([vector for vector, left in found if left == 0], dtype=np.int64).reshape(-1, dimension)


def keep(vectors: np.ndarray) -> np.ndarray:
    """Go through whole vectors of one length and keep each one that is at least that length away from all kept before.

    vectors: (m, dimension) int64, m at least 1, all of the same squared length. Returns the kept ones.
    """
    half = int((vectors[0] ** 2).sum()) // 2
    free = np.ones(len(vectors), dtype=bool)
    kept = []
    while free.any():
        first = vectors[int(np.argmax(free))]
        kept.append(first)
        free &= vectors @ first <= half
    return np.array(kept)


# EVOLVE-BLOCK-START
LENGTH = 2


def priority(vectors: np.ndarray) -> np.ndarray:
    """Return one number per vector, (m, dimension); the highest is tried first, the first of equals."""
    return vectors[:, 0] + 2.0 * vectors[:, -1]


def kissing(dimension: int) -> np.ndarray:
    """Return vectors no two of which are closer than the longest is long, an int64 array (vectors, dimension).

    They may have up to three coordinates more, if they span no more than ``dimension`` dimensions.
    """
    vectors = shell(dimension, LENGTH)
    return keep(vectors[np.argsort(-priority(vectors), kind="stable")])


# EVOLVE-BLOCK-END
