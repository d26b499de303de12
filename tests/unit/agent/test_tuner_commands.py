"""From a message to the one command in it."""

import pytest

from outpace.agent.proposers.tuner.commands import NAMES, Command, CommandError, command_of, form_of


def message(*bodies: str) -> str:
    return "I think.\n\n" + "\n".join(f"```\n{body}\n```" for body in bodies) + "\nThat is it.\n"


EDIT = "edit\nfile: program.py\nlines: 3-5\n---\n    x = 1\n\n    y = 2\n---"


def edit(text: str) -> Command:
    return Command(name="edit", file="program.py", first=3, last=5, text=text)


@pytest.mark.parametrize(
    ("body", "command"),
    [
        ("ls", Command(name="ls")),
        ("\n  eval  \n", Command(name="eval")),
        ("revert", Command(name="revert")),
        ("done", Command(name="done")),
        ("view_file program.py", Command(name="view_file", file="program.py", first=1)),
        ("view_file program.py 101", Command(name="view_file", file="program.py", first=101)),
        ("reference", Command(name="reference")),
        ("eval_input 700", Command(name="eval_input", case="700")),
        ("profile large 3", Command(name="profile", case="large", number=3)),
        ("profile_lines", Command(name="profile_lines")),
        ("delete\nfile: program.py\nlines: 7", Command(name="delete", file="program.py", first=7, last=7)),
        (EDIT, edit("    x = 1\n\n    y = 2\n")),
        (EDIT.replace("\n\n", "\n---\n"), edit("    x = 1\n---\n    y = 2\n")),
        ("edit\nfile: program.py\nlines: 3 - 5\n---\n---", edit("")),
    ],
)
def test_a_command_is_understood(body: str, command: Command) -> None:
    found = command_of(message(body))
    assert found.thought == "I think.\nThat is it."
    assert found == Command(**{name: getattr(command, name) for name in Command.__slots__} | {"thought": found.thought})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no command"),
        ("Just words about `eval`.", "no command"),
        (message("ls", "eval"), "2 commands"),
        (message("ls\neval"), "One command a message"),
        (message("rm -rf /"), "'rm' is not a command. Commands: view_file, edit, delete"),
        (message(""), "is not a command"),
        (message("eval now"), "'eval' stands alone"),
        (message("view_file"), "view_file FILE"),
        (message("view_file program.py first"), "view_file FILE"),
        (message("profile a b"), r"profile \[CASE"),
        (message("profile a 99999999999999999999"), r"profile \[CASE"),
        (message("reference a 1 2"), r"reference \[CASE"),
        (message("edit\nfile: program.py\nlines: 1-2\nx = 1"), "between two lines '---'"),
        (message("edit\nfile: program.py\n---\nx = 1\n---"), "needs a file and its lines"),
        (message("edit program.py\nfile: program.py\nlines: 1-2\n---\n---"), "needs a file and its lines"),
        (message("edit\nfile: program.py\nlines: 5-2\n---\n---"), "5-2 are no lines"),
        (message("delete\nfile: program.py\nlines: 0-0"), "0-0 are no lines"),
        (message("delete\nfile: program.py\nlines: all"), "needs a file and its lines"),
        ("<think>```\nls\n```", "no command"),
    ],
)
def test_what_is_no_command_is_explained(text: str, told: str) -> None:
    with pytest.raises(CommandError, match=told) as caught:
        command_of(text)
    assert "\n" not in str(caught.value)


def test_code_beside_the_command_is_part_of_the_thought() -> None:
    text = "I want\n```python\nx = 1\n```\nand so\n```\neval\n```\n"
    assert command_of(text).name == "eval"


def test_the_command_may_stand_beside_the_backticks() -> None:
    assert command_of("```ls\n```").name == "ls"
    assert command_of("```edit\nfile: program.py\nlines: 1-1\n---\nx\n---\n```").text == "x\n"


def test_backticks_inside_of_an_edit_need_a_longer_fence() -> None:
    body = 'edit\nfile: program.py\nlines: 1-1\n---\n"""\n```\nexample\n```\n"""\n---'
    assert command_of(f"````\n{body}\n````").text == '"""\n```\nexample\n```\n"""\n'


def test_thoughts_in_tags_are_not_read() -> None:
    assert command_of("<think>\n```\nrevert\n```\n</think>\n```\nls\n```").name == "ls"


def test_each_command_has_a_form() -> None:
    assert [form_of(name).split()[0] for name in NAMES] == list(NAMES)
