"""Looks for a step function whose convolution with itself stays low; the score is its ratio."""

import numpy as np


def ratio(heights: np.ndarray) -> float:
    """Return max(f * f) / integral(f)^2 on an interval of length 1/2, as the judge computes it but for rounding."""
    return 2.0 * len(heights) * float(np.convolve(heights, heights).max()) / float(heights.sum()) ** 2


# EVOLVE-BLOCK-START
STEPS = 40
TRIES = 4000
REACH = 0.3


def steps(most_steps: int) -> np.ndarray:
    """Return the heights of the steps, at most ``most_steps`` numbers that are not negative."""
    rng = np.random.default_rng(1)
    best = np.ones(STEPS)
    least = ratio(best)
    for _ in range(TRIES):
        tried = best.copy()
        place = rng.integers(STEPS)
        tried[place] = max(0.0, tried[place] + REACH * rng.standard_normal())
        found = ratio(tried)
        if found < least:
            best, least = tried, found
    return best


# EVOLVE-BLOCK-END
