"""Trusted half of Erdos' minimum overlap problem: overlaps of step functions as fractions."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

STEPS_21 = (0, 0, 636, 323, 642, 501, 703, 701, 923, 987, 997)
"""The first half, and the middle, of a function that we found by going down on a smooth maximum of the overlaps.

The heights are in 1024ths and 1.1 times too high: a multiple is the same function to the judge. Its overlap is 0.3818.
"""


GRID = 2**80


class Task(spec.Task):
    """Problem: ``most_steps``. Answer: heights from 0 to 1, a float64 array of at most that many."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Return the one problem there is; the seed changes nothing."""
        return {"most_steps": int(case.params["most_steps"])}

    def reference(self, problem: Problem) -> Output:
        """Return a symmetric function of 21 steps."""
        return np.array([*STEPS_21, *STEPS_21[-2::-1]]) / 1024

    def check(self, problem: Problem, output: Output) -> None:
        """Between 1 and ``most_steps`` heights, each from 0 to 1; any of these give a function of integral 1."""
        _heights(output, problem["most_steps"])

    def score(self, problem: Problem, output: Output) -> float:
        """Return the largest overlap, rounded up to a float: an upper bound of the constant that no rounding lowers.

        Heights are rounded down to multiples of 1 / D = 2**-80 first, which changes none above 2**-27: what is bounded
        is the overlap of the function of these heights, exactly. Let them be h_j / D for j = 1 to n, with the sum
        S >= n D / 2 (else the complements are taken, which mirrors the overlaps). Then f_j = c h_j / D with
        c = n D / 2 S <= 1 has the integral 1, and the overlap at a shift of k steps of the width 2 / n is

            2 / n sum f_j (1 - f_(j+k)) = (2 S n sum h_j - n^2 sum h_j h_(j+k)) / 2 n S^2,

        where both sums run over the j for which j + k is a step, too. Between two such shifts the overlap is linear.
        """
        heights = _whole(_heights(output, problem["most_steps"]))
        n, total = len(heights), sum(heights)
        if 2 * total < n * GRID:
            heights = [GRID - height for height in heights]
            total = n * GRID - total
        within = [0]
        for height in heights:
            within.append(within[-1] + height)
        products = _correlation(heights)
        worst = 0
        for k in range(1 - n, n):
            first, last = max(0, -k), min(n, n - k)
            part = within[last] - within[first]
            worst = max(worst, 2 * total * n * part - n * n * products[abs(k)])
        return _above(Fraction(worst, 2 * n * total * total))


def _heights(output: Any, most: int) -> NDArray[np.float64]:
    if type(output) is not np.ndarray or output.dtype != np.float64 or output.ndim != 1:
        raise WrongAnswer("expected a float64 array of one dimension")
    if not 1 <= len(output) <= most:
        raise WrongAnswer(f"there are {len(output)} steps, expected 1 to {most}")
    right = (output >= 0.0) & (output <= 1.0)
    if not right.all():
        step = int(np.argmin(right))
        raise WrongAnswer(f"step {step} has the height {float(output[step])!r}, expected a number from 0 to 1")
    return output


def _whole(heights: NDArray[np.float64]) -> list[int]:
    """Return the heights in parts of the grid, rounded down to it."""
    ratios = [float(height).as_integer_ratio() for height in heights]
    return [numerator * GRID // denominator for numerator, denominator in ratios]


def _correlation(values: list[int]) -> list[int]:
    """Return the sums over j of values[j] values[j + k] for k from 0 on, exactly.

    The values become the digits of one number to a base that no sum reaches, and so does their reverse; the digits of
    the product are the sums. One multiplication of Python's whole numbers takes the place of n^2.
    """
    width = (2 * max(values).bit_length() + len(values).bit_length()) // 8 + 1
    forward = int.from_bytes(b"".join(value.to_bytes(width, "little") for value in values), "little")
    backward = int.from_bytes(b"".join(value.to_bytes(width, "little") for value in reversed(values)), "little")
    digits = (forward * backward).to_bytes(2 * width * len(values), "little")
    middle = len(values) - 1
    return [
        int.from_bytes(digits[width * (middle + k) : width * (middle + k + 1)], "little") for k in range(middle + 1)
    ]


def _above(value: Fraction) -> float:
    """Return the smallest float that is not below ``value``."""
    nearest = float(value)
    return nearest if Fraction(nearest) >= value else math.nextafter(nearest, math.inf)
