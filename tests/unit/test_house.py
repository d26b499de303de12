"""The rules of the house that no other tool checks."""

import ast
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("agent", "evaluators", "tasks", "sandbox")
SOURCES = sorted((ROOT / "outpace").rglob("*.py"))
OURS = [path for folder in ("outpace", "tests", "benchmarks", ".ci") for path in sorted((ROOT / folder).rglob("*.py"))]

# Names that say nothing about what is inside.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
# Libraries that cost more than 20 ms to import, or that a program which only wants the types does not need.
HEAVY = ("cmaes", "jinja2", "libcst", "llvmlite", "numba", "openai", "optuna", "rich", "sqlalchemy", "typer")
HEAVY_FOR_HELP = ("cmaes", "jinja2", "libcst", "numba", "numpy", "openai", "optuna", "pydantic", "sqlalchemy")


def run_python(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False, cwd=cwd)


@cache
def imported_names(path: Path) -> list[tuple[int, int, str]]:
    """Return (line, level, module) of each import statement."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found += [(node.lineno, 0, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.lineno, node.level, node.module or ""))
    return found


def loaded_by(statement: str) -> set[str]:
    """Return the top-level modules that a fresh interpreter has loaded after ``statement``."""
    report = "import sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = run_python("-c", f"{statement}\n{report}", cwd=Path("/"))
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_every_file_is_checked_for_style() -> None:
    """An exclusion by name hit the packages as well as the links to them, and nobody noticed: all was clean."""
    done = run_python("-m", "ruff", "check", "--show-files")
    assert done.returncode == 0, done.stderr
    shown = {Path(line) for line in done.stdout.splitlines()}
    assert {path for path in OURS if path not in shown} == set()
    assert len(shown) == len({path.resolve() for path in shown}), "a file is checked once, not by its links too"


def test_sizes_are_within_the_limits() -> None:
    done = run_python(".ci/size_check.py")
    assert done.returncode == 0, f"\n{done.stdout}{done.stderr}"


@pytest.mark.parametrize(
    ("source", "finding"),
    [
        ("def long():\n" + "    x = 1\n" * 60, ":1: function long has 61 lines, at most 60"),
        ("x = 1\n" * 601, ":1: file has 601 lines, at most 600"),
        ("class C:\n" + "".join(f"    def m{i}(self): ...\n" for i in range(16)), ":1: class C has 16 methods"),
        ("def many(a, b, *, c, d, e, f, g): ...\n", ":1: function many has 7 parameters, at most 6"),
        ("def many(a, *rest, c, d, e, f, **others): ...\n", ":1: function many has 7 parameters, at most 6"),
        ("\nasync def third(a, b, c=1): ...\n", ":2: function third takes 'c' by position"),
        ("class C:\n    def m(self, a, b, c=1): ...\n", ":2: function m takes 'c' by position"),
        ("class C:\n    @staticmethod\n    def m(a, b, c=1): ...\n", ":3: function m takes 'c' by position"),
    ],
)
def test_size_check_finds(tmp_path: Path, source: str, finding: str) -> None:
    path = tmp_path / "big.py"
    path.write_text(source, encoding="utf-8")
    done = run_python(str(ROOT / ".ci" / "size_check.py"), str(path))
    assert done.returncode == 1
    assert f"{path}{finding}" in done.stdout
    assert len(done.stdout.splitlines()) == 1


def test_size_check_accepts_what_is_at_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "small.py"
    methods = "".join(f"    def m{i}(self, a, b, *, c): ...\n" for i in range(15))
    path.write_text(
        "def whole():\n" + "    x = 1\n" * 59 + "class C:\n" + methods + "    def __exit__(self, a, b, c): ...\n"
        "def six(a, b=1, *, c, d=2, e, f): ...\n",
        encoding="utf-8",
    )
    text = path.read_text(encoding="utf-8").replace("    def m14(self, a, b, *, c): ...\n", "")
    path.write_text(text, encoding="utf-8")
    done = run_python(str(ROOT / ".ci" / "size_check.py"), str(path))
    assert (done.returncode, done.stdout) == (0, "")


def test_size_check_tells_the_aims(tmp_path: Path) -> None:
    path = tmp_path / "mid.py"
    path.write_text("def mid(a, b, c):\n" + "    x = 1\n" * 25, encoding="utf-8")
    done = run_python(str(ROOT / ".ci" / "size_check.py"), "--aims", str(path))
    assert "function mid has 26 lines, at most 25" in done.stdout
    assert "function mid takes 'c' by position" in done.stdout


def test_size_check_refuses_a_path_that_is_not_there(tmp_path: Path) -> None:
    done = run_python(str(ROOT / ".ci" / "size_check.py"), str(tmp_path / "gone.py"))
    assert done.returncode == 1
    assert "no such file or folder" in done.stdout


def test_readme_is_short_and_names_the_commands_that_ci_runs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 120
    command = "pip install -e '.[test]' && pytest -n 2"
    assert command in readme
    assert f'"{command}"' in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "pip install -e . && outpace run online_bin_packing" in readme


@pytest.mark.parametrize("part", PARTS)
def test_door_at_the_top_level_leads_to_the_package(part: str) -> None:
    assert (ROOT / part).readlink() == Path("outpace") / part
    assert (ROOT / part / "__init__.py").is_file()


def test_nothing_imports_through_the_doors() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {module}"
        for path in OURS
        for line, level, module in imported_names(path)
        if level == 0 and module.partition(".")[0] in PARTS
    ]
    assert found == []


def test_imports_are_absolute_outside_the_sandbox() -> None:
    """Files of a task folder name each other by ``from . import``: the folder may lie anywhere."""
    inside = ROOT / "outpace" / "sandbox" / "_inside"
    library = ROOT / "outpace" / "tasks" / "library"
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in OURS
        if not (path.is_relative_to(inside) or path.is_relative_to(library))
        for line, level, _ in imported_names(path)
        if level > 0
    ]
    assert found == []


def test_no_module_has_an_empty_name() -> None:
    found = [path for path in (ROOT / "outpace").rglob("*") if path.stem.lower() in EMPTY_NAMES]
    assert found == []


def test_nothing_decodes_with_code() -> None:
    """What a sandbox sends is data: neither unpickled nor evaluated, anywhere in the package."""
    modules = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal", "joblib"}
    writes_only = {("outpace/sandbox/interpreter.py", "marshal")}  # our own modules, on their way into the sandbox
    found = [
        f"{path.relative_to(ROOT)}:{line}: imports {module}"
        for path in SOURCES
        for line, _, module in imported_names(path)
        if module.partition(".")[0] in modules and (path.relative_to(ROOT).as_posix(), module) not in writes_only
    ]
    found += [f"{path.relative_to(ROOT)}:{line}: {what}" for path in SOURCES for line, what in code_calls(path)]
    assert found == []


def code_calls(path: Path) -> Iterator[tuple[int, str]]:
    """Yield (line, what) where data is run as code; what runs inside the sandbox, or aside, may exec."""
    banned = {"eval"} if {"_inside", "inside"} & set(path.parts) else {"eval", "exec"}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in banned:
            yield node.lineno, f"calls {node.func.id}"
        if isinstance(node, ast.Call) and ast.unparse(node.func) in ("marshal.loads", "marshal.load"):
            yield node.lineno, "calls marshal.load"
        if isinstance(node, ast.keyword) and node.arg == "allow_pickle" and getattr(node.value, "value", True):
            yield node.value.lineno, "allows pickle"


def test_importing_the_package_is_light() -> None:
    assert sorted(loaded_by("import outpace") & set(HEAVY)) == []


def test_asking_for_help_loads_no_heavy_library() -> None:
    statement = (
        "import sys\nfrom outpace.agent.cli.main import main\nsys.argv = ['outpace', '--help']\n"
        "import contextlib, io\nwith contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit): main()"
    )
    assert sorted(loaded_by(statement) & set(HEAVY_FOR_HELP)) == []


def test_importing_writes_nothing(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    modules = "outpace, outpace.agent.cli.main, outpace.sandbox.base, outpace.tasks.spec"
    done = subprocess.run(
        [sys.executable, "-c", f"import {modules}"],
        capture_output=True, text=True, check=False, cwd=tmp_path, env=environment,
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


def test_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    done = run_python("-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path))
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    tops = {name.partition("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"outpace"}
    packaged = {name for name in names if name.startswith("outpace/")}
    here = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "outpace").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packaged == here
