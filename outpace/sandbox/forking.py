"""The judge's end of the line to a zygote, the process that workers are forked from (``_inside/zygote.py``)."""

import contextlib
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from outpace.errors import SandboxUnavailable
from outpace.sandbox import interpreter
from outpace.sandbox._inside import codec
from outpace.sandbox.channel import MEGABYTE, Channel
from outpace.sandbox.launch import Launch

BEGIN_WALL_S = 300.0
"""What importing the modules to preload may take; torch takes seconds, and more from a cold disk."""
FORK_WALL_S = 60.0
DISK_FILES_PER_MB = 256
PRELOAD = ("numpy", "random", "traceback")
"""What every zygote imports, before what a job wants."""
_MOST_BYTES = 1 << 20


class Zygote:
    """A zygote reached by ``line``, a connected stream socket whose other end the zygote's interpreter was given.

    ``explain`` tells what it printed, for the error. Safe for several threads. It ends by itself when the line closes;
    its process is waited for by whoever has started it.
    """

    def __init__(self, line: socket.socket, explain: Callable[[], str] = str) -> None:
        """Take charge of ``line``; ``begin`` must follow."""
        self._line, self._explain = line, explain
        self._number = 0
        self._turn = threading.Lock()
        self.failed: str | None = None

    def begin(self, *, view: Mapping[str, Any] | None, preload: Sequence[str] = (), scratch: str | None = None) -> None:
        """Send the zygote its code and let it get ready; raises ``SandboxUnavailable``.

        ``view`` is what it is to see of the host, from namespaces of its own (``None``: it makes none, and empties
        ``scratch`` when no worker is alive), ``preload`` what to import beside ``PRELOAD``.
        """
        order = {
            "view": None if view is None else dict(view),
            "preload": list(dict.fromkeys([*PRELOAD, *preload])),
            "scratch": scratch,
        }
        with self._turn:
            try:
                self._line.settimeout(BEGIN_WALL_S)
                self._line.sendall(interpreter.code(zygote=True))
            except OSError as error:
                raise self._lost(error) from error
            self._ask("begin", order, BEGIN_WALL_S)

    def spawn(self, launch: Launch, channel: Channel) -> "Forked":
        """Fork a worker that will be given ``channel``; a ``Spawn`` for ``WorkerProcess``."""
        disk = launch.disk_mb
        room = {"disk_bytes": disk * MEGABYTE, "disk_files": max(1, disk) * DISK_FILES_PER_MB}
        with self._turn:
            pid, pidfd = self._ask("fork", room, FORK_WALL_S, fds=[channel.their_socket.fileno(), channel.their_stderr])
        if pidfd is None:
            raise self._lost(ConnectionError("it sent no pidfd"))
        return Forked(self, pid, pidfd)

    def reap(self, pid: int) -> int | None:
        """Return how the worker ``pid`` ended, None if it has not; raises ``SandboxUnavailable`` if we are lost."""
        with self._turn:
            status, _ = self._ask("reap", pid, FORK_WALL_S)
        return None if status is None else int(status)

    def close(self) -> None:
        """Hang up: the zygote and all of its workers end."""
        self.failed = self.failed or "it was closed"
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)  # wakes who waits for an answer
        with self._turn:
            self._line.close()

    def _ask(self, kind: str, body: Any, wall_s: float, *, fds: Sequence[int] = ()) -> tuple[Any, int | None]:
        """Return the answer to a request and the descriptor that came with it."""
        if self.failed is not None:
            raise SandboxUnavailable(f"The process that workers are forked from is gone: {self.failed}.")
        self._number += 1
        message = b"".join(codec.frame(body, head=(self._number, kind), max_bytes=_MOST_BYTES))
        try:
            self._line.settimeout(wall_s)
            sent = socket.send_fds(self._line, [message], list(fds)) if fds else 0
            self._line.sendall(message[sent:])
            answer, pidfd = self._receive()
        except (OSError, codec.Garbled) as error:
            raise self._lost(error) from error
        number, kind, value = answer
        if number != self._number:
            raise self._lost(ConnectionError("it answers another question"))
        if kind == "error":
            raise SandboxUnavailable(f"The process that workers are forked from fails: {value}.")
        return value, pidfd

    def _receive(self) -> tuple[Any, int | None]:
        head, fds, _, _ = socket.recv_fds(self._line, codec.HEADER, 1)
        try:
            head += self._exactly(codec.HEADER - len(head))
            size = int.from_bytes(head, "big")
            if size > _MOST_BYTES:
                raise ConnectionError(f"it announces {size} bytes")
            return codec.decode(self._exactly(size)), fds[0] if fds else None
        except BaseException:
            for fd in fds:
                os.close(fd)
            raise

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = self._line.recv(size - len(data))
            if not part:
                raise ConnectionError("it has hung up")
            data += part
        return data

    def _lost(self, error: Exception) -> SandboxUnavailable:
        """Give the zygote up."""
        said = "it has ended without a word" if isinstance(error, ConnectionError) else str(error)
        self.failed = self.failed or self._explain() or said
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        return SandboxUnavailable(f"The process that workers are forked from is gone: {self.failed}.")


class Forked:
    """A worker that a zygote has forked; a ``Child``."""

    greeting = b""

    def __init__(self, zygote: Zygote, pid: int, pidfd: int) -> None:
        """Take charge of ``pidfd``; ``pid`` is the worker's as the zygote sees it."""
        self._zygote, self._pid, self._pidfd = zygote, pid, pidfd
        self.worker_pid: int | None = _host_pid(pidfd)
        self._status: int | SandboxUnavailable | None = None

    def above(self, pid: int) -> list[int]:
        """Return nothing: what the worker starts is ended when it is reaped."""
        return []

    def wait(self, timeout_s: float) -> int:
        """Reap it and return how it ended.

        Raises ``TimeoutError``, and ``SandboxUnavailable`` if the zygote is gone, and this worker with it.
        """
        if self._status is None:
            poll = select.poll()
            poll.register(self._pidfd, select.POLLIN)
            if not poll.poll(timeout_s * 1000):
                raise TimeoutError(f"the worker did not end within {timeout_s:g} s")
            self._status = self._reaped()
            os.close(self._pidfd)
        if isinstance(self._status, SandboxUnavailable):
            raise self._status
        return self._status

    def kill(self) -> None:
        """Kill the worker."""
        if self._status is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def _reaped(self) -> int | SandboxUnavailable:
        try:
            while (status := self._zygote.reap(self._pid)) is None:
                time.sleep(0.001)  # its last thread is about to end
        except SandboxUnavailable as error:
            return error
        return status


def _host_pid(pidfd: int) -> int | None:
    """Return the pid, as seen from here, of the process that a pidfd stands for; None if it has ended."""
    for line in Path(f"/proc/self/fdinfo/{pidfd}").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "Pid" and int(value) > 0:
            return int(value)
    return None
