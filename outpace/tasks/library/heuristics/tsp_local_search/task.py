"""Trusted half of guided local search: draws the cities, makes the search again by the rule's words, measures it."""

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

from . import driver, held_karp


class Task(spec.Task):
    """Problem: ``points`` (n, 2) int64 and ``rounds``. Answer: what was added to each edge, (rounds, n) int64.

    Any numbers in range are allowed. They are worth the shortest tour of the search that the judge makes with them.
    """

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw uniform coordinates and raise them to ``power``: above 1, cities crowd at two edges and their corner."""
        uniform = np.random.default_rng(seed).random((case.params["cities"], 2))
        points = np.rint(uniform ** case.params["power"] * driver.UNIT).astype(np.int64)
        return {"points": points, "rounds": int(case.params["rounds"])}

    def reference(self, problem: Problem) -> Output:
        """Return the best of three searches that penalise the longest edge for its penalties, by small to large steps.

        The steps are parts of the mean edge of the first local optimum; the starting program takes those of the tour.
        """
        said = [_guided(problem["points"], problem["rounds"], share) for share in (0.1, 0.2, 0.4)]
        return min(said, key=lambda one: _shortest(problem["points"].tobytes(), one.tobytes()))

    def check(self, problem: Problem, output: Output) -> None:
        """A whole number in range for each edge of each round."""
        points: NDArray[np.int64] = problem["points"]
        _numbers(output, (problem["rounds"], len(points)))

    def score(self, problem: Problem, output: Output) -> float:
        """Return 100 (length - bound) / bound of the shortest tour with the Held-Karp bound, in percent."""
        points = problem["points"].tobytes()
        bound = _bound(points)
        return 100.0 * (_shortest(points, output.astype(np.int64).tobytes()) - bound) / bound


def _guided(points: NDArray[np.int64], rounds: int, share: float) -> NDArray[np.int64]:
    """Return what the penalties of one guided local search add, in whole numbers throughout."""
    search = driver.Search(points)
    step = max(1, int(share * search.length / len(points)))
    said = np.zeros((rounds, len(points)), dtype=np.int64)
    for row in said:
        after = np.roll(search.tour, -1)
        true = search.lengths[search.tour, after]
        penalties = (search.guided[search.tour, after] - true) // step
        row[np.argmax(true / (1 + penalties))] = step
        search.round(row)
    return said


@lru_cache(maxsize=256)
def _bound(points: bytes) -> float:
    """Return the bound of a problem; kept, because each problem is scored for many programs."""
    lengths = driver.Search(np.frombuffer(points, dtype=np.int64).reshape(-1, 2)).lengths
    return held_karp.bound(lengths.astype(np.float64))


@lru_cache(maxsize=64)
def _shortest(points: bytes, said: bytes) -> int:
    cities = np.frombuffer(points, dtype=np.int64).reshape(-1, 2)
    return driver.replay(cities, np.frombuffer(said, dtype=np.int64).reshape(-1, len(cities)))


def _numbers(output: Any, shape: tuple[int, int]) -> None:
    if type(output) is not np.ndarray:
        raise WrongAnswer(f"the answer is a {type(output).__name__}, expected an array of shape {shape}")
    if output.shape != shape:
        raise WrongAnswer(f"the answer has shape {output.shape}, expected {shape}: one number per round and edge")
    if output.dtype.kind not in "iu":
        raise WrongAnswer(f"the answer holds {output.dtype} values, expected integers")
    low, high = int(output.min()), int(output.max())
    if not (low >= -driver.MOST and high <= driver.MOST):
        raise WrongAnswer(f"the answer runs from {low} to {high}, expected at most {driver.MOST} either way")
