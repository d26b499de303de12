"""What importers share: reading the original, and writing the files of a task folder."""

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import tomli_w

from outpace.errors import TaskError
from outpace.tasks.candidate import BLOCK_END, BLOCK_START
from outpace.tasks.importers.source import Files
from outpace.tasks.packages import imported

INSIDE = Path(__file__).parent / "inside"
"""Files of our own that run in the sandbox or in the process aside, by format."""
_MOST_FILES, _MOST_MB = 500, 32
_SKIPPED = (".*", "*.pyc", "__pycache__", "node_modules")


def text_of(path: Path, what: str) -> str:
    """Return the text of a file; raises ``TaskError`` saying ``what`` was looked for."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise TaskError(f"{path}: no such file; expected {what}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise TaskError(f"{path}: cannot be read as text ({error}); expected {what}") from None


def parsed(path: Path, what: str) -> tuple[str, ast.Module]:
    """Return text and syntax tree of a Python file; raises ``TaskError``."""
    text = text_of(path, what)
    try:
        return text, ast.parse(text)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", 0)
        raise TaskError(f"{path}:{line}: not valid Python: {error}; expected {what}") from None


def below(folder: Path, *, under: str = "", skipped: Iterable[str] = ()) -> dict[str, bytes]:
    """Return the files below a folder as ``under/path`` to content, without hidden and compiled ones.

    Nor are those there whose names fit a pattern of ``skipped``, such as ``config*.yaml``.

    Raises:
        TaskError: more than a task may hold; the folder holds something else as well.
    """
    found: dict[str, bytes] = {}
    size = 0
    for path in _walked(folder, (*_SKIPPED, *skipped)):
        size += path.stat().st_size
        if len(found) == _MOST_FILES or size > _MOST_MB << 20:
            raise TaskError(f"{folder}: holds more than {_MOST_FILES} files or {_MOST_MB} MB beside the task")
        found[(Path(under) / path.relative_to(folder)).as_posix()] = path.read_bytes()
    return found


def _walked(folder: Path, skipped: Sequence[str]) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if any(fnmatchcase(path.name, pattern) for pattern in skipped):
            continue
        if path.is_dir() and not path.is_symlink():
            yield from _walked(path, skipped)
        elif path.is_file():
            yield path


def inside(*names: str) -> dict[str, bytes]:
    """Return files of ``INSIDE`` by their last name."""
    return {Path(name).name: (INSIDE / name).read_bytes() for name in names}


def in_block(text: str) -> str:
    """Return a program with all of it in an evolve block, unless it has blocks of its own."""
    if re.search(r"EVOLVE-BLOCK-START", text):
        return text
    return f"# {BLOCK_START}\n{text.strip()}\n# {BLOCK_END}\n"


def packages(*texts: str, own: Iterable[str] = ()) -> list[str]:
    """Return the modules that programs import beside the standard library, Outpace's stand-ins and their ``own``."""
    found = {name for text in texts for name, _ in imported(text)}
    return sorted(found.difference(sys.stdlib_module_names, own))


def identifier(name: str) -> str:
    """Return a name as task.toml wants it: letters, digits and ``_``, no digit first, at most 64."""
    made = re.sub(r"\W+", "_", name, flags=re.ASCII).strip("_")[:60] or "task"
    return f"task_{made}" if made[0].isdigit() else made


def facts(table: Mapping[str, Any], cases: Sequence[Mapping[str, Any]]) -> bytes:
    """Return ``task.toml``: its keys and tables, then its cases; items that are None are left out."""
    whole = {**table, "cases": [_given(case) for case in cases]}
    return tomli_w.dumps(_given(whole)).encode()


def _given(table: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _given(value) if isinstance(value, Mapping) else value for key, value in table.items() if value is not None
    }


def utf8(files: Mapping[str, str]) -> Files:
    """Return texts as the files of a task folder."""
    return {name: text.encode() for name, text in files.items()}
