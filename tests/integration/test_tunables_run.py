"""A model declares tunables once, and the optimiser does the rest without a further call."""

import asyncio
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest

import outpace
from outpace.agent.evolve import Report, RunOptions, start_run
from outpace.agent.models.base import FREE, Completion, Message, Sampling
from outpace.agent.proposal import ModelUsage, Result
from outpace.agent.proposing import Proposing
from outpace.agent.store import open_store

pytestmark = pytest.mark.slow
PROGRAM = """\
# EVOLVE-BLOCK-START
BLOCK, RATE, MODE = 16, 0.1, "plain"


def solve(x):
    return [BLOCK, RATE, MODE]


# EVOLVE-BLOCK-END
"""
DECLARED = """\
I am not sure of these.

<<<<<<< SEARCH
BLOCK, RATE, MODE = 16, 0.1, "plain"
=======
BLOCK = 16  # tunable: 8, 16, 32, 64, 128, 256
RATE = 0.1  # tunable: 0.0 .. 1.0
MODE = "plain"  # tunable: "plain", "packed"
>>>>>>> REPLACE
"""
TOML = """\
name = "knobs"
title = "Three knobs"
entry = "solve"
statement = "Turn three knobs: BLOCK, RATE and MODE."

[goal]
kind = "metric"
name = "gap"
direction = "minimise"

[[cases]]
name = "one"

[[cases]]
name = "one-heldout"
split = "heldout"
seed = 50
"""
JUDGE = """\
import math

from outpace.tasks import spec


class Task(spec.Task):
    def generate(self, case, seed):
        return {"x": seed % 7}

    def check(self, problem, output):
        if output[2] == "packed" and output[0] == 8:
            raise spec.WrongAnswer("8 is too small for packed")

    def score(self, problem, output):
        block, rate, mode = output
        return abs(math.log2(block) - 6) + 10 * (rate - 0.7) ** 2 + (mode == "plain")
"""


class Declares:
    """Declares tunables with its first answer, and has no idea after that; counts its calls."""

    name = "declares"

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.systems: set[str] = set()

    async def complete(self, messages: Sequence[Message], *, key: str, sampling: Sampling = FREE) -> Completion:
        self.asked.append(key)
        self.systems.add(messages[0].content)
        text = DECLARED if key == "1/0" else "I have no idea."
        return Completion(text=text, model="m", usage=ModelUsage(calls=1, cost_usd=0.0))


@pytest.fixture
def knobs(tmp_path: Path) -> str:
    folder = tmp_path / "knobs"
    folder.mkdir()
    for name, text in (("task.toml", TOML), ("program.py", PROGRAM), ("task.py", JUDGE)):
        (folder / name).write_text(text)
    return str(folder)


def options(knobs: str, model: Declares, evaluations: int, **more: object) -> RunOptions:
    proposing = Proposing(models=(model,), in_flight=1, **more)  # type: ignore[arg-type]
    budget = outpace.Budget(evaluations=evaluations)
    return RunOptions(
        task=knobs, proposing=proposing, budget=budget, workers=1, strategy="hill_climb", sandbox="process"
    )


def results(home: Path) -> list[Result]:
    with closing(open_store(home)) as store:
        return list(store.results(store.run("last").id))


def gap(report: Report) -> float:
    assert report.champion is not None and report.champion.train.score is not None
    return report.champion.train.score


def test_the_optimiser_finds_what_the_model_left_open(knobs: str, tmp_path: Path) -> None:
    model = Declares()
    home = tmp_path / "home"
    report = asyncio.run(start_run(options(knobs, model, 45, tunables=1.0), home=home))
    told = results(home)
    first = next(at for at, one in enumerate(told) if one.brief.operator == "tunables")
    assert all(one.brief.operator == "tunables" for one in told[first:]), "no model is asked any more"
    assert len(told) - first >= 40
    assert len(model.asked) == report.spent.model_calls == 1 + 2 * (first - 2), "what was out got two answers each"
    assert gap(report) < 0.1, "the block is 64, the mode is packed, and the rate nearly 0.7"
    tuned = [one for one in told if one.brief.operator == "tunables"]
    assert all(one.proposal and one.proposal.usage.calls == 0 and one.proposal.proposer == "tunables" for one in tuned)
    assert {one.evaluation.status for one in tuned if one.evaluation} == {"ok", "wrong"}, "and nobody mends the wrong"
    assert all("# tunable: 16, 32, 64" in text for text in model.systems)


def test_a_tuned_run_is_repeated(knobs: str, tmp_path: Path) -> None:
    model = Declares()
    first = asyncio.run(start_run(options(knobs, model, 12, tunables=0.5), home=tmp_path))
    asked, recorded = len(model.asked), results(tmp_path)
    assert {one.brief.operator for one in recorded} == {None, "tunables"}
    proposing = Proposing(models=("replay:last",))
    again = asyncio.run(start_run(RunOptions(task=knobs, proposing=proposing, workers=2), home=tmp_path))
    repeated = results(tmp_path)
    assert [program(one) for one in repeated] == [program(one) for one in recorded]
    assert [one.brief.given for one in repeated] == [one.brief.given for one in recorded]
    assert len(model.asked) == asked and gap(again) == gap(first)


def program(result: Result) -> str | None:
    return result.proposal.candidate.program if result.proposal else None
