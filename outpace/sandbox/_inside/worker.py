"""The process that holds one candidate: it confines itself, then answers requests on a socket until it is killed.

It is sent to a bare interpreter by that socket, which then calls ``main``. Frames in: ``[id, kind, body]``; frames out:
``[id, "value", answer]`` or ``[id, "error", text]``. Nothing in here is trusted with more than the answer.
"""

from __future__ import annotations

import _socket
import os
import sys

from . import codec
from .confine import confine

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module ``typing`` would cost every worker 5 ms
    from collections.abc import Callable
    from typing import Any

_ERROR_CHARS = 4000
_PRIVATE_FD = 200


def main(judge: int) -> None:
    """Serve the judge at the other end of this file descriptor until it hangs up."""
    try:
        Server(_take_over_streams(judge)).serve()
    except (EOFError, ConnectionError):
        os._exit(0)


class Server:
    """Answers the requests of one judge about one candidate."""

    def __init__(self, connection: _socket.socket) -> None:
        self.connection = connection
        self.max_bytes = 1 << 20
        self.folder = ""
        self.call: Callable[..., Any] | None = None
        self.handlers: dict[str, Callable[[Any], Any]] = {
            "setup": self._setup,
            "find": self._find,
            "load": self._load,
            "call": self._call,
        }

    def serve(self) -> None:
        """Answer requests in order; an exception of the candidate is an answer too."""
        while True:
            number, kind, body = codec.decode(self._read(), copy=True)
            try:
                answer = self.handlers[kind](body)
                chunks = codec.frame(answer, head=(number, "value"), max_bytes=self.max_bytes, name="output")
            except BaseException as error:  # noqa: BLE001  (SystemExit and KeyboardInterrupt of a candidate as well)
                chunks = codec.frame(self._explain(error), head=(number, "error"), max_bytes=1 << 20)
            answer = body = None
            _flush()
            self._write(chunks)

    def _setup(self, body: Any) -> None:
        self.max_bytes = body["max_bytes"]
        self.folder = body["folder"]
        confine(body)
        os.makedirs(self.folder, mode=0o700, exist_ok=True)  # noqa: PTH103  (pathlib would cost every worker 4 ms)
        os.chdir(self.folder)

    def _find(self, names: list[str]) -> list[str]:
        from importlib.machinery import PathFinder

        found = set(sys.builtin_module_names)
        return [name for name in names if name not in found and PathFinder.find_spec(name.partition(".")[0]) is None]

    def _load(self, body: Any) -> None:
        for path, text in body["files"].items():
            _store(self.folder, path, text)
        if "program.py" not in body["files"]:
            raise _Refused(f"program.py is missing; the files are: {', '.join(body['files']) or 'none'}")
        program = _import_from(self.folder, "program")
        entry = getattr(program, body["entry"], None)
        if not callable(entry):
            what = "is not a function" if hasattr(program, body["entry"]) else "does not exist"
            raise _Refused(f"program.py: the entry '{body['entry']}' {what}; define a function of that name")
        if body["driver"] is None:
            self.call = entry
            return
        _store(f"{self.folder}.driver", "driver.py", body["driver"])
        driver = _import_from(f"{self.folder}.driver", "driver")
        self.call = lambda **problem: driver.run(entry, **problem)

    def _call(self, problem: dict[str, Any]) -> Any:
        if self.call is None:
            raise _Refused("the program is not loaded")
        return self.call(**problem)

    def _explain(self, error: BaseException) -> str:
        """Return the error with the lines of the candidate that led to it, made safe against the error's own tricks."""
        try:
            return _explain(error, self.folder)[:_ERROR_CHARS].encode(errors="replace").decode()
        except BaseException as second:  # noqa: BLE001  (str() of the error is the candidate's code)
            return f"{type(error).__name__} (its text cannot be shown: {type(second).__name__})"[:_ERROR_CHARS]

    def _read(self) -> bytearray:
        size = int.from_bytes(self._exactly(codec.HEADER), "big")
        return self._exactly(size)

    def _exactly(self, size: int) -> bytearray:
        data = bytearray(size)
        view = memoryview(data)
        while view:
            received = self.connection.recv_into(view)
            if received == 0:
                raise EOFError
            view = view[received:]
        return data

    def _write(self, chunks: list[bytes | memoryview]) -> None:
        head: list[bytes | memoryview] = []
        for chunk in chunks:
            if len(chunk) < 1 << 16:
                head.append(chunk)
            else:
                self.connection.sendall(b"".join(head))
                self.connection.sendall(chunk)
                head = []
        self.connection.sendall(b"".join(head))


class _Refused(Exception):
    """A fault of the program that has no line of its own."""


def _take_over_streams(judge: int) -> _socket.socket:
    """Keep the judge's socket where a stray loop over descriptors is unlikely to reach it; lose no line of output."""
    os.dup2(judge, _PRIVATE_FD, inheritable=False)
    os.close(judge)
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    return _socket.socket(fileno=_PRIVATE_FD)


def _store(folder: str, path: str, text: str) -> None:
    if path.startswith("/") or not {"", ".", ".."}.isdisjoint(path.split("/")):
        raise _Refused(f"the file name {path!r:.100} is not a relative path inside the program's folder")
    target = f"{folder}/{path}"
    os.makedirs(target.rpartition("/")[0], mode=0o700, exist_ok=True)  # noqa: PTH103
    with open(target, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123
        file.write(text)


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
    import traceback

    if isinstance(error, _Refused):
        return str(error)
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
