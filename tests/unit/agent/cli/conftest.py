"""Runs and results as the commands meet them."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from outpace.agent.budget import Budget, Spent
from outpace.agent.proposal import Brief, Proposal, Result
from outpace.agent.search import Progress
from outpace.agent.store.base import Run, RunConfig
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal

GAP = Goal(kind="metric", name="gap", direction="minimise", unit="%")
SPEEDUP = Goal(kind="speedup", name="speed-up", direction="maximise", unit="x")


@pytest.fixture
def gap() -> Goal:
    return GAP


@pytest.fixture
def speedup() -> Goal:
    return SPEEDUP


@pytest.fixture
def make_run() -> Callable[[Goal], Run]:
    def make(goal: Goal) -> Run:
        config = RunConfig(
            task="packing",
            task_name="packing",
            task_fingerprint="0" * 16,
            goal=goal,
            strategy="islands",
            proposer="operators",
            seed=1,
            budget=Budget(evaluations=200, wall_s=600),
            workers=2,
            sandbox="bubblewrap",
        )
        return Run(id="r1", config=config, created="2026-11-21T18:00:00Z")

    return make


@pytest.fixture
def make_result() -> Callable[[int, Evaluation], Result]:
    def make(number: int, evaluation: Evaluation) -> Result:
        candidate = Candidate({"program.py": f"VALUE = {number}\n"})
        proposal = Proposal(candidate=candidate, proposer="operators", operator="tune", parents=())
        return Result(brief=Brief(number=number, parents=(), seed=0), proposal=proposal, evaluation=evaluation)

    return make


@pytest.fixture
def progress(make_run: Callable[[Goal], Run], make_result: Callable[[int, Evaluation], Result]) -> Progress:
    start = make_result(0, Evaluation(status="ok", score=4.0))
    return Progress(
        run=make_run(GAP),
        spent=Spent(evaluations=1, wall_s=2.0),
        statuses={"ok": 1},
        in_flight=2,
        start=start,
        best=start,
        last=start,
    )


@pytest.fixture
def better(progress: Progress, make_result: Callable[[int, Evaluation], Result]) -> Progress:
    """Return the same run a little later: 38 evaluations, and a gap of 3 instead of 4 per cent."""
    best = make_result(7, Evaluation(status="ok", score=3.0))
    spent = Spent(evaluations=38, wall_s=20.0)
    return replace(progress, spent=spent, statuses={"ok": 34, "wrong": 3, "timeout": 1}, best=best, last=best)
