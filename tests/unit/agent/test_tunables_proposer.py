"""Values that are chosen already are written; everything else is the business of the proposer within."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from outpace.agent.prompts.facts import Facts
from outpace.agent.prompts.render import Beside, render
from outpace.agent.proposal import Brief, Member, Proposal, Result
from outpace.agent.proposers.attempts import Attempts
from outpace.agent.proposers.tunables import Tunables
from outpace.agent.proposing import Proposing, checked, proposing_of, tuned
from outpace.agent.store.base import RunConfig
from outpace.agent.strategies.contract import GOAL
from outpace.agent.strategies.hill_climb import HillClimb
from outpace.agent.strategies.tuned import Tuned
from outpace.errors import ProposalError, UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Task, TaskSpec

SPEC: dict[str, Any] = {"name": "t", "title": "T", "statement": "", "entry": "f", "goal": GOAL}
SPEC["cases"] = (Case(name="c"),)
BLOCK = Candidate({"program.py": "BLOCK = 16  # tunable: 16, 32\n"})
TASK = Task(TaskSpec(**SPEC), BLOCK)


class Inner:
    """Keeps what it is asked and told."""

    name, lookahead, patient = "inner", 7, True

    def __init__(self) -> None:
        self.asked: list[Brief] = []
        self.told: list[Result] = []
        self.ended: list[str] = []

    async def propose(self, task: Task, brief: Brief) -> Proposal:
        self.asked.append(brief)
        return Proposal(candidate=task.start, proposer=self.name, operator="change", parents=())

    def tell(self, results: Sequence[Result]) -> None:
        self.told += results

    def withdraw(self) -> None:
        self.ended.append("withdrawn")

    async def aclose(self) -> None:
        self.ended.append("closed")


def member(candidate: Candidate, feedback: str = "") -> Member:
    return Member(candidate, Evaluation(status="ok", score=1.0, feedback=feedback))


def sample(**values: Any) -> Brief:
    return Brief(number=3, parents=(member(BLOCK),), seed=1, operator="tunables", given={"values": values})


def test_values_are_written_and_nobody_is_asked() -> None:
    inner = Inner()
    proposal = asyncio.run(Tunables(inner).propose(TASK, sample(BLOCK=32)))
    assert proposal.candidate.program == "BLOCK = 32  # tunable: 16, 32\n"
    assert (proposal.proposer, proposal.operator, proposal.parents) == ("tunables", "tunables", (BLOCK.id,))
    assert proposal.thought == "BLOCK = 32"
    assert (proposal.usage.calls, proposal.usage.cost_usd) == (0, 0.0)
    assert inner.asked == []
    with pytest.raises(ProposalError, match="The program declares BLOCK, and was given"):
        asyncio.run(Tunables(inner).propose(TASK, sample(BLOCK=33)))


def test_everything_else_is_passed_on() -> None:
    inner = Inner()
    outer = Tunables(inner)
    brief = Brief(number=1, parents=(member(BLOCK),), seed=1)
    assert asyncio.run(outer.propose(TASK, brief)).proposer == "inner"
    assert inner.asked == [brief]
    outer.tell([Result(brief=brief, failure="none")])
    outer.withdraw()
    asyncio.run(outer.aclose())
    assert len(inner.told) == 1 and inner.ended == ["withdrawn", "closed"]
    assert (outer.name, outer.lookahead, outer.patient) == ("inner", 7, True)


def test_what_cannot_be_read_is_said_with_the_feedback() -> None:
    inner = Inner()
    odd = member(Candidate({"program.py": "BLOCK = 16  # tunable: some\n"}), "Slow.\n")
    asyncio.run(Tunables(inner).propose(TASK, Brief(number=1, parents=(odd, member(BLOCK)), seed=1)))
    (asked,) = inner.asked
    said = asked.parents[0].evaluation.feedback.split("\n")
    assert said[0] == "Slow." and said[1].startswith("What its comments declare tunable")
    assert said[2].startswith("- line 1: expected choices") and asked.parents[1] == member(BLOCK)


@pytest.mark.parametrize(("language", "mark"), [("python", "#"), ("c", "//")])
def test_the_rules_tell_of_tunables_where_they_are_tuned(language: str, mark: str) -> None:
    task = Task(TaskSpec(**SPEC, language=language), BLOCK)
    brief = Brief(number=1, parents=(), seed=1)
    with_rule, without = (
        render(task, brief, beside=Beside(facts=Facts(tunables=on)))[0].content.split("\n") for on in (True, False)
    )
    (rule,) = [line for line in with_rule if line not in without]
    assert f"`{mark} tunable: 16, 32, 64` or `{mark} tunable: 0.0 .. 1.0`" in rule
    assert ("#define" in rule) == (language == "c")
    assert [line for line in with_rule if line != rule] == without


def test_samples_are_no_attempts_of_the_model() -> None:
    attempts = Attempts()
    found = Evaluation(status="wrong", feedback="no")
    proposal = Proposal(candidate=BLOCK, proposer="tunables", operator="tunables", parents=(BLOCK.id,))
    attempts.tell([Result(brief=sample(BLOCK=32), proposal=proposal, evaluation=found)] * 3)
    assert attempts.of(BLOCK.id, GOAL).of == 0 and attempts.of(BLOCK.id, GOAL).failures == ()


def test_who_tunes() -> None:
    climb = HillClimb(GOAL)
    for tuning in (Proposing(), Proposing(models=("m",))):
        assert isinstance(tuned(climb, tuning, goal=GOAL, seed=1), Tuned)
    for other in (Proposing(models=("m",), proposer="tuner"), Proposing(proposer="outside")):
        assert tuned(climb, other, goal=GOAL, seed=1) is climb
        with pytest.raises(UsageError, match="tunables"):
            checked(replace(other, tunables=0.5))
    assert tuned(climb, Proposing(tunables=0.0), goal=GOAL, seed=1) is climb
    with pytest.raises(UsageError, match="tunables must be a number from 0 to 1, got 2"):
        checked(Proposing(tunables=2.0))


def test_the_share_belongs_to_the_run() -> None:
    assert Proposing().params() == {}
    params = checked(Proposing(tunables=0.0)).params()
    assert params == {"tunables": 0.0}
    plain: dict[str, Any] = {"task": "t", "task_name": "t", "task_fingerprint": "", "goal": GOAL, "strategy": "islands"}
    plain |= {"proposer": "operators", "seed": 0, "budget": None, "workers": 1, "sandbox": "zygote"}
    assert proposing_of(RunConfig(**plain, proposer_params=params)).tunables == 0.0
