"""A ladder and programs beside it in real workers, with clocks that are told what to say."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from outpace.errors import TaskError, UsageError
from outpace.evaluators.inputs import Grown, Step, growing, grown
from outpace.evaluators.scoring import Scored, case_of, scored
from outpace.tasks.candidate import Candidate
from outpace.tasks.ladder import Rung
from outpace.tasks.spec import Case, Goal, Output, Problem, Task, TaskSpec, WrongAnswer

GOAL = Goal(kind="speedup", name="speed-up", direction="maximise", unit="x")
SIZED = Case(name="sized", params={"size": 4, "width": 3, "kind": "plain"})


class Next(Task):
    """Answer: the input and one. Sizes above 16 cannot be made."""

    def generate(self, case: Case, seed: int) -> Problem:
        size = case.params.get("size", 1)
        if size > 16:
            raise MemoryError("too large")
        return {"x": seed, "size": size}

    def check(self, problem: Problem, output: Output) -> None:
        if output != problem["x"] + 1:
            raise WrongAnswer(f"expected {problem['x'] + 1}")


def task(*cases: Case, **facts: Any) -> Task:
    spec = TaskSpec(
        name="next", title="Next", statement="", entry="after", goal=GOAL, cases=cases or (Case(name="one"),)
    )
    return Next(replace(spec, **facts), program(40))


def program(milliseconds: float, body: str = "return x + 1") -> Candidate:
    ns = round(milliseconds * 1e6)
    return Candidate({"program.py": f"# wall_ns={ns} cpu_ns={ns}\ndef after(x, size):\n    {body}\n"})


def rungs(*costs: float) -> list[Rung]:
    return [Rung(f"{number}_rung", program(cost)) for number, cost in enumerate(costs, 1)]


def measured(clockwork: Any, ladder: list[Rung], *programs: Candidate) -> Scored:
    about = task()
    return asyncio.run(scored(clockwork, about, ladder, programs, case_of(about)))


def test_programs_stand_on_the_levels_of_the_ladder(clockwork: Any) -> None:
    found = measured(clockwork, rungs(80, 40, 39, 10), program(200), program(40), program(5))
    assert [level.rungs for level in found.ladder.levels()] == [("1_rung",), ("2_rung", "3_rung"), ("4_rung",)]
    standings = [one.standing for one in found.programs]
    assert [(one.level, one.dps) for one in standings if one] == [(0, 0), (2, 75), (3, 100)]
    assert found.ladder.costs["1_rung"].typical == pytest.approx(80e6, rel=1e-3)
    assert found.ladder.costs["1_rung"].cv == pytest.approx(0, abs=1e-3)
    assert found.why and found.rounds == 7


def test_a_program_that_fails_has_no_score_and_the_others_have_one(clockwork: Any) -> None:
    wrong, broken = program(1, "return x"), program(1, "return 1 / 0")
    found = measured(clockwork, rungs(80, 40), wrong, program(40), broken)
    assert [one.status for one in found.programs] == ["wrong", "ok", "crashed"]
    assert [one.standing is None for one in found.programs] == [True, False, True]
    assert "expected" in found.programs[0].feedback


def test_a_wrong_rung_is_refused_with_its_name(clockwork: Any) -> None:
    ladder = [*rungs(80, 40), Rung("3_hasty", program(1, "return x + 2"))]
    with pytest.raises(
        TaskError, match=r"Task 'next': the ladder cannot be used, for its rung '3_hasty' fails \(wrong"
    ):
        measured(clockwork, ladder)


def test_the_case_is_the_one_named_performance_or_the_first_timed_one() -> None:
    corners, held, own = Case(name="c", timed=False), Case(name="h", split="heldout"), Case(name="o")
    assert case_of(task(corners, held, own)).name == "o"
    assert case_of(task(corners, own, Case(name="performance", split="ood"))).name == "performance"
    assert case_of(task(corners, own, held), "h").name == "h"
    with pytest.raises(UsageError, match=r"no timed case 'c'\. Timed cases: o"):
        case_of(task(corners, own), "c")
    with pytest.raises(UsageError, match="levels of speed are for speed-up tasks"):
        case_of(task(goal=replace(GOAL, kind="metric")))


def test_whole_numbers_grow_or_those_that_are_named() -> None:
    assert growing(SIZED) == (SIZED, ("size", "width"))
    assert growing(SIZED, ["size"], start=1)[0].params == {"size": 1, "width": 3, "kind": "plain"}
    with pytest.raises(UsageError, match="has kind = 'plain'; whole numbers above 0 can grow, there: size, width"):
        growing(SIZED, ["kind"])
    with pytest.raises(UsageError, match="has no parameter 'depth'"):
        growing(SIZED, ["depth"])
    with pytest.raises(UsageError, match="so nothing can grow"):
        growing(Case(name="bare"))


def growth(clockwork: Any, ladder: list[Rung], case: Case = SIZED) -> tuple[Grown, list[Step]]:
    seen: list[Step] = []
    found = asyncio.run(grown(clockwork, task(case), ladder, case, ["size"], seen=seen.append))
    return found, seen


def test_growing_ends_where_every_rung_has_a_level(clockwork: Any) -> None:
    found, seen = growth(clockwork, rungs(80, 40))
    assert [step.case.params["size"] for step in found.steps] == [4]
    assert list(found.steps) == seen
    assert found.steps[-1].separates
    assert (found.case.name, found.case.split, found.case.params) == ("performance", "ood", SIZED.params)


def test_growing_ends_at_a_limit_and_keeps_the_costliest_inputs_before_it(clockwork: Any) -> None:
    found, _ = growth(clockwork, rungs(40, 40))
    assert [step.case.params["size"] for step in found.steps] == [4, 8, 16, 32]
    assert found.steps[-1].limit == "the task makes no inputs of this size (MemoryError: too large)"
    assert found.chosen.case.params["size"] == 16
    assert not found.chosen.separates


def test_first_inputs_beyond_a_limit_are_refused(clockwork: Any) -> None:
    with pytest.raises(UsageError, match=r"makes no inputs of this size .*, on the first inputs already \(size = 17\)"):
        growth(clockwork, rungs(40, 20), replace(SIZED, params={"size": 17}))


@pytest.mark.slow
def test_a_rung_that_breaks_ends_the_growth_and_a_wrong_one_is_an_error(clockwork: Any) -> None:
    breaks = program(40, "return x + 1 if size < 8 else 1 / 0")
    found, _ = growth(clockwork, [*rungs(40), Rung("2_breaks", breaks)])
    assert found.steps[-1].limit == "rung '2_breaks' fails (crashed)"
    assert found.chosen.case.params["size"] == 4
    errs = program(40, "return x + 1 if size < 8 else 0")
    with pytest.raises(TaskError, match=r"rung '2_errs' fails \(wrong\)"):
        growth(clockwork, [*rungs(40), Rung("2_errs", errs)])


def test_rungs_in_another_order_than_their_files_are_not_told_apart(clockwork: Any) -> None:
    found, _ = growth(clockwork, rungs(20, 40), replace(SIZED, params={"size": 16}))
    assert len(found.steps) == 2
    assert found.chosen.ladder is not None
    assert found.chosen.ladder.misplaced() == [("1_rung", "2_rung")]
