"""Templates that replace ours: where they are found, in which order, and what is said of those that do not work."""

import shutil
from pathlib import Path

import pytest

from outpace.agent.prompts.render import DEFAULT_INSTRUCTION, rehearse, render
from outpace.agent.prompts.templates import NAMES, Templates, ours, templates_of
from outpace.agent.proposal import Brief, Member
from outpace.agent.serving.records import brief_text
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks import folder, registry
from outpace.tasks.spec import Task

LIBRARY = Path(folder.__file__).parent / "library"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of a task, to be changed."""
    source = next(LIBRARY.glob("*/circle_packing"))
    return Path(shutil.copytree(source, tmp_path / "task", ignore=shutil.ignore_patterns("__pycache__")))


@pytest.fixture
def chosen(tmp_path: Path) -> Path:
    """The folder that a user names."""
    (tmp_path / "chosen").mkdir()
    return tmp_path / "chosen"


def put(place: Path, name: str, text: str) -> Path:
    place.mkdir(exist_ok=True)
    (place / name).write_text(text, encoding="utf-8")
    return place / name


def asked(task: Task, templates: Templates) -> tuple[str, str]:
    member = Member(task.start, Evaluation(status="ok", score=1.0))
    system, user = render(task, Brief(number=1, parents=(member,), seed=0), templates=templates)
    return system.content, user.content


def refused(task: Task, chosen: Path | None = None) -> str:
    with pytest.raises(UsageError) as caught:
        rehearse(task, templates_of(task, str(chosen) if chosen else None))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_ours_work_in_every_form() -> None:
    for name in ("circle_packing", "edit_distance"):
        rehearse(registry.find(name), ours())


def test_the_users_come_before_the_tasks_and_the_tasks_before_ours(home: Path, chosen: Path) -> None:
    put(home / "prompts", "system.md.j2", "The task's: {{ spec.title }}")
    put(home / "prompts", "user.md.j2", "The task's: {{ instruction }}")
    put(chosen, "system.md.j2", "The user's: {{ spec.name }}")
    task = folder.load(home)
    assert asked(task, ours())[0].startswith("You improve a program.")
    assert asked(task, templates_of(task))[0] == f"The task's: {task.spec.title}\n"
    both = asked(task, templates_of(task, str(chosen)))
    assert both == ("The user's: circle_packing\n", asked(task, templates_of(task))[1])
    assert both[1].startswith("The task's: Make it better.")


def test_a_template_may_change_a_block_of_ours(home: Path) -> None:
    text = '{% extends "outpace/user.md.j2" %}\n{% block now %}Say why.\n\n{{ super() }}{% endblock %}\n'
    put(home / "prompts", "user.md.j2", text)
    task = folder.load(home)
    before, after = asked(task, ours())[1], asked(task, templates_of(task))[1]
    assert after == before.replace("# What to do now", "Say why.\n\n# What to do now")
    rehearse(task, templates_of(task))


def test_whoever_proposes_from_outside_is_told_in_the_words_of_the_task(home: Path) -> None:
    put(home / "prompts", "user.md.j2", "The task's: {{ instruction }}")
    text = brief_text(folder.load(home), Brief(number=1, parents=(), seed=0))
    assert text.startswith("You improve a program.")
    assert text.endswith(f"\nThe task's: {DEFAULT_INSTRUCTION}\n")


def test_prompts_are_no_part_of_what_a_task_is(home: Path) -> None:
    """Results do not depend on them: a run goes on, and results compare, whatever was said to a model."""
    mark = folder.load(home).fingerprint
    put(home / "prompts", "user.md.j2", "{{ instruction }}")
    assert folder.load(home).fingerprint == mark
    put(home / "prompts", "data.txt", "1 2 3")
    assert folder.load(home).fingerprint != mark


def test_files_of_editors_do_not_matter(chosen: Path) -> None:
    for name in (".user.md.j2.swp", "user.md.j2~", ".DS_Store"):
        put(chosen, name, "{{")
    assert Templates([chosen]).render("retry_edit.md.j2", reason="R.", excerpt="", edit_mode="diff", truncated=False)


def test_an_unknown_name_is_refused_with_the_names_that_are_known(home: Path) -> None:
    put(home / "prompts", "usr.md.j2", "")
    said = refused(folder.load(home))
    assert f"{home / 'prompts'}: Unknown prompt 'usr.md.j2'. Did you mean 'user.md.j2'?" in said
    assert all(name in said for name in NAMES)


def test_a_folder_that_is_not_there_is_refused(home: Path, chosen: Path) -> None:
    task = folder.load(home)
    assert "is not there. Expected a folder with any of: instruction.md.j2" in refused(task, chosen / "nowhere")
    assert "is not a folder" in refused(task, put(chosen, "user.md.j2", ""))


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("user.md.j2", "one\n{% if %}\n", ":2: not a Jinja template: "),
        (
            "user.md.j2",
            "one\ntwo\n{{ instructions }}\n",
            ":3: the prompt cannot be rendered: 'instructions' is undefined",
        ),
        ("system.md.j2", "{{ spec.titel }}\n", ":1: the prompt cannot be rendered: "),
        ("system.md.j2", "{{ facts.python / 2 }}\n", ":1: the prompt cannot be rendered: unsupported operand"),
        ("retry_edit.md.j2", "{% if truncated %}\n{{ more }}\n{% endif %}\n", ":2: the prompt cannot be rendered: "),
        ("instruction.md.j2", "{% include 'other.j2' %}", ":1: the prompt cannot be rendered: "),
        ("user.md.j2", "{{ instruction.__class__.__mro__ }}", ":1: the prompt cannot be rendered: access to attribute"),
        ("user.md.j2", "{{ nothing | upper | of_no_filter }}", ":1: not a Jinja template: No filter named"),
    ],
)
def test_what_does_not_work_is_refused_with_file_and_line(
    home: Path, chosen: Path, name: str, text: str, said: str
) -> None:
    path = put(chosen, name, text)
    assert f"{path}{said}" in refused(folder.load(home), chosen)


def test_a_template_that_is_no_text_is_refused(home: Path, chosen: Path) -> None:
    (chosen / "user.md.j2").write_bytes(b"ab\xff")
    assert "user.md.j2: byte 2 is not UTF-8 text." in refused(folder.load(home), chosen)
