"""Trusted half of riccati_equation: draws systems, solves them by doubling, and checks residual and stability."""

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

Array = NDArray[np.float64]

TOLERANCE, RESIDUAL = 1e-8, 1e-10
"""Allowed difference from the reference, and allowed residual, as parts of the largest number in X.

Over 30 seeds of every case the starting program differs from the reference by 2e-9 at most, stable eigenvectors by
2e-10; the residual of the start is below 3e-12, that of the reference below 1e-14. A residual alone would not do: close
to the circle it hides an error a hundred times as large.
"""
_ROUNDS = 60


class Task(spec.Task):
    """Problem: ``a``, ``b``, ``q``, ``r``. Answer: the stabilising X, (n, n) float64."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw a system that is just unstable, with few and dear inputs, so that iterating the equation is slow.

        ``singular``: the same with an A of less than full rank. ``edges``: one state, inputs without effect on a stable
        system, A = 0, costs that see few states, in turn.
        """
        rng = np.random.default_rng(seed)
        params = case.params
        n, m = params["states"], params["inputs"]
        if params["kind"] == "edges":
            n, m = [(1, 1), (n, m), (n, m), (n, n), (n, m)][seed % 5]
        a = rng.normal(size=(n, n))
        if params["kind"] == "singular":
            a[:, : n // 4] = a[:, n // 4 : 2 * (n // 4)] @ rng.normal(size=(n // 4, n // 4))
        a *= (1.0 + rng.uniform(0.0018, 0.0024)) / float(np.abs(np.linalg.eigvals(a)).max())
        b = rng.normal(size=(n, m))
        seen = rng.normal(size=(n, n))
        q, r = seen @ seen.T / n, np.diag(rng.uniform(1.0, 2.0, size=m)) * params["price"]
        if params["kind"] == "edges":
            if seed % 5 == 1:
                a, b = a * 0.8, b * 0.0
            elif seed % 5 == 2:
                a = a * 0.0
            elif seed % 5 == 4:
                a, q = a * 0.9, np.outer(seen[0], seen[0])
        return {"a": a, "b": b, "q": (q + q.T) / 2, "r": r}

    def reference(self, problem: Problem) -> Output:
        """Double the number of steps looked ahead until X stays the same (Anderson 1978; Chu and others 2004)."""
        a, x = problem["a"], problem["q"]
        g = problem["b"] @ np.linalg.solve(problem["r"], problem["b"].T)
        unit = np.eye(len(a))
        for _ in range(_ROUNDS):
            both = np.linalg.solve(unit + g @ x, np.hstack([a, g]))
            wa, wg = both[:, : len(a)], both[:, len(a) :]
            new = x + a.T @ x @ wa
            g = g + a @ wg @ a.T
            a = a @ wa
            g, new = (g + g.T) / 2, (new + new.T) / 2
            if np.array_equal(new, x) or not np.abs(new - x).max() > 1e-15 * np.abs(new).max():
                return new
            x = new
        return x

    def check(self, problem: Problem, output: Output) -> None:
        """Type and shape, the residual, the eigenvalues of the closed loop, then every number against the reference."""
        shape = problem["a"].shape
        if type(output) is not np.ndarray or output.dtype != np.float64 or output.shape != shape:
            raise WrongAnswer(f"expected a float64 array of shape {shape}, got {_shown(output)}")
        right = self.reference(problem)
        most = float(np.abs(right).max())
        off = np.abs(output - right)
        if not np.all(off <= TOLERANCE * most):
            row, column = np.unravel_index(int(np.argmax(off)), shape)
            said = f"X[{row}, {column}] is {float(output[row, column])}, expected {float(right[row, column])}"
            raise WrongAnswer(f"{said} to within {TOLERANCE * most:.1e}")
        residual, closed = _put_in(problem, output)
        if not float(np.abs(residual).max()) <= RESIDUAL * most:
            largest = float(np.abs(residual).max())
            raise WrongAnswer(f"the residual of the equation is {largest:.2e}, expected at most {RESIDUAL * most:.1e}")
        radius = float(np.abs(np.linalg.eigvals(closed)).max())
        if not radius < 1.0:
            raise WrongAnswer(f"A - BK has an eigenvalue of size {radius}, expected all of them below 1")


def _put_in(problem: Problem, x: Array) -> tuple[Array, Array]:
    """Return the residual of the equation at ``x``, and A - BK."""
    a, b = problem["a"], problem["b"]
    gain = np.linalg.solve(problem["r"] + b.T @ x @ b, b.T @ x @ a)
    closed = a - b @ gain
    return a.T @ x @ closed + problem["q"] - x, closed


def _shown(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"a {value.dtype} array of shape {value.shape}"
    return f"a {type(value).__name__}"
