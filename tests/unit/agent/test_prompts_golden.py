"""Rendered prompts, byte for byte. ``OUTPACE_REWRITE_GOLDEN=1 pytest`` writes them anew: read the difference then."""

import os
import platform
from importlib import metadata
from pathlib import Path

import pytest

from outpace.agent.models.base import Message
from outpace.agent.prompts.facts import Facts, facts_of
from outpace.agent.prompts.render import (
    MAX_FEEDBACK,
    MAX_PROFILE,
    Beside,
    Followed,
    Tried,
    render,
    render_instruction,
    render_retry,
)
from outpace.agent.prompts.templates import fence
from outpace.agent.proposal import Brief, Member
from outpace.agent.proposers.attempts import again
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
GOAL = Goal(kind="metric", name="gap", direction="minimise", unit="%", best_known=0.61)
FACTS = Facts(python="3.11.7", packages={"numpy": "2.3.5"}, processor="Some CPU @ 2.00GHz")
BARE = Beside(facts=FACTS)


def changed(old: str, new: str) -> Candidate:
    return START.with_program(PROGRAM.replace(old, new))


def metric_task() -> Task:
    goal = GOAL
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
    return render(metric_task(), brief, beside=BARE)


def metric_whole_crossover() -> list[Message]:
    brief = Brief(
        number=4,
        parents=(FAILED, BETTER),
        seed=1,
        inspirations=(BETTER,),
        instruction="Combine both parents.\n",
        edit_mode="whole",
    )
    return render(metric_task(), brief, beside=BARE)


def speedup_diff() -> list[Message]:
    task = speed_task()
    files = {**task.start.files, "table.txt": "1 2 3"}
    fast = Evaluation(status="ok", score=1.5234, interval=(1.48, 1.55))
    facts = Facts(python="3.13.1", packages={"numpy": "2.3.0"}, gpu="A100 80GB, compute capability 8.0")
    return render(task, Brief(number=1, parents=(Member(Candidate(files), fast),), seed=1), beside=Beside(facts=facts))


def speedup_whole_without_parent() -> list[Message]:
    return render(speed_task(), Brief(number=1, parents=(), seed=1, edit_mode="whole"), beside=Beside(facts=Facts()))


def metric_tried_and_profiled() -> list[Message]:
    tried = Tried(
        changes=("Bigger bins first -> wrong: item 3 lies in ```no bin```", "Worst fit -> 9.5 %, worse than 3.98123"),
        of=17,
        failures=("12 times: timeout: no answer within 2.5 s", "2 times: the same program again"),
    )
    profile = "line  hits  share\n 10   5000  98.1 %  return -(bins - item)\n"
    beside = Beside(facts=FACTS, tried=tried, profile=profile)
    return render(metric_task(), Brief(number=5, parents=(PARENT,), seed=1, inspirations=(BETTER,)), beside=beside)


def instruction() -> list[Message]:
    followed = [
        Followed(text="Sort the items by size.", uses=12, gains=5, value=0.351),
        Followed(text="Make it better.", uses=1, gains=0, value=0.0),
    ]
    beside = Beside(facts=FACTS, tried=Tried(failures=("12 times: timeout: no answer within 2.5 s",)))
    return render_instruction(
        metric_task(), Brief(number=6, parents=(PARENT,), seed=1), beside=beside, instructions=followed, most=600
    )


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


def retry_duplicate() -> list[Message]:
    return render_retry("My answer.\n", again(PARENT, GOAL), excerpt="", edit_mode="diff", truncated=False)


PROMPTS = {
    "metric_diff": metric_diff,
    "metric_tried_and_profiled": metric_tried_and_profiled,
    "instruction": instruction,
    "retry_duplicate": retry_duplicate,
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
    """To the byte, so that endpoints can cache it: the system message of a run, then the program of a parent."""
    first, second = metric_diff(), render(metric_task(), Brief(number=9, parents=(BETTER,), seed=2), beside=BARE)
    assert first[0] == second[0] == instruction()[0]
    assert first[1] != second[1]
    tried = Beside(facts=FACTS, tried=Tried(changes=("Worst fit -> 9.5 %",), of=1), profile="a profile")
    for other in (
        Brief(number=10, parents=(PARENT,), seed=3, inspirations=(FAILED,)),
        Brief(number=11, parents=(PARENT, BETTER), seed=4, instruction="Combine both parents."),
    ):
        start = first[1].content.partition(OTHERS)[0] + OTHERS
        assert render(metric_task(), other, beside=tried)[1].content.startswith(start)
    alike = [render(metric_task(), Brief(number=number, parents=(PARENT,), seed=0), beside=tried) for number in (1, 2)]
    assert alike[0] == alike[1]


OTHERS = "# Other programs for the same task\n\nThey are here for ideas: take over what helps and leave the rest.\n\n"


def test_what_was_tried_comes_after_the_programs_and_before_the_wish() -> None:
    headings = [line for line in metric_tried_and_profiled()[1].content.split("\n") if line.startswith("# ")]
    assert [one for one in headings if not one.startswith("# EVOLVE")] == [
        "# The program to improve",
        "# Other programs for the same task",
        "# What was tried with this program",
        "# What programs fail by",
        "# Where the program to improve spends its time",
        "# What to do now",
    ]


def test_a_long_profile_is_cut_in_the_middle() -> None:
    beside = Beside(profile="a" * 2 * MAX_PROFILE)
    content = render(metric_task(), Brief(number=1, parents=(), seed=1), beside=beside)[1].content
    assert content.count("a" * (MAX_PROFILE // 2)) == 2
    assert "a" * (MAX_PROFILE // 2 + 1) not in content


def test_facts_are_those_of_this_environment() -> None:
    """Packages by the names they are imported by; one that is not known has no version."""
    facts = facts_of(["numpy", "yaml_or_so"])
    assert facts.python == platform.python_version()
    assert facts.packages == {"numpy": metadata.version("numpy")}
    assert facts_of(["numpy"], here=False).packages == {}
    system = render(metric_task(), Brief(number=1, parents=(), seed=1))[0].content
    assert f"standard library of Python {facts.python} and numpy {facts.packages['numpy']}, and nothing else" in system


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
    assert "# EVOLVE-BLOCK-START" in content.split("# Other programs for the same task")[1]
