"""``TunerProposer``: lines that go on from brief to brief, commands that look, and changes that are judged."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from outpace.agent.arms import Arm
from outpace.agent.budget import Budget, Spent
from outpace.agent.ledger import Ledger
from outpace.agent.models.base import FREE, Completion, Message, Sampling
from outpace.agent.models.scripted import Answer, ScriptedModel
from outpace.agent.proposal import Brief, Member, Proposal, Result
from outpace.agent.proposers.tuner.proposer import TunerProposer
from outpace.agent.proposers.tuner.telling import Setting
from outpace.errors import ModelPermanent, ProposalError
from outpace.evaluators.base import Evaluation, Status
from outpace.sandbox.process import ProcessSandbox
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Output, Problem, Task, TaskSpec, WrongAnswer

PROGRAM = """import math

# EVOLVE-BLOCK-START
def total(numbers):
    result = 0
    for one in numbers:
        result += one
    return result
# EVOLVE-BLOCK-END
"""
SPEC = TaskSpec(
    name="total",
    title="Total",
    statement="Add numbers.",
    entry="total",
    goal=Goal(kind="metric", name="value", direction="maximise"),
    cases=(Case(name="few", instances=3), Case(name="many", instances=3), Case(name="secret", split="heldout")),
)


class Totals(Task):
    def generate(self, case: Case, seed: int) -> Problem:
        return {"numbers": [seed % 1000, seed % 7] if case.name == "few" else [seed % 1000] * 50}

    def check(self, problem: Problem, output: Output) -> None:
        if output != sum(problem["numbers"]):
            raise WrongAnswer(f"the total is {sum(problem['numbers'])}, got {output}")

    def score(self, problem: Problem, output: Output) -> float:
        return float(len(problem["numbers"]))


START = Candidate({"program.py": PROGRAM})
TASK = Totals(SPEC, START)
BEGUN = Member(START, Evaluation(status="ok", score=1.0))
SUM = "edit\nfile: program.py\nlines: 5-8\n---\n    return sum(numbers)\n---"
LOOP = "edit\nfile: program.py\nlines: 7\n---\n        result = result + one\n---"
WRONG = "edit\nfile: program.py\nlines: 8\n---\n    return result if len(numbers) < 9 else 0\n---"


def said(command: str, thought: str = "I try.") -> str:
    return f"{thought}\n```\n{command}\n```\n"


class Recorder:
    """Passes on to a scripted model, and keeps what it was asked."""

    name = "recorder"

    def __init__(self, *answers: str | Answer) -> None:
        self.inner = ScriptedModel(list(answers))
        self.asked: list[tuple[str, Sampling, list[Message]]] = []

    async def complete(self, messages: Sequence[Message], *, key: str, sampling: Sampling = FREE) -> Completion:
        self.asked.append((key, sampling, list(messages)))
        return await self.inner.complete(messages, key=key, sampling=sampling)

    @property
    def told(self) -> list[str]:
        """What the last message of each request said."""
        return [messages[-1].content for _, _, messages in self.asked]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[ProcessSandbox]:
    found = ProcessSandbox()
    yield found
    found.close()


def tuner(model: Recorder, sandbox: ProcessSandbox, **more: Any) -> TunerProposer:
    spent = Spent(model_calls=3, tokens=1200, usd=0.25)
    ledger = Ledger(more.pop("budget", Budget(usd=1.0)), more.pop("spent", spent))
    return TunerProposer(
        {model.name: model}, [Arm(model=model.name)], Setting(sandbox=sandbox, ledger=ledger, goal=SPEC.goal, **more)
    )


def brief(number: int, **more: Any) -> Brief:
    return Brief(**{"number": number, "parents": (BEGUN,), "seed": number, "note": {"island": 0}, **more})


def result(asked: Brief, proposal: Proposal, status: Status = "ok", score: float | None = None) -> Result:
    feedback = "" if status == "ok" else "On case 'many' the answer is not accepted."
    found = Evaluation(status=status, score=score, feedback=feedback)
    return Result(brief=asked, proposal=proposal, evaluation=found)


def served(proposer: TunerProposer, asked: Brief, status: Status = "ok", score: float | None = 2.0) -> Proposal:
    """Have a brief served and its proposal judged so."""
    proposal = asyncio.run(proposer.propose(TASK, asked))
    proposer.tell([result(asked, proposal, status, score if status == "ok" else None)])
    return proposal


def test_a_change_is_a_proposal_and_the_judge_is_heard_in_the_next_brief(sandbox: ProcessSandbox) -> None:
    model = Recorder(said("ls"), said(SUM, "The builtin."), said(LOOP), said("done"))
    proposer = tuner(model, sandbox)
    first = asyncio.run(proposer.propose(TASK, brief(7, operator=None)))
    assert first.candidate.program == PROGRAM.replace(
        "    result = 0\n    for one in numbers:\n        result += one\n    return result\n",
        "    return sum(numbers)\n",
    )
    assert (first.operator, first.parents, first.thought, first.usage.calls) == ("edit", (START.id,), "The builtin.", 2)
    detail: Mapping[str, Any] = first.detail
    assert detail == {
        "model": "scripted", "turns": 2, "refused": [], "line": 7, "sent": 2, "left": 38, "commands": ["ls", "edit"],
    }  # fmt: skip
    proposer.tell([result(brief(7), first, score=3.5)])
    with pytest.raises(ProposalError, match=r"ended after 4 messages .the model has nothing left to try.*value 3.5"):
        served(proposer, brief(9))
    assert [key for key, _, _ in model.asked] == ["7/0", "7/1", "9/0", "9/1"]
    assert "Score: 3.5." in model.told[2]
    assert "This is the best program of the conversation so far" in model.told[2]
    assert "5 |     return sum(numbers)" in model.told[2]
    assert "There is no line 7" in model.told[3]
    assert model.asked[3][2][: len(model.asked[1][2])] == model.asked[1][2], "one growing conversation"


def test_snapshots_are_children_of_each_other_and_revert_leads_to_the_best(sandbox: ProcessSandbox) -> None:
    model = Recorder(said(LOOP), said(WRONG), said("revert"), said(SUM))
    proposer = tuner(model, sandbox)
    first = served(proposer, brief(1), score=2.0)
    second = served(proposer, brief(2), "wrong")
    assert second.parents == (first.candidate.id,)
    third = served(proposer, brief(3), score=3.0)
    assert third.parents == (first.candidate.id,)
    assert "It has no score: wrong." in model.told[2]
    assert "Right answers: 3 of 6 inputs." in model.told[2]
    assert "On case 'many' the answer is not accepted." in model.told[2]
    assert "Score: 2. `revert` leads back to it." in model.told[2]
    assert "result = result + one" in model.told[3]
    assert "sum" not in first.candidate.program


@pytest.mark.parametrize(
    ("command", "told"),
    [
        (SUM.replace("5-8", "1-2"), "Lines 1 to 2 may not change: only lines 4 to 8 may"),
        (SUM.replace("5-8", "3-8"), "Lines 3 to 8 may not change"),
        (SUM.replace("return", "return ("), "does not parse: line"),
        (SUM.replace("5-8", "4-8").replace("    return", "total_of ="), "no longer defines 'total'"),
        (SUM.replace("5-8", "5-80"), "There is no line 80: program.py has 9 lines."),
        (SUM.replace("program.py", "other.py"), "'other.py' is not there: only program.py may change."),
        (LOOP.replace("result = result + one", "result += one"), "No change: the program after the edit"),
        (SUM.replace("    return sum(numbers)", "# EVOLVE-BLOCK-END"), "The markers of the evolve block stay"),
        ("delete\nfile: program.py\nlines: 4-8", "no longer defines 'total'"),
        ("view_file program.py 9", "9 | # EVOLVE-BLOCK-END"),
        ("view_file program.py 90", "program.py has 9 lines."),
        ("view_file task.py", "There is no file 'task.py'. Files: program.py."),
        ("ls", "program.py: 9 lines"),
        ("eval", "Score: 1."),
        ("revert", "Score: 1."),
        ("frobnicate", "'frobnicate' is not a command"),
        ("profile_lines secret", "There is no case 'secret'. Cases: few, many."),
        ("eval_input few 2", "The starting program answers rightly."),
        ("eval_input", "Its score: 2"),
        ("reference many 2", "The starting program answers rightly."),
        ("profile_lines many", "result += one"),
        ("profile many", "program.py:4 total"),
    ],
)  # fmt: skip
def test_what_changes_nothing_is_answered_and_costs_a_message(command: str, told: str, sandbox: ProcessSandbox) -> None:
    model = Recorder(said(command), said(SUM))
    proposal = served(tuner(model, sandbox), brief(1))
    assert proposal.parents == (START.id,)
    assert "return sum(numbers)" in proposal.candidate.program
    assert told in model.told[1]
    assert "You have sent 1 message and may send 39 more." in model.told[1]


def test_the_same_number_is_the_same_input_and_another_line_has_others(sandbox: ProcessSandbox) -> None:
    model = Recorder(*[said("eval_input many 1"), said("reference many 1"), said("eval_input many 2"), said(SUM)] * 2)
    for number in (1, 2):
        served(tuner(model, sandbox), brief(number))
    inputs = [text.split("Input: ")[1].split("\n")[0] for text in model.told if "Input: " in text]
    one, again, two, other, *_ = inputs
    assert one == again
    assert len({one, two, other}) == 3


def test_a_program_that_fails_is_told_with_what_it_printed(sandbox: ProcessSandbox) -> None:
    crash = SUM.replace("return sum(numbers)", "print('so far'); return numbers[99]")
    model = Recorder(said(crash), said("eval_input few"), said("profile_lines few"), said("done"))
    proposer = tuner(model, sandbox)
    served(proposer, brief(1), "crashed")
    with pytest.raises(ProposalError, match="has ended"):
        served(proposer, brief(2))
    assert "gives no right answer (crashed)" in model.told[2]
    assert "IndexError" in model.told[2] and "| so far" in model.told[2]
    assert "IndexError" in model.told[3]


def test_each_answer_tells_messages_and_money() -> None:
    def told(budget: Budget, spent: Spent) -> str:
        model = Recorder(said("ls"), said("done"))
        proposer = tuner(model, ProcessSandbox(), budget=budget, spent=spent, messages=2)
        with pytest.raises(ProposalError):
            served(proposer, brief(1))
        assert "last message" in model.told[1]
        return model.told[1]

    priced, unpriced = Spent(model_calls=2, tokens=900, usd=0.25), Spent(model_calls=2, tokens=900, unpriced_calls=1)
    assert "sent 1 message and may send 1 more. The run has used up $0.2500; $0.7500 remain." in told(
        Budget(usd=1.0), priced
    )
    assert "used up 900 tokens; 100 tokens remain." in told(Budget(tokens=1000), unpriced)
    assert "used up 2 model calls; 3 model calls, 9 evaluations remain." in told(
        Budget(model_calls=5, evaluations=9), Spent(model_calls=2, unpriced_calls=2)
    )
    assert "used up 900 tokens." in told(Budget(wall_s=9.0), unpriced)


def test_a_line_ends_with_its_messages_and_the_next_brief_begins_a_new_one(sandbox: ProcessSandbox) -> None:
    model = Recorder(said("ls"), said(LOOP), said("ls"), said("no such"), said(SUM))
    proposer = tuner(model, sandbox, messages=2)
    first = served(proposer, brief(1))
    better = Member(first.candidate, Evaluation(status="ok", score=2.0))
    with pytest.raises(ProposalError, match=r"brief 2 has ended after 2 messages .all its messages are sent"):
        served(proposer, brief(2, parents=(better,)))
    assert served(proposer, brief(3)).parents == (START.id,)
    assert "Score: 2." in model.told[2], "it begins with the brief's parent"
    assert "7 |         result = result + one" in model.told[2]
    assert "Score: 1." in model.told[4]


def test_lines_are_kept_by_note_and_one_that_waits_is_not_continued(sandbox: ProcessSandbox) -> None:
    model = Recorder(said(LOOP), said(SUM), said(SUM), said("done"))
    proposer = tuner(model, sandbox)
    one = asyncio.run(proposer.propose(TASK, brief(1)))
    assert asyncio.run(proposer.propose(TASK, brief(2))).parents == (START.id,), "the first line waits for the judge"
    proposer.tell([result(brief(1), one, score=2.0)])
    assert served(proposer, brief(3)).detail["line"] == 1
    with pytest.raises(ProposalError, match="conversation of brief 4"):
        served(proposer, brief(4, note={"island": 1}))


def test_an_evaluation_that_failed_by_our_fault_leaves_the_program_where_it_stood(sandbox: ProcessSandbox) -> None:
    model = Recorder(said(LOOP), said(SUM))
    proposer = tuner(model, sandbox)
    served(proposer, brief(1), "infra")
    assert served(proposer, brief(2)).parents == (START.id,)
    assert "could not be judged, by no fault of yours" in model.told[1]


def test_a_program_that_was_judged_written_otherwise_stands_as_it_was_then(sandbox: ProcessSandbox) -> None:
    model = Recorder(said(SUM), said("eval"), said("done"))
    proposer = tuner(model, sandbox)
    proposal = asyncio.run(proposer.propose(TASK, brief(1)))
    earlier = proposal.candidate.with_program(proposal.candidate.program.replace("return", "# short\n    return"))
    stored = Proposal(candidate=earlier, proposer="x", operator="edit", parents=(START.id,), detail=proposal.detail)
    found = Evaluation(status="ok", score=5.0)
    proposer.tell([Result(brief=brief(1), proposal=stored, evaluation=found, seen_before=True)])
    with pytest.raises(ProposalError):
        served(proposer, brief(2))
    assert "This program was judged before. Score: 5." in model.told[1]
    assert "the text of that one stands now" in model.told[1]
    assert "5 |     # short" in model.told[1]


def test_an_edit_back_to_a_snapshot_is_not_judged_again(sandbox: ProcessSandbox) -> None:
    back = LOOP.replace("result = result + one", "result += one")
    model = Recorder(said(LOOP), said(back), said(SUM))
    proposer = tuner(model, sandbox)
    served(proposer, brief(1), score=2.0)
    assert served(proposer, brief(2)).parents == (START.id,)
    assert "This program was judged before. Score: 1." in model.told[2]
    assert "7 |         result += one" in model.told[2]


def test_a_message_cut_off_at_the_token_limit_does_nothing(sandbox: ProcessSandbox) -> None:
    model = Recorder(Answer(text=said(LOOP), finish="length"), said(SUM))
    assert "result" not in served(tuner(model, sandbox), brief(1)).candidate.program
    assert "cut off at the token limit" in model.told[1]


def test_a_resumed_line_stands_where_it_stood(sandbox: ProcessSandbox) -> None:
    model = Recorder(said(LOOP), said(WRONG), said("revert"), said(SUM))
    before = tuner(model, sandbox)
    results = []
    for number, status in ((1, "ok"), (2, "wrong")):
        proposal = asyncio.run(before.propose(TASK, brief(number)))
        results.append(result(brief(number), proposal, status, 2.0 if status == "ok" else None))  # type: ignore[arg-type]
        before.tell(results[-1:])
    after = tuner(model, sandbox)
    start = Proposal(candidate=START, proposer="task", operator="start", parents=())
    after.tell([Result(brief=Brief(number=0, parents=(), seed=0), proposal=start, evaluation=BEGUN.evaluation)])
    after.tell(results)
    third = served(after, brief(3))
    assert third.parents == (results[0].proposal.candidate.id,) if results[0].proposal else False
    assert (third.detail["line"], third.detail["sent"]) == (1, 4)
    assert "This goes on from an earlier conversation" in model.told[2]
    assert "return result if len(numbers) < 9 else 0" in model.told[2]
    assert "You have sent 2 messages and may send 38 more." in model.told[2]


def test_a_resumed_line_that_had_ended_is_not_continued(sandbox: ProcessSandbox) -> None:
    model = Recorder(said(LOOP), said("done"), said(SUM))
    before, after = tuner(model, sandbox), tuner(model, sandbox)
    proposal = served(before, brief(1))
    with pytest.raises(ProposalError) as ended:
        served(before, brief(2))
    after.tell([result(brief(1), proposal, score=2.0), Result(brief=brief(2), failure=str(ended.value))])
    assert served(after, brief(3)).detail["line"] == 3


def test_the_failure_of_one_line_leaves_the_others(sandbox: ProcessSandbox) -> None:
    model = Recorder(said(LOOP), said("done"), said(SUM))
    proposer = tuner(model, sandbox)
    first = asyncio.run(proposer.propose(TASK, brief(1)))
    with pytest.raises(ProposalError) as ended:
        asyncio.run(proposer.propose(TASK, brief(2)))
    proposer.tell([result(brief(1), first, score=2.0)])
    proposer.tell([Result(brief=brief(2), failure=str(ended.value))])
    assert served(proposer, brief(3)).detail["line"] == 1


def test_the_arm_is_the_briefs(sandbox: ProcessSandbox) -> None:
    small, large = Recorder(said(SUM)), Recorder(said(SUM))
    arms = [Arm(model="small"), Arm(model="large", sampling=Sampling(temperature=0.5, max_tokens=900))]
    setting = Setting(sandbox=sandbox, ledger=Ledger(Budget(usd=1.0)), goal=SPEC.goal)
    proposer = TunerProposer({"small": small, "large": large}, arms, setting)
    served(proposer, brief(5, model_hint=arms[1].name))
    assert [sampling for _, sampling, _ in large.asked] == [Sampling(temperature=0.5, max_tokens=900, seed=5)]
    served(proposer, brief(6, note={}, model_hint="gone"))
    assert len(small.asked) == 1
    assert proposer.name == "tuner:small+large"


def test_the_conversation_keeps_to_the_window(sandbox: ProcessSandbox) -> None:
    model = Recorder(*[said("view_file program.py", "word " * 200)] * 30, said(SUM))
    served(tuner(model, sandbox, window_tokens=4000), brief(1))
    sizes = [sum(len(one.content) for one in messages) for _, _, messages in model.asked]
    assert max(sizes) <= 16_000
    first = model.asked[0][2]
    assert all(messages[:2] == first for _, _, messages in model.asked)


def test_a_failing_endpoint_is_not_asked_again(sandbox: ProcessSandbox) -> None:
    model = Recorder()
    with pytest.raises(ModelPermanent):
        asyncio.run(tuner(model, sandbox).propose(TASK, brief(1)))
    assert len(model.asked) == 1
