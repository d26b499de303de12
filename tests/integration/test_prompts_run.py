"""Prompts on the whole way: templates of one's own, what is told of duplicates, instructions that evolve."""

import asyncio
import re
import shutil
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest

import outpace
from outpace.agent.evolve import Report, RunOptions, resume_run, start_run
from outpace.agent.models.base import FREE, Completion, Message, Sampling
from outpace.agent.proposal import ModelUsage, Result
from outpace.agent.proposing import Proposing
from outpace.agent.store import open_store
from outpace.errors import UsageError

OUTER_RING = re.compile(r"^RINGS +=.*$", re.MULTILINE)
BUDGET = outpace.Budget(evaluations=6)
SEED = 70  # of a run that asks for its first new instructions with briefs 12 and 19


class Widening:
    """Answers each request with another radius of the outer ring; ``change`` may turn the answer into another one."""

    name = "widening"

    def __init__(self, change: Callable[[int, str], str] = lambda number, line: line) -> None:
        self.change = change
        self.asked: dict[str, list[Message]] = {}

    async def complete(self, messages: Sequence[Message], *, key: str, sampling: Sampling = FREE) -> Completion:
        self.asked[key] = list(messages)
        return Completion(text=self._answer(key, messages), model="m", usage=ModelUsage(calls=1, cost_usd=0.0))

    def _answer(self, key: str, messages: Sequence[Message]) -> str:
        if key.endswith("/meta"):
            return f"Widen the rings, as request {key} says."
        (line, *_) = OUTER_RING.findall(messages[1].content)
        number = len(self.asked)
        new = f"RINGS = [(0.04, 0.0, 0.0), (0.32, 0.2, 0.05), (0.64, {0.4 + 0.002 * number:.3f}, 0.02)]"
        new = self.change(number, new)
        return f"I widen ring {number}.\n\n<<<<<<< SEARCH\n{line}\n=======\n{new}\n>>>>>>> REPLACE\n"


def run(model: Widening, home: Path, **fields: object) -> Report:
    given = {"budget": BUDGET, "seed": 1, "workers": 1}
    given |= {name: fields.pop(name) for name in ("budget", "seed") if name in fields}
    proposing = Proposing(models=(model,), repair=False, **fields)  # type: ignore[arg-type]
    return asyncio.run(start_run(RunOptions(task="circle_packing", proposing=proposing, **given), home=home))  # type: ignore[arg-type]


def results(home: Path) -> list[Result]:
    with closing(open_store(home)) as store:
        return list(store.results(store.run("last").id))


def test_a_program_that_was_judged_is_sent_back_and_never_judged_again(tmp_path: Path) -> None:
    """The model keeps to one radius, with another comment each time; its second answers are new now and then."""

    def change(number: int, line: str) -> str:
        return line if number % 4 == 0 else f"RINGS  =  [(0.04, 0.0, 0.0), (0.64, 0.4, 0.02)]  # {number}"

    model = Widening(change)
    report = run(model, tmp_path, in_flight=1)
    told = results(tmp_path)
    judged = [one.proposal.candidate for one in told if one.proposal and not one.seen_before]
    assert len(judged) == report.spent.evaluations == 6
    assert len({one.shape for one in judged}) == len(judged)
    again = [one for one in told if one.seen_before]
    assert again and all(one.proposal and one.proposal.candidate in judged for one in again)
    assert all(one.proposal and one.proposal.detail["turns"] == 2 for one in again[1:])
    back = [messages[-1].content for key, messages in model.asked.items() if key.endswith("/1")]
    assert sum("It gives the same program as candidate" in text for text in back) > len(again)
    assert any("What was tried with this program" in messages[1].content for messages in model.asked.values())


def test_templates_of_ones_own_are_used_and_belong_to_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "system.md.j2").write_text("You pack circles for {{ spec.name }}.\n")
    model = Widening()
    with pytest.raises(UsageError, match="is not there"):
        run(model, tmp_path / "home", prompts="nowhere")
    assert not has_runs(tmp_path / "home")
    run(model, tmp_path / "home", prompts="mine")
    assert {messages[0].content for messages in model.asked.values()} == {"You pack circles for circle_packing.\n"}
    with closing(open_store(tmp_path / "home")) as store:
        assert store.run("last").config.proposer_params["prompts"] == str(tmp_path / "mine")


def test_a_run_whose_templates_are_gone_is_not_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "mine").mkdir()
    (tmp_path / "own_widening.py").write_text(IDLE)
    proposing = Proposing(models=("own_widening:Idle",), prompts=str(tmp_path / "mine"))
    options = RunOptions(task="circle_packing", proposing=proposing, budget=outpace.Budget(model_calls=4), workers=1)
    asyncio.run(start_run(options, home=tmp_path))
    shutil.rmtree(tmp_path / "mine")
    with pytest.raises(UsageError, match=r"The folder of prompts '.*mine' is not there"):
        asyncio.run(resume_run("last", home=tmp_path, budget=outpace.Budget(model_calls=8)))
    (tmp_path / "mine").mkdir()
    report = asyncio.run(resume_run("last", home=tmp_path, budget=outpace.Budget(model_calls=8)))
    assert report.spent.model_calls == 8


IDLE = """
from outpace.agent.models.base import Completion


class Idle:
    name = "idle"

    async def complete(self, messages, *, key, sampling=None):
        return Completion(text="I have no idea.", model="idle")
"""


def has_runs(home: Path) -> bool:
    with closing(open_store(home)) as store:
        return bool(store.runs())


def test_instructions_evolve_beside_the_programs(tmp_path: Path) -> None:
    model = Widening()
    report = run(model, tmp_path, meta_prompting=True, in_flight=1, budget=outpace.Budget(evaluations=40), seed=SEED)
    told = results(tmp_path)
    written = [one for one in told if one.proposal and one.proposal.detail.get("instruction_written")]
    assert [f"{one.brief.number}/meta" for one in written] == [key for key in model.asked if key.endswith("/meta")]
    assert written
    texts = {one.proposal.detail["instruction"] for one in written if one.proposal}
    followed = [one for one in told if one.proposal and one.proposal.detail.get("instruction") in texts]
    assert len(followed) > len(written), "others follow it as well"
    for one in followed:
        assert one.proposal
        prompt = model.asked[f"{one.brief.number}/0"][1].content
        assert f"# What to do now\n\n{one.proposal.detail['instruction']}\n" in prompt
    assert report.spent.model_calls == len(model.asked)
