"""The tuner's messages, byte for byte. ``OUTPACE_REWRITE_GOLDEN=1 pytest`` writes them anew: read what differs."""

import os
from pathlib import Path

import pytest

from outpace.agent.budget import Budget, Spent
from outpace.agent.models.base import Message
from outpace.agent.prompts.facts import Facts
from outpace.agent.prompts.templates import NAMES, Templates
from outpace.agent.prompts.tuner import (
    Extra,
    Judged,
    Standing,
    rehearse_tuner,
    render_judged,
    render_reply,
    render_start,
)
from outpace.agent.proposal import Member
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Task, TaskSpec

GOLDEN = Path(__file__).parent / "golden" / "tuner"
PROGRAM = "# EVOLVE-BLOCK-START\ndef area(r):\n    return 3 * r * r\n# EVOLVE-BLOCK-END\n"
START = Candidate({"program.py": PROGRAM, "table.txt": "1 2 3"})
GOAL = Goal(kind="speedup", name="speedup", direction="maximise")
SPEC = TaskSpec(
    name="area", title="Area", statement="State the area.", entry="area", goal=GOAL,
    cases=(Case(name="large", params={"n": 9}), Case(name="secret", split="heldout")), requires=("numpy",),
)  # fmt: skip
TASK = Task(SPEC, START)
PARENT = Member(
    START,
    Evaluation(
        status="ok", score=1.5, interval=(1.4, 1.6), metrics={"case/large": 1.5}, feedback="Case 'large': 1.5\n```"
    ),
)
WRONG = Member(START.with_program(PROGRAM.replace("3 *", "0 *")), Evaluation(status="wrong", feedback="expected 3"))
BEST = Member(START.with_program(PROGRAM.replace("3 *", "3.1 *")), Evaluation(status="ok", score=2.25))
FACTS = Facts(python="3.12.1", packages={"numpy": "2.4.0"}, processor="A Processor")
LISTING = "2 | def area(r):\n3 |     return 3 * r * r\n"


def standing(sent: int = 3, **spent: float) -> Standing:
    used = Spent(**{"model_calls": 3, "tokens": 5000, "usd": 0.0125, **spent})  # type: ignore[arg-type]
    return Standing(sent=sent, most=40, spent=used, budget=Budget(usd=1.0, evaluations=60))


def start() -> list[Message]:
    return render_start(TASK, PARENT, standing(0), LISTING, extra=Extra(view_lines=100, facts=FACTS))


def start_going_on() -> list[Message]:
    extra = Extra(view_lines=100, instruction="Vectorise it.\n", facts=FACTS)
    return render_start(TASK, BEST, standing(7), LISTING, extra=extra)


def reply() -> list[Message]:
    return [
        render_reply(standing(1, unpriced_calls=2), "This is where the program spends its time.", "line hits\n```\n")
    ]


def reply_last() -> list[Message]:
    return [render_reply(standing(39), "There is no command in your message.", "")]


def judged_best() -> list[Message]:
    judged = Judged(member=BEST, best=BEST, valid="100 %", where="The lines around your change:", listing=LISTING)
    return [render_judged(standing(), judged, GOAL)]


def judged_wrong() -> list[Message]:
    judged = Judged(member=WRONG, best=BEST, valid="2 of 15 inputs", where="The lines:", listing=LISTING)
    return [render_judged(standing(39), judged, GOAL)]


def judged_before() -> list[Message]:
    return [render_judged(standing(), Judged(member=PARENT, best=BEST, new=False, rewritten=True), GOAL)]


def judged_not() -> list[Message]:
    return [render_judged(standing(), Judged(member=None, best=BEST), GOAL)]


PROMPTS = {
    one.__name__: one
    for one in (start, start_going_on, reply, reply_last, judged_best, judged_wrong, judged_before, judged_not)
}


@pytest.mark.parametrize("name", PROMPTS)
def test_golden(name: str) -> None:
    text = "".join(f"<<<{message.role}>>>\n{message.content}\n" for message in PROMPTS[name]())
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("OUTPACE_REWRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_there_is_no_stale_golden_file() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(PROMPTS)


def test_a_user_may_replace_a_part(tmp_path: Path) -> None:
    own = '{% extends "outpace/tuner_system.md.j2" %}\n{% block opening %}\nTune it.\n\n{% endblock %}\n'
    (tmp_path / "tuner_system.md.j2").write_text(own, encoding="utf-8")
    extra = Extra(view_lines=100, facts=FACTS, templates=Templates([tmp_path]))
    (system, _) = render_start(TASK, PARENT, standing(0), LISTING, extra=extra)
    assert system.content.startswith("Tune it.\n\n# Task: Area")
    assert "profile_lines" in system.content


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("tuner_")])
def test_a_broken_template_of_a_user_is_found_before_anything_is_asked(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("Hello {{ nobody }}", encoding="utf-8")
    with pytest.raises(UsageError, match=rf"{name}:1: the prompt cannot be rendered: 'nobody' is undefined"):
        rehearse_tuner(TASK, Templates([tmp_path]))


def test_held_out_cases_are_never_named() -> None:
    assert not any("secret" in message.content for message in start())
