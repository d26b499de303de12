"""Trusted half of the first autocorrelation inequality: convolutions of step functions in whole numbers."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

FINE = 80
# fmt: off
STEPS_20 = (
    1024, 85, 125, 0, 0, 192, 360, 797, 23, 31, 300, 248, 27, 533, 479, 660, 561, 397, 439, 453,
)
# fmt: on
"""Heights in 1024ths of a function that we found by going down on a smooth maximum of the convolution: 1.53695."""


class Task(spec.Task):
    """Problem: ``most_steps``. Answer: heights, none negative, a float64 array of at most that many."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Return the one problem there is; the seed changes nothing."""
        return {"most_steps": int(case.params["most_steps"])}

    def reference(self, problem: Problem) -> Output:
        """Return a function of 20 steps."""
        return np.array(STEPS_20) / 1024

    def check(self, problem: Problem, output: Output) -> None:
        """Between 1 and ``most_steps`` heights, none negative, not all 0."""
        _heights(output, problem["most_steps"])

    def score(self, problem: Problem, output: Output) -> float:
        """Return the ratio, rounded up to a float: an upper bound of the constant that no rounding lowers.

        Heights are first rounded down to 80 binary digits, counted from the largest one's first: what is bounded is the
        ratio of that function, exactly. The unit cancels. With n steps of the width 1 / 2n and the heights a_j, f * f
        is linear between multiples of the width, where it is sum a_j a_(k-j) / 2n; the integral of f is sum a_j / 2n.
        So the ratio is 2n max over k of sum a_j a_(k-j), by the square of sum a_j.
        """
        heights = _whole(_heights(output, problem["most_steps"]))
        return _above(Fraction(2 * len(heights) * max(_convolution(heights)), sum(heights) ** 2))


def _heights(output: Any, most: int) -> NDArray[np.float64]:
    if type(output) is not np.ndarray or output.dtype != np.float64 or output.ndim != 1:
        raise WrongAnswer("expected a float64 array of one dimension")
    if not 1 <= len(output) <= most:
        raise WrongAnswer(f"there are {len(output)} steps, expected 1 to {most}")
    right = (output >= 0.0) & (output < math.inf)
    if not right.all():
        step = int(np.argmin(right))
        raise WrongAnswer(f"step {step} has the height {float(output[step])!r}, expected a number from 0 on")
    if not output.any():
        raise WrongAnswer("all heights are 0, so that the integral is 0")
    return output


def _whole(heights: NDArray[np.float64]) -> list[int]:
    """Return the heights in units of 2**-80 of the power of two above the largest, rounded down."""
    shift = FINE - math.frexp(heights.max())[1]
    up, down = 2 ** max(0, shift), 2 ** max(0, -shift)
    ratios = [float(height).as_integer_ratio() for height in heights]
    return [numerator * up // (denominator * down) for numerator, denominator in ratios]


def _convolution(values: list[int]) -> list[int]:
    """Return the sums over j of values[j] values[k - j] for all k, exactly.

    The values become the digits of one number to a base that no sum reaches; the digits of its square are the sums. One
    multiplication of Python's whole numbers takes the place of n^2.
    """
    width = (2 * max(values).bit_length() + len(values).bit_length()) // 8 + 1
    number = int.from_bytes(b"".join(value.to_bytes(width, "little") for value in values), "little")
    digits = (number * number).to_bytes(2 * width * len(values), "little")
    return [int.from_bytes(digits[start : start + width], "little") for start in range(0, len(digits), width)]


def _above(value: Fraction) -> float:
    """Return the smallest float that is not below ``value``."""
    nearest = float(value)
    return nearest if Fraction(nearest) >= value else math.nextafter(nearest, math.inf)
