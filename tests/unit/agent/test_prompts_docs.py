"""The examples and tables of the pages on prompts are true."""

import re
from pathlib import Path

import pytest

from outpace.agent.prompts.operators import GIVEN
from outpace.agent.prompts.render import rehearse, render
from outpace.agent.prompts.templates import NAMES, Templates, templates_of
from outpace.agent.proposal import Brief, Member
from outpace.agent.proposers import attempts, instructions
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks import registry

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "how-to" / "change-the-prompts.md").read_text(encoding="utf-8")
WHY = (DOCS / "explanation" / "prompts.md").read_text(encoding="utf-8")
TASK = registry.find("circle_packing")
MEMBER = Member(TASK.start, Evaluation(status="ok", score=1.0))
OTHER = Member(TASK.start.with_program("x = 1\n"), Evaluation(status="ok", score=0.5))


class Noting(Templates):
    """Keeps the names that templates are given."""

    def __init__(self) -> None:
        super().__init__()
        self.given: dict[str, set[str]] = {}

    def render(self, name: str, **facts: object) -> str:
        assert self.given.setdefault(name, set(facts)) == set(facts)
        return super().render(name, **facts)


def table(heading: str) -> dict[str, list[str]]:
    """Return the rows of a table of templates: the file, and the names beside it."""
    section = PAGE[PAGE.index(heading) :].split("\n## ")[0]
    rows = re.findall(r"^\| `([\w.…]+\.j2)` \| (.*) \|$", section, re.MULTILINE)
    return {name: re.findall(r"`(\w+)`", names) for name, names in rows}


def group(name: str) -> str:
    """Return a name of a template as the page has it: those of one kind in one line."""
    kind = name.partition("_")[0]
    return f"{kind}_….md.j2" if kind in ("operator", "reflect", "tuner") else name


def test_the_example_changes_what_the_page_says(tmp_path: Path) -> None:
    (example,) = re.findall(r"^```jinja\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "user.md.j2").write_text(example)
    templates = templates_of(TASK, str(tmp_path))
    rehearse(TASK, templates)
    brief = Brief(number=1, parents=(MEMBER,), seed=0, inspirations=(OTHER,))
    ours, own = (render(TASK, brief, templates=one)[1].content for one in (None, templates))
    assert "# Other programs" in ours and "# Other programs" not in own
    assert own.startswith(ours.split("# Other programs")[0].rstrip())
    assert own.endswith("\nWrite NumPy, no loops over single numbers.\n")
    assert "# What to do now" in own


def test_the_error_reads_as_on_the_page(tmp_path: Path) -> None:
    (shown,) = re.findall(r"^prompts/(user.md.j2:3: .*) …$", PAGE, re.MULTILINE)
    (tmp_path / "user.md.j2").write_text("\n\n{{ instructions }}\n")
    with pytest.raises(UsageError) as caught:
        rehearse(TASK, templates_of(TASK, str(tmp_path)))
    assert str(caught.value).startswith(f"{tmp_path}/{shown}")


def test_the_page_lists_every_template() -> None:
    listed = re.findall(r"^\| `([\w.…]+\.j2)` \|", PAGE.split("## Change one part")[0], re.MULTILINE)
    assert {group(name) for name in NAMES} == set(listed)


def test_the_page_lists_every_name_that_is_given() -> None:
    noting = Noting()
    rehearse(TASK, noting)
    named: dict[str, list[str]] = {}
    for name, given in noting.given.items():
        assert named.setdefault(group(name), sorted(given)) == sorted(given)
    shown = table("## What templates are given")
    assert {name: names for name, names in shown.items() if name in named} == named
    strategies = {f"{name}.md.j2": list(given) for name, given in GIVEN.items()}
    assert {name: names for name, names in shown.items() if name not in named} == strategies


def test_the_page_lists_every_block() -> None:
    folder = Path(render.__code__.co_filename).parent
    blocks = {
        name: re.findall(r"{% block (\w+) %}", (folder / name).read_text(encoding="utf-8"))
        for name in NAMES
        if group(name) == name
    }
    assert table("| template | blocks") == blocks


def test_the_numbers_are_those_of_the_code() -> None:
    most = (attempts.LAST + attempts.FREQUENT) * attempts.LINE
    assert f"A prompt tells the last {attempts.LAST} of" in WHY
    assert f"at most {attempts.LINE} characters" in WHY and most <= 2200 < most + 100 and "takes 2,200 at most" in WHY
    assert instructions.SHARE == 1 / 16 and "one brief in 16" in WHY
    assert f"The pool keeps {instructions.POOL} beside" in WHY
    assert instructions.FULL_GAIN == 0.1 and "from a gain of 10 % on" in WHY
