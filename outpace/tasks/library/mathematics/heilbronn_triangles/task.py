"""Trusted half of Heilbronn triangles: areas and regions in whole numbers."""

import math
from fractions import Fraction
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

Point = tuple[int, int]
FINE = 2**40


class Task(spec.Task):
    """Problem: ``points`` and ``region``. Answer: x and y of each point, a float64 array of shape (points, 2)."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Return the one problem of a region; the seed changes nothing."""
        return {"points": int(case.params["points"]), "region": str(case.params["region"])}

    def reference(self, problem: Problem) -> Output:
        """Return Erdos' points (i, i^2 mod p), no three on a line, or a regular polygon where that is free.

        The points are spread to the borders of the region, with coordinates rounded down to multiples of 2**-40, so
        that nothing sticks out.
        """
        count: int = problem["points"]
        if problem["region"] == "convex":
            turns = np.arange(count) * (2 * np.pi / count)
            return np.column_stack([np.cos(turns), np.sin(turns)])
        p = next(p for p in range(count, 2 * count + 2) if all(p % q for q in range(2, p)))
        points = [(i, i * i % p) for i in range(count)]
        if problem["region"] == "triangle":
            wide = tall = max(x + y for x, y in points)
        else:
            wide, tall = max(x for x, _ in points), max(y for _, y in points)
        return np.array([(x * FINE // wide / FINE, y * FINE // tall / FINE) for x, y in points])

    def check(self, problem: Problem, output: Output) -> None:
        """Every point in the region, without tolerance; a convex region has an area."""
        one, points = _whole(output, problem["points"])
        region: str = problem["region"]
        for number, (x, y) in enumerate(points):
            out = region != "convex" and not (0 <= x <= one and 0 <= y <= one)
            if out or (region == "triangle" and not x + y <= one):
                place = f"point {number} (x={float(output[number, 0])!r}, y={float(output[number, 1])!r})"
                raise WrongAnswer(f"{place} is outside the {region}")
        if region == "convex" and _hull(points) == 0:
            raise WrongAnswer("all points lie on one line, so that their convex hull has no area")

    def score(self, problem: Problem, output: Output) -> float:
        """Return the smallest area as a part of the region's, rounded down to a float.

        Each float is a whole number times a power of two. All are brought to one power; twice the areas are then whole
        numbers, and their quotient is a fraction that is rounded once, never upwards: no rounding gains anything.
        """
        one, points = _whole(output, problem["points"])
        smallest = min(abs(_turn(a, b, c)) for a, b, c in combinations(points, 3))
        region: str = problem["region"]
        area = _hull(points) if region == "convex" else one * one * (1 if region == "triangle" else 2)
        return _below(Fraction(smallest, area))


def _whole(output: Any, count: int) -> tuple[int, list[Point]]:
    """Return 1 and all points as multiples of one power of two that divides them all."""
    if type(output) is not np.ndarray or output.dtype != np.float64 or output.shape != (count, 2):
        raise WrongAnswer(f"expected a float64 array of shape ({count}, 2)")
    if not np.isfinite(output).all():
        raise WrongAnswer("a coordinate is NaN or infinite")
    ratios = [[float(value).as_integer_ratio() for value in point] for point in output]
    one = max(denominator for point in ratios for _, denominator in point)
    scaled = [[numerator * (one // denominator) for numerator, denominator in point] for point in ratios]
    return one, [(x, y) for x, y in scaled]


def _turn(a: Point, b: Point, c: Point) -> int:
    """Return twice the area of a triangle, above 0 where it turns left."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _hull(points: list[Point]) -> int:
    """Return twice the area of the convex hull, by Andrew's chains and the shoelace formula."""
    double = 0
    for chain in (sorted(points), sorted(points, reverse=True)):
        hull: list[Point] = []
        for point in chain:
            while len(hull) > 1 and _turn(hull[-2], hull[-1], point) <= 0:
                hull.pop()
            hull.append(point)
        double += sum(p[0] * q[1] - p[1] * q[0] for p, q in pairwise(hull))
    return double


def _below(value: Fraction) -> float:
    """Return the largest float that is not above ``value``."""
    nearest = float(value)
    return nearest if Fraction(nearest) <= value else math.nextafter(nearest, -math.inf)
