"""A process of its own for the trusted half of an imported task: neither the judge's nor a candidate's.

What others have written for their tasks (generators, references, checkers) loads packages by the dozen, keeps caches,
prints, and may crash; none of that is to happen in the judge. ``HostedTask`` is a task whose methods are the functions
of ``hosted.py`` in the task folder, and that file runs over there.
"""

import contextlib
import importlib.util
import os
import select
import socket
import subprocess
import sys
import threading
import time
import traceback
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

from outpace.errors import TaskError, WrongAnswer
from outpace.sandbox._inside import codec
from outpace.tasks.spec import Case, Output, Problem, Task

HOSTED = "hosted.py"
BEGIN_WALL_S = 300.0
"""What importing ``hosted.py`` may take: some packages take minutes from a cold disk."""
ASK_WALL_S = 600.0
"""What one answer may take; the judge's own limit on judging is shorter."""
MOST_BYTES = 1 << 31
_LOOK_S = 0.05  # how often a wait looks whether it has been ended (evaluators/hop.py)
_SAID_BYTES = 2000
_PATIENCE_S = 5.0
_THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB_MAXIMUM")


class HostedTask(Task):
    """A task whose trusted half is ``hosted.py`` in its folder, which runs in a process of its own.

    That file defines ``generate(params, seed)``, ``reference(problem)``, ``check(problem, output)`` (None, or why the
    answer is wrong) and, for metrics, ``score(problem, output)``: plain data in and out.
    """

    borrowed = True
    named_by: tuple[str, ...] = ()
    """Inputs that are sent in place of ``problem``, one argument each, where they say enough to make it again there."""
    _aside: "Aside | None" = None

    @property
    def aside(self) -> "Aside":
        """The process, started when it is first needed."""
        if self._aside is None:
            assert self.folder is not None
            self._aside = Aside(self.folder / HOSTED)
        return self._aside

    def generate(self, case: Case, seed: int) -> Problem:
        """Make the problem of ``case`` for ``seed``."""
        problem: Problem = self.aside.ask("generate", dict(case.params), seed)
        return problem

    def reference(self, problem: Problem) -> Output:
        """Return the original's own answer."""
        return self.aside.ask("reference", *self._named(problem))

    def check(self, problem: Problem, output: Output) -> None:
        """Ask the original's own checker."""
        reason = self.aside.ask("check", *self._named(problem), output)
        if reason is not None:
            raise WrongAnswer(str(reason))

    def score(self, problem: Problem, output: Output) -> float:
        """Return the value of a checked answer."""
        return float(self.aside.ask("score", *self._named(problem), output))

    def _named(self, problem: Problem) -> tuple[Any, ...]:
        return tuple(problem[name] for name in self.named_by) or (dict(problem),)


class Aside:
    """A process that runs the functions of one trusted file, one call at a time; started anew after it has died.

    Safe for several threads. It ends with this object, and with the judge's process, whatever becomes of that.
    """

    def __init__(self, path: Path) -> None:
        """Name the file; nothing is started yet."""
        self.path = path
        self._turn = threading.Lock()
        self._running: list[_Running] = []  # one or none
        weakref.finalize(self, _end, self._running)

    def ask(self, function: str, *arguments: Any) -> Any:
        """Return what a function of the file returns.

        Raises:
            TaskError: it raised, took too long, or what it was given or returned is no plain data; or the process died.
        """
        with self._turn:
            if not self._running:
                self._running.append(_Running(self.path))
            try:
                return self._running[0].ask(function, arguments)
            except _Refused as error:
                raise TaskError(f"{self.path.name}: {function} failed: {error}") from error
            except BaseException as error:
                said = _end(self._running)
                if isinstance(error, OSError | EOFError | codec.Garbled):
                    why = f"{error or type(error).__name__}" + (f"; it printed: {said}" if said else "")
                    raise TaskError(f"{self.path}: the process of its own ended in {function}: {why}") from error
                raise

    def close(self) -> None:
        """End the process."""
        with self._turn:
            _end(self._running)


def _end(running: "list[_Running]") -> str:
    """End the process, if there is one; return the last of what it printed."""
    return running.pop().close() if running else ""


class _Refused(Exception):
    """The function raised; the process lives on."""


class _Running:
    """The process and the line to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._printed = os.memfd_create("outpace-aside", os.MFD_CLOEXEC)
        self._line, theirs = socket.socketpair()
        env = {**os.environ, **{f"{name}_NUM_THREADS": "1" for name in _THREADS}, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", __name__, str(path), str(theirs.fileno())]
        with theirs:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=self._printed,
                stderr=self._printed,
                pass_fds=[theirs.fileno()],
                env=env,
                start_new_session=True,  # Ctrl-C at the terminal is the judge's affair
            )
        self._begun = False

    def ask(self, function: str, arguments: tuple[Any, ...]) -> Any:
        if not self._begun:
            self._exchange("", (), BEGIN_WALL_S)
            self._begun = True
        return self._exchange(function, arguments, ASK_WALL_S)

    def _exchange(self, function: str, arguments: tuple[Any, ...], wall_s: float) -> Any:
        try:
            chunks = codec.frame([function, *arguments], max_bytes=MOST_BYTES, name="what it is asked")
        except (TypeError, ValueError) as error:
            raise _Refused(str(error)) from error
        deadline = time.monotonic() + wall_s
        self._line.setblocking(False)
        for chunk in chunks:
            self._send(memoryview(chunk).cast("B"), deadline)
        size = int.from_bytes(self._read(codec.HEADER, deadline), "big")
        kind, value = codec.decode(self._read(size, deadline), copy=True)
        if kind == "error":
            raise _Refused(value)
        return value

    def _send(self, data: memoryview, deadline: float) -> None:
        while data:
            self._wait(deadline, writing=True)
            data = data[self._line.send(data) :]

    def _read(self, size: int, deadline: float) -> bytearray:
        data = bytearray(size)
        rest = memoryview(data)
        while rest:
            self._wait(deadline, writing=False)
            count = self._line.recv_into(rest)
            if not count:
                raise EOFError("it hung up")
            rest = rest[count:]
        return data

    def _wait(self, deadline: float, *, writing: bool) -> None:
        """Wait in short steps, so that whoever waits can be ended."""
        while True:
            ready = select.select([] if writing else [self._line], [self._line] if writing else [], [], _LOOK_S)
            if ready[0] or ready[1]:
                return
            if time.monotonic() > deadline:
                raise TimeoutError("it took too long")

    def close(self) -> str:
        """End the process; return the last of what it printed, in one line."""
        self._line.close()
        self._process.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):  # killed it is; a busy machine takes its time to bury it
            self._process.wait(_PATIENCE_S)
        size = os.fstat(self._printed).st_size
        said = os.pread(self._printed, _SAID_BYTES, max(0, size - _SAID_BYTES))
        os.close(self._printed)
        return " ".join(said.decode(errors="replace").split())


def main(path: Path, line: int) -> None:
    """Answer questions until the judge hangs up."""
    requests = socket.socket(fileno=line)
    functions: dict[str, Callable[..., Any]] = {}
    threading.Thread(target=_leave_with, args=(requests,), daemon=True).start()
    while True:
        size = int.from_bytes(_exactly(requests, codec.HEADER), "big")
        function, *arguments = codec.decode(_exactly(requests, size), copy=True)
        try:
            if not functions:
                functions = _imported(path)
            answer = ["value", functions[function](*arguments) if function else None]
            chunks = codec.frame(answer, max_bytes=MOST_BYTES, name="what it returned")
        except Exception as error:  # noqa: BLE001  whatever trusted code raises is told
            chunks = codec.frame(["error", _told(error, path)], max_bytes=MOST_BYTES)
        for chunk in chunks:
            requests.sendall(chunk)


def _leave_with(line: socket.socket) -> None:
    """End this process when the other end of the line closes, even in the middle of a call."""
    poll = select.poll()
    poll.register(line, select.POLLRDHUP)
    poll.poll()
    os._exit(0)


def _exactly(line: socket.socket, size: int) -> bytearray:
    data = bytearray(size)
    rest = memoryview(data)
    while rest:
        count = line.recv_into(rest)
        if not count:
            os._exit(0)
        rest = rest[count:]
    return data


def _imported(path: Path) -> dict[str, Callable[..., Any]]:
    sys.path.insert(0, str(path.parent))
    found = importlib.util.spec_from_file_location("hosted", path)
    assert found is not None and found.loader is not None
    module = importlib.util.module_from_spec(found)
    sys.modules["hosted"] = module
    found.loader.exec_module(module)
    return vars(module)


def _told(error: Exception, path: Path) -> str:
    """Return the error in one line, with the innermost place in the task's own files."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(str(path.parent))]
    at = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{at}".encode(errors="replace").decode()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main(Path(sys.argv[1]), int(sys.argv[2]))
