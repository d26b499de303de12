"""``ModelProposer``: asks, applies, and gives a useless answer back once."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from outpace.agent.models.base import FREE, Completion, Message, Sampling
from outpace.agent.models.recorded import RecordedModel
from outpace.agent.models.scripted import Answer, ScriptedModel
from outpace.agent.prompts.templates import Templates
from outpace.agent.proposal import Brief, Member, ModelUsage, Proposal, Result, Sample
from outpace.agent.proposers.instructions import Instructions
from outpace.agent.proposers.model import Aids, ModelProposer
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
    proposer = ModelProposer.of(model, **options)  # type: ignore[arg-type]
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
    proposer = ModelProposer.of(model, lookahead=3)
    assert (proposer.name, proposer.lookahead, ModelProposer.of(model).lookahead) == ("model:recorder", 3, 16)
    proposer.tell([Result(brief=brief(), failure="x")])
    asyncio.run(proposer.aclose())
    assert model.closed


OTHER = PROGRAM.replace("3 * r", "22 / 7 * r")
OTHER_DIFF = DIFF.replace("3.1416 * r", "22 / 7 * r")
JUDGED = Member(Candidate({"program.py": f"# best\n{BETTER}"}), Evaluation(status="ok", score=0.01))


class Known:
    """Knows one program, however it is written, from result ``since`` on."""

    def __init__(self, member: Member, since: int = 0) -> None:
        self.member, self.since = member, since

    async def __call__(self, candidate: Candidate, before: int | None) -> Member | None:
        told = before is None or before > self.since
        return self.member if told and candidate.shape == self.member.candidate.shape else None


def test_a_program_that_was_judged_before_goes_back_once() -> None:
    model = Recorder(DIFF, OTHER_DIFF)
    proposal = proposed(model, aids=Aids(known=Known(JUDGED)))
    assert proposal.candidate.program == OTHER
    assert proposal.detail["turns"] == 2
    told = model.asked[1][2][-1].content
    assert f"the same program as candidate {JUDGED.candidate.id}, which the judge has seen: error 0.01." in told
    assert proposal.detail["refused"][0] in told


def test_the_second_answer_may_be_a_program_that_was_judged_before() -> None:
    """It is submitted, and whoever evaluates finds out what is known of it."""
    for first in (DIFF, UNMATCHED):
        model = Recorder(first, WHOLE)
        proposal = proposed(model, aids=Aids(known=Known(JUDGED)))
        assert proposal.candidate.program == BETTER
        assert proposal.detail["turns"] == 2


def test_the_parent_with_another_comment_is_no_change() -> None:
    model = Recorder(DIFF.replace("    return 3.1416 * r * r", "    return 3 * r * r  # pi"), DIFF)
    assert proposed(model, aids=Aids(known=Known(MEMBER))).candidate.program == BETTER
    assert f"candidate {START.id}, which the judge has seen: error 0.14." in model.asked[1][2][-1].content


def test_what_was_judged_after_the_ask_does_not_count() -> None:
    """So a brief gets the same answer to the same words whenever it is served: by a resumed run, by a replay."""
    assert proposed(Recorder(DIFF), brief(told=3), aids=Aids(known=Known(JUDGED, since=3))).detail["turns"] == 1
    late = Recorder(DIFF, OTHER_DIFF)
    assert proposed(late, brief(told=4), aids=Aids(known=Known(JUDGED, since=3))).detail["turns"] == 2


def test_prompts_tell_what_was_tried() -> None:
    model = Recorder(DIFF, OTHER_DIFF)
    proposer = ModelProposer.of(model)
    first = asyncio.run(proposer.propose(TASK, brief()))
    proposer.tell([Result(brief=brief(), proposal=first, evaluation=Evaluation(status="wrong", feedback="at r = 0"))])
    asyncio.run(proposer.propose(TASK, brief(number=13)))
    before, after = (asked[2][1].content for asked in model.asked)
    assert "More digits -> wrong: at r = 0" in after
    assert "What was tried" not in before


def test_a_profile_is_shown_where_the_brief_wishes_for_it_and_taken_once() -> None:
    taken: list[str] = []

    async def profile(candidate: Candidate) -> str:
        taken.append(candidate.id)
        await asyncio.sleep(0)
        return "3 | 99 % | return 3 * r * r"

    async def both(proposer: ModelProposer) -> None:
        await asyncio.gather(
            *(proposer.propose(TASK, brief(number=number, profile=number < 3)) for number in (1, 2, 3))
        )

    model = Recorder(DIFF, DIFF, DIFF)
    asyncio.run(both(ModelProposer.of(model, aids=Aids(profile=profile))))
    assert taken == [START.id]
    assert sum("```text\n3 | 99 % | return 3 * r * r\n```" in asked[2][1].content for asked in model.asked) == 2
    assert "99 %" not in proposed_prompt(brief(profile=True))


def proposed_prompt(asked: Brief) -> str:
    """Return what a proposer without aids says."""
    model = Recorder(DIFF)
    proposed(model, asked)
    return model.asked[0][2][1].content


def writing() -> tuple[Instructions, Brief]:
    """Return a pool with some outcomes, and a brief for which a new instruction is asked for."""
    pool = Instructions(SPEC.goal)
    gain = Evaluation(status="ok", score=0.1)
    proposal = Proposal(candidate=JUDGED.candidate, proposer="m", operator="diff", parents=(), detail={})
    pool.tell([Result(brief=brief(number=n), proposal=proposal, evaluation=gain) for n in range(1, 11)])
    asked = (brief(number=12, seed=seed) for seed in range(1000))
    return pool, next(one for one in asked if (chosen := pool.chosen(one)) and chosen.write)


def test_a_new_instruction_is_asked_for_followed_and_learnt_from() -> None:
    pool, asked = writing()
    model = Recorder("Use more digits of pi.", DIFF)
    proposer = ModelProposer.of(model, aids=Aids(instructions=pool))
    proposal = asyncio.run(proposer.propose(TASK, asked))
    (meta, _, wish), (edit, _, messages) = model.asked
    assert (meta, edit) == ("12/meta", "12/0")
    assert wish[0] == messages[0], "the system message is shared"
    assert "## Followed 10 times, better 10 times, value 1" in wish[1].content
    assert "# What to do now\n\nUse more digits of pi.\n" in messages[1].content
    assert proposal.detail["instruction"] == "Use more digits of pi."
    assert (proposal.usage.calls, proposal.detail["turns"]) == (2, 1)
    proposer.tell([Result(brief=asked, proposal=proposal, evaluation=Evaluation(status="ok", score=0.01))])
    assert [(one.text, one.uses, one.gains) for one in pool.pool()] == [("", 10, 10), ("Use more digits of pi.", 1, 1)]


def test_an_instruction_of_no_use_leaves_the_brief_with_one_that_is_there() -> None:
    pool, asked = writing()
    model = Recorder(Answer(text="Use", finish="length"), DIFF)
    proposal = asyncio.run(ModelProposer.of(model, aids=Aids(instructions=pool)).propose(TASK, asked))
    assert "Make it better." in model.asked[1][2][1].content
    assert proposal.detail["instruction"] == ""
    assert "instruction_written" not in proposal.detail


def test_briefs_that_share_a_request_share_the_new_instruction_and_pay_for_it_once() -> None:
    pool, _ = writing()
    firsts = (brief(number=n, sample=Sample(n, 0, 2, 7)) for n in range(20, 1000))
    first = next(one for one in firsts if (chosen := pool.chosen(one)) and chosen.write)
    second = brief(number=first.number + 1, sample=Sample(first.number, 1, 2, 7))
    inner = Recorder("Use more digits of pi.", DIFF, DIFF, DIFF)  # it keeps the first of two answers to a request
    kept: dict[str, Completion] = {}
    model = RecordedModel(inner, kept.get, kept.__setitem__)
    proposer = ModelProposer.of(model, aids=Aids(instructions=pool))
    proposals = [asyncio.run(proposer.propose(TASK, one)) for one in (first, second)]
    assert [one.detail["instruction"] for one in proposals] == ["Use more digits of pi."] * 2
    assert list(kept) == [f"{first.number}/meta", f"{first.number}/0", f"{second.number}/0"]
    assert sum(one.usage.calls for one in proposals) == 3


def test_a_template_of_ones_own_is_used_in_all_turns(tmp_path: Path) -> None:
    (tmp_path / "user.md.j2").write_text("Improve this:\n{{ parent.code | fence(language) }}\n{{ instruction }}\n")
    (tmp_path / "retry_edit.md.j2").write_text("No: {{ reason }}\n")
    model = Recorder(UNMATCHED, DIFF)
    proposed(model, aids=Aids(templates=Templates([tmp_path])))
    assert model.asked[0][2][1].content.startswith("Improve this:\n```python\n# EVOLVE-BLOCK-START")
    assert model.asked[1][2][-1].content.startswith("No: SEARCH block 1 matches nothing")
