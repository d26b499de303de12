"""What models are told for the operators of ``aide``, ``fsr`` and ``tuner``, byte for byte.

``OUTPACE_REWRITE_GOLDEN=1 pytest`` writes the files anew: read the difference then.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from outpace.agent.prompts.operators import GIVEN
from outpace.agent.prompts.render import Beside, render
from outpace.agent.prompts.templates import NAMES
from outpace.agent.proposal import Brief, Member
from outpace.agent.proposers.operators.proposer import EQUIVALENTS, FREE
from outpace.agent.strategies.hints import catalogue
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Task, TaskSpec

GOLDEN = Path(__file__).parent / "golden" / "operators"
GAP = Goal(kind="metric", name="gap", direction="minimise", unit="%")
SPEED = Goal(kind="speedup", name="speedup", direction="maximise")
DRAFTS = ["Sort first. -> 1.5", "A table of ``` rests. -> wrong"]


def member(number: int, evaluation: Evaluation) -> Member:
    program = f"def priority(item, bins):\n    return -(bins - item) * {number}\n"
    return Member(Candidate({"program.py": program}), evaluation)


RIGHT = member(1, Evaluation(status="ok", score=3.5, feedback="Case 'a': 3.5"))
FAILED = member(2, Evaluation(status="crashed", feedback="error: expected ';'"))
FURTHER = member(3, Evaluation(status="wrong", feedback="Case 'a': bin 3 is too full\n```\n7 of 5"))
SILENT = member(4, Evaluation(status="timeout"))


def told(operator: str, goal: Goal, given: Mapping[str, Any], parent: Member) -> str:
    """Return what a prompt says to do now; beside the parent stand what is right and two programs that failed."""
    named: dict[str, Any] = {"name": "packing", "title": "Packing", "statement": "Choose a bin.", "entry": "priority"}
    task = Task(TaskSpec(**named, goal=goal, cases=(Case(name="a"),)), RIGHT.candidate)
    beside = tuple(one for one in (RIGHT, FURTHER, SILENT) if one is not parent)
    brief = Brief(number=1, parents=(parent,), seed=0, operator=operator, given=given, inspirations=beside)
    content = render(task, brief, beside=Beside())[1].content
    return content.split("# What to do now\n\n")[1].split("\n\nAnswer with a few sentences")[0]


def both(operator: str, given: Mapping[str, Any], *, parent: Member = RIGHT) -> str:
    """Return the words for a metric task and, where they differ, those for a speed-up task."""
    found = [told(operator, goal, given, parent) for goal in (GAP, SPEED)]
    return "\n<<<for speed>>>\n".join(dict.fromkeys(found))


def all_of(*texts: str) -> str:
    return "\n<<<otherwise>>>\n".join(texts)


HINTS = [{"name": hint.name, "text": hint.text} for hint in catalogue()[:2]]
PROMPTS = {
    "draft": all_of(both("draft", {"drafts": DRAFTS}), told("draft", GAP, {"drafts": []}, RIGHT)),
    "debug": both("debug", {}, parent=FAILED),
    "improve": both("improve", {}),
    "fsr_write": both("fsr_write", {}),
    "fsr_compile": all_of(
        told("fsr_compile", GAP, {"stage": "build", "failed": [2, 3]}, FAILED),
        told("fsr_compile", GAP, {"stage": "", "failed": []}, FAILED),
    ),
    "fsr_correct": all_of(
        both("fsr_correct", {"stage": "check", "failed": [2]}, parent=FAILED),
        told("fsr_correct", GAP, {"stage": "", "failed": []}, FAILED),
    ),
    "fsr_fast": all_of(both("fsr_fast", {"hints": HINTS}), told("fsr_fast", SPEED, {"hints": []}, RIGHT)),
}


@pytest.mark.parametrize("name", PROMPTS)
def test_golden(name: str) -> None:
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("OUTPACE_REWRITE_GOLDEN"):
        path.write_text(PROMPTS[name], encoding="utf-8")
    assert PROMPTS[name] == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PROMPTS)
def test_each_has_words_an_example_where_it_needs_one_and_what_serves_it_without_a_model(name: str) -> None:
    assert f"operator_{name}.md.j2" in NAMES
    assert (f"operator_{name}" in GIVEN) == (name not in ("debug", "improve", "fsr_write"))
    assert name in EQUIVALENTS or name in FREE
