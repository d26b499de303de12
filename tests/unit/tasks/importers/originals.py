"""What the tests of importers share: laying an original out, loading the task that comes of it, judging, commands."""

import asyncio
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from outpace.agent.cli.main import app
from outpace.evaluators.base import Evaluation
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.plugins import load
from outpace.tasks import folder
from outpace.tasks.candidate import Candidate
from outpace.tasks.importers import source
from outpace.tasks.spec import Task


def needs_torch(test: Callable[..., None]) -> Callable[..., None]:
    """Mark a test that needs torch: slow, run by .ci/run with the packages of vLLM's environment, skipped without."""
    absent = pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed: pip install torch")
    marked: Callable[..., None] = pytest.mark.torch(pytest.mark.slow(absent(test)))
    return marked


def laid(place: Path, files: Mapping[str, str]) -> Path:
    """Write files below a folder and return that."""
    for name, text in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


def loaded(text: str) -> Task:
    """Return the task of ``FORMAT:PATH``."""
    return folder.load(source.folder_of(text))


def judged(task: Task, program: str | None = None, sandbox: str = "process") -> Evaluation:
    """Evaluate a program, or the one that a task begins with."""
    candidate = task.start if program is None else Candidate({"program.py": program})
    place = load("sandbox", sandbox)()
    try:
        return asyncio.run(CascadeEvaluator(place).evaluate(task, candidate))
    finally:
        place.close()


def invoke(*arguments: str | Path) -> Result:
    """Run a command."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def printed(*arguments: str | Path, code: int = 0) -> str:
    """Run a command that must end with this code, and return what it prints."""
    done = invoke(*arguments)
    assert done.exit_code == code, done.output
    return done.output
