"""Row by row in one array, compiled."""

import numba
import numpy as np


@numba.njit(cache=False)
def _distance(a, b):
    row = np.arange(len(b) + 1)
    for i in range(len(a)):
        diagonal = row[0]
        row[0] = i + 1
        for j in range(len(b)):
            above = row[j + 1]
            change = diagonal + (a[i] != b[j])
            row[j + 1] = min(change, min(above, row[j]) + 1)
            diagonal = above
    return row[-1]


def edit_distance(a: bytes, b: bytes) -> int:
    """Return the Levenshtein distance."""
    return int(_distance(np.frombuffer(a, np.uint8), np.frombuffer(b, np.uint8)))
