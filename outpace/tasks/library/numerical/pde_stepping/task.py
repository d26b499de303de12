"""Trusted half of pde_stepping: draws plates, and steps them by fluxes through whole sets of sides."""

import numpy as np

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

TOLERANCE = 1e-12
"""Allowed difference, as a part of the largest temperature.

Over 30 seeds of every case loops and whole arrays never differed by more than 3e-16: a stable scheme lets no error
grow. Single precision: 6e-8 and more.
"""


class Task(spec.Task):
    """Problem: the arguments of ``diffuse``. Answer: the temperatures after all steps, (rows, columns) float64."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw a plate with a temperature and a conductivity of its own in every cell, and a time step that is stable.

        ``plate``: conductivities from 0.1 to 10. ``materials``: 0.001 or 10. ``edges``: every corner in turn. No two
        cells are alike, and neither array has a symmetry, so no transform and no power of a small matrix steps it.
        """
        rng = np.random.default_rng(seed)
        params = case.params
        shape, steps = (params["rows"], params["columns"]), params["steps"]
        if params["kind"] == "edges":
            shape = [shape, (3, 3), (2, 4), (1, 1), shape][seed % 5]
            steps = 0 if seed % 5 == 4 else steps
        temperature = rng.uniform(-100.0, 100.0, size=shape)
        conductivity = 10.0 ** rng.uniform(-1.0, 1.0, size=shape)
        if params["kind"] == "materials":
            conductivity = np.where(rng.random(shape) < 0.3, 0.001, 10.0)
        elif params["kind"] == "edges" and seed % 2:
            conductivity[rng.random(shape) < 0.3] = 0.0
        most = float(conductivity.max())
        dt = float(rng.uniform(0.12, 0.24)) / (most or 1.0)  # stable up to 0.25 over the largest conductivity
        return {"temperature": temperature, "conductivity": conductivity, "dt": dt, "steps": int(steps)}

    def reference(self, problem: Problem) -> Output:
        """Step whole arrays: flows through all sides first, then what each inner cell has gained."""
        found, k = problem["temperature"].copy(), problem["conductivity"]
        if min(found.shape) < 3:
            return found
        across = (problem["dt"] / 2) * (k[1:-1, 1:] + k[1:-1, :-1])
        along = (problem["dt"] / 2) * (k[1:, 1:-1] + k[:-1, 1:-1])
        for _ in range(problem["steps"]):
            flow_across = across * np.diff(found[1:-1], axis=1)
            flow_along = along * np.diff(found[:, 1:-1], axis=0)
            found[1:-1, 1:-1] += np.diff(flow_across, axis=1) + np.diff(flow_along, axis=0)
        return found

    def check(self, problem: Problem, output: Output) -> None:
        """Type and shape, the rim to the last bit, then every number against the reference."""
        start = problem["temperature"]
        if type(output) is not np.ndarray or output.dtype != np.float64 or output.shape != start.shape:
            raise WrongAnswer(f"expected a float64 array of shape {start.shape}, got {_shown(output)}")
        right = self.reference(problem)
        inner = np.zeros(start.shape, dtype=bool)
        inner[1:-1, 1:-1] = True
        if not np.array_equal(output[~inner], start[~inner]):
            raise WrongAnswer("a cell on the rim has changed its temperature, expected all of them as they were")
        off = np.abs(output - right)
        allowed = TOLERANCE * float(np.abs(right).max())
        if not np.all(off <= allowed):
            row, column = np.unravel_index(int(np.argmax(off)), start.shape)
            given, expected = float(output[row, column]), float(right[row, column])
            raise WrongAnswer(f"cell ({row}, {column}) is {given}, expected {expected} to within {allowed:.1e}")


def _shown(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"a {value.dtype} array of shape {value.shape}"
    return f"a {type(value).__name__}"
