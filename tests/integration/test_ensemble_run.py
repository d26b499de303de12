"""Runs that several models share, through the official client: arms, repairs, samples, a resume, and the table."""

import asyncio
import itertools
import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import outpace
from outpace.agent.arms import arms_of
from outpace.agent.cli.harvest import harvest
from outpace.agent.cli.main import app
from outpace.agent.evolve import RunOptions, resume_run, start_run
from outpace.agent.proposing import Proposing
from outpace.agent.search import Progress
from outpace.agent.store import open_store
from outpace.agent.strategies.ensemble import Shares
from outpace.agent.strategies.guided import REPAIR

pytestmark = pytest.mark.usefixtures("key")
OUTER_RING = re.compile(r"^RINGS = .*$", re.MULTILINE)
MODELS = ("openai:small=0.5", "openai:large=0.5")
BROKEN = "RINGS = [(0.04, 0.0, 1 / 0), (0.32, 0.2, 0.05)]"


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-of-an-ensemble")


def diff(search: str, replace: str) -> str:
    return f"I widen the outer ring.\n\n<<<<<<< SEARCH\n{search}\n=======\n{replace}\n>>>>>>> REPLACE\n"


class Widening:
    """Answers with another radius; every fourth answer crashes when it runs, every seventh holds no edit."""

    def __init__(self) -> None:
        self._numbers, self._lock = itertools.count(1), threading.Lock()

    def __call__(self, messages: list[dict[str, str]]) -> str:
        asked = next(message["content"] for message in messages if message["role"] == "user")
        line = OUTER_RING.findall(asked[asked.index("# The program to improve") :])[0]
        with self._lock:
            number = next(self._numbers)
        if "1 / 0" not in line and number % 4 == 0:
            return diff(line, BROKEN.replace("0.2", f"0.2{number}"))
        if number % 7 == 0:
            return "I would rather not."
        return diff(line, f"RINGS = [(0.04, 0.0, 0.0), (0.32, 0.2, 0.05), (0.64, {0.4 + 0.0007 * number:.4f}, 0.02)]")


def options(server: Any, *, evaluations: int, **how: Any) -> RunOptions:
    proposing = Proposing(models=MODELS, base_url=server.base_url, in_flight=4, **how)
    budget = outpace.Budget(evaluations=evaluations)
    return RunOptions(task="circle_packing", proposing=proposing, seed=1, budget=budget, workers=2)


def test_models_share_a_run_and_a_resume_goes_on_with_the_same_arms(model_server: Any, tmp_path: Path) -> None:
    model_server.answers = Widening()

    class Killed(Exception):
        pass

    def watch(progress: Progress) -> None:
        if progress.spent.evaluations >= 9:
            raise Killed

    with pytest.raises(Killed):
        asyncio.run(start_run(options(model_server, evaluations=18), home=tmp_path, watch=watch))
    before = len(model_server.requests)
    report = asyncio.run(resume_run("last", home=tmp_path))
    assert report.spent.evaluations == 18
    assert {seen.body["model"] for seen in model_server.requests[before:]} == {"small", "large"}
    store = open_store(tmp_path)
    results = {result.brief.number: result for result in store.results(report.run.id)}
    answered = {int(name.partition("/")[0]): answer.model for name, answer in store.completions(report.run.id)}
    table = {one.model: one for one in harvest(store, report.run)}
    spent = store.spent(report.run.id)
    store.close()
    among = Shares(arms_of(MODELS))
    repairs = [result.brief for result in results.values() if result.brief.operator == REPAIR]
    assert repairs
    for number, result in results.items():
        if number == 0:
            continue
        assert result.brief.model_hint == f"openai:{answered[number]}"
        if result.brief.operator != REPAIR:
            assert result.brief.model_hint == among.choose(result.brief).name
    for brief in repairs:
        assert brief.parents[0].evaluation.status == "crashed"
        assert brief.inspirations[0].evaluation.status == "ok"
        failed = next(
            one for one in results.values() if one.proposal and one.proposal.candidate == brief.parents[0].candidate
        )
        assert brief.model_hint == failed.brief.model_hint
    assert set(table) == {"openai:small", "openai:large"}
    assert sum(one.calls for one in table.values()) == spent.model_calls
    assert sum(one.tokens for one in table.values()) == spent.tokens
    assert sum(one.evaluated for one in table.values()) == spent.evaluations - 1
    for one in table.values():
        assert one.answers >= one.parsed >= one.applied >= one.evaluated >= one.valid >= one.improved
    assert sum(one.answers - one.parsed for one in table.values()) >= 1
    assert sum(one.evaluated - one.valid for one in table.values()) >= 1
    assert sum(one.improved for one in table.values()) >= 1
    assert all(one.unpriced_calls == one.calls for one in table.values())


def test_the_report_shows_what_came_of_the_answers(model_server: Any, tmp_path: Path) -> None:
    model_server.answers = Widening()
    asyncio.run(start_run(options(model_server, evaluations=8, ensemble="bandit"), home=tmp_path))
    said = CliRunner().invoke(app, ["report", "last", "--home", str(tmp_path)])
    assert said.exit_code == 0, said.output
    assert re.search(r"^  openai:small +\d+ .* unknown$", said.output, re.MULTILINE)
    assert "all evaluations of the budget are done" in said.output
    printed = json.loads(CliRunner().invoke(app, ["report", "last", "--home", str(tmp_path), "--json"]).output)
    assert {one["model"] for one in printed["models"]} <= {"openai:small", "openai:large"}
    assert [one["usd"] for one in printed["models"]] == [None] * len(printed["models"])
    assert printed["run"]["proposer_params"]["ensemble"] == "bandit"


def test_the_strong_model_is_asked_when_the_cheap_one_brings_nothing(model_server: Any, tmp_path: Path) -> None:
    worse = itertools.count(1)

    def answer(messages: list[dict[str, str]]) -> str:
        asked = messages[-1]["content"]
        line = OUTER_RING.findall(asked[asked.index("# The program to improve") :])[0]
        return diff(line, f"RINGS = [(0.04, 0.0, 0.0), (0.1, 0.2, {next(worse) / 1000})]")

    model_server.answers = answer
    report = asyncio.run(start_run(options(model_server, evaluations=14, ensemble="stagnation=4"), home=tmp_path))
    store = open_store(tmp_path)
    hints = [result.brief.model_hint for result in store.results(report.run.id)][1:]
    store.close()
    assert hints[:4] == ["openai:small"] * 4
    assert "openai:large" in hints[4:]


def test_samples_share_a_request_and_each_becomes_a_candidate(model_server: Any, tmp_path: Path) -> None:
    model_server.answers = Widening()
    report = asyncio.run(start_run(options(model_server, evaluations=9, samples=2, repair=False), home=tmp_path))
    assert report.spent.evaluations == 9
    asked = [seen.body for seen in model_server.requests]
    assert any(body.get("n") == 2 for body in asked)
    store = open_store(tmp_path)
    samples = [result.brief.sample for result in store.results(report.run.id)]
    store.close()
    assert samples[0] is None
    assert {sample.of for sample in samples if sample} == {2}
    assert {sample.index for sample in samples if sample} == {0, 1}
