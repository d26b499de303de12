"""Rendered prompts, byte for byte. ``OUTPACE_REWRITE_GOLDEN=1 pytest`` writes them anew: read the difference then."""

import os
from pathlib import Path

import pytest

from outpace.agent.models.base import Message
from outpace.agent.prompts.render import MAX_FEEDBACK, fence, render, render_retry
from outpace.agent.proposal import Brief, Member
from outpace.evaluators.base import Evaluation
from outpace.limits import Limits
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Task, TaskSpec

GOLDEN = Path(__file__).parent / "golden"
PROGRAM = '''"""Packs."""

import numpy as np


# EVOLVE-BLOCK-START
def priority(item: float, bins: np.ndarray, *, bias: float = 0.5) -> np.ndarray:
    """Best fit."""


    return -(bins - item)


# EVOLVE-BLOCK-END
'''
STATEMENT = "\nChoose a bin: `priority(item, bins)`.\n\n- `item`: a size.\n- `bins`: capacities.\n\n"
START = Candidate({"program.py": PROGRAM})


def changed(old: str, new: str) -> Candidate:
    return START.with_program(PROGRAM.replace(old, new))


def metric_task() -> Task:
    goal = Goal(kind="metric", name="gap", direction="minimise", unit="%", best_known=0.61)
    cases = (
        Case(name="5k", params={"items": 5000, "capacity": 100}),
        Case(name="edges"),
        Case(name="secret", split="heldout", params={"items": 10_000}),
    )
    spec = TaskSpec(
        name="packing",
        title="Packing",
        statement=STATEMENT,
        entry="priority",
        goal=goal,
        cases=cases,
        requires=("numpy",),
        limits=Limits(wall_s=2.5, threads=2),
    )
    return Task(spec, START)


def speed_task() -> Task:
    goal = Goal(kind="speedup", name="speedup", direction="maximise")
    cases = (Case(name="large"),)
    spec = TaskSpec(name="fast", title="Faster", statement="Be quick.", entry="priority", goal=goal, cases=cases)
    return Task(spec, Candidate({"program.py": "def priority(item, bins):\n    return bins\n"}))


PARENT = Member(
    START,
    Evaluation(
        status="ok",
        score=3.981234567,
        interval=(3.9, 4.0625),
        metrics={"case/5k": 3.98123, "case/edges": 4.0, "load": 12.0},
        feedback="Bins with a remainder below 10 were left:\n```\n312 of 2010\n```\n",
    ),
)
BETTER = Member(changed("-(bins - item)", "-((bins - item) ** 2)"), Evaluation(status="ok", score=3.5))
FAILED = Member(changed("-(bins - item)", "bins / 0"), Evaluation(status="crashed", feedback="division by zero"))
AGAIN = Member(Candidate({"program.py": PROGRAM}), Evaluation(status="ok", score=1.0))


def metric_diff() -> list[Message]:
    brief = Brief(number=3, parents=(PARENT,), seed=1, inspirations=(BETTER, AGAIN, FAILED, BETTER))
    return render(metric_task(), brief)


def metric_whole_crossover() -> list[Message]:
    brief = Brief(
        number=4,
        parents=(FAILED, BETTER),
        seed=1,
        inspirations=(BETTER,),
        instruction="Combine both parents.\n",
        edit_mode="whole",
    )
    return render(metric_task(), brief)


def speedup_diff() -> list[Message]:
    task = speed_task()
    files = {**task.start.files, "table.txt": "1 2 3"}
    fast = Evaluation(status="ok", score=1.5234, interval=(1.48, 1.55))
    return render(task, Brief(number=1, parents=(Member(Candidate(files), fast),), seed=1))


def speedup_whole_without_parent() -> list[Message]:
    return render(speed_task(), Brief(number=1, parents=(), seed=1, edit_mode="whole"))


def retry_unmatched() -> list[Message]:
    excerpt = "6 | def priority(item, bins):\n7 |     return bins\n"
    reason = "SEARCH block 1 matches nothing: its lines are not in the program."
    return render_retry("My answer.\n", reason, excerpt=excerpt, edit_mode="diff", truncated=False)


def retry_truncated() -> list[Message]:
    reason = "The answer was cut off at the token limit before it was complete."
    return render_retry("word " * 1000, reason, excerpt="", edit_mode="whole", truncated=True)


def retry_empty() -> list[Message]:
    reason = "The answer holds no edit: expected SEARCH/REPLACE blocks or a program in a ``` fence."
    return render_retry("", reason, excerpt="", edit_mode="whole", truncated=False)


PROMPTS = {
    "metric_diff": metric_diff,
    "metric_whole_crossover": metric_whole_crossover,
    "speedup_diff": speedup_diff,
    "speedup_whole_without_parent": speedup_whole_without_parent,
    "retry_unmatched": retry_unmatched,
    "retry_truncated": retry_truncated,
    "retry_empty": retry_empty,
}


@pytest.mark.parametrize("name", PROMPTS)
def test_golden(name: str) -> None:
    text = "".join(f"<<<{message.role}>>>\n{message.content}\n" for message in PROMPTS[name]())
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("OUTPACE_REWRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_there_is_no_stale_golden_file() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == set(PROMPTS)


def test_the_stable_part_comes_first() -> None:
    """What does not depend on the brief is the same to the byte, so that endpoints can cache it."""
    first, second = metric_diff(), render(metric_task(), Brief(number=9, parents=(BETTER,), seed=2))
    assert first[0] == second[0]
    assert first[1] != second[1]


def test_programs_come_through_unchanged() -> None:
    assert f"```python\n{PROGRAM}```\n" in metric_diff()[1].content


def test_each_program_is_shown_once_and_held_out_cases_never() -> None:
    content = metric_diff()[1].content
    assert content.count("return -(bins - item)\n") == 1
    assert content.count("return -((bins - item) ** 2)\n") == 1
    assert not any("secret" in message.content for message in metric_diff())


@pytest.mark.parametrize(
    ("text", "fenced"),
    [
        ("x\n", "```\nx\n```"),
        ("x", "```\nx\n```"),
        ("", "```\n```"),
        ("a ``` b", "````\na ``` b\n````"),
        ("`````\n``\n", "``````\n`````\n``\n``````"),
    ],
)
def test_no_text_can_close_its_fence(text: str, fenced: str) -> None:
    assert fence(text) == fenced


def test_templates_do_not_run_what_data_says() -> None:
    candidate = changed('"""Best fit."""', '"""{{ spec.name }} {% raw %} <b>&amp;"""')
    feedback = "{{ 7 * 7 }} # What to do now"
    member = Member(candidate, Evaluation(status="wrong", feedback=feedback))
    content = render(metric_task(), Brief(number=1, parents=(member,), seed=1))[1].content
    assert '"""{{ spec.name }} {% raw %} <b>&amp;"""' in content
    assert f"```text\n{feedback}\n```" in content


def test_long_feedback_is_cut_in_the_middle() -> None:
    feedback = "a" * MAX_FEEDBACK + "b" * MAX_FEEDBACK
    member = Member(START, Evaluation(status="crashed", feedback=feedback))
    content = render(metric_task(), Brief(number=1, parents=(member,), seed=1))[1].content
    half = MAX_FEEDBACK // 2
    assert "```text\n" + "a" * half + "\n[…]\n" + "b" * half + "\n```" in content


def test_a_program_whose_markers_are_broken_is_still_shown() -> None:
    member = Member(changed("# EVOLVE-BLOCK-END\n", ""), Evaluation(status="wrong"))
    content = render(metric_task(), Brief(number=1, parents=(PARENT,), seed=1, inspirations=(member,)))[1].content
    assert "# EVOLVE-BLOCK-START" in content.split("# The program to improve")[0]
