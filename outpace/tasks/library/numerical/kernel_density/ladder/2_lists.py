"""The definition, over lists of Python's own numbers."""

import math

import numpy as np


def density(points, weights, places, bandwidth):
    """Return the estimated density at each place."""
    scale = 1.0 / (2.0 * bandwidth * bandwidth)
    data = [(x, y, weight) for (x, y), weight in zip(points.tolist(), weights.tolist(), strict=True)]
    exp = math.exp
    sums = []
    for u, v in places.tolist():
        total = 0.0
        for x, y, weight in data:
            dx = x - u
            dy = y - v
            total += weight * exp(-(dx * dx + dy * dy) * scale)
        sums.append(total)
    return np.array(sums, dtype=np.float64) * (scale / (math.pi * weights.sum()))
