"""FunSearch (Romera-Paredes et al. 2024, Nature 625): one file, one function that evolves and one that judges it.

``@funsearch.evolve`` marks the function to be improved, ``@funsearch.run`` the one that is called with each input and
returns the score, the higher the better; as in the public notebooks the marks may be comments. The inputs are an
option, or a JSON list in ``NAME.inputs.json`` beside ``NAME.py``. All judging is the file's own, self-reported.
"""

import ast
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outpace.errors import TaskError, UsageError
from outpace.tasks.candidate import BLOCK_END, BLOCK_START
from outpace.tasks.folder import bound_names
from outpace.tasks.importers import writing
from outpace.tasks.importers.source import Files, Source

OPTIONS = {
    "inputs": "the inputs as a JSON list, such as [8, 9]; default: those of NAME.inputs.json beside the file",
    "wall_s": "seconds that one input may take; default 30, as in the public implementation",
}
WALL_S = 30
_MARK = re.compile(r"^(?:# *)?@funsearch\.(run|evolve)\b")
_WHAT = "a Python file with one function marked @funsearch.evolve and one marked @funsearch.run"
_PRUNED = ("__pycache__", "node_modules", "site-packages")


@dataclass(frozen=True, slots=True)
class Specification:
    """A file: its lines, and its two marked functions."""

    text: str
    tree: ast.Module
    evolve: ast.FunctionDef
    run: ast.FunctionDef


def tasks(path: Path) -> list[str]:
    """Return the files below a folder that mark functions, or the empty text for one file."""
    if not path.is_dir():
        _specification(path)
        return [""]
    found = sorted(file.relative_to(path).as_posix() for file in _marked(path))
    if not found:
        raise TaskError(f"{path}: nothing there or below; expected {_WHAT}")
    return found


def _marked(path: Path) -> Iterator[Path]:
    for folder, inner, files in os.walk(path):
        inner[:] = [name for name in inner if not name.startswith(".") and name not in _PRUNED]
        for file in (Path(folder, name) for name in files if name.endswith(".py")):
            text = file.read_text(encoding="utf-8", errors="replace")
            if {"run", "evolve"} <= {found[1] for line in text.splitlines() if (found := _MARK.match(line))}:
                yield file


def files(source: Source) -> Files:
    """Return the task folder of one file."""
    path = source.path
    if path.is_dir():
        raise TaskError(f"{path}: is a folder; expected {_WHAT} (outpace task list funsearch:{path})")
    found = _specification(path)
    inputs = _inputs(source)
    spread = _spread(found.run, inputs, path)
    settings = {"run": found.run.name, "spread": spread}
    return {
        **writing.inside("funsearch/driver.py"),
        "task.py": writing.inside("reported_task.py")["reported_task.py"],
        "task.toml": _facts(source, found, inputs),
        **writing.utf8({"program.py": _program(found), "statement.md": _statement(found)}),
        **{
            f"support/{name}": data
            for name, data in writing.inside("told.py", "classes/opened.py", "funsearch/funsearch.py").items()
        },
        "support/settings.json": (json.dumps(settings, indent=2) + "\n").encode(),
    }


def _specification(path: Path) -> Specification:
    """Return what a file marks; raises ``TaskError`` unless it is one function for each mark."""
    text, tree = writing.parsed(path, _WHAT)
    lines = text.splitlines()
    marked: dict[str, list[ast.FunctionDef]] = {"evolve": [], "run": []}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            for line in lines[_first(node, lines) - 1 : node.lineno - 1]:
                if found := _MARK.match(line):
                    marked[found[1]].append(node)
    for mark, nodes in marked.items():
        if len(nodes) != 1:
            names = f"{len(nodes)} functions ({', '.join(node.name for node in nodes)})" if nodes else "no function"
            raise TaskError(f"{path}: marks {names} with @funsearch.{mark} at the top level; expected {_WHAT}")
    return Specification(text, tree, marked["evolve"][0], marked["run"][0])


def _first(node: ast.FunctionDef, lines: list[str]) -> int:
    """Return the number of the first line that belongs to a function: its decorators, and marks in comments above."""
    first = min([node.lineno, *(one.lineno for one in node.decorator_list)])
    while first > 1 and _MARK.match(lines[first - 2]):
        first -= 1
    return first


def _inputs(source: Source) -> list[Any]:
    """Return the inputs; raises ``TaskError`` where none are given, ``UsageError`` for an option that is no list."""
    beside = source.path.with_suffix(".inputs.json")
    given = source.options.get("inputs")
    if given is None and not beside.is_file():
        how = f"give them with inputs=[...] or in {beside.name} beside it, a JSON list"
        raise TaskError(f"{source.path}: states no inputs for the function marked @funsearch.run; {how}")
    text = writing.text_of(beside, "a JSON list of inputs") if given is None else given
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if isinstance(found, list) and found and not _holds_none(found):
        return found
    said = "expected a JSON list with at least one input and no null"
    if given is None:
        raise TaskError(f"{beside}: {said}")
    raise UsageError(f"Option 'inputs' of funsearch: got '{given:.60}', {said}.")


def _holds_none(value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return value is None or any(map(_holds_none, inner))


def _spread(run: ast.FunctionDef, inputs: list[Any], path: Path) -> bool:
    """Return whether each input is a list of arguments: the function takes several. Raises ``TaskError``."""
    count = len(run.args.posonlyargs + run.args.args) - len(run.args.defaults)
    if count < 2:
        return False
    for given in inputs:
        if not (isinstance(given, list) and len(given) == count):
            raise TaskError(
                f"{path}: {run.name} takes {count} arguments; got the input {json.dumps(given):.60}, expected a list "
                f"of {count}"
            )
    return True


def _program(found: Specification) -> str:
    """Return the file with the function that evolves, and it alone, in an evolve block; ``funsearch`` is imported."""
    lines = found.text.splitlines()
    assert found.evolve.end_lineno is not None
    first, last = _first(found.evolve, lines) - 1, found.evolve.end_lineno
    block = [f"# {BLOCK_START}", *lines[first:last], f"# {BLOCK_END}"]
    decorated = any(_is_mark(one) for node in (found.evolve, found.run) for one in node.decorator_list)
    lines[first:last] = block
    if decorated and "funsearch" not in bound_names(found.tree):
        lines.insert(_begin(found.tree), "import funsearch")
    return "\n".join(lines) + "\n"


def _is_mark(node: ast.expr) -> bool:
    return "funsearch" in {one.id for one in ast.walk(node) if isinstance(one, ast.Name)}


def _begin(tree: ast.Module) -> int:
    """Return how many lines docstring and imports from ``__future__`` take at the beginning of a module."""
    line = 0
    for index, node in enumerate(tree.body):
        text = index == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if not (text or (isinstance(node, ast.ImportFrom) and node.module == "__future__")):
            break
        line = node.end_lineno or 0
    return line


def _facts(source: Source, found: Specification, inputs: list[Any]) -> bytes:
    wall_s = float(source.whole("wall_s", WALL_S) or WALL_S)
    name = source.path.stem
    table = {
        "name": writing.identifier(name),
        "title": f"{name.replace('_', ' ')} (of FunSearch)",
        "family": "funsearch",
        "requires": writing.packages(found.text, own=["funsearch"]),
        "sources": [f"{source.path.name}, as FunSearch has it: Romera-Paredes et al. 2024, Nature 625, 468-475"],
        "goal": {"kind": "metric", "name": "score", "direction": "maximise", "self_reported": True},
        "limits": {
            "wall_s": wall_s,
            "cpu_s": min(2 * wall_s * len(inputs), 86400.0),
            "memory_mb": 4096,
            "processes": 64,
            "disk_mb": 256,
        },
    }
    cases = [{"name": name, "params": {"input": given}} for name, given in zip(_names(inputs), inputs, strict=True)]
    return writing.facts(table, cases)


def _names(inputs: list[Any]) -> list[str]:
    """Return the names of the cases: what they are where that is short, else their numbers."""
    short = [re.sub(r"[^A-Za-z0-9.-]+", "_", json.dumps(given)).strip("_") for given in inputs]
    if len(set(short)) == len(short) and all(0 < len(name) <= 40 for name in short):
        return [f"input_{name}" for name in short]
    return [f"input_{number}" for number in range(1, len(inputs) + 1)]


def _statement(found: Specification) -> str:
    evolve, run = found.evolve, found.run
    back = f" -> {ast.unparse(evolve.returns)}" if evolve.returns else ""
    parts = [
        ast.get_docstring(found.tree) or "",
        f"Improve the function `def {evolve.name}({ast.unparse(evolve.args)}){back}` of `program.py`; the rest of the "
        "file stays as it is and calls it.",
        ast.get_docstring(evolve) or "",
        f"`{run.name}` is called with each input, every time in a process of its own, and returns a score; the mean "
        "over the inputs counts, and **higher is better**. What judges runs in the process of the program, so the "
        "score is self-reported. A program fails that raises an exception for an input, or for which "
        f"`{run.name}` returns anything but a finite int or float.",
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"
