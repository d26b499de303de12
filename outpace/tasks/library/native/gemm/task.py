"""Trusted half of gemm: draws matrices, and multiplies them by numpy."""

import numpy as np

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

TOLERANCE = 1e-12
"""Allowed difference, as a part of the largest number in the answer.

Over 4 seeds of every case sums in another order differ by 2e-15 at most, single precision by 3e-7 and more.
"""


class Task(spec.Task):
    """Problem: ``a`` (m, k) and ``b`` (k, n). Answer: their product, (m, n) float64."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw matrices of independent numbers; lengths vary by a twentieth, so none is a round number for good."""
        rng = np.random.default_rng(seed)
        m, k, n = case.params["rows"], case.params["inner"], case.params["columns"]
        if case.params["kind"] == "edges":
            m, k, n = [(1, 1, 1), (1, k, n), (m, 1, n), (m, k, 1), (m, k, n)][seed % 5]
        else:
            m, k, n = (int(rng.integers(length, length * 21 // 20 + 1)) for length in (m, k, n))
        return {"a": rng.normal(size=(m, k)), "b": rng.normal(size=(k, n))}

    def reference(self, problem: Problem) -> Output:
        """Multiply by the library that numpy brings."""
        return problem["a"] @ problem["b"]

    def check(self, problem: Problem, output: Output) -> None:
        """Type and shape, then every number against the reference."""
        shape = (problem["a"].shape[0], problem["b"].shape[1])
        if type(output) is not np.ndarray or output.dtype != np.float64 or output.shape != shape:
            found = f"{output.dtype} {output.shape}" if isinstance(output, np.ndarray) else type(output).__name__
            raise WrongAnswer(f"expected a float64 array of shape {shape}, got {found}")
        right = self.reference(problem)
        off = np.abs(output - right)
        allowed = TOLERANCE * float(np.abs(right).max())
        if not np.all(off <= allowed):
            row, column = np.unravel_index(int(np.argmax(off)), shape)
            given, expected = float(output[row, column]), float(right[row, column])
            raise WrongAnswer(f"c[{row}, {column}] is {given}, expected {expected} to within {allowed:.1e}")
