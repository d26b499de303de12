"""A task too fast or too slow to be timed is told so, with the case, the time, what is expected and what to change."""

import asyncio
from typing import Any

import numpy as np
import pytest

from outpace.evaluators.cascade import CascadeEvaluator
from outpace.evaluators.correctness import Failure
from outpace.evaluators.pace import PAIR_S, Pace, slow
from outpace.limits import Limits
from outpace.sandbox.base import Sandbox
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Output, Problem, Task, TaskSpec, WrongAnswer

GOAL = Goal(kind="speedup", name="speed-up", direction="maximise", unit="x")


class Next(Task):
    """Answer: the input and one."""

    def generate(self, case: Case, seed: int) -> Problem:
        return {"x": seed + int(case.params.get("late", 0)) * 2**50}

    def check(self, problem: Problem, output: Output) -> None:
        if output != problem["x"] + 1:
            raise WrongAnswer(f"expected {problem['x'] + 1}")


def task(program: str, *cases: Case) -> Task:
    spec = TaskSpec(
        name="next",
        title="Next",
        statement="",
        entry="after",
        goal=GOAL,
        cases=cases or (Case(name="one"),),
        limits=Limits(wall_s=0.5),
    )
    return Next(spec, Candidate({"program.py": program}))


def told(cost: str, body: str = "    return x + 1\n") -> str:
    return f"# {cost}\ndef after(x):\n{body}"


def paces(sandbox: Sandbox, about: Task) -> list[Pace]:
    return asyncio.run(CascadeEvaluator(sandbox).paces(about))


def test_a_call_that_the_clock_does_not_see_is_too_fast(clockwork: Any) -> None:
    (pace,) = paces(clockwork, task(told("wall_ns=1 cpu_ns=1")))
    fault = pace.fault()
    assert fault.startswith("case 'one' is too fast to be timed: 256 calls of the starting program at once take ")
    assert "make its inputs larger (20 to 200 ms a call is good), or say timed = false" in fault


@pytest.mark.parametrize("wall_ns", [4_000_000, 2_000_000_000])
def test_what_can_be_timed_is_no_fault(clockwork: Any, wall_ns: int) -> None:
    (pace,) = paces(clockwork, task(told(f"wall_ns={wall_ns} cpu_ns={wall_ns}")))
    assert pace.fault() == ""
    assert pace.call_s == pytest.approx(wall_ns / 1e9, rel=0.05, abs=2e-6)


def test_a_pair_of_more_than_a_minute_is_too_slow(clockwork: Any) -> None:
    (pace,) = paces(clockwork, task(told("wall_ns=31000000000 cpu_ns=1000")))
    assert pace.fault() == (
        "case 'one' is too slow to be timed: a call of the starting program takes 31 s, so a pair of calls 62 s, "
        "expected at most 60 s; make its inputs smaller (20 to 200 ms a call is good)"
    )


def test_every_timed_case_is_tried_and_no_other(clockwork: Any) -> None:
    cases = (Case(name="a"), Case(name="corners", timed=False), Case(name="b", split="heldout"))
    found = paces(clockwork, task(told("wall_ns=30000000 cpu_ns=30000000"), *cases))
    assert [pace.case.name for pace in found] == ["a", "b"]


def test_a_held_out_call_beyond_its_limit_is_a_timeout(clockwork: Any) -> None:
    body = "    while x >= 2**50:\n        pass\n    return x + 1\n"
    held_out = Case(name="large", split="heldout", params={"late": 1})
    with pytest.raises(Failure, match=r"On case 'large' the program did not answer in time \(no answer within 0.5 s\)"):
        paces(clockwork, task(told("wall_ns=30000000 cpu_ns=30000000", body), Case(name="small"), held_out))


def test_metric_tasks_have_no_pace(clockwork: Any) -> None:
    metric = Goal(kind="metric", name="gap", direction="minimise")
    spec = TaskSpec(name="m", title="M", statement="", entry="after", goal=metric, cases=(Case(name="one"),))
    assert paces(clockwork, Next(spec, Candidate({"program.py": told("wall_ns=1 cpu_ns=1")}))) == []
    assert clockwork.jobs == []


def timed(**told: Any) -> Pace:
    facts = {"call_s": 0.1, "judge_s": 0.01, "calls": 1, "batch_s": 0.1, "step_s": 1e-5}
    return Pace(**{"case": Case(name="big"), **facts, **told})


def test_slow_judging_is_named_as_such() -> None:
    fault = timed(judge_s=70.0).fault()
    assert "takes 100 ms and judging two answers 70 s" in fault
    assert "check quicker, or make its inputs smaller" in fault


def test_long_pairs_are_warned_of_by_the_longest_train_case() -> None:
    held_out = timed(case=Case(name="held", split="heldout"), call_s=PAIR_S / 3)
    assert slow([timed(), held_out]) == ""
    line = slow([timed(), timed(case=Case(name="huge"), call_s=5.0), held_out])
    assert line.startswith("each candidate takes about 72 s to be timed (7 pairs")
    assert "case 'huge' with 5 s a call" in line


def test_a_short_batch_on_a_clock_that_wobbles_is_left_to_the_noise() -> None:
    assert timed(batch_s=0.004, step_s=0.01).fault() == ""
    assert "case 'big' is too fast" in timed(batch_s=0.0019, step_s=0.01).fault()
    assert timed(batch_s=float(np.float64(0.001)), step_s=1e-5).fault() == ""
