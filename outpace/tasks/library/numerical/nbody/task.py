"""Trusted half of nbody: draws clusters, integrates them with whole arrays, compares, and checks the physics."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

Array = NDArray[np.float64]

TOLERANCE = 1e-9
"""Allowed difference, as a part of the largest number in the array.

Orders of summation differ by some 1e-16 per step, and close encounters, which the softening keeps mild, let that grow:
over 500 seeds of every case two right implementations never differed by more than 1e-13. Single precision: 1e-7.
"""
MOMENTUM, ENERGY = 1e-12, 1e-2


class Task(spec.Task):
    """Problem: the arguments of ``simulate``. Answer: positions and velocities, two (n, 3) float64 arrays."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw bodies in a ball of radius 1, total mass 1, at rest as a whole, with the speeds of a bound cluster."""
        rng = np.random.default_rng(seed)
        params = case.params
        bodies, steps = params["bodies"], params["steps"]
        if params["kind"] == "edges":
            bodies, steps = [(1, steps), (bodies, 0), (2, steps), (bodies, steps)][seed % 4]
        directions = rng.normal(size=(bodies, 3))
        radii = rng.uniform(0, 1, size=(bodies, 1)) ** (1 / 3)
        positions = directions / np.linalg.norm(directions, axis=1, keepdims=True) * radii
        velocities = rng.normal(scale=0.4, size=(bodies, 3))
        masses = rng.uniform(0.5, 1.5, size=bodies)
        if params["kind"] == "edges" and bodies > 2:
            masses[-1] = 0.0  # a test particle: feels the others, pulls none
        masses /= masses.sum()
        velocities -= masses @ velocities
        return {
            "positions": positions,
            "velocities": velocities,
            "masses": masses,
            "dt": float(params["dt"]),
            "steps": int(steps),
            "softening": float(params["softening"]),
        }

    def reference(self, problem: Problem) -> Output:
        """Integrate with whole arrays; no loop over bodies."""
        x, v = problem["positions"].copy(), problem["velocities"].copy()
        dt = problem["dt"]
        for _ in range(problem["steps"]):
            x += 0.5 * dt * v
            v += dt * _acceleration(x, problem["masses"], problem["softening"])
            x += 0.5 * dt * v
        return x, v

    def check(self, problem: Problem, output: Output) -> None:
        """Shapes and finite numbers, then momentum and energy, then every number against the reference."""
        if not isinstance(output, tuple | list) or len(output) != 2:
            raise WrongAnswer(f"the answer is a {type(output).__name__}, expected the tuple (positions, velocities)")
        shape = problem["positions"].shape
        x, v = (_array(name, value, shape) for name, value in zip(("positions", "velocities"), output, strict=True))
        with np.errstate(over="ignore", invalid="ignore"):  # numbers that are too large fail the comparisons
            _physics(problem, x, v)
        for name, found, right in zip(("positions", "velocities"), (x, v), self.reference(problem), strict=True):
            off = np.abs(found - right)
            allowed = TOLERANCE * float(np.abs(right).max())
            if not np.all(off <= allowed):
                body, axis = np.unravel_index(int(np.argmax(off)), shape)
                given, expected = float(found[body, axis]), float(right[body, axis])
                raise WrongAnswer(f"{name}[{body}, {axis}] is {given}, expected {expected} to within {allowed:.1e}")


def _acceleration(x: Array, masses: Array, softening: float) -> Array:
    between = x[np.newaxis, :, :] - x[:, np.newaxis, :]
    squares = np.einsum("ijk,ijk->ij", between, between) + softening**2
    return np.asarray(np.einsum("ijk,ij->ik", between, masses * squares**-1.5))


def _array(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    if type(value) is not np.ndarray:
        raise WrongAnswer(f"{name} is a {type(value).__name__}, expected a float64 array of shape {shape}")
    if value.dtype != np.float64 or value.shape != shape:
        raise WrongAnswer(f"{name} is a {value.dtype} array of shape {value.shape}, expected float64 of shape {shape}")
    if not np.all(np.isfinite(value)):
        raise WrongAnswer(f"{name} holds NaN or infinity for body {int(np.argwhere(~np.isfinite(value))[0][0])}")
    return value


def _physics(problem: Problem, x: Array, v: Array) -> None:
    """Gravity moves no centre of mass, and leapfrog keeps the energy: two checks that need no other implementation."""
    before = problem["masses"] @ problem["velocities"]
    drift = float(np.abs(problem["masses"] @ v - before).max())
    if not drift <= MOMENTUM:
        raise WrongAnswer(f"the total momentum changed by {drift:.2e}, expected at most {MOMENTUM:.0e}")
    start = _energy(problem, problem["positions"], problem["velocities"])
    change = abs(_energy(problem, x, v) - start) / abs(start)
    if not change <= ENERGY:
        raise WrongAnswer(f"the energy changed by {100 * change:.3g} %, expected at most {100 * ENERGY:.1f} %")


def _energy(problem: Problem, x: Array, v: Array) -> float:
    """Kinetic and softened potential energy; the constant self-energy of each body stays in, so that it is never 0."""
    masses = problem["masses"]
    between = x[np.newaxis, :, :] - x[:, np.newaxis, :]
    distances = np.sqrt(np.einsum("ijk,ijk->ij", between, between) + problem["softening"] ** 2)
    kinetic = 0.5 * float(masses @ np.einsum("ik,ik->i", v, v))
    return kinetic - 0.5 * float(masses @ (1 / distances) @ masses)
