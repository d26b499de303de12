"""Trusted half of kissing configurations: compares distances and lengths in whole numbers."""

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

MOST = 1000
"""More vectors are refused unseen; no configuration in 11 dimensions has so many."""
MORE = 3
"""So many coordinates more than the dimension are accepted, if the vectors span no more than the dimension."""
SMALL = 2**28
"""Below it a squared distance of vectors of up to 16 coordinates fits into 63 bits."""


class Task(spec.Task):
    """Problem: ``dimension``. Answer: whole vectors, an int64 array of shape (vectors, coordinates).

    There are as many coordinates as dimensions, or up to three more.
    """

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
        """The smallest squared distance is at least the largest squared length, not 0; the span is not too large.

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
        if vectors.shape[1] > problem["dimension"] and not _rank(vectors) <= problem["dimension"]:
            raise WrongAnswer(f"the vectors span {_rank(vectors)} dimensions, expected at most {problem['dimension']}")

    def score(self, problem: Problem, output: Output) -> float:
        """Return the number of vectors."""
        return float(len(output))


def _vectors(output: Any, dimension: int) -> NDArray[Any]:
    """Return the vectors in a type that holds every square."""
    if type(output) is not np.ndarray or output.dtype != np.int64 or output.ndim != 2:
        raise WrongAnswer(f"expected an int64 array of shape (vectors, {dimension})")
    if not dimension <= output.shape[1] <= dimension + MORE:
        raise WrongAnswer(f"vectors have {output.shape[1]} coordinates, expected {dimension} to {dimension + MORE}")
    if not 0 < len(output) <= MOST:
        raise WrongAnswer(f"there are {len(output)} vectors, expected 1 to {MOST}")
    if output.min() > -SMALL and output.max() < SMALL and dimension <= 16:
        return output
    return output.astype(object)


def _rank(vectors: NDArray[Any]) -> int:
    """Return how many dimensions the vectors span, exactly.

    By elimination in whole numbers without fractions (Bareiss 1968): every number on the way is a minor, so that the
    division by the pivot before leaves no remainder.
    """
    rows, rank, before = vectors.astype(object), 0, 1
    for column in range(rows.shape[1]):
        left = np.flatnonzero(rows[rank:, column])
        if len(left):
            rows[[rank, rank + left[0]]] = rows[[rank + left[0], rank]]
            pivot, rest = rows[rank], rows[rank + 1 :]
            rows[rank + 1 :] = (rest * pivot[column] - np.outer(rest[:, column], pivot)) // before
            rank, before = rank + 1, pivot[column]
    return rank
