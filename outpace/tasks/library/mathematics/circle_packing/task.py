"""Trusted half of circle packing: decides validity exactly and adds up the radii."""

import math
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer


class Task(spec.Task):
    """Problem: ``n``. Answer: x, y, radius of each circle, an (n, 3) float64 array."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Return the one problem there is; the seed changes nothing."""
        return {"n": int(case.params["circles"])}

    def reference(self, problem: Problem) -> Output:
        """Return equal circles on a k x k grid and small ones in the gaps between them, shrunk by 1e-9."""
        n: int = problem["n"]
        k = next(k for k in range(1, n + 1) if k * k + (k - 1) * (k - 1) >= n)
        large, small = 0.5 / k, 0.5 / k * (math.sqrt(2) - 1)
        places = [((2 * i + 1) * large, (2 * j + 1) * large, large) for i in range(k) for j in range(k)]
        places += [(2 * i * large, 2 * j * large, small) for i in range(1, k) for j in range(1, k)]
        return np.array(places[:n]) * [1, 1, 1 - 1e-9]

    def check(self, problem: Problem, output: Output) -> None:
        """Containment and every pair, without tolerance.

        Each float is a whole number times a power of two. All are brought to one power, and what follows is arithmetic
        of whole numbers of any length: no rounding anywhere.
        """
        circles = _circles(output, problem["n"])
        one, scaled = _whole(circles)
        for number, (x, y, r) in enumerate(scaled):
            if r < 0:
                raise WrongAnswer(f"circle {number} has the negative radius {circles[number, 2]!s}")
            if not (r <= x <= one - r and r <= y <= one - r):
                raise WrongAnswer(f"circle {number} {_text(circles[number])} sticks out of the unit square")
        for (i, (x1, y1, r1)), (j, (x2, y2, r2)) in combinations(enumerate(scaled), 2):
            if (x1 - x2) ** 2 + (y1 - y2) ** 2 < (r1 + r2) ** 2:
                overlap = max(0.0, circles[i, 2] + circles[j, 2] - math.dist(circles[i, :2], circles[j, :2]))
                both = f"{i} {_text(circles[i])} and {j} {_text(circles[j])}"
                raise WrongAnswer(f"circles {both} overlap by about {overlap:.1e}")

    def score(self, problem: Problem, output: Output) -> float:
        """Return the sum of the radii."""
        return math.fsum(output[:, 2])


def _circles(output: Any, n: int) -> NDArray[np.float64]:
    if type(output) is not np.ndarray:
        raise WrongAnswer(f"the packing is a {type(output).__name__}, expected a float64 array of shape ({n}, 3)")
    if output.dtype != np.float64 or output.shape != (n, 3):
        raise WrongAnswer(
            f"the packing is a {output.dtype} array of shape {output.shape}, expected float64 of shape ({n}, 3)"
        )
    if not np.all(np.isfinite(output)):
        number = int(np.argwhere(~np.isfinite(output))[0][0])
        raise WrongAnswer(f"circle {number} {_text(output[number])} holds NaN or infinity")
    return output


def _whole(circles: NDArray[np.float64]) -> tuple[int, list[tuple[int, int, int]]]:
    """Return all numbers, and 1, as multiples of one power of two that divides them all."""
    ratios = [[float(value).as_integer_ratio() for value in circle] for circle in circles]
    one = max(denominator for circle in ratios for _, denominator in circle)
    scaled = [[numerator * (one // denominator) for numerator, denominator in circle] for circle in ratios]
    return one, [(x, y, r) for x, y, r in scaled]


def _text(circle: NDArray[np.float64]) -> str:
    x, y, r = (float(value) for value in circle)
    return f"(x={x!r}, y={y!r}, r={r!r})"
