"""Plain loops over lists of Python's own numbers."""

import math

import numpy as np


def simulate(positions, velocities, masses, dt, steps, softening):
    """Return positions and velocities after all steps (leapfrog: drift, kick, drift)."""
    x, y, z = positions.T.tolist()
    u, v, w = velocities.T.tolist()
    mass = masses.tolist()
    bodies = range(len(mass))
    half, soft = 0.5 * dt, softening * softening
    for _ in range(steps):
        for i in bodies:
            x[i] += half * u[i]
            y[i] += half * v[i]
            z[i] += half * w[i]
        for i in bodies:
            ax = ay = az = 0.0
            px, py, pz = x[i], y[i], z[i]
            for j in bodies:
                dx, dy, dz = x[j] - px, y[j] - py, z[j] - pz
                square = dx * dx + dy * dy + dz * dz + soft
                pull = mass[j] / (square * math.sqrt(square))
                ax += pull * dx
                ay += pull * dy
                az += pull * dz
            u[i] += dt * ax
            v[i] += dt * ay
            w[i] += dt * az
        for i in bodies:
            x[i] += half * u[i]
            y[i] += half * v[i]
            z[i] += half * w[i]
    return np.array([x, y, z]).T.copy(), np.array([u, v, w]).T.copy()
