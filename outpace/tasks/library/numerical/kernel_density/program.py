"""A density from weighted points with a Gaussian kernel, by its definition."""

import math

import numpy as np


# EVOLVE-BLOCK-START
def density(points, weights, places, bandwidth):
    """Return the estimated density at each place.

    points: float64 (n, 2); weights: (n,), above 0; places: (m, 2).
    """
    found = np.empty(len(places))
    data = [(float(x), float(y), float(weight)) for (x, y), weight in zip(points, weights, strict=True)]
    scale = 1.0 / (2.0 * bandwidth * bandwidth)
    whole = 0.0
    for _, _, weight in data:
        whole += weight
    for k in range(len(places)):
        u = float(places[k, 0])
        v = float(places[k, 1])
        total = 0.0
        for x, y, weight in data:
            dx = x - u
            dy = y - v
            total += weight * math.exp(-(dx * dx + dy * dy) * scale)
        found[k] = total * scale / (math.pi * whole)
    return found


# EVOLVE-BLOCK-END
