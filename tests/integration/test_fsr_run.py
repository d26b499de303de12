"""The strategy ``fsr`` with a model that makes mistakes: first one that does not load, then one that is wrong."""

import itertools
import re
from collections.abc import Sequence
from pathlib import Path

import pytest

import outpace
from outpace.agent.models.base import FREE, Completion, Message, Sampling
from outpace.agent.proposal import ModelUsage
from outpace.agent.store import open_store

pytestmark = pytest.mark.slow
RINGS = re.compile(r"^RINGS = .*$", re.MULTILINE)
PROGRAM = re.compile(r"```python\n(.*?\n)```", re.DOTALL)


class Blundering:
    """A model whose first program does not load, whose mended one is wrong, and whose third is right."""

    name = "blundering"

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    async def complete(self, messages: Sequence[Message], *, key: str, sampling: Sampling = FREE) -> Completion:
        shown, number = messages[1].content, next(self._numbers)
        now = shown.partition("# What to do now")[2]
        rings = f"RINGS = [(0.04, 0.0, 0.0), (0.32, 0.2, 0.05), (0.64, {0.42 + number / 1000}, 0.02)]"
        if now.lstrip().startswith("Write a program"):
            rings = f"RINGS = [{number} / 0]"
        elif "the step 'load' fails" in now:
            rings = f"RINGS = {number}"
        line, program = RINGS.findall(shown)[0], PROGRAM.findall(shown)[0]
        text = f"<<<<<<< SEARCH\n{line}\n=======\n{rings}\n>>>>>>> REPLACE\n"
        if "SEARCH/REPLACE" not in now:
            text = f"```python\n{RINGS.sub(rings, program)}```\n"
        usage = ModelUsage(calls=1, cost_usd=0.0)
        return Completion(text=f"A plan.\n\n{text}", model=self.name, usage=usage, finish="stop")


def test_it_goes_from_what_does_not_load_over_what_is_wrong_to_what_is_better(tmp_path: Path) -> None:
    outpace.evolve(
        "circle_packing",
        model=Blundering(),
        strategy="fsr",
        strategy_params={"width": 2},
        workers=1,
        in_flight=1,
        budget=outpace.Budget(evaluations=12),
        home=tmp_path,
    )
    store = open_store(tmp_path)
    found = [one for one in store.results(store.run("last").id) if one.brief.number]
    store.close()
    asked = [one.brief.operator for one in sorted(found, key=lambda one: one.brief.number)]
    assert list(dict.fromkeys(asked)) == ["fsr_write", "fsr_compile", "fsr_correct", "fsr_fast"]
    assert asked == sorted(asked, key=list(dict.fromkeys(asked)).index), "no stage comes back"
    became = {(one.brief.operator, one.evaluation.status) for one in found if one.evaluation}
    assert became == {
        ("fsr_write", "crashed"), ("fsr_compile", "crashed"), ("fsr_correct", "ok"), ("fsr_fast", "ok"),
    }  # fmt: skip
    assert all(len(one.brief.note["hints"]) == 2 for one in found if one.brief.operator == "fsr_fast")
