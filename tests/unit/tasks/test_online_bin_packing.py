"""Online bin packing: the driver, the proof of a packing, and the published figures of Best Fit and First Fit."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from outpace.errors import WrongAnswer
from outpace.tasks import registry
from outpace.tasks.spec import Case, Problem, Task

CASES = {case.name: case for case in registry.find("online_bin_packing").spec.cases}


@pytest.fixture(scope="module")
def task() -> Task:
    return registry.find("online_bin_packing")


def small(items: list[int], capacity: int = 100) -> Problem:
    return {"items": np.array(items), "capacity": capacity}


def first_fit(problem: Problem) -> np.ndarray:
    """Pack each item into the first open bin with room; a rule that sees capacities only cannot express it."""
    left: list[int] = []
    packing = []
    for size in problem["items"].tolist():
        number = next((number for number, room in enumerate(left) if room >= size), len(left))
        if number == len(left):
            left.append(problem["capacity"])
        left[number] -= size
        packing.append(number)
    return np.array(packing)


def mean_gap(task: Task, case: Case, pack: Callable[[Problem], Any]) -> float:
    gaps = []
    for seed in range(case.seed, case.seed + case.instances):
        problem = task.generate(case, seed)
        packing = pack(problem)
        task.check(problem, packing)
        gaps.append(task.score(problem, packing))
    return sum(gaps) / len(gaps)


def test_published_figures(task: Task, solve: Callable[..., Any]) -> None:
    """Liu et al. 2024, table 1 and FunSearch's own instances: 3.98 % and 4.08 %, 4.23 % and 4.40 % at 5k."""
    assert mean_gap(task, CASES["5k"], lambda problem: solve(task, problem)) == pytest.approx(4.03, abs=0.3)
    assert mean_gap(task, CASES["5k"], first_fit) == pytest.approx(4.3, abs=0.3)


def test_the_law_of_the_items(task: Task) -> None:
    problem = task.generate(CASES["10k"], 1)
    items = problem["items"]
    assert (items.dtype, items.shape, items.min() >= 1, items.max() <= 100) == (np.int64, (10_000,), True, True)
    assert items.mean() == pytest.approx(45 * math.gamma(4 / 3), abs=0.5)  # the mean of Weibull(45, 3)
    again, other = task.generate(CASES["10k"], 1), task.generate(CASES["10k"], 2)
    assert np.array_equal(again["items"], items)
    assert not np.array_equal(other["items"], items)


def test_splits(task: Task) -> None:
    sizes = {split: [(c.params["items"], c.params["capacity"]) for c in task.spec.split(split)] for split in SPLITS}
    assert sizes == {
        "train": [(2000, 100)],
        "heldout": [(1000, 100), (5000, 100), (10_000, 100)],
        "ood": [(1000, 300), (5000, 300)],
    }


SPLITS: tuple[Any, ...] = ("train", "heldout", "ood")


@pytest.mark.parametrize("name", list(CASES))
def test_the_starting_program_is_best_fit(task: Task, name: str, solve: Callable[..., Any]) -> None:
    """The reference finds the fullest bin by another way; bins of one load are alike, so loads must agree."""
    problem = task.generate(CASES[name], CASES[name].seed)
    found, right = solve(task, problem), task.reference(problem)
    task.check(problem, found)
    task.check(problem, right)
    loads = [sorted(np.bincount(packing, weights=problem["items"])) for packing in (found, right)]
    assert loads[0] == loads[1]


def test_what_the_rule_sees(task: Task, solve: Callable[..., Any]) -> None:
    seen: list[tuple[float, list[float]]] = []

    def priority(item: float, bins: np.ndarray) -> np.ndarray:
        assert type(item) is float
        assert bins.dtype == np.float64
        seen.append((item, bins.tolist()))
        return -bins

    assert solve(task, small([60, 60, 30, 41, 70, 100, 1]), priority).tolist() == [0, 1, 1, 2, 3, 4, 1]
    assert seen == [
        (60.0, [100.0]),
        (60.0, [100.0]),  # 40 is not enough
        (30.0, [40.0, 100.0]),  # two bins with 40 left are one entry
        (41.0, [100.0]),
        (70.0, [100.0]),
        (100.0, [100.0]),
        (1.0, [10.0, 30.0, 40.0, 59.0, 100.0]),
    ]


def test_the_first_of_equals_wins_and_infinities_count(task: Task, solve: Callable[..., Any]) -> None:
    problem = small([60, 30, 20])
    assert solve(task, problem, lambda item, bins: np.zeros(len(bins))).tolist() == [0, 0, 1]
    assert solve(task, problem, lambda item, bins: np.where(bins == 100, np.inf, 0)).tolist() == [0, 1, 2]
    assert solve(task, problem, lambda item, bins: np.where(bins == 100, 0, -np.inf)).tolist() == [0, 1, 2]
    assert solve(task, problem, lambda item, bins: bins < 100).tolist() == [0, 0, 1]
    assert solve(task, problem, lambda item, bins: bins.tolist()).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("priority", "error", "said"),
    [
        (lambda item, bins: bins * math.nan, ValueError, "item=60) returned NaN for the bin at index 0"),
        (
            lambda item, bins: np.where(bins == 40, math.nan, 1),
            ValueError,
            "item=30) returned NaN for the bin at",
        ),
        (lambda item, bins: bins[:-1], ValueError, "for bins of shape (1,) returned shape (0,)"),
        (lambda item, bins: 1.0, ValueError, "for bins of shape (1,) returned shape ()"),
        (lambda item, bins: None, ValueError, "for bins of shape (1,) returned shape ()"),
        (lambda item, bins: bins[:, None], ValueError, "for bins of shape (1,) returned shape (1, 1)"),
        (lambda item, bins: bins * 1j, TypeError, "returned complex128 values; expected real numbers"),
        (lambda item, bins: ["a"] * len(bins), TypeError, "returned <U1 values; expected real numbers"),
    ],
)
def test_bad_priorities_are_named(
    task: Task, solve: Callable[..., Any], priority: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error) as caught:
        solve(task, small([60, 30]), priority)
    assert said in str(caught.value)


def test_a_rule_that_writes_into_its_argument_gains_nothing(task: Task, solve: Callable[..., Any]) -> None:
    def priority(item: float, bins: np.ndarray) -> np.ndarray:
        answer = -bins.copy()
        bins[:] = 100
        return answer

    problem = task.generate(CASES["1k"], 3)
    assert solve(task, problem, priority).tolist() == solve(task, problem).tolist()


@pytest.mark.parametrize(
    ("packing", "said"),
    [
        ([0, 1, 1], "the packing is a list, expected an array of 3 bin numbers"),
        (None, "the packing is a NoneType"),
        (np.array([0, 1]), "the packing has shape (2,), expected (3,)"),
        (np.array([[0, 1, 1]]), "the packing has shape (1, 3), expected (3,)"),
        (np.array([0.0, 1.0, math.nan]), "the packing holds float64 values, expected integers"),
        (np.array([True, False, True]), "the packing holds bool values, expected integers"),
        (np.array([0, 0, 0]), "bin 0 holds 110, more than its capacity 100"),
        (np.array([0, 2, 2]), "bins are numbered 0..2, but only 2 are used"),
        (np.array([1, 1, 2]), "bins are numbered 1..2, but only 2 are used"),
        (np.array([1, 0, 0]), "bin 1 is opened before bin 0"),
        (np.array([-1, 0, 0]), "bin numbers run from -1 to 0, expected numbers from 0 to 2"),
        (np.array([0, 1, 2**40]), "bin numbers run from 0 to 1099511627776"),
        (np.array([0, 1, 2**64 - 1], dtype=np.uint64), "bin numbers run from 0 to 18446744073709551615"),
    ],
)
def test_wrong_packings(task: Task, packing: Any, said: str) -> None:
    with pytest.raises(WrongAnswer) as caught:
        task.check(small([60, 30, 20]), packing)
    assert said in str(caught.value)


def test_the_gap(task: Task) -> None:
    problem = small([60, 60, 60, 20])  # 200 in all: two bins at the least
    packing = np.array([0, 1, 2, 0], dtype=np.uint8)
    task.check(problem, packing)
    assert task.score(problem, packing) == 50.0
    assert task.score(small([100, 1]), np.array([0, 1])) == 0.0


def test_a_twin_begins_like_the_problem_and_goes_on_differently(task: Task, solve: Callable[..., Any]) -> None:
    problem = task.generate(CASES["2k"], 3)
    packing = solve(task, problem)
    lengths = []
    for seed in range(200):
        twin = task.twin(problem, seed)
        assert twin is not None
        items = twin.problem["items"]
        lengths.append(twin.length)
        assert np.array_equal(items[: twin.length], problem["items"][: twin.length])
        assert items[twin.length] != problem["items"][twin.length] or len(items) < len(problem["items"])
        assert items.min() >= 1 and items.max() <= problem["capacity"]
        if seed < 10:
            beginning = task.beginning(solve(task, twin.problem), twin.length)
            assert np.array_equal(beginning, task.beginning(packing, twin.length)), "Best Fit looks at no later item"
    assert min(lengths) < 100 and max(lengths) > 800, "nobody can guess where they part"
    assert np.mean(lengths) < 400, "a fifth of one of five problems"


def test_the_smallest_problems_have_twins(task: Task) -> None:
    for count in (1, 2, 3):
        problem = small([60] * count)
        twin = task.twin(problem, 1)
        assert twin is not None and 1 <= twin.length <= count
        assert len(twin.problem["items"]) > twin.length
