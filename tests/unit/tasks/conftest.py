"""Task folders to break, and programs to call."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outpace.tasks.new import new
from outpace.tasks.spec import Task


@pytest.fixture
def metric(tmp_path: Path) -> Path:
    """A folder as ``outpace task new`` writes it, of a metric task."""
    return new(tmp_path / "jobs")


@pytest.fixture
def speedup(tmp_path: Path) -> Path:
    """A folder as ``outpace task new`` writes it, of a speed-up task."""
    return new(tmp_path / "counts", "speedup")


@pytest.fixture
def edit() -> Callable[[Path, str, str], int]:
    """Replace a text that stands once in a file, and give the line of the change."""

    def edited(file: Path, old: str, text: str) -> int:
        before = file.read_text()
        assert before.count(old) == 1, f"{file} holds {old!r} {before.count(old)} times"
        file.write_text(before.replace(old, text))
        return before[: before.index(old)].count("\n") + 1

    return edited


@pytest.fixture
def namespace() -> Callable[[str | None], dict[str, Any]]:
    """Execute the text of a module and give its names; the sandbox does this, in a safer place."""

    def executed(text: str | None) -> dict[str, Any]:
        assert text is not None
        names: dict[str, Any] = {}
        exec(compile(text, "program.py", "exec"), names)
        return names

    return executed


@pytest.fixture
def solve(namespace: Callable[[str | None], dict[str, Any]]) -> Callable[..., Any]:
    """Answer a problem with a task's starting program, or with another entry, through the driver if there is one."""

    def solved(task: Task, problem: Any, entry: Callable[..., Any] | None = None) -> Any:
        function = entry or namespace(task.start.program)[task.spec.entry]
        if task.driver is None:
            return function(**problem)
        return namespace(task.driver)["run"](function, **problem)

    return solved
