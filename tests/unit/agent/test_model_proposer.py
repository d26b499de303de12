"""``ModelProposer``: asks, applies, and gives a useless answer back once."""

import asyncio
from collections.abc import Sequence

import pytest

from outpace.agent.models.base import FREE, Completion, Message, Sampling
from outpace.agent.models.scripted import Answer, ScriptedModel
from outpace.agent.proposal import Brief, Member, ModelUsage, Proposal, Result
from outpace.agent.proposers.model import ModelProposer
from outpace.errors import ModelPermanent, ProposalError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Task, TaskSpec

PROGRAM = "# EVOLVE-BLOCK-START\ndef area(r):\n    return 3 * r * r\n# EVOLVE-BLOCK-END\n"
BETTER = PROGRAM.replace("3 * r", "3.1416 * r")
DIFF = "More digits.\n<<<<<<< SEARCH\n    return 3 * r * r\n=======\n    return 3.1416 * r * r\n>>>>>>> REPLACE\n"
UNMATCHED = DIFF.replace("return 3 * r * r", "return 3*r**2")
WHOLE = f"All of it.\n```python\n{BETTER}```\n"
SPEC = TaskSpec(
    name="area",
    title="Area",
    statement="State the area of a circle.",
    entry="area",
    goal=Goal(kind="metric", name="error", direction="minimise"),
    cases=(Case(name="unit"),),
)
START = Candidate({"program.py": PROGRAM})
TASK = Task(SPEC, START)
MEMBER = Member(START, Evaluation(status="ok", score=0.14))


class Recorder:
    """Passes on to a scripted model, and keeps what it was asked; its usage and latency tell the calls apart."""

    name = "recorder"

    def __init__(self, *answers: str | Answer) -> None:
        self.inner = ScriptedModel(list(answers))
        self.asked: list[tuple[str, Sampling, tuple[Message, ...]]] = []
        self.closed = False

    async def complete(self, messages: Sequence[Message], *, key: str, sampling: Sampling = FREE) -> Completion:
        self.asked.append((key, sampling, tuple(messages)))
        answer = await self.inner.complete(messages, key=key, sampling=sampling)
        number = len(self.asked)
        usage = ModelUsage(calls=1, input_tokens=10 * number, output_tokens=number, cost_usd=0.5)
        return Completion(text=answer.text, model="m", finish=answer.finish, usage=usage, latency_s=float(number))

    async def aclose(self) -> None:
        self.closed = True


def brief(**fields: object) -> Brief:
    return Brief(**{"number": 12, "parents": (MEMBER,), "seed": 99, **fields})  # type: ignore[arg-type]


def proposed(model: Recorder, asked: Brief | None = None, **options: object) -> Proposal:
    proposer = ModelProposer(model, **options)  # type: ignore[arg-type]
    return asyncio.run(proposer.propose(TASK, asked or brief()))


def test_a_fitting_answer_is_a_proposal() -> None:
    model = Recorder(DIFF)
    assert proposed(model, sampling=Sampling(temperature=0.7, max_tokens=500)) == Proposal(
        candidate=Candidate({"program.py": BETTER}),
        proposer="model:recorder",
        operator="diff",
        parents=(START.id,),
        thought="More digits.",
        detail={"model": "m", "turns": 1, "refused": []},
        usage=ModelUsage(calls=1, input_tokens=10, output_tokens=1, cost_usd=0.5),
        latency_s=1.0,
    )
    (key, sampling, messages) = model.asked[0]
    assert (key, sampling) == ("12/0", Sampling(max_tokens=500, temperature=0.7, seed=99))
    assert [message.role for message in messages] == ["system", "user"]


def test_the_operator_is_the_briefs_or_the_form_of_the_edit() -> None:
    assert proposed(Recorder(WHOLE), brief(edit_mode="whole")).operator == "whole"
    assert proposed(Recorder(WHOLE), brief(edit_mode="diff")).operator == "whole"
    assert proposed(Recorder(DIFF), brief(operator="explore")).operator == "explore"


def test_a_brief_without_parents_starts_from_the_start() -> None:
    assert proposed(Recorder(DIFF), brief(parents=())).parents == (START.id,)


def test_a_useless_answer_goes_back_once_with_the_nearest_lines() -> None:
    model = Recorder(UNMATCHED, DIFF)
    proposal = proposed(model)
    assert proposal.candidate.program == BETTER
    assert proposal.usage == ModelUsage(calls=2, input_tokens=30, output_tokens=3, cost_usd=1.0)
    assert proposal.latency_s == 3.0
    assert proposal.detail["turns"] == 2
    assert "matches nothing" in proposal.detail["refused"][0]
    (first, _, asked), (second, _, again) = model.asked
    assert (first, second) == ("12/0", "12/1")
    assert again[: len(asked)] == asked
    assert again[-2] == Message("assistant", UNMATCHED.strip())
    assert "3 |     return 3 * r * r" in again[-1].content


@pytest.mark.parametrize(
    ("useless", "told"),
    [
        ("No code here.", "holds no edit"),
        (DIFF.replace("3.1416 * r * r", "3 * r * r"), "No change"),
        (DIFF.replace("3.1416 * r * r", "3.1416 * r *"), "does not parse: line 3"),
        (WHOLE.replace("def area", "def field"), "no longer defines 'area'"),
        ("", "holds no edit"),
    ],
)
def test_what_the_model_is_told(useless: str, told: str) -> None:
    model = Recorder(useless, DIFF)
    assert proposed(model).candidate.program == BETTER
    assert told in model.asked[1][2][-1].content


def test_an_answer_cut_off_at_the_token_limit_is_not_trusted_and_told_as_such() -> None:
    model = Recorder(Answer(text=DIFF + "and " * 1000, finish="length"), DIFF)
    assert proposed(model).detail["turns"] == 2
    recalled, told = model.asked[1][2][-2:]
    assert len(recalled.content) < 600
    assert "cut off at the token limit" in told.content
    assert "much shorter" in told.content


def test_two_useless_answers_are_a_failure_with_both_reasons() -> None:
    model = Recorder(UNMATCHED, "No.", DIFF)
    with pytest.raises(ProposalError, match=r"holds no edit.*Asked twice; the first time: .*matches nothing") as caught:
        proposed(model)
    assert "\n" not in str(caught.value)
    assert len(model.asked) == 2


def test_a_failing_endpoint_is_not_asked_again() -> None:
    model = Recorder()
    with pytest.raises(ModelPermanent):
        proposed(model)
    assert len(model.asked) == 1


def test_what_the_search_sees() -> None:
    model = Recorder()
    proposer = ModelProposer(model, lookahead=3)
    assert (proposer.name, proposer.lookahead, ModelProposer(model).lookahead) == ("model:recorder", 3, 8)
    proposer.tell([Result(brief=brief(), failure="x")])
    asyncio.run(proposer.aclose())
    assert model.closed
