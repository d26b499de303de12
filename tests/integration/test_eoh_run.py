"""``eoh`` and ``reevo`` with a model that writes programs, thoughts and reflections: what is asked, and resumed."""

import asyncio
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import outpace
from outpace.agent.evolve import Report, RunOptions, resume_run, start_run
from outpace.agent.models.base import FREE, Completion, Message, Sampling
from outpace.agent.proposal import ModelUsage, Result
from outpace.agent.proposing import Proposing
from outpace.agent.search import Progress
from outpace.agent.store import open_store

pytestmark = pytest.mark.slow
RETURN = re.compile(r"^    return .*$", re.MULTILINE)
ALL = "i1,e1,e2,m1,m2,m3"
WORDS = {
    "i1": "Write a new program for this task from the statement alone.",
    "e1": "as far from theirs as you can get",
    "e2": "Look for the idea that the programs above share",
    "m1": "New numbers alone are not enough.",
    "m2": "choose other values for its parameters",
    "m3": "Make the program to improve simpler",
    "reevo_seed": "The program to improve is a plain first answer",
    "reevo_crossover": "Make one program of two",
    "reevo_mutation": "The program to improve is the best so far.",
    "repair": "Mend that, and keep its idea",
}


class Leaving:
    """Answers with rules that like a gap of so many units; every seventh gives no number. It keeps what it is asked."""

    name = "leaving"

    def __init__(self) -> None:
        self.asked: dict[str, list[Message]] = {}
        self.known: set[str] = set()  # what the killed run had answers to

    async def complete(self, messages: Sequence[Message], *, key: str, sampling: Sampling = FREE) -> Completion:
        assert key not in self.known, "what was answered before is not asked for again"
        self.asked[key] = list(messages)
        return Completion(text=self._answer(key, messages), model="m", usage=ModelUsage(calls=1, cost_usd=0.0))

    def _answer(self, key: str, messages: Sequence[Message]) -> str:
        if key.endswith("/reflect"):
            return f"Hint of request {key}."
        number = len(self.asked)
        wish = messages[1].content
        code = wish.split("```python\n", 1)[1].split("```", 1)[0]
        (old, *_), new = RETURN.findall(code), f"    return -np.abs(bins - item - {number}.0)"
        new = "    return bins * np.nan" if number % 7 == 0 else new
        if "SEARCH/REPLACE blocks for" in wish:
            return f"Idea {number}.\n\n<<<<<<< SEARCH\n{old}\n=======\n{new}\n>>>>>>> REPLACE\n"
        return f"Idea {number}.\n\n```python\n{code.replace(old, new)}```\n"


class Killed(Exception):
    pass


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Leaving:
    """A model that a resumed run finds by its name."""
    module, made = ModuleType("scripts.leaving"), Leaving()
    module.MODEL = made  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return made


def run(home: Path, strategy: str, kill_at: int = 0, **parameters: Any) -> Report:
    def watch(progress: Progress) -> None:
        if kill_at and progress.spent.evaluations >= kill_at:
            raise Killed

    options = RunOptions(
        task="online_bin_packing",
        strategy=strategy,
        strategy_params=parameters,
        proposing=Proposing(models=("scripts.leaving:MODEL",), in_flight=1),
        budget=outpace.Budget(evaluations=20),
        seed=1,
        workers=1,
    )
    return asyncio.run(start_run(options, home=home, watch=watch))


def results(home: Path) -> tuple[dict[int, Result], dict[str, Completion]]:
    """Return the stored results by number, and the stored answers by key."""
    with closing(open_store(home)) as store:
        name = store.run("last").id
        return {one.brief.number: one for one in store.results(name)}, dict(store.completions(name))


def told(model: Leaving, number: int) -> str:
    return model.asked[f"{number}/0"][-1].content.split("# What to do now\n")[1]


def given_of(found: Mapping[int, Result], operator: str) -> list[Mapping[str, Any]]:
    return [one.brief.given for one in found.values() if one.brief.operator == operator]


def test_every_operator_of_eoh_is_asked_for_in_its_words_with_the_thoughts_of_its_parents(
    model: Leaving, tmp_path: Path
) -> None:
    report = run(tmp_path, "eoh", size=3, initial=3, operators=ALL)
    assert report.ended == "evaluations" and report.spent.evaluations == 20
    found, answers = results(tmp_path)
    assert {one.brief.operator for number, one in found.items() if number} == {*ALL.split(","), "repair"}
    for number, one in found.items():
        if number and (operator := one.brief.operator):
            assert WORDS[operator] in told(model, number)
            assert one.proposal is None or one.proposal.operator == operator
            assert f"{number}/0" in answers
    thoughts = [thought for one in given_of(found, "e2") for thought in one["thoughts"]]
    assert any(re.fullmatch(r"Idea \d+\.", thought) for thought in thoughts)
    assert not any(key.endswith("/reflect") for key in model.asked)


def test_reevo_asks_what_is_better_first_and_hands_the_answers_on_even_when_killed(
    model: Leaving, tmp_path: Path
) -> None:
    with pytest.raises(Killed):
        run(tmp_path, "reevo", kill_at=9, size=3, initial=3, mutation=0.67)
    model.known = set(results(tmp_path)[1])
    report = asyncio.run(resume_run("last", home=tmp_path))
    assert report.ended == "evaluations" and report.spent.evaluations == 20
    found, answers = results(tmp_path)
    crossed = [one for one in found.values() if one.brief.operator == "reevo_crossover" and one.proposal]
    assert len(crossed) >= 4
    for one in crossed:
        key, question = reflected(model, one)
        assert question.index("# The better program") < question.index("# The worse program")
        assert one.proposal and one.proposal.detail["reflection"] == answers[key].text
        assert answers[key].text in told(model, one.brief.number)
    summed = [one for one in found.values() if one.brief.reflect == "reevo_long"]
    assert summed
    for one in summed:
        hints = one.brief.given["short"]
        assert hints and all(hint in reflected(model, one)[1] for hint in hints)
    assert any(one["long"] for one in given_of(found, "reevo_mutation")), "later mutations know what the first learnt"


def reflected(model: Leaving, result: Result) -> tuple[str, str]:
    """Return the key of the question that a brief asked first, and the question."""
    key = f"{result.brief.number}/reflect"
    return key, model.asked[key][-1].content
