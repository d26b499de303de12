"""What models are told for the operator of ``funsearch``, byte for byte.

``OUTPACE_REWRITE_GOLDEN=1 pytest`` writes the file anew: read the difference then.
"""

import os
from pathlib import Path

import pytest

from outpace.agent.prompts.render import render
from outpace.agent.proposal import Brief, Member
from outpace.agent.strategies.funsearch import OPERATOR
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Task, TaskSpec

GOLDEN = Path(__file__).parent / "golden" / "operators" / "versions.txt"
GAP = Goal(kind="metric", name="gap", direction="minimise", unit="%")
SPEED = Goal(kind="speedup", name="speedup", direction="maximise")


def member(number: int, score: float) -> Member:
    program = f"def priority(item, bins):\n    return -(bins - item) * {number}\n"
    return Member(Candidate({"program.py": program}), Evaluation(status="ok", score=score))


VERSIONS = (member(3, 3.5), member(1, 4.25), member(2, 4.0))
INSPIRATION = member(4, 9.0)


def prompt(goal: Goal, many: int) -> str:
    spec = TaskSpec(name="t", title="T", statement="S.", entry="priority", goal=goal, cases=(Case(name="a"),))
    parents = VERSIONS[:many]
    brief = Brief(number=1, parents=parents, seed=0, operator=OPERATOR, inspirations=(INSPIRATION,))
    return render(Task(spec, VERSIONS[1].candidate), brief)[1].content


def wish(goal: Goal, many: int) -> str:
    """Return what a prompt says to do now."""
    return prompt(goal, many).split("# What to do now\n\n")[1].split("\n\nAnswer with a few sentences")[0]


def test_golden() -> None:
    text = "\n<<<otherwise>>>\n".join([wish(GAP, 3), wish(GAP, 2), wish(GAP, 1), wish(SPEED, 2)]) + "\n"
    if os.environ.get("OUTPACE_REWRITE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


@pytest.mark.parametrize(("number", "program"), [(1, "* 1"), (2, "* 2"), (3, "* 4")])
def test_programs_are_numbered_as_the_words_say(number: int, program: str) -> None:
    """v0 is program 1, v1 program 2; an inspiration comes behind them and is no version."""
    shown = prompt(GAP, 3).split(f"## Program {number}")[1].split("## Program")[0]
    assert f"return -(bins - item) {program}" in shown
    assert ("another parent" in shown.splitlines()[0]) == (number < 3)
