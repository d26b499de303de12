"""Trusted half of cap sets: looks for a line through every pair of points, in whole numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer


class Task(spec.Task):
    """Problem: ``n``, the dimension. Answer: the points, an integer array of shape (points, n) of 0, 1 and 2."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Return the one problem of a dimension; the seed changes nothing."""
        return {"n": int(case.params["n"])}

    def reference(self, problem: Problem) -> Output:
        """Return a product of caps: 9 points (x, y, x^2 + y^2) for three digits, 4 for two, 2 for one.

        A product of cap sets is a cap set: on a line each part is a line or one point.
        """
        n: int = problem["n"]
        quadric = [(x, y, (x * x + y * y) % 3) for x in range(3) for y in range(3)]
        square = [(x, y) for x in range(2) for y in range(2)]
        points: list[tuple[int, ...]] = [()]
        while len(points[0]) < n:
            left = n - len(points[0])
            part: list[tuple[int, ...]] = [*quadric] if left >= 3 else [*square] if left == 2 else [(0,), (1,)]
            points = [(*point, *more) for point in points for more in part]
        return np.array(points, dtype=np.int64)

    def check(self, problem: Problem, output: Output) -> None:
        """Digits, no point twice, and for each pair the point that closes the line is not in the set.

        Points are numbers to base 3, the set is a table of 3**n flags: indices and flags only, nothing is rounded. The
        search ends at the first line, and no cap is large, so a huge wrong answer costs no more than a right one.
        """
        points = _points(output, problem["n"])
        weights = 3 ** np.arange(problem["n"])
        numbers = points @ weights
        present = np.zeros(3 ** problem["n"], dtype=bool)
        present[numbers] = True
        if np.count_nonzero(present) != len(points):
            found, counts = np.unique(numbers, return_counts=True)
            first = points[numbers == found[np.argmax(counts > 1)]][0]
            raise WrongAnswer(f"the point {first.tolist()} stands {int(counts.max())} times in the set, expected once")
        for number, point in enumerate(points[:-1]):
            thirds = (-point - points[number + 1 :]) % 3 @ weights
            closing = present[thirds]
            if closing.any():
                other = points[number + 1 + int(np.argmax(closing))]
                third = (-point - other) % 3
                raise WrongAnswer(f"{point.tolist()}, {other.tolist()} and {third.tolist()} lie on a line")

    def score(self, problem: Problem, output: Output) -> float:
        """Return the number of points."""
        return float(len(output))


def _points(output: Any, n: int) -> NDArray[np.int64]:
    if type(output) is not np.ndarray or output.dtype.kind not in "iu" or output.ndim != 2 or output.shape[1] != n:
        raise WrongAnswer(f"expected an integer array of shape (points, {n})")
    if not 0 < len(output) <= 3**n:
        raise WrongAnswer(f"the set has {len(output)} points, expected 1 to {3**n}")
    if not (output.min() >= 0 and output.max() <= 2):
        raise WrongAnswer(f"digits run from {output.min()} to {output.max()}, expected 0, 1 and 2")
    return output.astype(np.int64)
