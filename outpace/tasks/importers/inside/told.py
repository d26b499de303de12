"""What the drivers of self-reported tasks share. It lies beside the program in the sandbox, as ``told``."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MOST_CHARS = 4000
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/cuda/bin"
"""Where evaluators find compilers and the like, after this interpreter under the name ``python``."""
_DEATH_SIGNAL, _CHILD_SUBREAPER = 1, 36
_ROUNDS = 200


class EvaluatorFailed(Exception):
    """The task's evaluator raised an exception, or its process ended before it had answered."""


def report(score: object, metrics: dict[str, Any] | None = None, *, text: str = "") -> dict[str, Any]:
    """Return the report of an evaluator as plain data; a ``score`` that is no finite number is none.

    Figures among ``metrics`` that are no finite numbers are left out.
    """
    figures = {
        _unicode(str(name)): found for name, value in (metrics or {}).items() if (found := number(value)) is not None
    }
    return {"score": number(score), "metrics": figures, "text": _unicode(str(text)[:MOST_CHARS])}


def _unicode(text: str) -> str:
    """Return a text without lone surrogates, which cannot be sent."""
    return text.encode(errors="replace").decode()


def number(value: object) -> float | None:
    """Return a finite number as a float, None for anything else; flags are no numbers."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        found = float(value)  # type: ignore[arg-type]  # numpy's scalars, and arrays of one number
    except (TypeError, ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def prose(facts: Mapping[str, Any], *, most: int = 1000) -> str:
    """Return words by name as paragraphs, each cut to ``most`` characters; empty ones are left out."""
    parts = []
    for name, value in facts.items():
        text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
        text = text.strip()
        if text:
            parts.append(f"{name}: {text[:most]}{' …' if len(text) > most else ''}")
    return "\n".join(parts)


def prepare() -> Path:
    """Let programs be started that find what this process finds; return the folder of the task's own files."""
    here = Path(__file__).parent
    packages = [path for path in sys.path if path]
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys([str(here), *packages]))
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    return here


def laid_out(name: str = "task") -> Path:
    """Copy the folder ``name`` of the task's own files to where it may be written in, and work there.

    Evaluators of other tools look for their files beside themselves and in the current folder, and write there too.
    The copy is first on ``sys.path``, and ``python`` is this interpreter for whatever is started.
    """
    source, room = prepare() / name, Path(tempfile.mkdtemp(prefix="outpace-"))
    place = room / name
    for folder, _, files in os.walk(source):
        target = place / Path(folder).relative_to(source)
        target.mkdir(parents=True)
        for file in files:
            shutil.copyfile(Path(folder, file), target / file)
            (target / file).chmod(0o755)
    tools = room / "bin"
    tools.mkdir()
    for link in ("python", "python3"):
        (tools / link).symlink_to(sys.executable)
    os.environ["PATH"] = f"{tools}:{PATH}"
    os.environ["MPLBACKEND"] = "Agg"
    os.environ["PYTHONPATH"] = f"{place}{os.pathsep}{os.environ['PYTHONPATH']}"
    sys.path.insert(0, str(place))
    os.chdir(place)
    return place


def alone(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Return the report that ``work`` makes in a process of its own; nothing that it started is left afterwards.

    Threads and programs that an evaluator gives up on would work on after its answer otherwise.

    Raises:
        EvaluatorFailed: it raised an exception, or its process ended before it had answered.
    """
    answer = Path(tempfile.mkdtemp(prefix="outpace-")) / "report.json"
    _flush()
    worker = os.getpid()
    keeper = os.fork()
    if keeper == 0:
        _keep(work, answer, worker)
    os.waitpid(keeper, 0)
    try:
        found: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise EvaluatorFailed("the task's evaluator ended the process that watches over it") from None
    if "failed" in found:
        raise EvaluatorFailed(found["failed"])
    return found


def _keep(work: Callable[[], dict[str, Any]], answer: Path, worker: int) -> NoReturn:
    """Have the work done in a child and kill all that it leaves, also when the worker dies first."""
    import ctypes

    try:
        signal.signal(signal.SIGTERM, lambda *_: os._exit(_end_children()))
        prctl = ctypes.CDLL(None).prctl
        prctl(_CHILD_SUBREAPER, 1, 0, 0, 0)
        prctl(_DEATH_SIGNAL, int(signal.SIGTERM), 0, 0, 0)
        os.setsid()
        if os.getppid() == worker:
            child = os.fork()
            if child == 0:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                _answer(work, answer)
            _, status = os.waitpid(child, 0)
            if not answer.exists():
                _put({"failed": _ended(status)}, answer)
    finally:
        os._exit(_end_children())


def _ended(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    why = " (more memory or CPU time than the task allows)" if -code in (signal.SIGKILL, signal.SIGXCPU) else ""
    return f"the process of the task's evaluator {how}{why} before it had answered"


def _answer(work: Callable[[], dict[str, Any]], answer: Path) -> NoReturn:
    """Write the report down, or the exception, and end this process whatever else runs in it."""
    try:
        try:
            found = work()
        except BaseException as error:  # noqa: BLE001  SystemExit of an evaluator as well
            found = {"failed": _explained(error)}
        _put(found, answer)
        _flush()
    finally:
        os._exit(0)


def _put(found: dict[str, Any], answer: Path) -> None:
    part = answer.with_suffix(".part")
    part.write_text(json.dumps(found), encoding="utf-8")
    part.rename(answer)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def _explained(error: BaseException) -> str:
    """Return an exception with the lines of the task's own files that led to it."""
    found = traceback.TracebackException.from_exception(error, limit=-40, lookup_lines=True)
    room = f"{os.environ.get('TMPDIR', '/tmp')}/"  # noqa: S108
    lines = [
        f"{_shortened(frame.filename, room)}, line {frame.lineno}, in {frame.name}: {frame.line or ''}"
        for frame in found.stack
        if frame.filename.startswith(room) and "-packages" not in frame.filename
    ]
    return _unicode("\n".join([*lines[-8:], "".join(found.format_exception_only()).strip()])[-MOST_CHARS:])


def _shortened(file: str, room: str) -> str:
    inner = file.removeprefix(room)
    return inner.partition("/")[2] if inner.startswith("outpace-") else inner


def _end_children() -> int:
    """Kill what was started, and what that started, until nothing is left; return 0, for an exit code."""
    for _ in range(_ROUNDS):
        for child in _children():
            try:
                os.kill(child, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            break
        time.sleep(0.001)
    return 0


def _children() -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()]
    except OSError:
        return []
