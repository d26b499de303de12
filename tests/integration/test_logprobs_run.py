"""Log-probabilities through the official client and a real HTTP server, into a run of ``mcts`` and out of its store."""

import asyncio
import itertools
import re
from pathlib import Path
from typing import Any

import pytest

import outpace
from outpace.agent.evolve import RunOptions, resume_run, start_run
from outpace.agent.models.base import Choice, Message, Sampling
from outpace.agent.models.openai import OpenAIModel
from outpace.agent.proposing import Proposing
from outpace.agent.store import open_store
from outpace.errors import ModelPermanent

TOLD = Sampling(logprobs=True)
OUTER_RING = re.compile(r"^RINGS = .*$", re.MULTILINE)


def telling(server: Any, *per_text: Any) -> None:
    """Have the server tell log-probabilities with each text: these, in order, again and again."""
    plain, values = server.completion, itertools.cycle(per_text)

    def completion(texts: list[str], model: str) -> dict[str, Any]:
        body: dict[str, Any] = plain(texts, model)
        for choice in body["choices"]:
            choice["logprobs"] = next(values)
        return body

    server.completion = completion


def tokens(*values: float) -> dict[str, Any]:
    return {"content": [{"token": "t", "logprob": value} for value in values]}


async def asked(server: Any, sampling: Sampling) -> Any:
    async with OpenAIModel("m", base_url=server.base_url) as model:
        return await model.complete([Message("user", "hi")], key="1/0", sampling=sampling)


def test_the_field_goes_out_and_the_mean_of_each_text_comes_back(model_server: Any) -> None:
    model_server.answers = ["one", "two", "three", "four"]
    telling(model_server, tokens(-1.0, -2.0), {"content": "none"}, tokens(-4.0), None)
    answer = asyncio.run(asked(model_server, Sampling(n=3, logprobs=True)))
    expected = [Choice("one", "stop", -1.5), Choice("two"), Choice("three", "stop", -4.0)]
    assert [answer.choice(index) for index in range(3)] == expected
    assert asyncio.run(asked(model_server, Sampling())).logprob is None
    assert [seen.body.get("logprobs") for seen in model_server.requests] == [True, None]


def test_an_endpoint_that_refuses_them_says_so_itself(model_server: Any) -> None:
    model_server.answers, model_server.unknown = ["one"], {"logprobs"}
    with pytest.raises(ModelPermanent, match="Unsupported parameter: 'logprobs'"):
        asyncio.run(asked(model_server, TOLD))
    assert len(model_server.requests) == 1


@pytest.mark.slow
def test_a_run_asks_for_them_stores_them_and_asks_again_when_resumed(model_server: Any, tmp_path: Path) -> None:
    radii = itertools.count(1)

    def answer(messages: list[dict[str, str]]) -> str:
        (line,) = set(OUTER_RING.findall("\n".join(m["content"] for m in messages if m["role"] == "user"))[:1])
        ring = f"RINGS = [(0.04, 0.0, 0.0), (0.32, 0.2, 0.05), (0.64, {0.4 + 0.004 * next(radii):.3f}, 0.02)]"
        return f"Wider.\n\n<<<<<<< SEARCH\n{line}\n=======\n{ring}\n>>>>>>> REPLACE\n"

    model_server.answers = answer
    telling(model_server, tokens(-0.5, -1.5), tokens(-3.0), None)
    options = RunOptions(
        task="circle_packing",
        strategy="mcts",
        strategy_params={"selection": "p_ucb"},
        proposing=Proposing(models=("openai:m",), base_url=model_server.base_url, sampling=TOLD, in_flight=1),
        seed=1,
        budget=outpace.Budget(evaluations=8),
        workers=1,
    )
    asyncio.run(start_run(options, home=tmp_path))
    report = asyncio.run(resume_run("last", home=tmp_path, budget=outpace.Budget(evaluations=12)))
    assert all(seen.body["logprobs"] is True for seen in model_server.requests)
    store = open_store(tmp_path)
    results = list(store.results(report.run.id))
    told = {result.proposal.detail.get("logprob") for result in results if result.proposal}
    assert {-1.0, -3.0, None} <= told
    answers = dict(store.completions(report.run.id))
    assert all(
        result.proposal.detail.get("logprob") == answers[f"{result.brief.number}/0"].logprob
        for result in results
        if result.proposal and result.brief.number and result.proposal.detail["turns"] == 1
    )
    store.close()
    assert report.spent.evaluations == 12
    assert {result.brief.operator for result in results} >= {"i1", "e1", "m1"}
