"""Tasks of AlgoTune: ``AlgoTuneTasks/NAME/NAME.py`` with ``generate_problem``, ``solve`` and ``is_solution``.

https://github.com/oripress/AlgoTune; the format and what becomes of it are told in docs/how-to/algotune.md.
"""

import ast
import hashlib
import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from platformdirs import user_cache_path

from outpace.errors import MissingPackage, TaskError, UsageError
from outpace.tasks.importers import writing
from outpace.tasks.importers.aside import HOSTED, Aside
from outpace.tasks.importers.lifting import Lift
from outpace.tasks.importers.source import Files, Source, write
from outpace.tasks.packages import package_of

OPTIONS = {
    "n": "the size of the problems (default: that of reports/generation.json in the checkout)",
    "target_ms": "find the size at which the reference takes so many milliseconds here",
    "roundtrip": "no: problems as they are generated, not as AlgoTune's files give them back (default yes)",
    "seeds": "published: problems only of the seeds 42 to 141 and, held out, 142 to 241 (default fresh)",
    "instances": "how many problems of each split are checked (default 3)",
    "requires": "further modules that programs may import, with commas between them",
}
TASKS, REPORT = "AlgoTuneTasks", "reports/generation.json"
FIRST = {"train": 42, "heldout": 142}
"""The published seeds: 100 from these on."""
PUBLISHED = 100
WALL_S, WALL_TIMES = 10.0, 10
"""What a call may take: ten times the reference, as AlgoTune has it, and no less than AlgoTune's pool allows."""
_OWN = ("AlgoTuneTasks", "AlgoTuner", "AlgoTune")
_NEEDED = ("generate_problem", "solve", "is_solution")
_INSIDE = ("driver.py", "hosted.py", "stored.py")
_TASK = b'''"""Asks the original, in a process of its own."""

from outpace.tasks.importers.aside import HostedTask as Task
'''
_MOST_N = 100_000_000
_TRIED = 4


@dataclass(frozen=True)
class _Original:
    """A task's own folder, read and not run."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def file(self) -> Path:
        return self.folder / f"{self.name}.py"

    @cached_property
    def module(self) -> tuple[str, ast.Module]:
        return writing.parsed(self.file, f"the task of AlgoTune, with a class under @register_task('{self.name}')")

    @cached_property
    def kind(self) -> ast.ClassDef:
        """The class of the task, which has all that is needed."""
        for node in self.module[1].body:
            if isinstance(node, ast.ClassDef) and any(
                "register_task" in ast.unparse(one) for one in node.decorator_list
            ):
                missing = [name for name in _NEEDED if name not in _methods(node)]
                if missing:
                    raise TaskError(
                        f"{self.file}:{node.lineno}: class {node.name} does not define {', '.join(missing)}"
                    )
                return node
        raise TaskError(f"{self.file}: no class under @register_task('{self.name}'), which makes it a task of AlgoTune")

    @cached_property
    def program(self) -> str:
        """What the reference is as a program: the starting program."""
        lift = Lift(self.module[0], self.kind.name, method="solve", name="Solver", dropped=_OWN)
        text = lift.program()
        try:
            ast.parse(text)
        except SyntaxError as error:
            raise TaskError(f"{self.file}: its solve cannot be made a program of its own: {error}") from None
        return writing.in_block(text)

    @property
    def report(self) -> dict[str, Any]:
        """What the checkout says of its size and time; empty where it says nothing."""
        path = self.folder.parent.parent / REPORT
        if not path.is_file():
            return {}
        try:
            table = json.loads(writing.text_of(path, "AlgoTune's report of sizes"))
            found = table.get(self.name, {})
        except (ValueError, AttributeError):
            raise TaskError(f"{path}: not the report of sizes, a JSON table by name of task") from None
        return found if isinstance(found, dict) else {}


def _methods(kind: ast.ClassDef) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in kind.body if isinstance(node, ast.FunctionDef)}


def tasks(path: Path) -> list[str]:
    """Return the tasks of a checkout, or of its folder of tasks; see ``source.Importer``."""
    if (path / f"{path.name}.py").is_file():
        return [""]
    folder = path / TASKS if (path / TASKS).is_dir() else path
    found = (
        sorted(one.name for one in folder.iterdir() if (one / f"{one.name}.py").is_file()) if folder.is_dir() else []
    )
    if not found:
        raise TaskError(
            f"{path}: no tasks of AlgoTune; expected a checkout with {TASKS}/NAME/NAME.py, or such a folder"
        )
    return found


def files(source: Source) -> Files:
    """Return the task folder; see ``source.Importer``."""
    original = _Original(_folder(source.path))
    requires = _requires(original, source)
    trusted: dict[str, bytes] = {
        "task.py": _TASK,
        **writing.inside(*(f"algotune/{name}" for name in _INSIDE)),
        "support/algotune_values.py": (writing.INSIDE / "algotune/algotune_values.py").read_bytes(),
        **writing.below(original.folder, under=f"original/{TASKS}/{original.name}"),
        f"original/{TASKS}/__init__.py": b'"""Stands in for AlgoTune: the task lies in here."""\n',
        f"original/{TASKS}/base.py": (writing.INSIDE / "algotune/base.py").read_bytes(),
    }
    params = _params(original, source, trusted)
    return {
        **trusted,
        "task.toml": _facts(original, source, requires, params),
        "statement.md": _statement(original, params).encode(),
        "program.py": original.program.encode(),
    }


def _folder(path: Path) -> Path:
    """Return the folder of a task, given as such or as a name behind its checkout."""
    path = Path(os.path.abspath(path))  # noqa: PTH100  its last part names it, whatever a link says
    for folder in (path, path.parent / TASKS / path.name):
        if (folder / f"{folder.name}.py").is_file():
            return folder
    raise TaskError(
        f"{path}: no task of AlgoTune; expected {path.name}.py in it, or in {path.parent / TASKS / path.name}"
    )


def _requires(original: _Original, source: Source) -> list[str]:
    """Return the modules that task and programs import; raises ``MissingPackage`` with the line that installs them."""
    optional = {name for node in ast.walk(original.module[1]) if isinstance(node, ast.Try) for name in _tried(node)}
    own = {path.stem for path in original.folder.iterdir()} | {*_OWN} | optional
    needed = {"numpy", *writing.packages(original.module[0], original.program, own=own)}
    needed |= {name for name in source.option("requires", "").split(",") if name}
    missing = sorted(name for name in needed if find_spec(name) is None)
    if missing:
        names = ", ".join(f"'{name}'" for name in missing)
        install = " ".join(map(package_of, missing))
        raise MissingPackage(
            f"AlgoTune's task '{original.name}' needs {names}, not installed here; pip install {install}"
        )
    return sorted(needed)


def _tried(node: ast.Try) -> list[str]:
    """Return the modules that are imported where one that is missing is no fault."""
    return writing.packages(ast.unparse(ast.Module(node.body, [])))


def _params(original: _Original, source: Source, trusted: Files) -> dict[str, Any]:
    """Return what every case hands to the generator: size and round trip."""
    roundtrip = source.switch("roundtrip", default=True)
    n, target_ms = source.whole("n"), source.whole("target_ms")
    if n and target_ms:
        raise UsageError("Options 'n' and 'target_ms' of algotune: got both, expected one of them.")
    if target_ms:
        n = _calibrated(original, trusted, {"roundtrip": roundtrip}, target_ms)
    n = n or original.report.get("n")
    if not isinstance(n, int):
        path = original.folder.parent.parent / REPORT
        raise TaskError(
            f"{path}: no size of '{original.name}'; give one with ?n=100, or have it found with ?target_ms=100"
        )
    return {"n": n, "roundtrip": roundtrip}


def _facts(original: _Original, source: Source, requires: list[str], params: dict[str, Any]) -> bytes:
    seeds = source.option("seeds", "fresh")
    if seeds not in ("fresh", "published"):
        raise UsageError(f"Option 'seeds' of algotune: got '{seeds:.40}', expected fresh or published.")
    instances = source.whole("instances", 3)
    runs = original.report.get("baseline_runs", {}).values()
    times_ms = [run["avg_min_ms"] for run in runs if isinstance(run, dict) and run.get("avg_min_ms")]
    reference_s = max([(source.whole("target_ms") or 0) / 1000, *(ms / 1000 for ms in times_ms)])
    cases = [
        {
            "name": "train" if split == "train" else "test",
            "split": split,
            "seed": first,
            "instances": instances,
            "params": {**params, **({"first": first, "seeds": PUBLISHED} if seeds == "published" else {})},
        }
        for split, first in FIRST.items()
    ]
    table = {
        "name": writing.identifier(f"algotune_{original.name}"),
        "title": f"AlgoTune: {original.name.replace('_', ' ')}, faster",
        "family": "algotune",
        "entry": "Solver",
        "requires": requires,
        "build": ["python", "-c", (writing.INSIDE / "algotune/build.py").read_text()],
        "inplace": True,  # every call has a problem of its own there
        "sources": ["AlgoTune, https://github.com/oripress/AlgoTune"],
        "goal": {"kind": "speedup"},
        "answer": {"finite": False},
        "limits": {
            "wall_s": max(WALL_S, WALL_TIMES * reference_s),
            "cpu_s": 1200.0,
            "memory_mb": 14 * 1024,
            "processes": 64,
            "output_mb": 1024,
            "disk_mb": 512,
        },
    }
    return writing.facts(table, cases)


def _statement(original: _Original, params: dict[str, Any]) -> str:
    described = writing.text_of(original.folder / "description.txt", "AlgoTune's description of the task").strip()
    lines = original.module[0].splitlines()
    checker = _methods(original.kind)["is_solution"]
    shown = "\n".join(lines[checker.lineno - 1 : checker.end_lineno])
    return f"""{described}

# What the program is

`class Solver` in program.py, with a method `solve(self, problem, **kwargs)` that returns the answer. It is constructed
once, before anything is timed, and asked for the answers to many different problems of size n = {params["n"]}. Further
files may stand beside it; a `setup.py` or `.pyx` files are compiled before it runs.

Every answer is given to this method, and must be accepted:

```python
{shown}
```
"""


def _calibrated(original: _Original, trusted: Files, params: dict[str, Any], target_ms: int) -> int:
    """Return the largest size at which the reference takes at most ``target_ms`` here, as it was found the first time.

    What is found is kept in the cache of this user, so that the same text goes on to name the same task.
    """
    digest = hashlib.sha256(repr((sorted(trusted.items()), sorted(params.items()), target_ms)).encode()).hexdigest()[
        :16
    ]
    path = user_cache_path("outpace") / "algotune" / f"{original.name}-{target_ms}-{digest}.json"
    if path.is_file():
        kept = json.loads(path.read_text())["n"]
        assert isinstance(kept, int)
        return kept
    with tempfile.TemporaryDirectory(prefix="outpace-algotune-") as made:
        write(trusted, Path(made))
        aside = Aside(Path(made) / HOSTED)
        try:
            n = _largest(_Clock(aside, params).seconds, target_ms / 1000, original.report.get("n", 1))
        finally:
            aside.close()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"n": n, "target_ms": target_ms}) + "\n")
    return n


class _Clock:
    """Times the reference at one size after the other, each time with problems that it has never seen."""

    def __init__(self, aside: Aside, params: dict[str, Any]) -> None:
        self.aside, self.params, self.seed = aside, params, 1_000_000

    def seconds(self, n: int) -> float:
        self.seed += _TRIED
        seeds = [self.seed + index for index in range(_TRIED)]
        took = self.aside.ask("timed", {**self.params, "n": n}, seeds)
        assert isinstance(took, float)
        return took


def _largest(seconds: Callable[[int], float], target_s: float, guess: int) -> int:
    """Return the largest size that takes at most ``target_s``, near enough; raises ``TaskError`` if 1 takes longer."""
    low, high = 0, guess
    while seconds(high) <= target_s:
        if high > _MOST_N:
            raise TaskError(f"no size takes {target_s * 1000:g} ms: up to n = {high} the reference is faster")
        low, high = high, max(high + 1, high * 5 // 4)
    while high - low > max(1, low // 20):
        middle = (low + high) // 2
        if seconds(middle) <= target_s:
            low = middle
        else:
            high = middle
    if low == 0:
        raise TaskError(f"no size takes as little as {target_s * 1000:g} ms: n = 1 takes longer")
    return low
