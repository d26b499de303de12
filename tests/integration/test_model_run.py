"""A run through the official client against a real HTTP server: the whole way, an interruption, and the bill."""

import asyncio
import itertools
import re
from pathlib import Path
from typing import Any

import pytest

import outpace
from outpace.agent.evolve import RunOptions, resume_run, start_run
from outpace.agent.proposing import Proposing
from outpace.agent.search import Progress
from outpace.agent.store import open_store
from outpace.errors import ModelPermanent

pytestmark = pytest.mark.usefixtures("key")
OUTER_RING = re.compile(r"^RINGS = .*$", re.MULTILINE)


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-of-the-whole-way")


def diff(search: str, replace: str) -> str:
    return f"I widen the outer ring.\n\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n"


def widening(server: Any) -> Any:
    """Answer each request with a diff of the program in the prompt: another radius of the outer ring."""
    radii = itertools.count(1)

    def answer(messages: list[dict[str, str]]) -> str:
        (line,) = set(OUTER_RING.findall("\n".join(m["content"] for m in messages if m["role"] == "user"))[:1])
        number = next(radii)
        if number % 5 == 0:
            return diff("RINGS = nothing of the kind", "RINGS = []")
        return diff(line, f"RINGS = [(0.04, 0.0, 0.0), (0.32, 0.2, 0.05), (0.64, {0.4 + 0.004 * number:.3f}, 0.02)]")

    return answer


def options(server: Any, **more: Any) -> RunOptions:
    return RunOptions(
        task="circle_packing",
        proposing=Proposing(models=("openai:scripted",), base_url=server.base_url, repair=False),
        seed=1,
        **more,
    )


def test_recorded_diffs_become_better_packings(model_server: Any, tmp_path: Path) -> None:
    model_server.answers = widening(model_server)
    report = asyncio.run(
        start_run(options(model_server, budget=outpace.Budget(evaluations=9), workers=2), home=tmp_path)
    )
    assert report.ended == "evaluations"
    assert report.champion is not None
    start, best = report.start.evaluation.score, report.champion.train.score
    assert start is not None and best is not None and best > start
    assert report.statuses["ok"] >= 5
    assert report.spent.model_calls == len(model_server.requests)
    assert report.spent.tokens == 120 * len(model_server.requests)
    asked = [seen.body["messages"] for seen in model_server.requests]
    assert all(messages[0]["role"] == "system" for messages in asked)
    assert any("nothing of the kind" in messages[-2]["content"] for messages in asked if len(messages) > 2)
    stored = (tmp_path / "outpace.db").read_bytes()
    assert b"sk-test-of-the-whole-way" not in stored


def test_a_killed_run_asks_for_no_answer_twice(model_server: Any, tmp_path: Path) -> None:
    model_server.answers = widening(model_server)

    class Killed(Exception):
        pass

    def watch(progress: Progress) -> None:
        if progress.spent.evaluations >= 4:
            raise Killed

    budget = outpace.Budget(evaluations=9)
    with pytest.raises(Killed):
        asyncio.run(start_run(options(model_server, budget=budget, workers=1), home=tmp_path, watch=watch))
    store = open_store(tmp_path)
    run = store.run("last")
    first = {seen.body["seed"] for seen in model_server.requests}
    answered = store.spent(run.id).model_calls
    store.close()
    report = asyncio.run(resume_run("last", home=tmp_path))
    assert report.ended == "evaluations"
    assert report.spent.evaluations == 9
    assert len(first) >= 3
    assert report.spent.model_calls >= answered
    in_flight_when_killed = len(model_server.requests) - report.spent.model_calls
    assert 0 <= in_flight_when_killed <= 9, "only requests whose answers had not come may be made again"
    assert report.run.status == "finished"


def test_a_bad_key_ends_the_run_at_once_and_names_the_remedy(model_server: Any, tmp_path: Path) -> None:
    model_server.key = "another"
    with pytest.raises(ModelPermanent) as caught:
        asyncio.run(start_run(options(model_server, budget=outpace.Budget(evaluations=9)), home=tmp_path))
    assert "OPENAI_API_KEY" in str(caught.value)
    assert "sk-test" not in str(caught.value)
    store = open_store(tmp_path)
    run = store.run("last")
    assert run.status == "failed"
    assert "sk-test" not in run.reason
    assert store.spent(run.id).evaluations == 1
    store.close()
