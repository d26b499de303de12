"""The tutorial about tasks, done literally: every file written, every mistake made, every command run, in its order.

What a command prints is compared with what the page shows. ``…`` stands there for a text that differs, and on a line of
its own for any number of lines. A mistake (a block of a diff) is made before the next commands and put right after
them.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "tutorials" / "first-task.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"(?:# |<!-- )([\w/]+\.\w+)(?: -->)?\n")
COMMAND = Path(sys.executable).with_name("outpace")


def blocks() -> list[tuple[str, str]]:
    """Return the fenced blocks of the page with their kind."""
    return BLOCK.findall(PAGE.read_text(encoding="utf-8"))


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a console block with what the page shows below it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, shown = part.partition("\n")
        yield command, shown


def pattern(shown: str) -> str:
    """Return the expression that what is printed must match, the space at its end aside."""
    lines = shown.splitlines()
    texts = [".*".join(map(re.escape, line.split("…"))) + "\n" for line in lines]
    return "".join(r"(?:.*\n)*" if line == "…" else text for line, text in zip(lines, texts, strict=True))


def changed(folder: Path, diff: str) -> tuple[Path, str]:
    """Make the change of a diff in the file that it names; return the file and what it held before."""
    named = NAMED.match(diff)
    assert named, diff
    path, lines = folder / named.group(1), diff.splitlines()[1:]
    before = path.read_text(encoding="utf-8")
    old = "\n".join(line[1:] for line in lines if line.startswith("-"))
    new = "\n".join(line[1:] for line in lines if line.startswith("+"))
    assert before.count(old) == 1, f"{path.name} holds {old!r} {before.count(old)} times"
    path.write_text(before.replace(old, new), encoding="utf-8")
    return path, before


def printed(command: str, folder: Path) -> str:
    """Run a command of the page in ``folder`` with the installed program; return what it prints on both streams."""
    name, *given = command.split()
    assert name == "outpace", command
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OUTPACE")}
    done = subprocess.run(
        [str(COMMAND), *given],
        cwd=folder,
        env={**kept, "OUTPACE_HOME": str(folder / "state"), "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )
    return "".join(f"{line.rstrip()}\n" for line in done.stdout.splitlines())


def test_the_tutorial_from_beginning_to_end(tmp_path: Path) -> None:
    mistakes: list[tuple[Path, str]] = []
    told = 0
    for kind, block in blocks():
        if kind == "diff":
            mistakes.append(changed(tmp_path, block))
        elif kind == "console":
            for command, shown in commands(block):
                found = printed(command, tmp_path)
                assert re.fullmatch(pattern(shown), found), f"$ {command}\n{found}\n\nthe page shows:\n{shown}"
                told += 1
            for path, before in mistakes:
                path.write_text(before, encoding="utf-8")
            mistakes.clear()
        elif named := NAMED.match(block):
            path = tmp_path / named.group(1)
            path.parent.mkdir(exist_ok=True)
            path.write_text(block.removeprefix(named.group(0)), encoding="utf-8")
    assert told >= 15
