"""What OpenEvolve's and ShinkaEvolve's tasks have in common: a program in some language, an evaluator beside it."""

import ast
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from outpace.errors import TaskError
from outpace.tasks.importers import writing
from outpace.tasks.importers.languages import PYTHON, language_of, marked
from outpace.tasks.importers.source import Files, Source
from outpace.tasks.importers.writing import text_of

OPTIONS = {
    "memory_mb": "megabytes of memory for one evaluation (default 4096)",
    "threads": "threads of numerical libraries (default 1)",
    "wall_s": "seconds for one evaluation (default: what the original says)",
}
LEFT_BEHIND = ("openevolve_output", "evolve_output", "checkpoints", "results", "tests", "wandb", "venv")
"""Folders that runs of the originals leave beside a task."""
NETWORK = ("aiohttp", "anthropic", "dspy", "google", "httpx", "litellm", "mlx_lm", "openai", "optillm", "requests")
_MOST_WALL_S, _MOST_CPU_S = 3600.0, 86400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A task as another tool has it.

    ``tool`` is that tool, ``package`` its Python package; ``stand_ins`` are the files that serve for it by their path
    in ``support/``, with those of their modules that evaluators may import. ``prompt`` is what its models are told of
    the task, ``score`` how its score comes about; ``settings`` are the files that set up its own runs, as patterns of
    names, which may hold keys and are left behind; ``notes`` tell which settings were used and which were not.
    """

    tool: str
    package: str
    program: Path
    evaluator: Path
    driver: str
    stand_ins: Mapping[str, bytes]
    modules: Sequence[str]
    prompt: str
    score: str
    settings: Sequence[str]
    params: Mapping[str, Any]
    wall_s: float
    evaluations: int | None = None
    notes: Sequence[str] = field(default_factory=tuple)

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.evaluator.parent

    @property
    def name(self) -> str:
        """The name of its folder, with that of the folder above where it is only a number."""
        folder = self.folder.resolve()
        return f"{folder.parent.name}_{folder.name}" if folder.name[:1].isdigit() else folder.name


def tasks(path: Path, evaluator: str, program: str) -> list[str]:
    """Return the folders with a file ``evaluator`` at or below ``path``, as ``source.Importer.tasks`` does."""
    if not path.is_dir():
        what = "is a file" if path.exists() else "no such folder"
        raise TaskError(f"{path}: {what}; expected a folder with {program}.py and {evaluator}, or folders of such ones")
    found = sorted(folder.relative_to(path).as_posix() for folder in _with(path, evaluator))
    if not found:
        raise TaskError(f"{path}: no {evaluator} in it or below; expected a folder with {program}.py and {evaluator}")
    return ["" if name == "." else name for name in found]


def _with(folder: Path, evaluator: str) -> Iterator[Path]:
    """Yield the nearest folders that hold a file of this name."""
    if (folder / evaluator).is_file():
        yield folder
        return
    for inner in sorted(folder.iterdir()):
        if inner.is_dir() and not inner.is_symlink() and not inner.name.startswith((".", "__")):
            yield from _with(inner, evaluator)


def program_of(source: Source, stem: str) -> Path:
    """Return the program to begin with: as the option says, else ``stem`` with ``.py`` or another suffix."""
    folder = source.path
    if given := source.options.get("program"):
        return folder / given
    found = [path for path in sorted(folder.glob(f"{stem}.*")) if path.is_file()]
    python = folder / f"{stem}.py"
    if python in found or not found:
        if (folder / stem).is_dir():
            raise TaskError(f"{folder / stem}: is a folder; only programs of one file are imported, not whole projects")
        return python
    if len(found) > 1:
        names = ", ".join(path.name for path in found)
        raise TaskError(f"{folder}: several programs to begin with: {names}; choose one by ?program=NAME")
    return found[0]


def settings(path: Path) -> dict[str, Any]:
    """Return what a YAML file says; raises ``TaskError``."""
    try:
        found = yaml.safe_load(text_of(path, "settings in YAML"))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark else ""
        raise TaskError(f"{path}{line}: not valid YAML: {getattr(error, 'problem', None) or error}") from None
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise TaskError(f"{path}: holds a {type(found).__name__}, expected keys and values")
    return {str(key): value for key, value in found.items()}


def used_and_not(table: Mapping[str, Any], used: Sequence[str], name: str) -> list[str]:
    """Return a line with the keys of settings that were used and one with the others, without their values.

    ``used`` are keys ``section.key``; a section of which nothing was used is told by its name.
    """
    mine, others = [], []
    for key, value in table.items():
        inner = [f"{key}.{name}" for name in value] if isinstance(value, dict) else [key]
        kept = [name for name in inner if name in used]
        mine += kept
        if not kept:
            others.append(key)
        elif left := [name.removeprefix(f"{key}.") for name in inner if name not in used]:
            others.append(f"{key}: {', '.join(left)}")
    lines = [f"{name}, used: {', '.join(mine)}"] if mine else []
    return lines + ([f"{name}, not used: {'; '.join(others)}"] if others else [])


def folder_files(source: Source, original: Original) -> Files:
    """Return the task folder that an original makes; raises ``TaskError``."""
    language = language_of(original.program)
    what = f"the program that a run of {original.tool} begins with"
    program = marked(text_of(original.program, what), language, original.program)
    texts = [_parsed(original.evaluator)]
    if language is PYTHON:
        texts.append(_parsed(original.program))
    requires = _required(texts, original)
    if asked := [name for name in requires if name in NETWORK]:
        raise TaskError(f"{original.evaluator}: imports {', '.join(asked)}; no evaluator in a sandbox has a network")
    title = f"{original.name.replace('_', ' ')} (of {original.tool})"
    wall_s = min(float(source.whole("wall_s") or original.wall_s), _MOST_WALL_S)
    threads = source.whole("threads", 1) or 1
    table = {
        "name": writing.identifier(original.name),
        "title": title,
        "family": "imported",
        "language": language.name,
        "requires": requires,
        "sources": [f"{original.tool}: {original.program.name} and {original.evaluator.name}", *original.notes],
        "evaluations": original.evaluations,
        "goal": {"kind": "metric", "name": "score", "direction": "maximise", "self_reported": True},
        "limits": {
            "wall_s": wall_s,
            "cpu_s": min(4 * wall_s * threads, _MOST_CPU_S),
            "memory_mb": source.whole("memory_mb", 4096),
            "processes": 128,
            "disk_mb": 512,
            "threads": threads,
        },
    }
    params = {**original.params, "suffix": original.program.suffix, "evaluator": original.evaluator.name}
    statement = _statement(title, original, language.name, wall_s)
    return {
        "task.toml": writing.facts(table, [{"name": "evaluation", "params": params}]),
        **writing.utf8({"statement.md": statement, "program.py": program}),
        "task.py": writing.inside("reported_task.py")["reported_task.py"],
        "driver.py": writing.inside(original.driver)["driver.py"],
        **{f"support/{name}": content for name, content in original.stand_ins.items()},
        **{f"support/{name}": content for name, content in writing.inside("told.py").items()},
        **writing.below(original.folder, under="support/task", skipped=(*LEFT_BEHIND, *original.settings)),
    }


def _statement(title: str, original: Original, language: str, wall_s: float) -> str:
    file = original.evaluator.name
    said = original.prompt.strip() or "Improve the program, so that its score grows."
    foreign = f" It is written in {language}; `{file}` gets it as a file `*{original.program.suffix}`."
    return (
        f"# {title}\n\n{said}\n\n## How a program is judged\n\n"
        f"`program.py` is handed to the task's own evaluator, `{file}`, which runs it and works out its figures."
        f"{'' if language == 'python' else foreign} {original.score} More is better. One evaluation may take "
        f"{wall_s:g} s. Keep what stands outside the evolve blocks, and the names that it uses: the evaluator calls "
        "them.\n\nThe evaluator runs in the process of the program, so the score is self-reported.\n"
    )


def _parsed(path: Path) -> ast.Module:
    return writing.parsed(path, "a program in Python")[1]


def _required(trees: list[ast.Module], original: Original) -> list[str]:
    """Return the packages that must be there: imported at the top level of a file, also by modules beside it.

    What stands in ``try`` or in a function is taken to be optional. Raises ``TaskError`` for a module of the tool's own
    that has no stand-in.
    """
    found: set[str] = set()
    seen: set[Path] = set()
    waiting = list(trees)
    while waiting:
        for name in _imported(waiting.pop()):
            top = name.partition(".")[0]
            own = original.folder / f"{top}.py"
            if top == original.package:
                if name not in original.modules:
                    there = ", ".join(original.modules)
                    raise TaskError(f"{original.evaluator}: imports {name}; Outpace stands in for {there} only")
            elif own.is_file():
                if own not in seen:
                    seen.add(own)
                    waiting.append(_parsed(own))
            elif top not in sys.stdlib_module_names and not (original.folder / top).is_dir():
                found.add(top)
    return sorted(found)


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module
