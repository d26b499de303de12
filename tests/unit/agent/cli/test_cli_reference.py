"""docs/reference/cli.md names every command and every option, and none that does not exist."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from outpace.agent.cli.main import app

PAGE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "cli.md"
OPTION = re.compile(r"`(-{1,2}[a-z][a-z-]*)[ `]")


def commands() -> dict[str, Any]:
    """Return each command of the app by its whole name."""
    found: dict[str, Any] = {}
    waiting = [("outpace", typer.main.get_command(app))]
    while waiting:
        name, command = waiting.pop()
        children = getattr(command, "commands", {})
        waiting += [(f"{name} {child}", one) for child, one in children.items()]
        if name == "outpace" or not children:
            found[name] = command
    return found


def sections() -> dict[str, str]:
    """Return the sections of the page by their heading."""
    parts = re.split(r"^## (.+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def options(command: Any) -> set[str]:
    return {name for parameter in command.params for name in parameter.opts if name.startswith("-")}


def test_every_command_has_a_section_and_no_other() -> None:
    assert set(sections()) == set(commands())


@pytest.mark.parametrize("name", sorted(commands()))
def test_section_has_a_row_for_each_option_of_the_command(name: str) -> None:
    rows = [line for line in sections()[name].splitlines() if line.startswith("| `")]
    documented = {option for row in rows for option in OPTION.findall(row.split("|")[1])}
    assert documented == options(commands()[name]) - {"-h", "--help"}


@pytest.mark.parametrize("name", sorted(set(commands()) - {"outpace"}))
def test_section_names_the_arguments(name: str) -> None:
    usage = next(line for line in sections()[name].splitlines() if line.startswith(f"`{name}")).split("`")[1]
    arguments = [one.metavar or one.name.upper() for one in commands()[name].params if not one.opts[0].startswith("-")]
    assert usage.split(" -o")[0].split()[len(name.split()) :] == arguments
