"""The definition, number by number out of numpy arrays."""

import math

import numpy as np


def density(points, weights, places, bandwidth):
    """Return the estimated density at each place."""
    found = np.zeros(len(places))
    scale = 1.0 / (2.0 * bandwidth * bandwidth)
    for k in range(len(places)):
        for i in range(len(points)):
            dx = points[i, 0] - places[k, 0]
            dy = points[i, 1] - places[k, 1]
            found[k] += weights[i] * math.exp(-(dx * dx + dy * dy) * scale)
    return found * (scale / (math.pi * weights.sum()))
