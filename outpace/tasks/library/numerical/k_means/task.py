"""Trusted half of k_means: draws clouds of points on a grid, and runs Lloyd's method on whole arrays of integers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

Array = NDArray[np.int64]


class Task(spec.Task):
    """Problem: the arguments of ``k_means``. Answer: labels (n,) and centres (k, d), int64, with nothing left open."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw overlapping clouds of points below ``levels``, and centres among the points.

        Few levels make ties, which the rule must break. ``edges`` adds what is rare: one point, one centre, centres
        that coincide (one of them stays empty), points that are all the same, in turn. ``near_ties``: centres in pairs,
        far from points that are hardly nearer to one of a pair than to the other.
        """
        rng = np.random.default_rng(seed)
        params = case.params
        if params["kind"] == "near_ties":
            return {**_near_ties(rng, params["points"], params["centres"], params["axes"]), "rounds": params["rounds"]}
        count, groups, axes = params["points"], params["centres"], params["axes"]
        if params["kind"] == "edges":
            count, groups = [(1, 3), (count, 1), (count, groups), (count, groups), (count, count)][seed % 5]
        points = _clouds(rng, count, groups, axes, params["levels"], spread=params["spread"])
        if params["kind"] == "edges" and seed % 5 == 2:
            points[:] = points[0]
        start = points[rng.integers(0, count, size=groups)]
        if params["kind"] == "edges" and seed % 5 == 3:
            start = np.concatenate([start[:1], start[:-1]])
        return {"points": points, "centres": start.copy(), "rounds": int(params["rounds"])}

    def reference(self, problem: Problem) -> Output:
        """Compute all distances of a round at once."""
        points, centres = problem["points"], problem["centres"].copy()
        labels = np.zeros(len(points), dtype=np.int64)
        for _ in range(problem["rounds"]):
            distances = np.zeros((len(points), len(centres)), dtype=np.int64)
            for axis in range(points.shape[1]):
                distances += (points[:, axis, np.newaxis] - centres[:, axis]) ** 2
            labels = distances.argmin(axis=1)  # the first of several
            counts = np.bincount(labels, minlength=len(centres))
            sums = np.zeros_like(centres)
            np.add.at(sums, labels, points)
            some = counts > 0
            centres[some] = sums[some] // counts[some, np.newaxis]
        return labels, centres

    def check(self, problem: Problem, output: Output) -> None:
        """Types and shapes, then every label and every centre."""
        if not isinstance(output, tuple | list) or len(output) != 2:
            raise WrongAnswer(f"the answer is a {type(output).__name__}, expected the tuple (labels, centres)")
        shapes = (problem["points"].shape[:1], problem["centres"].shape)
        pairs = zip(("labels", "centres"), output, shapes, strict=True)
        found = [_array(name, value, shape) for name, value, shape in pairs]
        for name, given, right in zip(("labels", "centres"), found, self.reference(problem), strict=True):
            if not np.array_equal(given, right):
                place = tuple(int(index) for index in np.argwhere(given != right)[0])
                at = ", ".join(map(str, place))
                said = f"{name}[{at}] is {given[place]}, expected {right[place]}"
                raise WrongAnswer(f"{said}; {int((given != right).sum())} of {right.size} numbers differ")


def _clouds(rng: np.random.Generator, count: int, groups: int, axes: int, levels: int, *, spread: float) -> Array:
    """Return points around ``groups`` middles; ``spread`` is a part of the whole range."""
    middles = rng.uniform(0.2, 0.8, size=(groups, axes))
    around = middles[rng.integers(0, groups, size=count)] + rng.normal(scale=spread, size=(count, axes))
    return np.clip(np.floor(around * levels), 0, levels - 1).astype(np.int64)


def _near_ties(rng: np.random.Generator, count: int, groups: int, axes: int) -> dict[str, Array]:
    """Return centres in pairs that are two apart on the first axis, and points 64,000 away from all on the last.

    Each point is level with one of a pair, or half-way between: its squared distances from the two, some 4e9, are equal
    or differ by 4. Numbers of 24 binary digits cannot tell, and then the lower index wins.
    """
    pairs = np.repeat(rng.integers(0, 1000, size=(groups // 2, axes)), 2, axis=0)
    pairs[1::2, 0] += 2
    points = pairs[::2][rng.integers(0, groups // 2, size=count)]
    points[:, 0] += rng.integers(0, 3, size=count)
    points[:, -1] = rng.integers(0, 1000, size=count)
    pairs[:, -1] = 65000
    return {"points": points, "centres": pairs}


def _array(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    if type(value) is not np.ndarray:
        raise WrongAnswer(f"{name} is a {type(value).__name__}, expected an int64 array of shape {shape}")
    if value.dtype != np.int64 or value.shape != shape:
        raise WrongAnswer(f"{name} is a {value.dtype} array of shape {value.shape}, expected int64 of shape {shape}")
    return value
