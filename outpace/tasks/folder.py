"""A task folder: ``task.toml``, ``statement.md``, ``program.py``, trusted ``task.py``, optional ``driver.py``."""

import ast
import hashlib
import importlib.util
import sys
import traceback
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from outpace.errors import MarkerError, TaskError
from outpace.tasks import description
from outpace.tasks.candidate import BLOCK_END, BLOCK_START, PROGRAM, Candidate, blocks
from outpace.tasks.finding import Finding
from outpace.tasks.spec import Task, TaskSpec

STATEMENT, TRUSTED, DRIVER = "statement.md", "task.py", description.DRIVER
SUPPORT, LADDER = "support", "ladder"
GUARDED = Path(__file__).parent / "inside" / "guarded.py"
_MOST_FILES, _MOST_MB = 1000, 64


@dataclass(frozen=True, slots=True)
class Contents:
    """What the text files of a folder say; nothing of it was executed."""

    folder: Path
    spec: TaskSpec
    start: Candidate
    driver: str | None


def load(folder: str | Path) -> Task:
    """Load the task of a folder; its ``task.py`` is imported, so load only what you trust.

    Raises:
        TaskError: the folder is broken; one line with file, line, key, what was given and what was expected.
    """
    contents, findings = examine(Path(folder))
    if contents is None:
        raise TaskError(_line(findings, Path(folder)))
    task, findings = bring_up(contents)
    if task is None:
        raise TaskError(_line(findings, Path(folder)))
    return task


def read_spec(folder: str | Path) -> TaskSpec:
    """Read only the facts of a folder: ``task.toml`` and ``statement.md``; nothing is imported.

    Raises:
        TaskError: one of the two is broken.
    """
    spec, findings = _described(Path(folder))
    if spec is None:
        raise TaskError(_line(findings, Path(folder)))
    return spec


def examine(folder: Path) -> tuple[Contents | None, list[Finding]]:
    """Read all text files of a folder and find what is wrong with them, without executing any.

    The contents are None where a finding is an error.
    """
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "no such folder"
        return None, [Finding(str(folder), 0, f"{what}; expected a task folder (outpace task new NAME makes one)")]
    spec, findings = _described(folder)
    program = _text(folder / PROGRAM, findings)
    driver = _text(folder / DRIVER, findings) if (folder / DRIVER).exists() else None
    if not (folder / TRUSTED).is_file():
        message = "no such file; it holds the trusted half of the task, class Task(outpace.tasks.spec.Task)"
        findings.append(Finding(str(folder / TRUSTED), 0, message))
    if program is not None:
        findings += _program_findings(folder / PROGRAM, program, spec.entry if spec else "")
    if driver is not None:
        findings += _function_findings(folder / DRIVER, driver, "run", "the driver's run(entry, **problem)")
    if spec is None or program is None or findings:
        return None, findings
    return Contents(folder, spec, Candidate({PROGRAM: program}), driver), []


def bring_up(contents: Contents) -> tuple[Task | None, list[Finding]]:
    """Import ``task.py`` and make its ``Task``; the task is None where a finding tells why not."""
    path = contents.folder / TRUSTED
    try:
        mark = fingerprint(contents.folder)
        made = _imported(path, mark)
        kind = getattr(made, "Task", None)
        if not (isinstance(kind, type) and issubclass(kind, Task) and kind is not Task):
            message = "defines no Task; expected class Task(spec.Task), with spec from outpace.tasks"
            return None, [Finding(str(path), 0, message)]
        task = kind(contents.spec, contents.start, driver=contents.driver, fingerprint=mark)
        task.folder = contents.folder
        task.support = supported(contents)
        return task, []
    except TaskError as error:
        return None, [Finding(str(contents.folder), 0, str(error))]
    except (Exception, SystemExit) as error:  # noqa: BLE001  whatever a user's module raises is a finding about it
        line = line_in(error, path)
        return None, [Finding(str(path), line, f"cannot be imported: {type(error).__name__}: {error}")]


def line_in(error: BaseException, path: Path) -> int:
    """Return the innermost line of the file ``path`` that ``error`` passed through, 0 if none."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 0
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return (frames[-1].lineno or 0) if frames else 0


def fingerprint(folder: Path) -> str:
    """Return 16 hex digits of the SHA-256 over all files of a folder: relative paths and bytes.

    Hidden files, ``__pycache__``, compiled files and editor back-ups do not count, nor do templates of prompts and the
    ladder: they change what is proposed, or beside what a program is set, never what it is found to be.

    Raises:
        TaskError: more files or megabytes than any task has; the folder holds something else as well.
    """
    digest = hashlib.sha256()
    size = 0
    paths = sorted(path for path in folder.rglob("*") if _counts(path.relative_to(folder)) and path.is_file())
    if len(paths) > _MOST_FILES:
        raise TaskError(f"holds {len(paths)} files, expected at most {_MOST_FILES}: keep a task in a folder of its own")
    for path in paths:
        data = path.read_bytes()
        size += len(data)
        if size > _MOST_MB * 2**20:
            raise TaskError(f"holds more than {_MOST_MB} MB: keep a task in a folder of its own, large data outside")
        for part in (path.relative_to(folder).as_posix().encode(), data):
            digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:16]


def _counts(path: Path) -> bool:
    if any(part.startswith(".") or part == "__pycache__" for part in path.parts):
        return False
    if path.parts[0] == LADDER or (path.parts[0] == "prompts" and path.suffix == ".j2"):
        return False
    return path.suffix not in (".pyc", ".pyo", ".swp") and not path.name.endswith("~")


def _described(folder: Path) -> tuple[TaskSpec | None, list[Finding]]:
    findings: list[Finding] = []
    path = folder / STATEMENT
    statement = _text(path, findings) if path.exists() else None
    if statement is not None and not statement.strip():
        findings.append(Finding(str(path), 0, "is empty; expected what the program is to do and how it is judged"))
    spec, more = description.read(folder, statement)
    return spec, findings + more


def _text(path: Path, findings: list[Finding]) -> str | None:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        findings.append(Finding(str(path), 0, "no such file"))
    except OSError as error:
        findings.append(Finding(str(path), 0, f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        findings.append(Finding(str(path), 0, f"byte {error.start} is not UTF-8 text"))
    return None


def supported(contents: Contents) -> dict[str, bytes]:
    """Return what lies beside a program by path: ``support/``, as far as it counts, and for a GPU ``guarded.py``."""
    ours = {GUARDED.name: GUARDED.read_bytes()} if contents.spec.device == "gpu" else {}
    place = contents.folder / SUPPORT
    found = sorted(path for path in place.rglob("*") if path.is_file() and _counts(path.relative_to(contents.folder)))
    return ours | {path.relative_to(place).as_posix(): path.read_bytes() for path in found}


def _program_findings(path: Path, text: str, entry: str) -> list[Finding]:
    findings: list[Finding] = []
    try:
        if not blocks(text):
            message = f"no evolve block; put # {BLOCK_START} and # {BLOCK_END} around what may be changed"
            findings.append(Finding(str(path), 0, message))
    except MarkerError as error:
        findings.append(Finding(str(path), error.line, error.reason))
    if entry:
        findings += _function_findings(path, text, entry, "the entry that task.toml names")
    return findings


def _function_findings(path: Path, text: str, name: str, role: str) -> list[Finding]:
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        return [Finding(str(path), error.lineno or 0, f"not valid Python: {error.msg}")]
    except ValueError as error:  # a null byte
        return [Finding(str(path), 0, f"not valid Python: {error}")]
    if name in bound_names(tree):
        return []
    functions = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    there = ", ".join(functions) or "none"
    return [Finding(str(path), 0, f"no function '{name}' ({role}); functions there: {there}")]


def bound_names(tree: ast.Module) -> dict[str, ast.stmt]:
    """Return the names that the top level of a module binds, each with the last statement that binds it."""
    names: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names[node.name] = node
            continue
        for inner in ast.walk(node):
            if isinstance(inner, ast.Name) and isinstance(inner.ctx, ast.Store):
                names[inner.id] = node
            elif isinstance(inner, ast.alias):
                names[(inner.asname or inner.name).split(".")[0]] = node
            elif isinstance(inner, ast.FunctionDef):  # inside if or try
                names[inner.name] = node
    return names


class _Uncached(SourceFileLoader):
    """Compiles the source each time: compiled files are looked up by whole seconds, and an edit may be quicker."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _imported(path: Path, mark: str) -> ModuleType:
    """Import ``task.py`` under a name that nothing else can have; ``from . import other`` finds its neighbours."""
    place = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    name = f"_outpace_task_{place}_{mark}"
    if name in sys.modules:
        return sys.modules[name]
    loader = _Uncached(name, str(path))
    found = importlib.util.spec_from_file_location(
        name, path, loader=loader, submodule_search_locations=[str(path.parent)]
    )
    assert found is not None
    module = importlib.util.module_from_spec(found)
    sys.modules[name] = module  # dataclasses and relative imports look the module up by its name
    try:
        loader.exec_module(module)
    except BaseException:
        for mine in [other for other in sys.modules if other == name or other.startswith(f"{name}.")]:
            del sys.modules[mine]
        raise
    return module


def _line(findings: list[Finding], folder: Path) -> str:
    errors = [finding for finding in findings if finding.severity == "error"]
    more = f" (and {len(errors) - 1} more: outpace task check {folder})" if len(errors) > 1 else ""
    return f"{errors[0]}{more}"
