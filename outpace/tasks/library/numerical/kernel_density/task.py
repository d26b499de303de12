"""Trusted half of kernel_density: draws clusters of weighted points, and sums whole rows of kernels."""

import numpy as np

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

TOLERANCE = 1e-10
"""Allowed difference, as a part of each number itself.

All terms are positive, so sums lose nothing: over 12 seeds of every case loops and whole arrays never differed by more
than 1e-14. Single precision: 3e-6 and more.
"""
_ROWS = 64


class Task(spec.Task):
    """Problem: the arguments of ``density``. Answer: one density for each place, (m,) float64."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw points in clusters of different widths, with weights of all sizes, and places in and around them.

        ``bandwidth`` of the case is a part of the width of the whole cloud, which is 1; it varies by a factor of 1.5.
        A quarter of the places lie outside the clusters, up to 12 bandwidths from the nearest point.
        """
        rng = np.random.default_rng(seed)
        params = case.params
        count, places = params["points"], params["places"]
        bandwidth = float(params["bandwidth"] * rng.uniform(0.8, 1.2))
        if params["kind"] == "edges":
            count, places = [(1, places), (count, 0), (count, 1), (count, places)][seed % 4]
        middles = rng.uniform(-0.5, 0.5, size=(6, 2))
        widths = rng.uniform(0.03, 0.2, size=6)
        which = rng.integers(0, 6, size=count)
        points = middles[which] + rng.normal(size=(count, 2)) * widths[which, np.newaxis]
        spots = points[rng.integers(0, count, size=places)] + rng.normal(size=(places, 2)) * bandwidth
        outside = rng.random(places) < 0.25
        angles = rng.uniform(0.0, 2.0 * np.pi, size=places)
        steps = bandwidth * rng.uniform(3.0, 12.0, size=places)
        spots[outside] += (steps[:, np.newaxis] * np.stack([np.cos(angles), np.sin(angles)], axis=1))[outside]
        weights = rng.exponential(size=count) + 0.01
        if params["kind"] == "edges" and seed % 4 == 3:
            points[:] = points[0]
        return {"points": points, "weights": weights, "places": spots, "bandwidth": bandwidth}

    def reference(self, problem: Problem) -> Output:
        """Sum the kernels of some places at a time, so that the arrays stay in the cache."""
        points, weights, places = problem["points"], problem["weights"], problem["places"]
        scale = 1.0 / (2.0 * problem["bandwidth"] ** 2)
        found = np.empty(len(places))
        for first in range(0, len(places), _ROWS):
            some = places[first : first + _ROWS]
            squares = np.subtract.outer(some[:, 0], points[:, 0]) ** 2
            squares += np.subtract.outer(some[:, 1], points[:, 1]) ** 2
            found[first : first + _ROWS] = np.exp(squares * -scale) @ weights
        return found * (scale / (np.pi * weights.sum()))

    def check(self, problem: Problem, output: Output) -> None:
        """Type and shape, then every number against the reference."""
        shape = problem["places"].shape[:1]
        if type(output) is not np.ndarray or output.dtype != np.float64 or output.shape != shape:
            raise WrongAnswer(f"expected a float64 array of shape {shape}, got {_shown(output)}")
        right = self.reference(problem)
        off = np.abs(output - right)
        wrong = ~(off <= TOLERANCE * right)
        if wrong.any():
            place = int(np.argmax(wrong))
            said = f"the density at place {place} is {float(output[place])}, expected {float(right[place])}"
            raise WrongAnswer(f"{said} to within {TOLERANCE:.0e} of it; {int(wrong.sum())} of {len(right)} are wrong")


def _shown(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"a {value.dtype} array of shape {value.shape}"
    return f"a {type(value).__name__}"
