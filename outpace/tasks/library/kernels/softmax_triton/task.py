"""Trusted half of softmax_triton: rows of many distributions, and the softmax in double precision."""

from collections.abc import Callable
from typing import Any

import numpy as np

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

Draw = Callable[[np.random.Generator, int, float], Any]

TOLERANCE = {"float32": (5e-5, 1e-37), "float16": (7.5e-4, 3.1e-8)}
"""Allowed difference by type: as a part of the number, and in any case (below it numbers may be flushed to zero).

An exponent of size 88 is known to 4e-6 in single precision, so its power is to 4e-6 too; an honest kernel stays below
1e-5. Half precision rounds the answer by 4.9e-4, and its smallest number is 6e-8, so that the smallest are off by 3e-8.
"""
KINDS: dict[str, Draw] = {
    "normal": lambda rng, n, most: rng.normal(size=n),
    "large": lambda rng, n, most: 80 * rng.normal(size=n),
    "small": lambda rng, n, most: 1e-3 * rng.normal(size=n),
    "one_hot": lambda rng, n, most: np.where(np.arange(n) == rng.integers(n), 12.0, 0.0),
    "sorted": lambda rng, n, most: np.sort(4 * rng.normal(size=n)),
    "falling": lambda rng, n, most: -np.sort(4 * rng.normal(size=n)) - 500,
    "constant": lambda rng, n, most: np.full(n, 30 * rng.normal()),
    "extreme": lambda rng, n, most: rng.choice([-most, 0.0, most], size=n),
}
"""What rows are drawn from, in turn: a random generator, how many, the largest finite number of the type."""


class Task(spec.Task):
    """Problem: ``x`` (rows, columns), ``pad``: how many items lie between rows. Answer: an array like ``x``."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw rows from all ``KINDS`` in turn; lengths vary, so none is a round number for good."""
        rng = np.random.default_rng(seed)
        rows, columns = case.params["rows"], case.params["columns"]
        if case.params["kind"] == "edges":
            columns = (1, 2, columns, 16, 129)[seed % 5]
        else:
            columns = int(rng.integers(columns, columns * 21 // 20 + 1))
        dtype = np.dtype(case.params["dtype"])
        most = float(np.finfo(dtype).max)
        kinds = list(KINDS.values())
        first = int(rng.integers(len(kinds)))
        drawn = [kinds[(first + row) % len(kinds)](rng, columns, most) for row in range(rows)]
        return {"x": np.array(drawn).astype(dtype), "pad": int(rng.integers(0, 4))}

    def reference(self, problem: Problem) -> Output:
        """Work it out in double precision, then round."""
        return _exact(problem["x"]).astype(problem["x"].dtype)

    def check(self, problem: Problem, output: Output) -> None:
        """Type and shape, then every number against double precision."""
        x = problem["x"]
        if type(output) is not np.ndarray or output.dtype != x.dtype or output.shape != x.shape:
            found = f"{output.dtype} {output.shape}" if isinstance(output, np.ndarray) else type(output).__name__
            raise WrongAnswer(f"expected an array of {x.dtype}, shape {x.shape}, got {found}")
        right = _exact(x)
        part, least = TOLERANCE[str(x.dtype)]
        off = np.abs(output.astype(np.float64) - right)
        fits = off <= np.maximum(part * right, least)
        if not np.all(fits):
            row, column = (int(place) for place in np.argwhere(~fits)[0])
            given, expected = float(output[row, column]), float(right[row, column])
            count = int(np.size(fits) - np.count_nonzero(fits))
            raise WrongAnswer(
                f"y[{row}, {column}] is {given:.9g}, expected {expected:.9g} to within {part:.1e} of it "
                f"({count} of {np.size(fits)} numbers are off)"
            )


def _exact(x: Any) -> Any:
    """Return the softmax of every row, in float64."""
    wide = x.astype(np.float64)
    powers = np.exp(wide - wide.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)
