"""Circle packing: what is valid is decided exactly."""

import math
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from outpace.errors import WrongAnswer
from outpace.tasks import registry
from outpace.tasks.spec import Task

PROBLEM = {"n": 26}


@pytest.fixture(scope="module")
def task() -> Task:
    return registry.find("circle_packing")


@pytest.fixture
def right(task: Task) -> np.ndarray:
    return np.asarray(task.reference(PROBLEM))


def refusal(task: Task, packing: Any, n: int = 26) -> str:
    with pytest.raises(WrongAnswer) as caught:
        task.check({"n": n}, packing)
    return str(caught.value)


def test_the_start_is_valid_and_leaves_room(task: Task, solve: Callable[..., Any]) -> None:
    problem = task.generate(task.spec.cases[0], 5)
    assert problem == PROBLEM
    packing = solve(task, problem)
    task.check(problem, packing)
    assert 0.95 < task.score(problem, packing) < 2.0
    assert task.spec.goal.best_known == pytest.approx(2.635983)


def test_the_reference_is_the_grid(task: Task, right: np.ndarray) -> None:
    task.check(PROBLEM, right)
    assert task.score(PROBLEM, right) == pytest.approx(2.5 + 0.1 * (math.sqrt(2) - 1), abs=1e-7)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 13, 14, 32])
def test_other_numbers_of_circles(task: Task, n: int, namespace: Callable[[str | None], dict[str, Any]]) -> None:
    task.check({"n": n}, task.reference({"n": n}))
    task.check({"n": n}, namespace(task.start.program)["pack"](n))


def test_any_centres_give_a_valid_packing(task: Task, namespace: Callable[[str | None], dict[str, Any]]) -> None:
    radii = namespace(task.start.program)["largest_radii"]
    rng = np.random.default_rng(7)
    for spread in (1.0, 0.1, 1e-6, 1e-15, 0.0):
        for _ in range(20):
            centres = 0.3 + 0.5 * spread * rng.uniform(size=(26, 2))
            task.check(PROBLEM, np.column_stack([centres, radii(centres)]))


@pytest.mark.parametrize(
    ("packing", "said"),
    [
        (None, "the packing is a NoneType, expected a float64 array of shape (26, 3)"),
        ([[0.5, 0.5, 0.1]] * 26, "the packing is a list"),
        (np.zeros((25, 3)), "the packing is a float64 array of shape (25, 3), expected float64 of shape (26, 3)"),
        (np.zeros((27, 3)), "shape (27, 3)"),
        (np.zeros((26, 2)), "shape (26, 2)"),
        (np.zeros((26, 3), np.float32), "float32 array"),
        (np.zeros((26, 3), complex), "complex128 array"),
        (np.zeros((26, 3), object), "object array"),
    ],
)
def test_shapes_and_types(task: Task, packing: Any, said: str) -> None:
    assert said in refusal(task, packing)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("column", [0, 1, 2])
def test_nan_and_infinity(task: Task, right: np.ndarray, value: float, column: int) -> None:
    right[17, column] = value
    assert refusal(task, right).startswith("circle 17 (x=")
    assert refusal(task, right).endswith("holds NaN or infinity")


def test_negative_radius(task: Task, right: np.ndarray) -> None:
    right[3, 2] = -1e-9
    assert refusal(task, right) == "circle 3 has the negative radius -1e-09"


def test_points_are_circles_that_add_nothing(task: Task, right: np.ndarray) -> None:
    right[3, 2] = 0.0
    task.check(PROBLEM, right)
    right[3, 2] = -0.0
    task.check(PROBLEM, right)


def test_the_border_without_tolerance(task: Task) -> None:
    task.check({"n": 1}, np.array([[0.5, 0.5, 0.5]]))
    more, less = math.nextafter(0.5, 1), math.nextafter(0.5, 0)
    for circle in ([0.5, 0.5, more], [less, 0.5, 0.5], [0.5, more, 0.5]):
        assert "circle 0 (x=" in refusal(task, np.array([circle]), 1)
        assert refusal(task, np.array([circle]), 1).endswith("sticks out of the unit square")


def test_touching_without_tolerance(task: Task) -> None:
    touching = np.array([[0.25, 0.25, 0.25], [0.75, 0.25, 0.25]])
    task.check({"n": 2}, touching)
    closer = touching.copy()
    closer[1, 0] = math.nextafter(0.75, 0)
    closer[1, 2] = 0.25
    said = refusal(task, closer, 2)
    assert said.startswith("circles 0 (x=0.25, y=0.25, r=0.25) and 1 (x=0.7499999999999999, y=0.25, r=0.25) overlap by")


def test_overlap_that_floats_cannot_see(task: Task) -> None:
    """Radii whose float sum rounds down to the distance: any test in floats accepts this, and it overlaps."""
    one, other = 0.0625, 0.1875 + 2**-55
    circles = np.array([[0.25, 0.5, one], [0.5, 0.5, other]])
    assert math.dist(circles[0, :2], circles[1, :2]) == one + other
    assert Fraction(one) + Fraction(other) > Fraction(1, 4)
    assert "overlap" in refusal(task, circles, 2)


def test_far_exponents(task: Task, right: np.ndarray) -> None:
    right[0, 2] = 5e-324
    right[1, 2] = 1e-200
    task.check(PROBLEM, right)


def test_one_circle_inside_another(task: Task, right: np.ndarray) -> None:
    right[25] = right[0]
    right[25, 2] = 1e-300
    assert refusal(task, right).startswith("circles 0 (x=0.1, y=0.1")
