"""Trusted half of ode_integration: draws Lorenz systems and integrates them by Taylor series of high order."""

import math

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

Array = NDArray[np.float64]

TOLERANCE = 1e-8
"""Allowed difference, as a part of the largest number in the answer.

Over 300 seeds of every case the starting program is never off by more than 7e-10, and over 40 seeds a series of order
36 with shorter steps differs from the reference by 4e-13 at most. Runge-Kutta in
single precision was off by 6e-7 to 2e-4.
"""
ORDER = 32
_LEAST_TERM = 1e-16
"""A step is as long as the last two terms of the series stay below that part of the state (Jorba and Zou 2005)."""


class Task(spec.Task):
    """Problem: the arguments of ``integrate``. Answer: the states after ``duration``, (n, 3) float64."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw the three parameters around Lorenz's own (10, 28, 8/3), and states near the attractor or far from it."""
        rng = np.random.default_rng(seed)
        count, duration = case.params["states"], float(case.params["duration"])
        sigma, rho, beta = rng.uniform([9.0, 26.0, 2.4], [11.0, 30.0, 2.9]).tolist()
        spread = 4.0 if case.params["kind"] == "far" else 1.0
        states = rng.uniform([-15.0, -20.0, 8.0], [15.0, 20.0, 40.0], size=(count, 3)) * spread
        if case.params["kind"] == "edges":
            rest = math.sqrt(beta * (rho - 1.0))
            count, duration = [(count, 0.0), (0, duration), (1, duration), (count, duration), (count, 1e-3)][seed % 5]
            states = states[:count]
            if seed % 5 == 3:
                states[0] = 0.0
                states[1] = rest, rest, rho - 1.0
        return {"states": states, "duration": duration, "sigma": sigma, "rho": rho, "beta": beta}

    def reference(self, problem: Problem) -> Output:
        """Integrate all states at once by Taylor series, with steps that suit the hardest of them."""
        x = problem["states"].T.copy()
        left = problem["duration"]
        while left > 0 and x.size:
            terms = _series(x, problem["sigma"], problem["rho"], problem["beta"])
            h = min(left, _step(terms))
            x = terms[ORDER]
            for term in terms[ORDER - 1 :: -1]:
                x = x * h + term
            left -= h
        return np.ascontiguousarray(x.T)

    def check(self, problem: Problem, output: Output) -> None:
        """Type and shape, then every number against the reference."""
        shape = problem["states"].shape
        if type(output) is not np.ndarray or output.dtype != np.float64 or output.shape != shape:
            raise WrongAnswer(f"expected a float64 array of shape {shape}, got {_shown(output)}")
        if output.size == 0:
            return
        right = self.reference(problem)
        allowed = TOLERANCE * float(np.abs(right).max())
        off = np.abs(output - right)
        if not np.all(off <= allowed):
            state, axis = np.unravel_index(int(np.argmax(off)), shape)
            given, expected = float(output[state, axis]), float(right[state, axis])
            raise WrongAnswer(f"state {state} has {'xyz'[axis]} = {given}, expected {expected} to within {allowed:.1e}")


def _series(x: Array, sigma: float, rho: float, beta: float) -> Array:
    """Return the Taylor coefficients of the solution through ``x`` (3, n), one more than ``ORDER``.

    The right-hand side is quadratic, so the next coefficient is a sum of products of those before.
    """
    terms = np.empty((ORDER + 1, *x.shape))
    terms[0] = x
    for k in range(ORDER):
        first, second, third = terms[k]
        products = np.einsum("jn,jan->an", terms[: k + 1, 0], terms[k::-1, 1:])
        terms[k + 1, 0] = sigma * (second - first)
        terms[k + 1, 1] = rho * first - second - products[1]
        terms[k + 1, 2] = products[0] - beta * third
        terms[k + 1] /= k + 1
    return terms


def _step(terms: Array) -> float:
    """Return how far the series may be trusted for all states."""
    size = np.abs(terms[0]).max(axis=0) + 1e-300
    last = [np.abs(terms[k]).max(axis=0) / size for k in (ORDER - 1, ORDER)]
    with np.errstate(divide="ignore"):
        steps = [(_LEAST_TERM / part) ** (1.0 / k) for part, k in zip(last, (ORDER - 1, ORDER), strict=True)]
    return float(np.min(steps))


def _shown(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"a {value.dtype} array of shape {value.shape}"
    return f"a {type(value).__name__}"
