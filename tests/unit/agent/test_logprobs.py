"""Log-probabilities of answers, on their way from an endpoint to a proposal: none of it may stop a run."""

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import typer

from outpace.agent.budget import Budget
from outpace.agent.cli.main import app
from outpace.agent.cli.proposing import chosen
from outpace.agent.models.base import Choice, Completion, Message, Sampling
from outpace.agent.models.chat import answer_of, logprob_of, request_of
from outpace.agent.models.scripted import Answer, ScriptedModel
from outpace.agent.proposal import Brief, Member
from outpace.agent.proposers.model import ModelProposer
from outpace.agent.proposing import Proposing, checked, proposing_of
from outpace.agent.store.base import RunConfig
from outpace.agent.store.records import completion_from, completion_to
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Task, TaskSpec

TOLD = Sampling(logprobs=True)
GOAL = Goal(kind="metric", name="error", direction="minimise")
START = Candidate({"program.py": "def area(r):\n    return 3 * r * r\n"})
TASK = Task(TaskSpec(name="a", title="A", statement="S.", entry="area", goal=GOAL, cases=(Case(name="c"),)), START)
MEMBER = Member(START, Evaluation(status="ok", score=0.1))


def tokens(*values: object) -> dict[str, Any]:
    return {"content": [{"token": "t", "logprob": value, "bytes": None, "top_logprobs": []} for value in values]}


def test_it_is_asked_for_only_where_it_is_wanted() -> None:
    assert "logprobs" not in request_of([], Sampling(), limit_name="max_tokens")
    assert request_of([], TOLD, limit_name="max_tokens")["logprobs"] is True


@pytest.mark.parametrize(
    ("told", "mean"),
    [
        (tokens(-1.0, -3.0), -2.0),
        (tokens(0, -1), -0.5),
        (tokens(-9999.0, -1.0), -5000.0),
        (tokens(1e-7), 0.0),
        # nothing told, or nonsense
        (None, None),
        ("-1", None),
        ([], None),
        ({}, None),
        ({"content": None}, None),
        ({"content": []}, None),
        ({"content": {"logprob": -1.0}}, None),
        ({"content": [-1.0]}, None),
        ({"content": [{"token": "t"}]}, None),
        (tokens(-1.0, None), None),
        (tokens(-1.0, "-1.0"), None),
        (tokens(True), None),
        (tokens(0.7), None),
        (tokens(float("nan")), None),
        (tokens(-1.0, float("-inf")), None),
        (tokens(float("inf")), None),
    ],
)
def test_the_mean_of_a_token_or_nothing(told: object, mean: float | None) -> None:
    assert logprob_of(told) == mean


def test_each_text_of_an_answer_has_its_own() -> None:
    message = {"message": {"content": "x"}}
    body = {"choices": [{**message, "logprobs": tokens(-1.0)}, message, {**message, "logprobs": 7}]}
    assert answer_of(json.dumps(body).encode()).choices == (Choice("x", "stop", -1.0), Choice("x"), Choice("x"))


def test_a_script_tells_them_where_they_are_asked_for(tmp_path: Path) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text('{"text": "a", "logprob": -0.5}\n{"text": "b"}\n{"text": "c", "logprob": -1}\n{"text": "d"}\n')

    def asked(model: ScriptedModel, sampling: Sampling) -> Completion:
        return asyncio.run(model.complete([Message("user", "?")], key="1/0", sampling=sampling))

    model = ScriptedModel(script)
    answer = asked(model, Sampling(n=3, logprobs=True))
    assert [answer.choice(index) for index in range(3)] == [
        Choice("a", "stop", -0.5),
        Choice("b"),
        Choice("c", "stop", -1),
    ]
    assert asked(ScriptedModel(script), Sampling()).logprob is None
    script.write_text('{"text": "a", "logprob": NaN}\n')
    with pytest.raises(UsageError, match=r"script\.jsonl:1: logprob"):
        ScriptedModel(script)


def test_they_are_stored_with_an_answer_and_old_answers_lack_them() -> None:
    answer = Completion(text="a", model="m", others=(Choice("b", "stop", -2.0),), logprob=-1.5)
    row = completion_to(answer)
    assert completion_from(row) == answer
    old = json.loads(row["data"])
    del old["logprob"], old["others"][0]["logprob"]
    before = completion_from({**row, "data": json.dumps(old)})
    assert (before.logprob, before.others) == (None, (Choice("b"),))


def proposed(answers: Sequence[Answer], sampling: Sampling, **brief: Any) -> Any:
    proposer = ModelProposer.of(ScriptedModel(answers), sampling=sampling)
    asked = Brief(**{"number": 1, "parents": (MEMBER,), "seed": 1, "edit_mode": "whole", **brief})
    return asyncio.run(proposer.propose(TASK, asked)).detail


def whole(factor: float, logprob: float | None) -> Answer:
    return Answer(text=f"Better.\n\n```python\ndef area(r):\n    return {factor} * r * r\n```\n", logprob=logprob)


def test_a_proposal_carries_that_of_the_answer_it_came_of() -> None:
    assert proposed([whole(3.1, -0.25)], TOLD)["logprob"] == -0.25
    assert proposed([Answer(text="Sorry.", logprob=-9.0), whole(3.1, -0.25)], TOLD)["logprob"] == -0.25
    assert "logprob" not in proposed([whole(3.1, None)], TOLD)
    assert "logprob" not in proposed([whole(3.1, -0.25)], Sampling())


def test_questions_in_words_do_not_ask_for_them() -> None:
    samplings: list[Sampling] = []

    class Asked(ScriptedModel):
        async def complete(self, *arguments: Any, **named: Any) -> Completion:
            samplings.append(named["sampling"])
            return await super().complete(*arguments, **named)

    model = Asked([Answer(text="Words.", logprob=-1.0), whole(3.1, -0.25)])
    proposer = ModelProposer.of(model, sampling=TOLD)
    brief = Brief(number=1, parents=(MEMBER, MEMBER), seed=1, edit_mode="whole", reflect="reevo_short")
    detail = asyncio.run(proposer.propose(TASK, brief)).detail
    assert [one.logprobs for one in samplings] == [False, True]
    assert detail["logprob"] == -0.25


def test_the_option_is_stored_with_the_run() -> None:
    command = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]
    defaults = {one.name: one.default for one in command.params}
    proposing = chosen({**defaults, "model": ["openai:a"], "logprobs": True})
    assert proposing.sampling == TOLD
    assert proposing.params() == {"models": ["openai:a"], "sampling": {"logprobs": True}}
    config = RunConfig(
        task="a",
        task_name="a",
        task_fingerprint="f",
        strategy="mcts",
        proposer=proposing.name,
        proposer_params=json.loads(json.dumps(proposing.params())),
        goal=GOAL,
        budget=Budget(evaluations=1),
        seed=0,
        workers=1,
        sandbox="process",
    )
    assert proposing_of(config) == proposing


def test_who_has_no_use_for_them_says_so() -> None:
    with pytest.raises(UsageError, match="The tuner has no use for logprobs"):
        checked(Proposing(models=("openai:a",), proposer="tuner", sampling=TOLD))
    with pytest.raises(UsageError, match="leave sampling out"):
        checked(Proposing(sampling=TOLD))
