"""Trusted half of histogram: draws values and edges, and counts by sorting."""

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer


class Task(spec.Task):
    """Problem: ``values`` and ascending ``edges``, float64. Answer: the count of each bin, int64."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw edges whose distances differ by powers of ten, and values, a tenth of them on edges or next to one.

        ``uneven``: every bin gets about as many. ``peak``: nearly all fall into a few. ``edges``: no value, one bin,
        values that are all outside, values on edges only, in turn.
        """
        rng = np.random.default_rng(seed)
        count, bins, kind = case.params["values"], case.params["bins"], case.params["kind"]
        if kind == "edges":
            count, bins = [(0, bins), (count, 1), (count, bins), (count, bins), (count, bins)][seed % 5]
        edges = np.cumsum(10.0 ** rng.uniform(-3.0, 0.0, size=bins + 1))
        edges = (edges - edges[0]) / (edges[-1] - edges[0]) * rng.uniform(1.0, 3.0) - 1.0
        bin_of = rng.integers(0, bins, size=count)
        if kind == "peak":
            middle = rng.uniform(0.2, 0.8) * bins
            bin_of = np.clip(np.rint(rng.normal(middle, 1.5, size=count)), 0, bins - 1).astype(np.int64)
        values: NDArray[np.float64] = edges[bin_of] + rng.random(count) * np.diff(edges)[bin_of]
        some = rng.integers(0, max(count, 1), size=count // 50)
        values[some] = np.where(rng.random(len(some)) < 0.5, edges[0], edges[-1]) + rng.normal(size=len(some))
        some = rng.integers(0, max(count, 1), size=count // 10)
        near = rng.choice(edges, size=len(some))
        values[some] = np.choose(
            rng.integers(0, 3, size=len(some)), [near, np.nextafter(near, -9), np.nextafter(near, 9)]
        )
        if kind == "edges" and seed % 5 == 2:
            values += 9.0
        elif kind == "edges" and seed % 5 == 3:
            values = rng.choice(edges, size=count)
        return {"values": values, "edges": edges}

    def reference(self, problem: Problem) -> Output:
        """Sort the values and look up the edges in them, instead of the values in the edges."""
        values, edges = np.sort(problem["values"]), problem["edges"]
        below = np.asarray(np.searchsorted(values, edges, side="left"), dtype=np.int64)
        below[-1] = np.searchsorted(values, edges[-1], side="right")
        return np.diff(below)

    def check(self, problem: Problem, output: Output) -> None:
        """Type and shape, then every count."""
        right = self.reference(problem)
        if type(output) is not np.ndarray or output.dtype != np.int64 or output.shape != right.shape:
            found = f"{output.dtype} {output.shape}" if isinstance(output, np.ndarray) else type(output).__name__
            raise WrongAnswer(f"expected an int64 array of shape {right.shape}, got {found}")
        if not np.array_equal(output, right):
            at = int(np.argmax(output != right))
            raise WrongAnswer(f"bin {at} has {int(right[at])} values, got {int(output[at])}")
