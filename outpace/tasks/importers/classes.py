"""Problem classes of other tools: finding them, gathering the files that they need, asking what they say of themselves.

A class is a file's ``class P(Base)``; its path is that of the file, or of its folder where it is the only one there, or
``FILE/CLASS`` where a file has several. The class itself is only ever made in a process aside, and in the sandbox.
"""

import ast
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outpace.errors import MissingPackage, TaskError, UsageError
from outpace.tasks.importers import source as sources
from outpace.tasks.importers import writing
from outpace.tasks.importers.aside import Aside
from outpace.tasks.importers.source import Files, Source
from outpace.tasks.packages import package_of

SPARE_S = 30.0
"""What importing and making a problem may take beside the original's time limit, which is for judging alone."""
LIMIT_S = 60.0
"""Time limit where the original has none."""
_PRUNED = ("__pycache__", "node_modules", "site-packages")
_OUTPUTS = ("results", "logs")
_DOWNLOADS = ("datasets", "huggingface_hub")
PLACE = "task"
"""The folder below support/ that told.laid_out copies."""
ARGUMENTS = 'arguments of the class as a JSON object, such as {"n_instances": 8}; default: its own'
WALL_S = "seconds that one evaluation may take; default: the original's time limit and 30 more"


@dataclass(frozen=True, slots=True)
class Format:
    """What differs between the tools: how they are called, which classes are theirs, and our stand-in for them."""

    name: str
    title: str
    expected: str
    classes: Callable[[Path], list[str]]
    standin: Mapping[str, bytes]
    package: str
    goal: str
    direction: str
    paper: str


@dataclass(frozen=True, slots=True)
class Problem:
    """One class and the files that it needs: ``files`` by path below ``root``, ``module`` as it is imported there."""

    file: Path
    name: str
    module: str
    files: Mapping[str, bytes]
    several: bool = False


@dataclass(frozen=True, slots=True)
class Program:
    """The first program: its text, the name of what is evolved, and what else driver and statement are to be told."""

    text: str
    entry: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    remarks: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Description:
    """What a class says of itself; ``limit_s`` is its time limit."""

    template: str
    description: str
    limit_s: float | None
    modules: frozenset[str]
    prompts: Mapping[str, Any] = field(default_factory=dict)


def derived(path: Path, base: str) -> list[str]:
    """Return the classes of a file that are derived from a class called ``base``, or from one that is."""
    try:
        data = path.read_bytes()
        tree = ast.parse(data) if base.encode() in data else ast.Module([], [])
    except (OSError, SyntaxError, ValueError):
        return []
    found: list[str] = []
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and any(_last(one) in (base, *found) for one in node.bases):
            found.append(node.name)
    return found


def _last(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def listed(path: Path, format_: Format) -> list[str]:
    """Return the classes below a folder, or of a file, as the rest of a path; raises ``TaskError`` if there is none."""
    if not path.is_dir():
        file, name = chosen(path, format_, several=True)
        return [""] if name else format_.classes(file)
    names: list[str] = []
    for folder, files in _folders(path):
        found = {file: classes for file in files if (classes := format_.classes(file))}
        only = sum(map(len, found.values())) == 1
        for file, classes in found.items():
            at = (folder if only else file).relative_to(path).as_posix()
            names += [f"{at}/{name}" for name in classes] if len(classes) > 1 else ["" if at == "." else at]
    if not names:
        raise TaskError(f"{path}: nothing there or below; expected {format_.expected}")
    return sorted(names)


def _folders(path: Path) -> Iterator[tuple[Path, list[Path]]]:
    for folder, inner, files in os.walk(path):
        inner[:] = sorted(name for name in inner if not name.startswith(".") and name not in _PRUNED)
        yield Path(folder), [Path(folder, name) for name in sorted(files) if name.endswith(".py")]


def chosen(path: Path, format_: Format, *, several: bool = False) -> tuple[Path, str]:
    """Return the file and the name of the class that a path leads to; with ``several`` the name may be left empty.

    Raises:
        TaskError: there is none, or more than one and ``several`` is not set.
    """
    if path.parent.is_file() and path.name in format_.classes(path.parent):
        return path.parent, path.name
    if path.parent.is_file():
        raise TaskError(f"{path.parent}: has no class '{path.name}'; expected {format_.expected}")
    if not path.exists():
        raise TaskError(f"{path}: no such file or folder; expected {format_.expected}")
    files = sorted(path.glob("*.py")) if path.is_dir() else [path]
    found = [(file, name) for file in files for name in format_.classes(file)]
    if not found:
        hint = f" (outpace task list {format_.name}:{path} lists those below)" if path.is_dir() else ""
        raise TaskError(f"{path}: no Python file there fits; expected {format_.expected}{hint}")
    if len(found) == 1:
        return found[0]
    if several:
        return path, ""
    names = ", ".join(f"{file.name}/{name}" for file, name in found)
    raise TaskError(f"{path}: holds {len(found)} classes, expected one; name it in the path, one of: {names}")


def gathered(file: Path, root: Path, package: str) -> dict[str, bytes]:
    """Return the modules below ``root`` that a file imports, with all that they import, and the data beside it.

    Modules of ``package`` that our stand-in serves are left out, and so are scripts that nothing imports: those that
    start a run may hold a key.
    """
    data = writing.below(file.parent, under=file.parent.relative_to(root).as_posix(), skipped=_OUTPUTS)
    files = {name: content for name, content in data.items() if not name.endswith(".py")}
    waiting, reached = [file], {file}
    while waiting:
        here = waiting.pop()
        files[here.relative_to(root).as_posix()] = here.read_bytes()
        for found in _imported(here, root):
            ours = found.name == "__init__.py" and found.parent in file.parent.parents
            if found not in reached and not ours and found.relative_to(root).parts[:2] not in _served(package):
                reached.add(found)
                waiting.append(found)
    return files


def _served(package: str) -> tuple[tuple[str, ...], ...]:
    return ((package, "__init__.py"), (package, "base"), (package, "problem.py"))


def _imported(file: Path, root: Path) -> Iterator[Path]:
    """Yield the files below ``root`` that the imports of a file lead to."""
    _, tree = writing.parsed(file, "a Python file that the task imports")
    around = file.relative_to(root).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _files(root, alias.name.split("."))
        elif isinstance(node, ast.ImportFrom):
            above = list(around[: len(around) - node.level + 1]) if node.level else []
            parts = above + (node.module.split(".") if node.module else [])
            for alias in node.names:
                yield from _files(root, [*parts, alias.name])


def _files(root: Path, parts: list[str]) -> Iterator[Path]:
    """Yield what importing ``a.b.c`` runs: the packages on the way, and the module where there is one."""
    for count in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:count])
        yield from (file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file())


def described(problem: Problem, source: Source, format_: Format) -> Description:
    """Make the problem in a process aside, from the files that the sandbox will have; return what it says.

    Raises:
        MissingPackage: it imports a module that is not installed; the line that installs it.
        TaskError: it cannot be made, and why.
    """
    aside = Aside(writing.INSIDE / "classes" / "look.py")
    with tempfile.TemporaryDirectory(prefix="outpace-") as room:
        place = Path(room) / PLACE
        sources.write({**problem.files, **format_.standin}, place)
        try:
            found = aside.ask("described", str(place), problem.module, problem.name, arguments(source))
        finally:
            aside.close()
    if missing := found.pop("missing", ""):
        raise _missing(problem, missing, format_)
    if fault := found.pop("fault", ""):
        raise TaskError(f"{problem.file}: {problem.name} cannot be made: {' '.join(fault.split())}")
    return Description(**{**found, "modules": frozenset(found["modules"])})


def _missing(problem: Problem, module: str, format_: Format) -> TaskError | MissingPackage:
    package = module.partition(".")[0]
    if package == format_.package:
        said = (
            f"imports '{module}', which our stand-in for {format_.title} does not have; keep the class in a file that"
        )
        return TaskError(f"{problem.file}: {said} imports none of what runs a search")
    if package in _DOWNLOADS:
        return TaskError(f"{problem.file}: fetches data with '{package}', which the sandbox has no network for")
    if (problem.file.parent / f"{package}.py").exists() or (problem.file.parent / package).is_dir():
        return TaskError(f"{problem.file}: '{module}' was not found among its files; expected an import by name")
    said = f"{problem.file} needs '{package}', which cannot be imported here; pip install {package_of(package)}"
    return MissingPackage(said)


def arguments(source: Source) -> dict[str, Any]:
    """Return the arguments that the option ``arguments`` gives to the class; raises ``UsageError``."""
    given = source.option("arguments", "{}")
    try:
        found = json.loads(given)
    except ValueError:
        found = None
    if not isinstance(found, dict) or "null" in given:
        raise UsageError(
            f"Option 'arguments' of {source.format}: got '{given:.60}', expected a JSON object of numbers and texts."
        )
    return found


def entry(template: str, what: str) -> str:
    """Return the name of what a template evolves: its class, or its last function; raises ``TaskError``."""
    try:
        tree = ast.parse(template)
    except (SyntaxError, ValueError) as error:
        raise TaskError(f"{what}: template_program is not valid Python: {error}") from None
    for kind in (ast.ClassDef, ast.FunctionDef):
        if names := [node.name for node in tree.body if isinstance(node, kind)]:
            return names[0] if kind is ast.ClassDef else names[-1]
    given = "is empty" if not template.strip() else "defines nothing"
    raise TaskError(f"{what}: template_program {given}; expected the text of a function or a class")


def folder(source: Source, format_: Format, problem: Problem, found: Description, program: Program) -> Files:
    """Return the files of the task folder."""
    ours = {f"support/{name}": data for name, data in writing.inside("told.py", "classes/opened.py").items()}
    laid = {**problem.files, **format_.standin}
    settings = {"module": problem.module, "class": problem.name, "entry": program.entry, **program.settings}
    return {
        **writing.inside(f"{format_.name}/driver.py"),
        "task.py": writing.inside("reported_task.py")["reported_task.py"],
        "task.toml": _facts(source, format_, problem, found, program),
        **writing.utf8(
            {"program.py": writing.in_block(program.text), "statement.md": _statement(format_, found, program)}
        ),
        **ours,
        "support/settings.json": (json.dumps(settings, indent=2, sort_keys=True) + "\n").encode(),
        **{f"support/{PLACE}/{name}": data for name, data in laid.items()},
    }


def _facts(source: Source, format_: Format, problem: Problem, found: Description, program: Program) -> bytes:
    own = {Path(name).parts[0].removesuffix(".py") for name in problem.files} | {format_.package}
    texts = [program.text, *(data.decode() for name, data in problem.files.items() if name.endswith(".py"))]
    wall_s = float(source.whole("wall_s") or min((found.limit_s or LIMIT_S) + SPARE_S, 3600.0))
    table = {
        "name": _name(problem),
        "title": f"{problem.name} (of {format_.title})",
        "family": format_.name,
        "requires": [name for name in writing.packages(*texts, own=own) if name in found.modules],
        "sources": [f"class {problem.name} of {problem.file.name}, as {format_.title} has it: {format_.paper}"],
        "goal": {"kind": "metric", "name": format_.goal, "direction": format_.direction, "self_reported": True},
        "limits": {"wall_s": wall_s, "cpu_s": 4 * wall_s, "memory_mb": 4096, "processes": 64, "disk_mb": 256},
    }
    return writing.facts(table, [{"name": "original", "params": arguments(source)}])


def _name(problem: Problem) -> str:
    """Return the name of the task: that of its folder, and that of the class where the file has several."""
    place = problem.file.resolve().parent.name
    return writing.identifier(f"{place}_{problem.name}" if problem.several else place)


def _statement(format_: Format, found: Description, program: Program) -> str:
    better = "lower" if format_.direction == "minimise" else "higher"
    parts = [
        found.description,
        *program.remarks,
        f"Improve `{_signature(program)}` of `program.py`. Everything in the file may be changed but that name and how "
        "it is called.",
        f"The {format_.goal} is what the evaluator of the task returns; **{better} is better**. It runs in the process "
        "of the program, so it is self-reported. A program fails that raises an exception, or for which the evaluator "
        "returns None or no finite number.",
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def _signature(program: Program) -> str:
    """Return how what is evolved is called, as one line of Python."""
    found = [one for one in ast.parse(program.text).body if getattr(one, "name", "") == program.entry]
    if not (found and isinstance(found[0], ast.FunctionDef)):
        return f"class {program.entry}"
    back = f" -> {ast.unparse(found[0].returns)}" if found[0].returns else ""
    return f"def {program.entry}({ast.unparse(found[0].args)}){back}"
