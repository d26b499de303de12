"""What is compared: the words of the command line, the settings drawn, the order of the runs, and what is refused."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from outpace.agent.budget import Budget
from outpace.agent.compare.draws import drawn
from outpace.agent.compare.plan import Plan, Wanted, entrant_of, planned
from outpace.agent.proposing import Proposing
from outpace.agent.strategies.hill_climb import HillClimb
from outpace.errors import UnknownName, UsageError
from outpace.tasks.spec import Goal

BUDGET = Budget(evaluations=20)


class Ranged(HillClimb):
    """A strategy with parameters to draw."""

    RANGES: Mapping[str, Sequence[Any]] = {"width": (1, 8), "share": (0.1, 0.9), "way": ("left", "right", "both")}

    def __init__(self, goal: Goal, *, seed: int = 0, width: int = 4, share: float = 0.5, way: str = "left") -> None:
        super().__init__(goal, seed=seed)
        self.setting = (width, share, way)


RANGED = f"{__name__}:Ranged"


def wanted(*strategies: str, **more: Any) -> Wanted:
    return Wanted(
        **{"tasks": ["circle_packing"], "strategies": strategies, "budget": BUDGET, "sandbox": "process", **more}
    )


@pytest.mark.parametrize(
    ("text", "strategy", "params"),
    [
        ("islands", "islands", {}),
        ("eoh:size=10", "eoh", {"size": 10}),
        ("islands:exploitation=0.5,islands=2", "islands", {"exploitation": 0.5, "islands": 2}),
        ("own.search:Mine", "own.search:Mine", {}),
        ("own.search:Mine:words=[1, 2],way=left", "own.search:Mine", {"words": [1, 2], "way": "left"}),
    ],
)
def test_a_strategy_is_named_with_its_parameters(text: str, strategy: str, params: dict[str, Any]) -> None:
    entrant = entrant_of(text)
    assert (entrant.strategy, dict(entrant.params)) == (strategy, params)
    assert entrant_of(entrant.label) == entrant


def test_draws_cover_each_range_once_and_follow_from_the_seed() -> None:
    settings = drawn("ranged", Ranged.RANGES, 8, seed=3, fixed={})
    assert sorted(one["width"] for one in settings) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert sorted(int((one["share"] - 0.1) / 0.1) for one in settings) == pytest.approx([*range(8)], abs=1)
    assert {one["way"] for one in settings} == {"left", "right", "both"}
    assert settings == drawn("ranged", Ranged.RANGES, 8, seed=3, fixed={})
    assert settings != drawn("ranged", Ranged.RANGES, 8, seed=4, fixed={})


def test_draws_leave_alone_what_was_given_and_repeat_nothing() -> None:
    assert all(set(one) == {"share", "way"} for one in drawn("ranged", Ranged.RANGES, 3, seed=0, fixed={"width": 2}))
    several = drawn("one", {"way": (True, False)}, 6, seed=0, fixed={})
    assert sorted(one["way"] for one in several) == [False, True]
    assert drawn("none", {}, 6, seed=0, fixed={}) == []
    with pytest.raises(UsageError, match=r"RANGES\['width'\]"):
        drawn("bad", {"width": ()}, 2, seed=0, fixed={})


def test_the_yardsticks_are_always_there_and_every_cell_runs_once() -> None:
    plan = planned(wanted("islands", "random", seeds=3, tasks=["circle_packing", "cap_sets"]))
    assert plan.added == ("best_of_n",)
    assert [one.label for one in plan.entrants] == ["islands", "random", "best_of_n"]
    cells = [*plan.cells()]
    assert len({cell.key for cell in cells}) == len(cells) == 3 * 2 * 3
    assert [cell.seed for cell in cells] == sorted(cell.seed for cell in cells), "seed by seed"
    firsts = Counter(cells[place].entrant.label for place in range(0, len(cells), 3))
    assert set(firsts.values()) == {2}, "each entrant is the first of as many rounds"


def test_a_plan_survives_its_file_and_knows_in_what_another_differs() -> None:
    plan = planned(wanted("islands:islands=2", proposing=Proposing(operators=("tune",)), draws=2))
    again = Plan.from_dict(json.loads(json.dumps(plan.as_dict())))
    assert again == plan
    assert again.differs(plan) == []
    assert plan.differs(replace(plan, seeds=(0,), budget=Budget(evaluations=21))) == ["seeds", "budget"]
    options = again.options(next(again.cells()))
    assert options.proposing.operators == ("tune",)
    assert (options.strategy, dict(options.strategy_params), options.budget) == ("islands", {"islands": 2}, BUDGET)


def test_settings_are_drawn_where_a_strategy_states_ranges() -> None:
    plan = planned(wanted(f"{RANGED}:width=3", draws=4))
    mine = [one for one in plan.entrants if one.strategy == RANGED]
    assert [one.draw for one in mine] == [0, 1, 2, 3]
    assert {one.family for one in mine} == {f"{RANGED}:width=3"}
    assert all(one.strategy_params["width"] == 3 for one in mine)
    assert [one.draw for one in plan.entrants if one.strategy == "best_of_n"] == [0], "what has no ranges is not drawn"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"tasks": []}, "name at least one task"),
        ({"strategies": []}, "name at least one strategy"),
        ({"seeds": 0}, "--seeds must be at least 1, got 0"),
        ({"draws": 0}, "--draws must be at least 1"),
        ({"tasks": ["cap_sets", "cap_sets"]}, "Task 'cap_sets' is named twice"),
        ({"strategies": ["islands", "islands"]}, "Strategy 'islands' is named twice"),
        ({"strategies": ["islands:islands=0"]}, "islands must be a whole number of at least 1"),
        ({"strategies": ["islands:size=1"]}, "does not take these parameters"),
        ({"strategies": ["islands:islands=1,islands=2"]}, "a parameter is given twice"),
        ({"proposing": Proposing(models=("replay:last",))}, "A replay repeats one run"),
        ({"proposing": Proposing(proposer="outside")}, "a comparison needs a model, or none"),
    ],
)
def test_what_is_no_comparison_is_refused_in_one_line(more: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        planned(wanted(*more.pop("strategies", ["islands"]), **more))
    assert "\n" not in str(caught.value)


def test_unknown_names_are_refused() -> None:
    with pytest.raises(UnknownName, match="Unknown task 'circle_packin'"):
        planned(wanted("islands", tasks=["circle_packin"]))
    with pytest.raises(UnknownName, match="Unknown strategy 'island'"):
        planned(wanted("island"))
    with pytest.raises(UnknownName, match="Unknown sandbox"):
        planned(wanted("islands", sandbox="dokcer"))
