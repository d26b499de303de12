"""Trusted half of tour construction: draws the cities, proves the tour, computes its gap to the Held-Karp bound."""

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

from . import held_karp


class Task(spec.Task):
    """Problem: ``points`` (n, 2) float64 in the unit square. Answer: every city once, (n,) integers."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw uniform coordinates and raise them to ``power``: above 1, cities crowd at two edges and their corner."""
        uniform = np.random.default_rng(seed).random((case.params["cities"], 2))
        return {"points": uniform ** case.params["power"]}

    def reference(self, problem: Problem) -> Output:
        """Build by farthest insertion: the city farthest from the tour goes where it costs least."""
        between = _between(problem["points"])
        tour = [0]
        away = between[0].copy()
        away[0] = -1.0
        while len(tour) < len(between):
            city = int(away.argmax())
            ends = np.roll(tour, -1)
            detour = between[tour, city] + between[city, ends] - between[tour, ends]
            tour.insert(int(detour.argmin()) + 1, city)
            away = np.minimum(away, between[city])
            away[tour] = -1.0
        return np.array(tour)

    def check(self, problem: Problem, output: Output) -> None:
        """Every city exactly once; where the tour begins and which way round it goes does not matter."""
        count = len(problem["points"])
        tour = _tour(output, count)
        visits = np.bincount(tour, minlength=count)
        if not np.array_equal(visits, np.ones(count, dtype=np.int64)):
            city = int(np.argmax(visits != 1))
            raise WrongAnswer(f"the tour comes to city {city} {visits[city]} times, expected exactly once")

    def score(self, problem: Problem, output: Output) -> float:
        """Return 100 (length - bound) / bound with the Held-Karp bound, in percent."""
        points: NDArray[np.float64] = problem["points"]
        legs = points[output] - points[np.roll(output, -1)]
        length = math.fsum(np.sqrt((legs**2).sum(axis=1)).tolist())
        bound = _bound(points.tobytes())
        return 100.0 * (length - bound) / bound


@lru_cache(maxsize=256)
def _bound(points: bytes) -> float:
    """Return the bound of a problem; kept, because each problem is scored for many programs."""
    return held_karp.bound(_between(np.frombuffer(points).reshape(-1, 2)))


def _between(points: NDArray[np.float64]) -> NDArray[np.float64]:
    squares: NDArray[np.float64] = ((points[:, None, :] - points[None, :, :]) ** 2).sum(axis=2)
    return np.sqrt(squares)


def _tour(output: Any, count: int) -> NDArray[np.int64]:
    if type(output) is not np.ndarray:
        raise WrongAnswer(f"the tour is a {type(output).__name__}, expected an array of {count} cities")
    if output.shape != (count,):
        raise WrongAnswer(f"the tour has shape {output.shape}, expected ({count},): every city once")
    if output.dtype.kind not in "iu":
        raise WrongAnswer(f"the tour holds {output.dtype} values, expected integers")
    low, high = int(output.min()), int(output.max())
    if not (low >= 0 and high < count):
        raise WrongAnswer(f"cities are numbered {low} to {high} in the tour, expected 0 to {count - 1}")
    return output.astype(np.int64)
