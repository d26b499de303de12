"""What a model is asked for, and told, by the form and the end of its answers."""

import asyncio
import json

import pytest

from outpace.agent.arms import Arm
from outpace.agent.models.base import FREE, Completion, Message, Sampling
from outpace.agent.models.scripted import Answer, ScriptedModel
from outpace.agent.proposal import Brief, Member, Proposal
from outpace.agent.proposers.edits import schema_for
from outpace.agent.proposers.model import ModelProposer
from outpace.errors import ProposalError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Task, TaskSpec

START = Candidate({"program.py": "def area(r):\n    return 3 * r * r\n"})
GOAL = Goal(kind="metric", name="error", direction="minimise")
TASK = Task(
    TaskSpec(name="area", title="Area", statement="State it.", entry="area", goal=GOAL, cases=(Case(name="a"),)), START
)
GIVEN = {"thought": "More digits.", "edits": [{"search": "    return 3 * r * r", "replace": "    return 3.14 * r * r"}]}


class Recorder(ScriptedModel):
    """A script that remembers what it was asked."""

    def __init__(self, *answers: str | Answer) -> None:
        super().__init__(answers)
        self.asked: list[tuple[Sampling, list[Message]]] = []

    async def complete(self, messages: object, *, key: str, sampling: Sampling = FREE) -> Completion:
        assert isinstance(messages, list)
        self.asked.append((sampling, list(messages)))
        return await super().complete(messages, key=key, sampling=sampling)


def proposed(model: Recorder, arm: Arm | None = None) -> Proposal:
    brief = Brief(number=3, parents=(Member(START, Evaluation(status="ok", score=0.1)),), seed=9)
    proposer = ModelProposer({model.name: model}, [arm or Arm(model=model.name)])
    return asyncio.run(proposer.propose(TASK, brief))


def test_the_form_json_is_asked_for_with_its_schema() -> None:
    model = Recorder(json.dumps(GIVEN))
    proposal = proposed(model, Arm(model="scripted", edit_mode="json"))
    assert proposal.candidate.program == START.program.replace("3 *", "3.14 *")
    assert (proposal.operator, proposal.thought) == ("json", "More digits.")
    ((sampling, messages),) = model.asked
    assert sampling == Sampling(seed=9, schema=schema_for(START))
    assert "Answer with the JSON object alone." in messages[-1].content


def test_json_that_does_not_fit_goes_back_as_json() -> None:
    model = Recorder('{"thought": "", "edits": []}', json.dumps(GIVEN))
    assert proposed(model, Arm(model="scripted", edit_mode="json")).operator == "json"
    (_, again) = model.asked[1]
    assert "'edits' must be a list of at least one" in again[-1].content
    assert "Answer again with the JSON object" in again[-1].content


def test_no_schema_goes_with_the_other_forms() -> None:
    model = Recorder(json.dumps(GIVEN))
    assert proposed(model).operator == "json", "an answer is read by its form, not by the form that was asked for"
    assert model.asked[0][0].schema is None


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (
            Answer(text="I cannot help\nwith that.", finish="refusal"),
            "The model refused to answer: I cannot help with that.",
        ),
        (Answer(text="", finish="content_filter"), "The model refused to answer: it gave no reason."),
        (Answer(text=json.dumps(GIVEN), finish="length"), "cut off at the token limit"),
        (Answer(text=json.dumps(GIVEN)[:-4]), "no valid JSON"),
        (Answer(text=""), "holds no edit: it is empty"),
        (Answer(text="<think>hm</think>\n "), "holds no edit: it is empty"),
        (Answer(text="<think>hm, on and on"), "holds no edit: it is empty"),
    ],
)
def test_an_answer_without_an_edit_is_told_in_one_line(answer: Answer, told: str) -> None:
    model = Recorder(answer, answer)
    with pytest.raises(ProposalError) as caught:
        proposed(model)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert told in model.asked[1][1][-1].content
