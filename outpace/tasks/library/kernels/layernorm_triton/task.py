"""Trusted half of layernorm_triton: rows of many distributions, and LayerNorm in double precision."""

from collections.abc import Callable
from typing import Any

import numpy as np

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

Draw = Callable[[np.random.Generator, int, float], Any]

EPS = 1e-5
SINGLE = 2.0**-24
"""Half the distance from 1 to the next number in single precision."""
ROUNDED, NORM = 0.51, 50.0
"""Allowed difference: of both answers ``ROUNDED`` of the distance to the next number of their type, for the rounding.

Of ``y`` besides ``NORM`` times ``SINGLE``, in which all is computed whatever the type: a row's largest number that is
off by one unit moves every normalised number by as many units as that number has standard deviations. The start is
below 7.
"""
KINDS: dict[str, Draw] = {
    "normal": lambda rng, n, most: rng.normal(size=n),
    "large": lambda rng, n, most: most**0.4 * rng.normal(size=n),
    "small": lambda rng, n, most: 1e-3 * rng.normal(size=n),
    "one_hot": lambda rng, n, most: np.where(np.arange(n) == rng.integers(n), 12.0, 0.0),
    "sorted": lambda rng, n, most: np.sort(4 * rng.normal(size=n)),
    "offset": lambda rng, n, most: 500 + rng.normal(size=n),
    "constant": lambda rng, n, most: np.full(n, 3 * rng.normal()),
    "zero": lambda rng, n, most: np.zeros(n),
}
"""What rows of ``x`` are drawn from, in turn: a random generator, how many, the largest finite number of the type.

Squares of a row must have a sum in single precision, so the largest numbers are no larger than 8e15 or so.
"""


class Task(spec.Task):
    """Problem: ``x``, ``residual`` (rows, columns), ``weight``, ``bias`` (columns,), ``pad``.

    The last is how many items lie between rows. Answer: ``total`` and ``y``, arrays like ``x``.
    """

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw rows from all ``KINDS`` in turn; lengths vary, so none is a round number for good."""
        rng = np.random.default_rng(seed)
        rows, columns = case.params["rows"], case.params["columns"]
        if case.params["kind"] == "edges":
            columns = (2, 3, columns, 16, 129)[seed % 5]
        else:
            columns = int(rng.integers(columns, columns * 21 // 20 + 1))
        dtype = np.dtype(case.params["dtype"])
        most = float(np.finfo(dtype).max)
        kinds = list(KINDS.values())
        first = int(rng.integers(len(kinds)))
        drawn = [kinds[(first + row) % len(kinds)](rng, columns, most) for row in range(rows)]
        residual = np.where(np.arange(rows) % 3 == 2, 0.0, 0.25)[:, None] * rng.normal(size=(rows, columns))
        return {
            "x": np.array(drawn).astype(dtype),
            "residual": residual.astype(dtype),
            "weight": rng.uniform(0.25, 2.0, size=columns).astype(dtype),
            "bias": rng.normal(size=columns).astype(dtype),
            "pad": int(rng.integers(0, 4)),
        }

    def reference(self, problem: Problem) -> Output:
        """Work it out in double precision, then round."""
        total, y, _ = _exact(problem)
        return total.astype(problem["x"].dtype), y.astype(problem["x"].dtype)

    def check(self, problem: Problem, output: Output) -> None:
        """Types and shapes, then every number against double precision."""
        x = problem["x"]
        if not (isinstance(output, tuple | list) and len(output) == 2):
            raise WrongAnswer("expected two arrays: total and y")
        for name, given in zip(("total", "y"), output, strict=True):
            if type(given) is not np.ndarray or given.dtype != x.dtype or given.shape != x.shape:
                found = f"{given.dtype} {given.shape}" if isinstance(given, np.ndarray) else type(given).__name__
                raise WrongAnswer(f"{name}: expected an array of {x.dtype}, shape {x.shape}, got {found}")
        total, y, size = _exact(problem)
        _near("total", output[0], total, _rounding(total, x.dtype))
        _near("y", output[1], y, _rounding(y, x.dtype) + NORM * SINGLE * size)


def _exact(problem: Problem) -> tuple[Any, Any, Any]:
    """Return the sum, its LayerNorm, and what an error of ``y`` is held against, in float64."""
    total = problem["x"].astype(np.float64) + problem["residual"].astype(np.float64)
    away = total - total.mean(axis=1, keepdims=True)
    scale = 1 / np.sqrt((away * away).mean(axis=1, keepdims=True) + EPS)
    weight, bias = problem["weight"].astype(np.float64), problem["bias"].astype(np.float64)
    size = np.abs(weight) * (1 + np.abs(total).max(axis=1, keepdims=True) * scale) + np.abs(bias)
    return total, away * scale * weight + bias, size


def _rounding(right: Any, dtype: Any) -> Any:
    """Return by how much rounding to a type may change each number."""
    return ROUNDED * np.spacing(np.abs(right).astype(dtype)).astype(np.float64)


def _near(name: str, given: Any, right: Any, allowed: Any) -> None:
    """Refuse an array with a number that is further off than allowed."""
    fits = np.abs(given.astype(np.float64) - right) <= allowed
    if not np.all(fits):
        row, column = (int(place) for place in np.argwhere(~fits)[0])
        count = int(np.size(fits) - np.count_nonzero(fits))
        raise WrongAnswer(
            f"{name}[{row}, {column}] is {float(given[row, column]):.9g}, expected {right[row, column]:.9g} "
            f"to within {allowed[row, column]:.1e} ({count} of {np.size(fits)} numbers are off)"
        )
