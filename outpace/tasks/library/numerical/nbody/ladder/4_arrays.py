"""All pairs at once in whole arrays."""

import numpy as np


def simulate(positions, velocities, masses, dt, steps, softening):
    """Return positions and velocities after all steps (leapfrog: drift, kick, drift)."""
    x, v = positions.copy(), velocities.copy()
    for _ in range(steps):
        x += 0.5 * dt * v
        between = x[np.newaxis, :, :] - x[:, np.newaxis, :]
        squares = (between * between).sum(axis=2) + softening * softening
        pulls = masses / (squares * np.sqrt(squares))
        v += dt * (between * pulls[:, :, np.newaxis]).sum(axis=1)
        x += 0.5 * dt * v
    return x, v
