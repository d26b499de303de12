"""A recorded run is repeated: the same briefs, candidates, scores and champion, and nothing is asked of anybody."""

import asyncio
import itertools
import os
import random
import re
import shlex
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

import outpace
from outpace.agent.cli.main import main
from outpace.agent.evolve import Report, RunOptions, open_run, resume_run, resumed, start_run
from outpace.agent.outside import attended
from outpace.agent.proposal import Result
from outpace.agent.proposing import Proposing
from outpace.agent.search import Progress
from outpace.agent.store import open_store
from outpace.errors import UsageError
from outpace.tasks.registry import find

pytestmark = pytest.mark.usefixtures("key")
KEY = "sk-test-of-a-recorded-run-0123456789"
RINGS = re.compile(r"^RINGS = .*$", re.MULTILINE)


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def widening(server: Any, *, late_s: float = 0.2) -> Callable[[list[dict[str, str]]], str]:
    """Answer with another outer ring of the program that was shown, late by chance; some answers are of no use."""
    numbers, chance = itertools.count(1), random.Random(11)

    def answer(messages: list[dict[str, str]]) -> str:
        line = RINGS.findall("\n".join(one["content"] for one in messages if one["role"] == "user"))[0]
        number = next(numbers)
        server.delay_s = late_s * chance.random()
        wanted = line if number % 5 else "RINGS = nothing of the kind"
        outer = 0.4 + 0.004 * (number % 23)
        better = f"RINGS = [(0.04, 0.0, 0.0), (0.32, 0.2, 0.05), (0.64, {outer:.3f}, 0.02)]"
        return f"Wider.\n\n<<<<<<< SEARCH\n{wanted}\n=======\n{better}\n>>>>>>> REPLACE\n"

    return answer


def run(home: Path, *models: str, **more: Any) -> Report:
    proposing = Proposing(models=models, **more.pop("proposing", {}))
    return asyncio.run(start_run(RunOptions(task="circle_packing", proposing=proposing, **more), home=home))


def recorded(server: Any, home: Path, *, evaluations: int = 14, **proposing: Any) -> Report:
    server.answers = widening(server)
    more = {"base_url": server.base_url, **proposing}
    budget = outpace.Budget(evaluations=evaluations)
    return run(home, "openai:scripted", proposing=more, seed=3, workers=3, budget=budget)


def told(home: Path, name: str) -> list[tuple[Any, ...]]:
    """Return what was told of a run, in this order: all that its strategy and its proposer may have gone by."""
    store = open_store(home)
    try:
        return [_line(result) for result in store.results(store.run(name).id)]
    finally:
        store.close()


def _line(result: Result) -> tuple[Any, ...]:
    brief, proposal, found = result.brief, result.proposal, result.evaluation
    parents = tuple(one.candidate.id for one in (*brief.parents, *brief.inspirations))
    candidate = (proposal.candidate.id, proposal.usage, proposal.thought, proposal.operator) if proposal else None
    verdict = (found.status, found.score, found.feedback) if found else None
    return brief.number, brief.told, parents, brief.seed, candidate, verdict, result.failure, result.seen_before


def champion(report: Report) -> str | None:
    return report.champion.champion.candidate.id if report.champion else None


@pytest.mark.parametrize("workers", [1, 3])
def test_a_run_is_repeated_with_any_number_of_workers(model_server: Any, tmp_path: Path, workers: int) -> None:
    first = recorded(model_server, tmp_path)
    asked = len(model_server.requests)
    again = run(tmp_path, f"replay:{first.run.id}", workers=workers)
    assert told(tmp_path, again.run.id) == told(tmp_path, first.run.id)
    assert champion(again) == champion(first) is not None
    assert len(model_server.requests) == asked, "nothing is asked"
    assert KEY.encode() not in (tmp_path / "outpace.db").read_bytes()
    assert again.ended == "evaluations"
    assert again.spent.evaluations == first.spent.evaluations == 14
    assert (again.spent.usd, again.spent.unpriced_calls) == (0.0, 0)
    assert again.run.config.proposer == f"replay:{first.run.id}"
    assert again.run.config.seed == 3
    assert again.statuses == first.statuses


def test_a_run_with_samples_and_repairs_is_repeated(model_server: Any, tmp_path: Path) -> None:
    """Briefs that share a request are asked for together; instructions that evolve are asked for as well."""
    first = recorded(model_server, tmp_path, samples=3, repair=True, meta_prompting=True)
    again = run(tmp_path, f"replay:{first.run.id}", workers=2)
    assert told(tmp_path, again.run.id) == told(tmp_path, first.run.id)
    assert champion(again) == champion(first)


@pytest.mark.slow
def test_a_bandit_chooses_as_it_did(model_server: Any, tmp_path: Path) -> None:
    """It goes by what answers cost: a replay, which costs nothing, must not lead it astray."""
    model_server.usage = {"prompt_tokens": 100, "completion_tokens": 20, "cost": 0.01}
    first = recorded(model_server, tmp_path, evaluations=20, ensemble="bandit", temperatures=(0.1, 0.5, 0.9))
    again = run(tmp_path, "replay:last", workers=2)
    assert told(tmp_path, again.run.id) == told(tmp_path, first.run.id)
    assert first.spent.usd > 0 and again.spent.usd == 0.0


@pytest.mark.slow
def test_an_interrupted_run_and_its_replay_are_repeated(model_server: Any, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def watch(progress: Progress) -> None:
        if progress.spent.evaluations >= 6:
            raise Killed

    model_server.answers = widening(model_server)
    options = RunOptions(
        task="circle_packing",
        proposing=Proposing(models=("openai:scripted",), base_url=model_server.base_url),
        budget=outpace.Budget(evaluations=14),
        workers=3,
    )
    with pytest.raises(Killed):
        asyncio.run(start_run(options, home=tmp_path, watch=watch))
    first = asyncio.run(resume_run("last", home=tmp_path))
    second = run(tmp_path, "replay:last", workers=2)
    third = run(tmp_path, f"replay:{second.run.id}", workers=3)
    assert told(tmp_path, first.run.id) == told(tmp_path, second.run.id) == told(tmp_path, third.run.id)
    assert champion(first) == champion(second) == champion(third)


@pytest.mark.slow
def test_a_tuner_is_repeated(model_server: Any, tmp_path: Path) -> None:
    """Conversations that look, change, are judged and go on; several lines at a time."""
    numbers, chance = itertools.count(1), random.Random(2)

    def answer(messages: list[dict[str, str]]) -> str:
        number = next(numbers)
        model_server.delay_s = 0.1 * chance.random()
        if number % 3 == 0:
            return "Where does it stand?\n\n```\nview_file program.py\n```\n"
        rings = f"RINGS = [(0.04, 0.0, 0.0), (0.32, 0.2, 0.05), (0.64, {0.4 + 0.004 * (number % 29):.3f}, 0.02)]"
        return f"Wider.\n\n```\nedit\nfile: program.py\nlines: {ring}-{ring}\n---\n{rings}\n---\n```\n"

    lines = find("circle_packing").start.program.split("\n")
    ring = next(number for number, line in enumerate(lines, 1) if line.startswith("RINGS = "))
    model_server.answers = answer
    proposing = {"base_url": model_server.base_url, "proposer": "tuner"}
    budget = outpace.Budget(evaluations=12)
    first = run(tmp_path, "openai:scripted", proposing=proposing, workers=2, budget=budget)
    assert first.statuses["ok"] >= 3
    asked = len(model_server.requests)
    again = run(tmp_path, "replay:last", workers=1)
    assert told(tmp_path, again.run.id) == told(tmp_path, first.run.id)
    assert len(model_server.requests) == asked


@pytest.mark.slow
def test_a_shorter_replay_is_the_beginning_and_can_be_resumed(model_server: Any, tmp_path: Path) -> None:
    first = recorded(model_server, tmp_path)
    shorter = run(tmp_path, "replay:last", workers=3, budget=outpace.Budget(evaluations=6))
    assert shorter.spent.evaluations == 6
    beginning = told(tmp_path, shorter.run.id)
    assert beginning == told(tmp_path, first.run.id)[: len(beginning)]
    with pytest.raises(UsageError, match="holds 14 evaluations"):
        asyncio.run(resume_run("last", home=tmp_path, budget=outpace.Budget(evaluations=15)))
    whole = asyncio.run(resume_run("last", home=tmp_path, budget=outpace.Budget(evaluations=14)))
    assert told(tmp_path, whole.run.id) == told(tmp_path, first.run.id)


@pytest.mark.slow
def test_runs_of_operators_and_from_outside_are_repeated(tmp_path: Path) -> None:
    budget = outpace.Budget(evaluations=12)
    first = run(tmp_path, seed=5, workers=3, budget=budget)
    again = run(tmp_path, f"replay:{first.run.id}", workers=2)
    assert told(tmp_path, again.run.id) == told(tmp_path, first.run.id)
    assert champion(again) == champion(first)
    outside = asyncio.run(_served(tmp_path))
    again = run(tmp_path, f"replay:{outside}")
    assert told(tmp_path, again.run.id) == told(tmp_path, outside)
    assert again.ended == "evaluations"


async def _served(home: Path) -> str:
    """Run a search whose candidates come from here."""
    options = RunOptions(
        task="circle_packing", proposing=Proposing(proposer="outside"), budget=outpace.Budget(evaluations=4)
    )
    opened = await open_run(options, home=home)
    async with resumed(opened.id, home=home) as search, attended(search) as found:
        for outer in (0.41, 0.42):
            brief = await found.ask()
            better = f"RINGS = [(0.04, 0.0, 0.0), (0.32, 0.2, 0.05), (0.64, {outer}, 0.02)]"
            program = RINGS.sub(better, brief.parents[0].candidate.program)
            number, _ = await found.submit(brief.number, program, by="tester")
            assert await found.result(number, wait_s=60)
    return opened.id


def test_where_measurements_differ_that_is_said_and_answers_that_no_longer_fit_fail(
    model_server: Any, tmp_path: Path
) -> None:
    """As for times, which are never the same twice; here the value of a program is a die that is thrown."""
    numbers = itertools.count(1)

    def answer(messages: list[dict[str, str]]) -> str:
        line = re.findall(r"^ +return x \+ \d+$", messages[1]["content"], re.MULTILINE)[0]
        return f"<<<<<<< SEARCH\n{line}\n=======\n    return x + {next(numbers)}\n>>>>>>> REPLACE\n"

    model_server.answers = answer
    folder, home = tmp_path / "dice", tmp_path / "home"
    folder.mkdir()
    for name, text in (("task.toml", DICE_TOML), ("program.py", DICE), ("task.py", DICE_TASK)):
        (folder / name).write_text(text)
    proposing = Proposing(models=("openai:scripted",), base_url=model_server.base_url)
    options = RunOptions(task=str(folder), proposing=proposing, budget=outpace.Budget(evaluations=30), workers=2)
    first = asyncio.run(start_run(options, home=home))
    asked, warnings = len(model_server.requests), set[str]()
    options = RunOptions(task=str(folder), proposing=Proposing(models=("replay:last",)), workers=1)
    again = asyncio.run(start_run(options, home=home, watch=lambda progress: warnings.update(progress.warnings)))
    assert len(model_server.requests) == asked
    ours, theirs = told(home, again.run.id), told(home, first.run.id)
    assert [line[0] for line in ours] == [line[0] for line in theirs][: len(ours)]
    (said,) = [one for one in warnings if "starts from another program" in one]
    assert f"than in run {first.run.id}: from here on its answers meet other programs" in said
    failures = [line[6] for line in ours if line[6]]
    assert any("has no answer to request" in reason for reason in failures)
    assert again.run.status == "finished"


DICE = "# EVOLVE-BLOCK-START\ndef solve(x):\n    return x + 0\n# EVOLVE-BLOCK-END\n"
DICE_TOML = """\
name = "dice"
title = "Be lucky"
entry = "solve"
statement = "Be lucky."

[goal]
kind = "metric"
name = "luck"
direction = "maximise"

[[cases]]
name = "throw"

[[cases]]
name = "throw-heldout"
split = "heldout"
seed = 50
"""
DICE_TASK = """\
import random

from outpace.tasks import spec


class Task(spec.Task):
    def generate(self, case, seed):
        return {"x": seed % 7}

    def check(self, problem, output):
        if not isinstance(output, int):
            raise spec.WrongAnswer("expected a whole number")

    def score(self, problem, output):
        return random.random()
"""


def command(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "outpace", "--home", str(home), *arguments]


def rows(home: Path, query: str) -> Sequence[Any]:
    with sqlite3.connect(f"file:{home / 'outpace.db'}?mode=ro", uri=True) as database:
        return database.execute(query).fetchall()


@pytest.mark.slow
def test_a_killed_replay_goes_on(model_server: Any, tmp_path: Path) -> None:
    """kill -9 of a replay on the command line, wherever it is, as often as it takes; then what it printed is read."""
    first = recorded(model_server, tmp_path, evaluations=16)
    asked, before = len(model_server.requests), len(told(tmp_path, first.run.id))
    environment = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    going = command(tmp_path, "run", "circle_packing", "--model", f"replay:{first.run.id}", "--workers", "2")
    kills, chance = 0, random.Random(4)
    for _ in range(3):
        process = subprocess.Popen(going, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        wanted = before + 2 + chance.randrange(4)
        for _ in range(600):
            if process.poll() is not None or rows(tmp_path, "select count(*) from results")[0][0] >= wanted:
                break
            time.sleep(0.02)
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        before = rows(tmp_path, "select count(*) from results")[0][0]
        if len(rows(tmp_path, "select id from runs")) == 2:
            going = command(tmp_path, "resume", "last")
    assert kills >= 1
    finished = subprocess.run(going, capture_output=True, text=True, check=False, env=environment)
    assert finished.returncode == 0, finished.stderr
    assert f"Repeats run {first.run.id} (strategy islands, seed 3): no model is asked." in finished.stderr
    assert told(tmp_path, "last") == told(tmp_path, first.run.id)
    assert len(model_server.requests) == asked
    assert len(rows(tmp_path, "select id from runs")) == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("circle_packing --model replay:nonesuch", "Unknown run 'nonesuch'."),
        ("circle_packing --model replay:", "'replay:' is half a name. Expected replay:RUN; the runs: outpace runs"),
        ("circle_packing --model replay:last --seed 4", "was made with seed 3 and cannot be repeated with 4"),
        ("circle_packing --model replay:last --samples 2", "made with samples 1 and cannot be repeated with 2"),
        ("circle_packing --model replay:last --no-repair", "made with repair True and cannot be repeated with False"),
        ("circle_packing --model replay:last --temperature 0.5", "made with sampling as by default"),
        ("circle_packing --model replay:last --model openai:x", "stands alone"),
        ("circle_packing --model replay:last --model-calls 3", "bound it by --evaluations or --minutes"),
        ("circle_packing --model replay:last --evaluations 99", "holds 4 evaluations, so a replay cannot make 99"),
        ("edit_distance --model replay:last", "is of task 'circle_packing', not of 'edit_distance'"),
    ],
)
def test_what_cannot_be_repeated_is_refused_in_one_line(
    recording_home: Path, given: str, said: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = len(rows(recording_home, "select id from runs"))
    monkeypatch.setattr(sys, "argv", ["outpace", "--home", str(recording_home), "run", *shlex.split(given)])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    _, shown = capfd.readouterr()
    assert said in shown and len(shown.strip().splitlines()) == 1
    assert len(rows(recording_home, "select id from runs")) == runs


@pytest.fixture
def recording_home(model_server: Any, tmp_path: Path) -> Path:
    recorded(model_server, tmp_path, evaluations=4)
    return tmp_path
