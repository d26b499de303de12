"""What models are told for the operators and questions of ``eoh`` and ``reevo``, byte for byte.

``OUTPACE_REWRITE_GOLDEN=1 pytest`` writes the files anew: read the difference then.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from outpace.agent.prompts.operators import GIVEN
from outpace.agent.prompts.render import Beside, render, render_reflection
from outpace.agent.prompts.templates import NAMES
from outpace.agent.proposal import Brief, Member
from outpace.agent.proposers.operators.proposer import EQUIVALENTS
from outpace.agent.strategies.eoh import OPERATORS
from outpace.agent.strategies.reevo import CROSSOVER, LONG, MUTATION, SEED, SHORT
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Task, TaskSpec

GOLDEN = Path(__file__).parent / "golden" / "operators"
GAP = Goal(kind="metric", name="gap", direction="minimise", unit="%")
SPEED = Goal(kind="speedup", name="speedup", direction="maximise")
THOUGHTS = ["Fill the fullest bin.", "", "Keep ``` small gaps free."]
LESSON = "Prefer bins that close exactly; avoid gaps below the smallest item."
HINTS = ["Square the gap.", "Do not ``` open a bin early."]


def member(number: int, score: float) -> Member:
    program = f"def priority(item, bins):\n    return -(bins - item) * {number}\n"
    return Member(Candidate({"program.py": program}), Evaluation(status="ok", score=score))


PARENTS = (member(1, 3.5), member(2, 4.0), member(3, 4.25))


def task(goal: Goal) -> Task:
    named: dict[str, Any] = {"name": "packing", "title": "Packing", "statement": "Choose a bin.", "entry": "priority"}
    return Task(TaskSpec(**named, goal=goal, cases=(Case(name="a"),)), PARENTS[0].candidate)


def told(operator: str, goal: Goal, given: Mapping[str, Any], *, reflection: str = "", many: int = 1) -> str:
    """Return what a prompt says to do now."""
    brief = Brief(number=1, parents=PARENTS[:many], seed=0, operator=operator, given=given)
    content = render(task(goal), brief, beside=Beside(reflection=reflection))[1].content
    return content.split("# What to do now\n\n")[1].split("\n\nAnswer with a few sentences")[0]


def asked(question: str, given: Mapping[str, Any], *, many: int) -> str:
    brief = Brief(number=1, parents=PARENTS[:many], seed=0, reflect=question, given=given)
    return render_reflection(task(GAP), brief)[1].content


def both(operator: str, given: Mapping[str, Any], *, many: int = 1) -> str:
    """Return the words for a metric task and, where they differ, those for a speed-up task."""
    found = [told(operator, goal, given, many=many) for goal in (GAP, SPEED)]
    return "\n<<<for speed>>>\n".join(dict.fromkeys(found))


def all_of(*texts: str) -> str:
    return "\n<<<otherwise>>>\n".join(texts)


PROMPTS = {
    "i1": both("i1", {}),
    "e1": all_of(both("e1", {"thoughts": THOUGHTS}, many=3), both("e1", {"thoughts": ["", ""]}, many=2)),
    "e2": both("e2", {"thoughts": THOUGHTS[:2]}, many=2),
    "m1": both("m1", {"thoughts": THOUGHTS}),
    "m2": both("m2", {"thoughts": THOUGHTS}),
    "m3": both("m3", {"thoughts": THOUGHTS}),
    "reevo_seed": both("reevo_seed", {}),
    "reevo_crossover": all_of(
        told("reevo_crossover", GAP, {}, reflection=HINTS[1], many=2), told("reevo_crossover", GAP, {}, many=2)
    ),
    "reevo_mutation": all_of(
        told("reevo_mutation", GAP, {"long": "What was known before.", "short": HINTS}, reflection=LESSON),
        told("reevo_mutation", GAP, {"long": LESSON, "short": []}),
        told("reevo_mutation", GAP, {"long": "", "short": []}),
    ),
    "reflect_reevo_short": asked("reevo_short", {}, many=2),
    "reflect_reevo_long": all_of(
        asked("reevo_long", {"long": LESSON, "short": HINTS}, many=1),
        asked("reevo_long", {"long": "", "short": HINTS[:1]}, many=1),
    ),
}


@pytest.mark.parametrize("name", PROMPTS)
def test_golden(name: str) -> None:
    text, path = f"{PROMPTS[name].strip()}\n", GOLDEN / f"{name}.txt"
    if os.environ.get("OUTPACE_REWRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


@pytest.mark.parametrize("operator", OPERATORS)
def test_the_words_do_without_thoughts(operator: str) -> None:
    """Another strategy may name the operator and give nothing."""
    assert told(operator, GAP, {}, many=2) == told(operator, GAP, {"thoughts": ["", ""]}, many=2)


def test_what_models_have_written_cannot_leave_its_fence() -> None:
    for name in ("e1", "reevo_crossover", "reflect_reevo_long"):
        assert "````text\n" in PROMPTS[name]


def test_every_template_that_is_given_something_has_an_example() -> None:
    for name in ("e1", "e2", "m1", "m2", "m3"):
        assert "thoughts" in GIVEN[f"operator_{name}"]
    for name in ("operator_reevo_mutation", "reflect_reevo_long"):
        assert set(GIVEN[name]) == {"long", "short"}


def test_every_name_has_its_words_and_its_rewriting_operators() -> None:
    operators = (*OPERATORS, SEED, CROSSOVER, MUTATION)
    assert {f"operator_{name}.md.j2" for name in operators} <= set(NAMES)
    assert {f"reflect_{name}.md.j2" for name in (SHORT, LONG)} <= set(NAMES)
    assert set(operators) <= set(EQUIVALENTS)
    assert {path.stem for path in GOLDEN.glob("*reevo*.txt")} == {name for name in PROMPTS if "reevo" in name}
