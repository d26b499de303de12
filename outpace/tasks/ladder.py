"""The ladder of a task: programs that answer it rightly at distinct speeds, in ``ladder/`` of the task folder."""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from outpace.errors import MarkerError, TaskError, UsageError
from outpace.tasks import folder
from outpace.tasks.candidate import Candidate, blocks
from outpace.tasks.spec import Task

FOLDER, WEIGHTS = folder.LADDER, "weights.toml"
LEAST = 2
"""How many rungs make a ladder."""
_NAME = re.compile(r"(\d+)_\w+")


@dataclass(frozen=True, slots=True)
class Rung:
    """A reference solution: its name (``1_naive``), its program, and how many known solutions it stands for."""

    name: str
    candidate: Candidate
    weight: float = 1.0


def read(task: Task) -> tuple[Rung, ...]:
    """Return the rungs of a task by their numbers, which go from slow to fast; their programs are not run here.

    Each is a file ``NUMBER_name.py``, a whole program for the task. ``weights.toml`` beside them may say how many known
    solutions are about as fast as each (``1_naive = 12``); without it every rung stands for one.

    Raises:
        UsageError: the task has no ladder.
        TaskError: the ladder is broken; with the file, what was given and what was expected.
    """
    place = (task.folder or Path()) / FOLDER
    if task.folder is None or not place.is_dir():
        where = f" in {task.folder}" if task.folder else ""
        raise UsageError(
            f"Task '{task.spec.name}' has no ladder: expected a folder {FOLDER}/ with programs 1_slow.py, 2_faster.py "
            f"…{where}, from slow to fast."
        )
    files = sorted(place.glob("*.py"), key=lambda path: (_number(path), path.name))
    if len(files) < LEAST:
        raise TaskError(f"{place}: got {len(files)} programs, expected at least {LEAST}, from slow to fast")
    weights = _weights(place / WEIGHTS, [path.stem for path in files])
    return tuple(Rung(path.stem, _program(task, path), weights.get(path.stem, 1.0)) for path in files)


def _number(path: Path) -> int:
    found = _NAME.fullmatch(path.stem)
    if not found:
        raise TaskError(f"{path}: expected a name with its place in the ladder, such as 1_{path.name}")
    return int(found[1])


def _program(task: Task, path: Path) -> Candidate:
    try:
        text = path.read_bytes().decode()
        blocks(text)
    except UnicodeDecodeError as error:
        raise TaskError(f"{path}: byte {error.start} is not UTF-8 text") from error
    except MarkerError as error:
        raise TaskError(f"{path}: {error}") from error
    return task.start.with_program(text)


def _weights(path: Path, names: list[str]) -> dict[str, float]:
    if not path.exists():
        return {}
    try:
        data = tomllib.loads(path.read_bytes().decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TaskError(f"{path}: not valid TOML: {error}") from error
    for name, weight in data.items():
        if name not in names:
            raise TaskError(f"{path}: got '{name}', expected the name of a rung: {', '.join(names)}")
        if type(weight) not in (int, float) or not 0 < weight < float("inf"):
            raise TaskError(f"{path}: {name}: got {weight!r}, expected how many solutions it stands for, above 0")
    return {name: float(weight) for name, weight in data.items()}
