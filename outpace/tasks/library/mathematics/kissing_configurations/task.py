"""Trusted half of kissing configurations: compares distances and lengths in whole numbers."""

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

MOST = 1000
"""More vectors are refused unseen; no configuration in 11 dimensions has so many."""
SMALL = 2**28
"""Below it a squared distance of vectors of up to 16 coordinates fits into 63 bits."""


class Task(spec.Task):
    """Problem: ``dimension``. Answer: whole vectors, an int64 array of shape (vectors, dimension)."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Return the one problem of a dimension; the seed changes nothing."""
        return {"dimension": int(case.params["dimension"])}

    def reference(self, problem: Problem) -> Output:
        """Return the shortest vectors of the lattice D_n, all sums and differences of two unit vectors, times two."""
        dimension: int = problem["dimension"]
        unit = 2 * np.eye(dimension, dtype=np.int64)
        pairs = [(unit[i], unit[j]) for i, j in combinations(range(dimension), 2)]
        return np.array([s * a + t * b for a, b in pairs for s in (1, -1) for t in (1, -1)])

    def check(self, problem: Problem, output: Output) -> None:
        """The smallest squared distance is at least the largest squared length, which is not 0.

        For vectors a, b of lengths at most L with |a - b| >= L, the angle at 0 is at least 60 degrees: the side that
        lies opposite is the longest of the triangle. Squares are compared, in 64 bits where they fit for certain and
        in Python's whole numbers of any length otherwise; nothing is rounded.
        """
        vectors = _vectors(output, problem["dimension"])
        lengths = (vectors * vectors).sum(axis=1)
        if not lengths.min() > 0:
            raise WrongAnswer(f"vector {int(np.argmin(lengths))} is zero")
        longest = lengths.max()
        for number, vector in enumerate(vectors[:-1]):
            apart = vectors[number + 1 :] - vector
            squares = (apart * apart).sum(axis=1)
            if not squares.min() >= longest:
                other = number + 1 + int(np.argmin(squares))
                both = f"vectors {number} {vector.tolist()} and {other} {vectors[other].tolist()}"
                raise WrongAnswer(
                    f"{both}: their squared distance is {squares.min()}, and one vector has the square {longest}"
                )

    def score(self, problem: Problem, output: Output) -> float:
        """Return the number of vectors."""
        return float(len(output))


def _vectors(output: Any, dimension: int) -> NDArray[Any]:
    """Return the vectors in a type that holds every square."""
    if type(output) is not np.ndarray or output.dtype != np.int64 or output.shape[1:] != (dimension,):
        raise WrongAnswer(f"expected an int64 array of shape (vectors, {dimension})")
    if not 0 < len(output) <= MOST:
        raise WrongAnswer(f"there are {len(output)} vectors, expected 1 to {MOST}")
    if output.min() > -SMALL and output.max() < SMALL and dimension <= 16:
        return output
    return output.astype(object)
