"""Packs circles into the unit square; the score is the sum of their radii."""

import numpy as np


def largest_radii(centres: np.ndarray) -> np.ndarray:
    """Return radii that never overlap, whatever the centres: half the nearest distance, then each grows in turn."""
    between = np.sqrt(((centres[:, None, :] - centres[None, :, :]) ** 2).sum(axis=2))
    np.fill_diagonal(between, np.inf)
    border = np.minimum(centres, 1.0 - centres).min(axis=1)
    radii = np.minimum(border, 0.5 * between.min(axis=1))
    for i in range(len(centres)):
        radii[i] = max(radii[i], min(border[i], (between[i] - radii).min()))
    return radii * (1.0 - 1e-12)


# EVOLVE-BLOCK-START
# Rings of centres around the middle of the square: share of the circles, radius of the ring, first angle in turns.
RINGS = [(0.04, 0.0, 0.0), (0.32, 0.2, 0.05), (0.64, 0.4, 0.02)]


def pack(n: int) -> np.ndarray:
    """Return x, y and radius of n circles, an array of shape (n, 3)."""
    points = []
    for share, distance, turn in RINGS:
        circles = min(round(share * n), n - len(points))
        for k in range(circles):
            angle = 2.0 * np.pi * (k / circles + turn)
            points.append((0.5 + distance * np.cos(angle), 0.5 + distance * np.sin(angle)))
    points += [(0.5, 0.5)] * (n - len(points))
    centres = np.clip(np.array(points), 0.0, 1.0)
    return np.column_stack([centres, largest_radii(centres)])


# EVOLVE-BLOCK-END
