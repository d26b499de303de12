"""The discrete algebraic Riccati equation by iterating it."""

import numpy as np


# EVOLVE-BLOCK-START
def riccati(a, b, q, r):
    """Return the stabilising solution X of X = A'XA - A'XB (R + B'XB)^-1 B'XA + Q.

    Begins with Q, as if only one step were left to go, and adds one step at a time until nothing changes.
    """
    x = q.copy()
    while True:
        xa = x @ a
        xb = x @ b
        gain = np.linalg.solve(r + b.T @ xb, b.T @ xa)
        new = a.T @ xa - a.T @ xb @ gain + q
        new = (new + new.T) / 2
        change = np.abs(new - x).max()
        x = new
        if change <= 1e-12 * np.abs(x).max():
            return x


# EVOLVE-BLOCK-END
