"""The plain loops, compiled."""

import math

import numba


@numba.njit
def _run(x, v, masses, dt, steps, softening):
    n = len(masses)
    for _ in range(steps):
        for i in range(n):
            for k in range(3):
                x[i, k] += 0.5 * dt * v[i, k]
        for i in range(n):
            ax = ay = az = 0.0
            for j in range(n):
                dx = x[j, 0] - x[i, 0]
                dy = x[j, 1] - x[i, 1]
                dz = x[j, 2] - x[i, 2]
                distance = math.sqrt(dx * dx + dy * dy + dz * dz + softening * softening)
                pull = masses[j] / (distance * distance * distance)
                ax += pull * dx
                ay += pull * dy
                az += pull * dz
            v[i, 0] += dt * ax
            v[i, 1] += dt * ay
            v[i, 2] += dt * az
        for i in range(n):
            for k in range(3):
                x[i, k] += 0.5 * dt * v[i, k]


def simulate(positions, velocities, masses, dt, steps, softening):
    """Return positions and velocities after all steps (leapfrog: drift, kick, drift)."""
    x, v = positions.copy(), velocities.copy()
    _run(x, v, masses, dt, steps, softening)
    return x, v
