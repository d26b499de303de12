"""Multiplies small matrices with few multiplications; the score is their number."""

import numpy as np


def wrong(factors: np.ndarray) -> int:
    """Return how many entries of the product's formula do not hold for the factors, an array (3, n * n, R)."""
    n = round(factors.shape[1] ** 0.5)
    entry = np.eye(n * n).reshape(n, n, n * n)
    right = np.einsum("ija,jkb,ikc->abc", entry, entry, entry)
    return int(np.count_nonzero(np.abs(np.einsum("ar,br,cr->abc", *factors) - right) > 1e-9))


# EVOLVE-BLOCK-START
def decompose(n: int, entries: int) -> np.ndarray:
    """Return the factors U, V, W of the schoolbook's way, an array of shape (3, entries, multiplications)."""
    places = [(i * n + j, j * n + k, i * n + k) for i in range(n) for j in range(n) for k in range(n)]
    factors = np.zeros((3, entries, len(places)), dtype=np.int64)
    for r, (a, b, c) in enumerate(places):
        factors[0, a, r] = factors[1, b, r] = factors[2, c, r] = 1
    return factors


# EVOLVE-BLOCK-END
