"""Looks for a step function with a small overlap; the score is the largest overlap over all shifts."""

import numpy as np


def overlap(heights: np.ndarray) -> float:
    """Return the largest overlap, as the judge computes it but for rounding; lower is better."""
    f = heights if heights.mean() >= 0.5 else 1.0 - heights
    f = f * (0.5 / f.mean())
    return float(np.correlate(1.0 - f, f, "full").max()) * 2.0 / len(f)


# EVOLVE-BLOCK-START
STEPS = 30
TRIES = 4000
REACH = 0.1


def steps(most_steps: int) -> np.ndarray:
    """Return the heights of the steps, at most ``most_steps`` numbers from 0 to 1."""
    rng = np.random.default_rng(1)
    x = (np.arange(STEPS) + 0.5) / STEPS
    bumps = [np.clip(0.5 - height * np.cos(2 * np.pi * x), 0, 1) for height in (0.0, 0.3, 0.5, 0.7)]
    best = min(bumps, key=overlap)
    least = overlap(best)
    for _ in range(TRIES):
        tried = best.copy()
        place = rng.integers(STEPS)
        tried[place] = np.clip(tried[place] + REACH * rng.standard_normal(), 0, 1)
        found = overlap(tried)
        if found < least:
            best, least = tried, found
    return best


# EVOLVE-BLOCK-END
