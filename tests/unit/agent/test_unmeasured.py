"""What becomes of programs that are right and not measured: kept alike, ranked nowhere, and never told as a figure."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from outpace.agent.budget import Spent
from outpace.agent.champion import Throne
from outpace.agent.cli import text
from outpace.agent.cli.progress import look, summary
from outpace.agent.cli.report import words
from outpace.agent.evolve import Report
from outpace.agent.home import default_home
from outpace.agent.proposal import Brief, Member, Proposal, Result
from outpace.agent.search import Progress
from outpace.agent.store.base import Run
from outpace.agent.store.contract import config
from outpace.agent.strategies.hill_climb import HillClimb
from outpace.agent.strategies.islands import Islands
from outpace.agent.surprise import surprising
from outpace.evaluators.base import Evaluation
from outpace.evaluators.statistics import measurable
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal

GOAL = Goal(kind="speedup", name="speed-up", direction="maximise", unit="x")
RIGHT = Evaluation(status="ok", feedback="All answers are right.", machine={"gpu": "not measured on a GPU"})
RUN = Run(
    id="20261122-0900-abc", config=replace(config(), goal=GOAL, task_name="softmax"), created="2026-11-22T09:00:00"
)


def result(number: int, evaluation: Evaluation = RIGHT, brief: Brief | None = None) -> Result:
    candidate = Candidate({"program.py": f"# EVOLVE-BLOCK-START\nVALUE = {number}\n# EVOLVE-BLOCK-END\n"})
    proposal = Proposal(candidate=candidate, proposer="test", operator="edit", parents=())
    return Result(
        brief=brief or Brief(number=number, parents=(), seed=number), proposal=proposal, evaluation=evaluation
    )


def test_it_has_no_rank_and_is_no_gain() -> None:
    assert RIGHT.unmeasured and RIGHT.rank(GOAL) is None and RIGHT.standing(GOAL) == 0.0
    assert not measurable(RIGHT, 0.0) and not surprising(GOAL, RIGHT, best=RIGHT, start=RIGHT)
    wrong, fast = Evaluation(status="wrong"), Evaluation(status="ok", score=2.0)
    assert not wrong.unmeasured and wrong.standing(GOAL) is None
    assert not fast.unmeasured and fast.standing(GOAL) == fast.rank(GOAL) == 2.0


@pytest.mark.parametrize("factory", [Islands, HillClimb])
def test_a_search_begins_and_goes_on(factory: Callable[..., Any]) -> None:
    strategy = factory(GOAL, seed=1)
    strategy.tell([result(0)])
    briefs = strategy.ask(8)
    assert len(briefs) == 8
    strategy.tell([result(brief.number, brief=brief) for brief in briefs])
    strategy.tell([result(99, Evaluation(status="wrong"))])
    assert all(member.evaluation.unmeasured for brief in strategy.ask(8) for member in brief.parents)


def test_nobody_fights_for_a_crown() -> None:
    nothing: Any = None
    throne = Throne(task=nothing, evaluator=nothing, record=nothing)
    throne.meet(result(0))
    throne.meet(result(1))
    assert throne.next() is None and throne.champion is None and not throne.begin()


def test_how_it_is_shown() -> None:
    assert text.score(GOAL, RIGHT) == "right, not measured"
    assert text.gain_text(GOAL, RIGHT, RIGHT) == "-"
    first = result(0)
    progress = Progress(
        run=RUN, spent=Spent(evaluations=3), statuses={"ok": 3}, in_flight=1, start=first, best=None, last=first
    )
    assert look(progress)["best"] == "none, not measured on a GPU" and look(progress)["right"] == "3"
    assert "for the noise of this machine" not in summary(progress)


def test_the_last_words_claim_nothing() -> None:
    first = result(0)
    assert first.proposal is not None
    report = Report(
        run=RUN,
        ended="evaluations",
        start=Member(first.proposal.candidate, RIGHT),
        champion=None,
        start_heldout=None,
        start_ood=None,
        spent=Spent(evaluations=3, wall_s=5.0),
        statuses={"ok": 2, "crashed": 1},
    )
    said = "\n".join(words(report, default_home(), named_home=None))
    assert "No champion, for nothing has a score: not measured on a GPU." in said
    assert "2 right answers, the start's among them" in said and "faster" not in said
