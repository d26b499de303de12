"""The published figures of online bin packing: First Fit, Best Fit and FunSearch's rule, as EoH's table 1 gives them.

Figures: Liu et al. 2024 (EoH, https://arxiv.org/abs/2401.02051), table 1, gaps to the bound L1 in percent over five
instances each. The instances were drawn without a seed. So sets of five are drawn from the same law with seeds of our
own, and a published figure has to lie where one more such set would lie in 999 of 1000 cases (so that the nine figures
of a table hold together in 99 of 100).
"""

import statistics
from bisect import bisect_left, insort
from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from outpace.tasks import registry
from outpace.tasks.spec import Case, Problem

Packing = NDArray[np.int64]
Pack = Callable[[Problem], Packing]
TASK = registry.find("online_bin_packing")
SETS, OF = 12, 5
QUANTILE = 4.437
"""0.9995 of Student's t with 11 degrees of freedom: the spread of 12 sets is itself an estimate."""


def first_fit(problem: Problem) -> Packing:
    """Each item into the bin opened first of those with room."""
    rooms = np.full(len(problem["items"]) + 1, problem["capacity"])
    packing, opened = np.empty(len(problem["items"]), dtype=np.int64), 0
    for number, size in enumerate(problem["items"].tolist()):
        chosen = int((rooms[: opened + 1] >= size).argmax())
        rooms[chosen] -= size
        packing[number], opened = chosen, max(opened, chosen + 1)
    return packing


def best_fit(problem: Problem) -> Packing:
    """Each item into the fullest bin with room."""
    rooms: list[tuple[int, int]] = []
    packing = np.empty(len(problem["items"]), dtype=np.int64)
    opened = 0
    for number, size in enumerate(problem["items"].tolist()):
        place = bisect_left(rooms, (size, 0))
        room, chosen = rooms.pop(place) if place < len(rooms) else (problem["capacity"], opened)
        opened = max(opened, chosen + 1)
        insort(rooms, (room - size, chosen))
        packing[number] = chosen
    return packing


def funsearch(problem: Problem) -> Packing:
    """Each item into the bin of the highest priority by the rule that FunSearch found for these instances.

    Romera-Paredes et al. 2024, Nature 625, figure 6 b. With w the size of the item, b_i the rooms of all bins that it
    fits into, in the order of the bins, and c the largest of them: f_i = (b_i - c)^2 / w + b_i^2 / w^2 + b_i^2 / w^3,
    negative where b_i > w; the priority of bin i is f_i - f_(i-1), that of the first is f_0. There are as many bins as
    items, and the rule sees the empty ones too; from the second empty one in a row on all have priority 0.
    """
    capacity, rooms = problem["capacity"], np.full(len(problem["items"]) + 2, float(problem["capacity"]))
    packing, seen = np.empty(len(problem["items"]), dtype=np.int64), 2
    for number, size in enumerate(problem["items"].tolist()):
        (fitting,) = (rooms[:seen] >= size).nonzero()
        chosen = int(fitting[_funsearch_priorities(float(size), rooms[fitting]).argmax()])
        rooms[chosen] -= size
        packing[number], seen = chosen, max(seen, chosen + 3)
    assert (rooms[:seen] <= capacity).all()
    return _numbered_as_opened(packing)


def _funsearch_priorities(size: float, rooms: NDArray[np.float64]) -> NDArray[np.float64]:
    value = (rooms - rooms.max()) ** 2 / size + rooms**2 / size**2 + rooms**2 / size**3
    value = np.where(rooms > size, -value, value)
    return np.diff(value, prepend=0.0)


def _numbered_as_opened(packing: Packing) -> Packing:
    _, first, inverse = np.unique(packing, return_index=True, return_inverse=True)
    return first.argsort().argsort()[inverse]


RULES: dict[str, Pack] = {"First Fit": first_fit, "Best Fit": best_fit, "FunSearch": funsearch}
PUBLISHED = {
    "First Fit": {1000: 5.32, 5000: 4.40, 10_000: 4.44},
    "Best Fit": {1000: 4.87, 5000: 4.08, 10_000: 4.09},
    "FunSearch": {1000: 3.78, 5000: 0.80, 10_000: 0.33},
}
ONE_OF_FIVE = {
    "First Fit": {1000: 4.97, 5000: 4.27, 10_000: 4.28},
    "Best Fit": {1000: 4.50, 5000: 3.91, 10_000: 3.95},
    "FunSearch": {1000: 6.75, 5000: 1.47, 10_000: 0.74},
}
"""The columns for capacity 500. Their program gave it to the first of five instances only; the others kept 100."""
SIZES = [1000, pytest.param(5000, marks=pytest.mark.slow), pytest.param(10_000, marks=pytest.mark.slow)]


@cache
def drawn(items: int, seed: int, capacity: int) -> Problem:
    return TASK.generate(Case(name="drawn", params={"items": items, "capacity": capacity}), seed)


@cache
def counted(rule: str, items: int, seed: int, capacity: int = 100) -> tuple[int, int]:
    """Return how many bins a rule takes for an instance, and the bound."""
    problem = drawn(items, seed, capacity)
    packing = RULES[rule](problem)
    TASK.check(problem, packing)
    return int(packing.max()) + 1, -(-int(problem["items"].sum()) // capacity)


def gap(counts: Sequence[tuple[int, int]]) -> float:
    """Return the gap of a set in percent: of the mean number of bins to the mean bound."""
    return 100 * (sum(bins for bins, _ in counts) / sum(bound for _, bound in counts) - 1)


def gaps(rule: str, items: int, *, capacities: Sequence[int] = (100,) * OF) -> list[float]:
    """Return the gaps of the sets; the instances of a set have these capacities."""
    return [
        gap([counted(rule, items, number * OF + place, capacity) for place, capacity in enumerate(capacities)])
        for number in range(SETS)
    ]


def within(published: float, found: Sequence[float]) -> bool:
    """Return whether one more set like these would be as far off as that in at least 1 of 1000 cases."""
    bound = QUANTILE * statistics.stdev(found) * float(np.sqrt(1 + 1 / len(found)))
    return abs(published - statistics.fmean(found)) <= bound


@pytest.mark.parametrize("items", SIZES)
def test_the_published_figures_are_what_sets_of_that_size_give(items: int) -> None:
    found = {rule: gaps(rule, items) for rule in RULES}
    for rule, figures in PUBLISHED.items():
        assert within(figures[items], found[rule]), (rule, figures[items], found[rule])
        assert statistics.stdev(found[rule]) < 0.4, "a spread that lets much pass proves nothing"
    for by_first, by_best, by_rule in zip(*found.values(), strict=True):
        assert by_first > by_best > by_rule


@pytest.mark.parametrize("items", SIZES[1:])
def test_the_figures_tell_the_rules_apart(items: int) -> None:
    """Sets of 1000 items spread too much for that; there the order within each set tells."""
    assert not within(PUBLISHED["Best Fit"][items], gaps("FunSearch", items))
    assert not within(PUBLISHED["FunSearch"][items], gaps("Best Fit", items))


@pytest.mark.parametrize("items", SIZES)
def test_the_published_columns_for_capacity_500_had_it_in_one_instance_of_five(items: int) -> None:
    mixed = {rule: gaps(rule, items, capacities=(500, 100, 100, 100, 100)) for rule in RULES}
    for rule, figures in ONE_OF_FIVE.items():
        assert within(figures[items], mixed[rule]), (rule, figures[items], mixed[rule])


@pytest.mark.parametrize(("items", "least"), [(1000, 10.0), pytest.param(5000, 2.0, marks=pytest.mark.slow)])
@pytest.mark.parametrize("capacity", [300, 500])
def test_with_more_room_the_rule_of_funsearch_falls_apart(items: int, least: float, capacity: int) -> None:
    """With that capacity in all instances: 65 and 16 % for 1000 and 5000 items at 500, 20 and 6 % at 300."""
    for seed in range(OF):
        by_rule = gap([counted("FunSearch", items, seed, capacity)])
        for rule in ("First Fit", "Best Fit"):
            assert gap([counted(rule, items, seed, capacity)]) < 2.0 <= least < by_rule


def test_best_fit_takes_what_llm4ad_prints_for_its_instances() -> None:
    """It seeds the same law with 2024; its starting rule, Best Fit, scores -2091.8 bins over five of 5,000 items."""
    stream = np.random.RandomState(2024)
    sizes = [np.rint(np.clip(45 * stream.weibull(3, 5000), 1, 100)).astype(np.int64) for _ in range(5)]
    packings = [best_fit({"items": one, "capacity": 100}) for one in sizes]
    assert statistics.fmean(int(packing.max()) + 1 for packing in packings) == 2091.8


def test_the_rule_on_a_few_items() -> None:
    """Worked by hand: an item that fits exactly goes there, and three priorities for an item of 50."""
    exact: Problem = {"items": np.array([60, 40]), "capacity": 100}
    assert funsearch(exact).tolist() == [0, 0]
    assert _funsearch_priorities(50.0, np.array([50.0, 100.0, 100.0])).tolist() == pytest.approx(
        [50.0 + 1.0 + 0.02, -(4.0 + 0.08) - 51.02, 0.0]
    )
