"""Edit distance and n-body: two ways agree, wrong answers are refused, and numba compiles the start as it is."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from outpace.errors import WrongAnswer
from outpace.tasks import registry
from outpace.tasks.plain import same
from outpace.tasks.spec import Case, Task

TASKS = ("edit_distance", "nbody")
CASES = [(name, case.name) for name in TASKS for case in registry.find(name).spec.cases]


def case_of(task: Task, name: str) -> Case:
    return next(case for case in task.spec.cases if case.name == name)


def refusal(task: Task, problem: Any, answer: Any) -> str:
    with pytest.raises(WrongAnswer) as caught:
        task.check(problem, answer)
    return str(caught.value)


@pytest.mark.parametrize(("name", "case_name"), CASES)
def test_the_start_passes_and_seeds_matter(name: str, case_name: str, solve: Callable[..., Any]) -> None:
    task = registry.find(name)
    case = case_of(task, case_name)
    for seed in range(20 if not case.timed else 1):
        problem = task.generate(case, seed)
        assert same(problem, task.generate(case, seed))
        task.check(problem, task.reference(problem))
        task.check(problem, solve(task, problem))
    if case.timed:
        assert not same(task.generate(case, 0), task.generate(case, 1))


@pytest.mark.parametrize("name", TASKS)
def test_numba_compiles_the_unchanged_start(name: str, namespace: Callable[[str | None], dict[str, Any]]) -> None:
    numba = pytest.importorskip("numba")
    task = registry.find(name)
    compiled = numba.njit(namespace(task.start.program)[task.spec.entry])
    for case in task.spec.cases:
        for seed in range(10 if not case.timed else 2):
            problem = task.generate(case, seed)
            task.check(problem, compiled(**problem))


@pytest.mark.parametrize("name", TASKS)
def test_read_only_inputs_do(name: str, solve: Callable[..., Any]) -> None:
    task = registry.find(name)
    problem = task.generate(case_of(task, "edges"), 3)
    for value in problem.values():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    before = {key: np.copy(value) for key, value in problem.items()}
    task.check(problem, solve(task, problem))
    assert all(np.array_equal(before[key], problem[key]) for key in problem)


@pytest.mark.parametrize(
    ("a", "b", "right"),
    [
        (b"", b"", 0),
        (b"", b"abc", 3),
        (b"abc", b"", 3),
        (b"kitten", b"sitting", 3),
        (b"intention", b"execution", 5),
        (b"abc", b"abc", 0),
        (b"abc", b"cab", 2),
        (b"\x00\xff", b"\xff\x00", 2),
        (b"a" * 70, b"a" * 64, 6),
        (b"ab" * 40, b"ba" * 40, 2),
    ],
)
def test_known_distances(a: bytes, b: bytes, right: int, solve: Callable[..., Any]) -> None:
    task = registry.find("edit_distance")
    problem = {"a": a, "b": b}
    assert task.reference(problem) == right
    assert solve(task, problem) == right
    task.check(problem, right)
    task.check(problem, np.int64(right))
    for wrong in (right + 1, right - 1, -right - 1):
        assert f"is {right}, got {wrong}" in refusal(task, problem, wrong)


@pytest.mark.parametrize("answer", [None, True, 3.0, math.nan, "3", [3], np.array(3), np.array([3]), np.float64(3)])
def test_distances_are_ints(answer: Any) -> None:
    task = registry.find("edit_distance")
    assert "expected an int" in refusal(task, {"a": b"kitten", "b": b"sitting"}, answer)


def test_distances_cannot_be_guessed() -> None:
    """Neither the lengths nor the counts of letters tell the distance, and it varies."""
    task = registry.find("edit_distance")
    case = case_of(task, "700")
    problems = [task.generate(case, seed) for seed in range(20)]
    found = [task.reference(problem) for problem in problems]
    bounds = []
    for problem in problems:
        counts = [np.bincount(np.frombuffer(problem[key], np.uint8), minlength=256) for key in "ab"]
        bounds.append(int(np.maximum(counts[0] - counts[1], 0).sum()))
    assert len(set(found)) >= 15
    assert sum(right > 2 * bound for right, bound in zip(found, bounds, strict=True)) >= 15
    assert all(630 <= len(problem[key]) <= 770 for problem in problems for key in "ab")


def test_every_corner_of_edit_distance_comes_up() -> None:
    task = registry.find("edit_distance")
    problems = [task.generate(case_of(task, "edges"), seed) for seed in range(20)]
    assert any(not p["a"] and not p["b"] for p in problems)
    assert any(not p["a"] and p["b"] for p in problems)
    assert any(p["a"] and not p["b"] for p in problems)
    assert any(p["a"] and p["a"] == p["b"] for p in problems)
    assert any(p["a"] and not set(p["a"]) & set(p["b"]) and p["b"] for p in problems)


@pytest.fixture
def cluster() -> tuple[Task, dict[str, Any]]:
    task = registry.find("nbody")
    return task, dict(task.generate(case_of(task, "24_bodies"), 11))


def test_wrong_trajectories(cluster: tuple[Task, dict[str, Any]]) -> None:
    task, problem = cluster
    x, v = task.reference(problem)
    no_pairs: list[Any] = [None, x, (x,), (x, v, v), "xv", {}]
    for answer in no_pairs:
        assert "expected the tuple (positions, velocities)" in refusal(task, problem, answer)
    assert "positions is a list, expected a float64 array" in refusal(task, problem, (x.tolist(), v))
    assert "velocities is a float32 array" in refusal(task, problem, (x, v.astype(np.float32)))
    assert "positions is a float64 array of shape (24, 2)" in refusal(task, problem, (x[:, :2], v))
    for value in (math.nan, math.inf):
        broken = v.copy()
        broken[5, 1] = value
        assert refusal(task, problem, (x, broken)) == "velocities holds NaN or infinity for body 5"
    assert refusal(task, problem, (problem["positions"], problem["velocities"])).startswith("positions[")
    nearly = x.copy()
    nearly[7, 2] += 1e-7
    assert refusal(task, problem, (nearly, v)).startswith("positions[7, 2] is")
    nearly[7, 2] = x[7, 2] + 1e-12
    task.check(problem, (nearly, v))


def test_the_physics_is_checked_beside(cluster: tuple[Task, dict[str, Any]]) -> None:
    task, problem = cluster
    x, v = task.reference(problem)
    assert "the total momentum changed by" in refusal(task, problem, (x, v + 0.01))
    assert "the energy changed by" in refusal(task, problem, (x, v * 1.1))


def test_single_precision_and_other_methods_are_refused(cluster: tuple[Task, dict[str, Any]]) -> None:
    task, problem = cluster
    single = {
        key: value.astype(np.float32) if isinstance(value, np.ndarray) else value for key, value in problem.items()
    }
    x, v = (part.astype(np.float64) for part in task.reference(single))
    assert refusal(task, problem, (x, v))
    coarse = {**problem, "dt": 2 * problem["dt"], "steps": problem["steps"] // 2}
    assert "positions[" in refusal(task, problem, task.reference(coarse))


def test_leapfrog_runs_backwards(cluster: tuple[Task, dict[str, Any]]) -> None:
    """A property of the method itself: with the velocities turned round it returns to where it began."""
    task, problem = cluster
    x, v = task.reference(problem)
    back, turned = task.reference({**problem, "positions": x, "velocities": -v})
    np.testing.assert_allclose(back, problem["positions"], rtol=0, atol=1e-11)
    np.testing.assert_allclose(-turned, problem["velocities"], rtol=0, atol=1e-11)


def test_two_bodies_on_a_circle() -> None:
    """Kepler: two equal bodies at distance 1 with softening 0 turn with angular velocity 1 (G M = 1)."""
    task = registry.find("nbody")
    steps, dt = 2000, 2 * math.pi / 2000
    problem: dict[str, Any] = {
        "positions": np.array([[0.5, 0, 0], [-0.5, 0, 0]]),
        "velocities": np.array([[0, 0.5, 0], [0, -0.5, 0]]),
        "masses": np.array([0.5, 0.5]),
        "dt": dt,
        "steps": steps,
        "softening": 1e-9,
    }
    x, _ = task.reference(problem)
    np.testing.assert_allclose(x, problem["positions"], atol=1e-4)


@pytest.mark.parametrize("case_name", [case for name, case in CASES if name == "nbody"])
def test_the_tolerance_has_room(case_name: str, solve: Callable[..., Any]) -> None:
    """Plain loops and whole arrays sum in another order; they must agree far better than is asked."""
    task = registry.find("nbody")
    problem = task.generate(case_of(task, case_name), 21)
    for found, right in zip(solve(task, problem), task.reference(problem), strict=True):
        assert np.abs(found - right).max() <= 1e-12 * np.abs(right).max()
