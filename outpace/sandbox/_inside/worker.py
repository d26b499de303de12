"""The process that holds one candidate: it confines itself, then answers requests on a socket until it is killed.

It is sent to a bare interpreter by that socket, which then calls ``main``; or a zygote forks it, which has it already.
Frames in: ``[id, kind, body]``, where the body of all but the first lies in a sealed memory file that comes with the
frame. Frames out: ``[id, "value", answer]``, ``[id, "error", text]``, or ``[id, "unfit", text]`` where the
answer is no plain data. Nothing in here is trusted with more than the answer.
"""

from __future__ import annotations

import mmap
import os
import sys

from . import build, codec
from .confine import confine
from .line import Line

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module ``typing`` would cost every worker 5 ms
    from collections.abc import Callable, Iterator
    from typing import Any

_ERROR_CHARS = 4000
_SMALL_BYTES = 1 << 14
PRIVATE_FD = 200
"""The number of the line to the judge, where a stray loop over descriptors is unlikely to reach it."""


def main(judge: int) -> None:
    """Serve the judge at the other end of this file descriptor until it hangs up, then end the process."""
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # lose no line of output
    if judge != PRIVATE_FD:
        os.dup2(judge, PRIVATE_FD, inheritable=False)
        os.close(judge)
    try:
        Server(Line(PRIVATE_FD)).serve()
    except (EOFError, ConnectionError):
        os._exit(0)


class Server:
    """Answers the requests of one judge about one candidate."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.max_bytes = 1 << 20
        self.folder = ""
        self.call: Callable[..., Any] | None = None
        self.handlers: dict[str, Callable[[Any], Any]] = {
            "setup": self._setup,
            "find": self._find,
            "load": self._load,
            "call": self._call,
            "audit": self._audit,
            "build": self._build,
        }

    def serve(self) -> None:
        """Answer requests in order; an exception of the candidate is an answer too."""
        while True:
            message, fds = self.line.read()
            number, kind, body = codec.decode(message, copy=True)
            chunks = self._answer(number, kind, body, fds)
            body = None
            _flush()
            self.line.write(chunks)

    def _answer(self, number: int, kind: str, body: Any, fds: list[int]) -> list[bytes | memoryview]:
        try:
            if kind != "setup":
                body = _taken(fds)
            answer = self.handlers[kind](body)
        except BaseException as error:  # noqa: BLE001  (SystemExit and KeyboardInterrupt of a candidate as well)
            return codec.frame(self._explain(error), head=(number, "error"), max_bytes=1 << 20)
        try:
            return codec.frame(answer, head=(number, "value"), max_bytes=self.max_bytes, name="output")
        except BaseException as error:  # noqa: BLE001  (looking at an object can run its code)
            return codec.frame(self._explain(error), head=(number, "unfit"), max_bytes=1 << 20)

    def _setup(self, body: Any) -> None:
        self.max_bytes = body["max_bytes"]
        self.folder = body["folder"]
        for folder in (self.folder, f"{self.folder}.driver"):
            os.makedirs(folder, mode=0o700, exist_ok=True)  # noqa: PTH103  (pathlib would cost every worker 4 ms)
            if body["uid"] is not None:  # nobody else is here to see them
                os.chmod(folder, 0o777)  # noqa: PTH101, S103
        self._put_artefacts(body["artefacts"])
        confine(body)
        os.chdir(self.folder)

    def _put_artefacts(self, artefacts: dict[str, bytes]) -> None:
        """Lay down what a compile stage made, before this process gives up the right to."""
        if not artefacts:
            return
        place = f"{self.folder}.build"
        for path, content in artefacts.items():
            _store(place, path, content, mode=0o555)
        for folder, _, _ in os.walk(place):
            os.chmod(folder, 0o555)  # noqa: PTH101, S103
        os.environ["OUTPACE_BUILD"] = place
        sys.path.insert(0, place)

    def _find(self, names: list[str]) -> list[str]:
        from importlib.machinery import PathFinder

        found = set(sys.builtin_module_names)
        return [name for name in names if name not in found and PathFinder.find_spec(name.partition(".")[0]) is None]

    def _load(self, body: Any) -> None:
        for path, text in body["files"].items():
            _store(self.folder, path, text.encode())
        if "program.py" not in body["files"]:
            raise _Refused(f"program.py is missing; the files are: {', '.join(body['files']) or 'none'}")
        entry = self._entry(body["entry"]) if body["entry"] else f"{self.folder}/program.py"
        if body["driver"] is None:
            if isinstance(entry, str):
                raise _Refused("the job names no entry and has no driver")
            self.call = entry
            return
        _store(f"{self.folder}.driver", "driver.py", body["driver"].encode())
        driver = _import_from(f"{self.folder}.driver", "driver")
        self.call = lambda **problem: driver.run(entry, **problem)

    def _entry(self, name: str) -> Any:
        program = _import_from(self.folder, "program")
        entry = getattr(program, name, None)
        if not callable(entry):
            what = "is not a function" if hasattr(program, name) else "does not exist"
            raise _Refused(f"program.py: the entry '{name}' {what}; define a function of that name")
        return entry

    def _call(self, problem: dict[str, Any]) -> Any:
        if self.call is None:
            raise _Refused("the program is not loaded")
        return self.call(**problem)

    def _audit(self, problem: dict[str, Any]) -> dict[str, Any]:
        answer = self._call(problem)
        found = list(_arrays(answer))
        shared = [name for name, value in problem.items() if any(_overlap(a, b) for a in _arrays(value) for b in found)]
        return {"answer": answer, "inputs": problem, "shared": shared}

    def _build(self, body: Any) -> dict[str, bytes]:
        for path, text in body["files"].items():
            _store(self.folder, path, text.encode())
        try:
            return build.run(body["command"], self.folder, self.max_bytes)
        except build.BuildFailed as error:
            raise _Refused(str(error)) from None

    def _explain(self, error: BaseException) -> str:
        """Return the error with the lines of the candidate that led to it, made safe against the error's own tricks."""
        try:
            return _explain(error, self.folder)[:_ERROR_CHARS].encode(errors="replace").decode()
        except BaseException as second:  # noqa: BLE001  (str() of the error is the candidate's code)
            return f"{type(error).__name__} (its text cannot be shown: {type(second).__name__})"[:_ERROR_CHARS]


class _Refused(Exception):
    """A fault of the program that has no line of its own."""


def _taken(fds: list[int]) -> Any:
    """Return what lies in the memory file, and close that: arrays are views of a copy-on-write mapping of it.

    Nothing is copied before the program touches it, so there is next to nothing here that could be made cheaper. What
    is small is read instead: that costs less than to map and unmap a page.
    """
    if not fds:
        raise _Refused("the inputs cannot be handed over: the program has too many files open; close what it opens")
    try:
        small = os.pread(fds[0], _SMALL_BYTES, 0)
        if len(small) < _SMALL_BYTES:
            return codec.decode(bytearray(small))
        return codec.decode(mmap.mmap(fds[0], 0, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE))
    finally:
        os.close(fds[0])


def _store(folder: str, path: str, content: bytes, *, mode: int = 0o600) -> None:
    if path.startswith("/") or not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise _Refused(f"the file name {path!r:.100} is not a relative path inside the program's folder")
    target = f"{folder}/{path}"
    os.makedirs(target.rpartition("/")[0], mode=0o700, exist_ok=True)  # noqa: PTH103
    with open(target, "wb") as file:  # noqa: PTH123
        file.write(content)
    os.chmod(target, mode)  # noqa: PTH101


def _arrays(value: Any, depth: int = codec.MAX_DEPTH) -> Iterator[Any]:
    """Yield the numpy arrays in plain data."""
    if type(value) in {list, tuple, dict}:
        for item in list(value.values()) if type(value) is dict else value:
            if depth:
                yield from _arrays(item, depth - 1)
    elif "numpy" in sys.modules and isinstance(value, sys.modules["numpy"].ndarray):
        yield value


def _overlap(one: Any, other: Any) -> bool:
    """Tell whether two arrays lie in the same memory; inputs lie one after the other, so the bounds tell."""
    return bool(sys.modules["numpy"].may_share_memory(one, other))


def _import_from(folder: str, name: str) -> Any:
    """Import a file as an ordinary module, so that tracebacks, ``inspect`` and numba find it under its real path."""
    sys.path.insert(0, folder)
    sys.path_importer_cache.pop(folder, None)
    __import__(name)
    return sys.modules[name]


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:  # noqa: SIM105  (contextlib would cost every worker 2 ms)
            stream.flush()
        except BaseException:  # noqa: BLE001, S110  (the candidate may have put anything there)
            pass


def _explain(error: BaseException, folder: str) -> str:
    if isinstance(error, _Refused):
        return str(error)
    import traceback

    found = traceback.TracebackException.from_exception(error, limit=-40, lookup_lines=True)
    lines = [
        f"  {frame.filename.removeprefix(folder + '/')}, line {frame.lineno}, in {frame.name}: {frame.line or ''}"
        for frame in found.stack
        if frame.filename.startswith((f"{folder}/", f"{folder}.driver/"))
    ]
    if len(lines) > 12:
        lines[6:-6] = [f"  … {len(lines) - 12} more lines"]
    what = "".join(found.format_exception_only()).strip()
    return "\n".join([*lines, what])
