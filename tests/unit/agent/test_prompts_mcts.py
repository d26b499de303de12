"""What models are told for ``s1``, the operator of ``mcts`` that sees a whole path, byte for byte.

``OUTPACE_REWRITE_GOLDEN=1 pytest`` writes the file anew: read the difference then.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from outpace.agent.prompts.operators import GIVEN
from outpace.agent.prompts.render import render
from outpace.agent.proposal import Brief, Member
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Task, TaskSpec

GOLDEN = Path(__file__).parent / "golden" / "operators" / "s1.txt"
GAP = Goal(kind="metric", name="gap", direction="minimise", unit="%")
SPEED = Goal(kind="speedup", name="speedup", direction="maximise")


def member(number: int, score: float) -> Member:
    program = f"def priority(item, bins):\n    return -(bins - item) * {number}\n"
    return Member(Candidate({"program.py": program}), Evaluation(status="ok", score=score))


FIRST, SECOND, LAST = member(1, 4.25), member(2, 4.0), member(3, 3.5)
THOUGHTS = ["Square the gap.", "Fill the fullest bin.", "Leave no ``` small gap."]


def prompt(goal: Goal, given: Mapping[str, Any]) -> str:
    """Return what a prompt shows and says from the other programs on."""
    named: dict[str, Any] = {"name": "packing", "title": "Packing", "statement": "Choose a bin.", "entry": "priority"}
    task = Task(TaskSpec(**named, goal=goal, cases=(Case(name="a"),)), FIRST.candidate)
    brief = Brief(number=1, parents=(LAST,), seed=0, operator="s1", inspirations=(FIRST, SECOND), given=given)
    content = render(task, brief)[1].content
    return content.split("# Other programs for the same task\n\n")[1].split("\n\nAnswer with a few sentences")[0]


def now(goal: Goal, given: Mapping[str, Any]) -> str:
    return prompt(goal, given).split("# What to do now\n\n")[1]


def test_golden() -> None:
    parts = [prompt(GAP, {"thoughts": THOUGHTS}), now(SPEED, {"thoughts": THOUGHTS}), now(GAP, {})]
    text = "\n<<<otherwise>>>\n".join(parts) + "\n"
    if os.environ.get("OUTPACE_REWRITE_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_thoughts_stand_in_the_order_of_the_path_and_in_a_fence() -> None:
    said = now(GAP, {"thoughts": THOUGHTS})
    places = [said.index(thought) for thought in (*THOUGHTS[1:], THOUGHTS[0])]
    assert places == sorted(places)
    assert "````text\n" in said
    assert now(GAP, {}) == now(GAP, {"thoughts": ["", ""]})
    assert set(GIVEN["operator_s1"]) == {"thoughts"}
