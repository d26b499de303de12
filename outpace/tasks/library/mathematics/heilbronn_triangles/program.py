"""Places points so that their smallest triangle is large; the score is its area as a part of the region's."""

from itertools import combinations, pairwise

import numpy as np


def smallest_area(points: np.ndarray) -> float:
    """Return the area of the smallest triangle with corners in three of the points, (n, 2)."""
    a, b, c = points[np.array(list(combinations(range(len(points)), 3)))].transpose(1, 0, 2)
    u, v = b - a, c - a
    return 0.5 * float(np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]).min())


def hull_area(points: np.ndarray) -> float:
    """Return the area of the convex hull of the points, (n, 2)."""
    corners = sorted(map(tuple, points.tolist()))
    area = 0.0
    for chain in (corners, corners[::-1]):
        hull: list = []
        for p in chain:
            while len(hull) > 1 and _turn(hull[-2], hull[-1], p) <= 0:
                hull.pop()
            hull.append(p)
        area += sum(p[0] * q[1] - p[1] * q[0] for p, q in pairwise(hull)) / 2
    return area


def _turn(p: tuple, q: tuple, r: tuple) -> float:
    return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])


def quality(points: np.ndarray, region: str) -> float:
    """Return what the judge computes exactly: the smallest triangle's area as a part of the region's."""
    area = {"triangle": 0.5, "square": 1.0}.get(region) or hull_area(points)
    return smallest_area(points) / area if area > 0 else 0.0


def inside(points: np.ndarray, region: str) -> np.ndarray:
    """Return the points, those outside the region moved to its border: none of them is refused."""
    if region == "convex":
        return points
    points = np.clip(points, 0.0, 1.0)
    if region == "triangle":
        points[:, 1] = np.minimum(points[:, 1], (1.0 - points[:, 0]) * (1.0 - 1e-15))
    return points


# EVOLVE-BLOCK-START
TRIES = 300


def place(points: int, region: str) -> np.ndarray:
    """Return x and y of the points, an array of shape (points, 2)."""
    rng = np.random.default_rng(1)
    best, most = np.zeros((points, 2)), -1.0
    for _ in range(TRIES):
        tried = inside(rng.random((points, 2)), region)
        found = quality(tried, region)
        if found > most:
            best, most = tried, found
    return best


# EVOLVE-BLOCK-END
