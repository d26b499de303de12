"""Trajectories of the Lorenz system by the classical Runge-Kutta method with a fixed step."""

import math

import numpy as np


# EVOLVE-BLOCK-START
def integrate(states, duration, sigma, rho, beta):
    """Return where each state is after ``duration``; the inputs stay as they are.

    states: float64 array of shape (n, 3). The step is small enough for states as far out as the largest one.
    """
    size = 1.0 if len(states) == 0 else max(1.0, float(np.abs(states).max()) / 30.0)
    steps = math.ceil(duration * 9000.0 * size)
    h = duration / max(steps, 1)
    found = states.copy()
    for i in range(len(states)):
        x = float(states[i, 0])
        y = float(states[i, 1])
        z = float(states[i, 2])
        for _ in range(steps):
            ax = sigma * (y - x)
            ay = x * (rho - z) - y
            az = x * y - beta * z
            u = x + 0.5 * h * ax
            v = y + 0.5 * h * ay
            w = z + 0.5 * h * az
            bx = sigma * (v - u)
            by = u * (rho - w) - v
            bz = u * v - beta * w
            u = x + 0.5 * h * bx
            v = y + 0.5 * h * by
            w = z + 0.5 * h * bz
            cx = sigma * (v - u)
            cy = u * (rho - w) - v
            cz = u * v - beta * w
            u = x + h * cx
            v = y + h * cy
            w = z + h * cz
            dx = sigma * (v - u)
            dy = u * (rho - w) - v
            dz = u * v - beta * w
            x += h * (ax + 2.0 * bx + 2.0 * cx + dx) / 6.0
            y += h * (ay + 2.0 * by + 2.0 * cy + dy) / 6.0
            z += h * (az + 2.0 * bz + 2.0 * cz + dz) / 6.0
        found[i, 0] = x
        found[i, 1] = y
        found[i, 2] = z
    return found


# EVOLVE-BLOCK-END
