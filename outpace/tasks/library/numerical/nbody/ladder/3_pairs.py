"""Lists of Python's own numbers, and each pair once: action equals reaction."""

import math

import numpy as np


def simulate(positions, velocities, masses, dt, steps, softening):
    """Return positions and velocities after all steps (leapfrog: drift, kick, drift)."""
    x, y, z = positions.T.tolist()
    u, v, w = velocities.T.tolist()
    pulls = (dt * masses).tolist()
    bodies = range(len(pulls))
    half, soft = 0.5 * dt, softening * softening
    root = math.sqrt
    for _ in range(steps):
        for i in bodies:
            x[i] += half * u[i]
            y[i] += half * v[i]
            z[i] += half * w[i]
        for i in bodies:
            px, py, pz, own = x[i], y[i], z[i], pulls[i]
            ax = ay = az = 0.0
            for j in range(i):
                dx, dy, dz = x[j] - px, y[j] - py, z[j] - pz
                square = dx * dx + dy * dy + dz * dz + soft
                inverse = 1.0 / (square * root(square))
                theirs = pulls[j] * inverse
                mine = own * inverse
                ax += theirs * dx
                ay += theirs * dy
                az += theirs * dz
                u[j] -= mine * dx
                v[j] -= mine * dy
                w[j] -= mine * dz
            u[i] += ax
            v[i] += ay
            w[i] += az
        for i in bodies:
            x[i] += half * u[i]
            y[i] += half * v[i]
            z[i] += half * w[i]
    return np.array([x, y, z]).T.copy(), np.array([u, v, w]).T.copy()
