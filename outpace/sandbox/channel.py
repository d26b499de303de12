"""The judge's end of the line to a worker: frames with a deadline, and the end of what the worker prints."""

import fcntl
import os
import select
import socket
import struct
import time
from collections.abc import Iterable
from typing import Any

from outpace.sandbox._inside import codec
from outpace.sandbox.base import EndedBy

MEGABYTE = 1 << 20
"""The unit of ``Limits``: 2**20 bytes."""
TAIL_BYTES = 8192
UNASKED = "it sent something that nobody had asked for"
_CREDENTIALS = struct.Struct("3i")
_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL


class Ended(Exception):
    """Nothing more will come: the worker broke a limit, or it is gone (``by`` is "exit", the cause yet to be found)."""

    def __init__(self, by: EndedBy, detail: str = "") -> None:
        """Note the way and, in words for a person, what happened."""
        super().__init__(detail)
        self.by, self.detail = by, detail


class Channel:
    """A socket to the worker and the pipe of its standard error. Blocking, one user at a time.

    Descriptors go out to the worker and none comes in: what the worker attaches to its bytes, a plain ``recv`` drops.
    """

    def __init__(self, *, max_bytes: int) -> None:
        """Open both lines; ``their_socket`` and ``their_stderr`` are for the child, then ``close_theirs``."""
        self.max_bytes = max_bytes
        self.socket, self.their_socket = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.socket.setblocking(False)
        self.stderr, self.their_stderr = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        os.set_blocking(self.their_stderr, True)
        self.printed = 0
        self.tail = bytearray()
        self.listening = True
        self.poll = select.poll()
        self.poll.register(self.stderr, select.POLLIN)
        self.process: int | None = None

    def close_theirs(self) -> None:
        """Close the child's ends in this process."""
        self.their_socket.close()
        os.close(self.their_stderr)

    def watch(self, pidfd: int) -> None:
        """From now on, the end of this process ends every wait."""
        self.process = pidfd
        self.poll.register(pidfd, select.POLLIN)

    def close(self) -> None:
        """Close our ends."""
        self.socket.close()
        os.close(self.stderr)

    def send(self, chunks: list[bytes | memoryview], deadline_ns: int) -> None:
        """Write a whole frame, or raise ``Ended``."""
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                try:
                    rest = rest[self.socket.send(rest) :]
                except BlockingIOError:
                    self._wait(select.POLLOUT, deadline_ns)
                except ConnectionError:
                    raise Ended("exit") from None

    def send_with(self, message: bytes, fd: int) -> None:
        """Write a small frame and hand over ``fd`` with it, also to a worker that is stopped; or raise ``Ended``.

        The line has room: it holds one such frame at a time.
        """
        try:
            sent = socket.send_fds(self.socket, [message], [fd])
        except (BlockingIOError, ConnectionError):
            raise Ended("exit") from None
        if sent != len(message):
            raise Ended("garbled", "it left its line to the judge full")

    def receive(self, deadline_ns: int) -> bytearray:
        """Return the body of the next frame, or raise ``Ended``; ``Garbled`` if it announces more than is allowed."""
        size = int.from_bytes(self._exactly(codec.HEADER, deadline_ns), "big")
        if size > self.max_bytes:
            raise Ended("output", f"an answer of {size} bytes; the limit is {self.max_bytes}")
        return self._exactly(size, deadline_ns)

    def sender(self, deadline_ns: int) -> int:
        """Wait for the first byte of a reply and return the pid, as seen from here, of the process that wrote it."""
        space = socket.CMSG_SPACE(_CREDENTIALS.size)
        self._wait(select.POLLIN, deadline_ns)
        try:
            data, messages, _, _ = self.socket.recvmsg(1, space, socket.MSG_PEEK)
        except ConnectionError:
            raise Ended("exit") from None
        for level, kind, content in messages:
            if data and level == socket.SOL_SOCKET and kind == socket.SCM_CREDENTIALS:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
                pid: int = _CREDENTIALS.unpack(content)[0]
                return pid
        raise Ended("exit")

    def pending(self) -> bool:
        """Tell whether the worker has sent something that nobody asked for."""
        try:
            return bool(self.socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return False
        except ConnectionError:
            return False

    def listen(self, deadline_ns: int) -> None:
        """Take what is printed until the deadline; ``Ended`` if the process ends or prints too much."""
        self.poll.register(self.socket, select.POLLIN)
        while (left_ms := (deadline_ns - time.perf_counter_ns()) / 1e6) > 0:
            ready = {fd for fd, _ in self.poll.poll(left_ms)}
            self.drain()
            if self.pending():
                raise Ended("garbled", UNASKED)
            if self.process in ready or self.socket.fileno() in ready:
                raise Ended("exit")

    def drain(self) -> None:
        """Take what the worker has printed, without waiting; ``Ended`` when it is more than a worker may print."""
        while self.listening:
            try:
                data = os.read(self.stderr, 1 << 16)
            except BlockingIOError:
                return
            if not data:
                self._forget_stderr()
                return
            self.printed += len(data)
            self.tail += data
            del self.tail[:-TAIL_BYTES]
            if self.printed > self.max_bytes:
                raise Ended("output", f"more than {self.max_bytes // MEGABYTE} MB printed")

    def _forget_stderr(self) -> None:
        """A closed pipe is always ready: waiting for it would spin."""
        self.poll.unregister(self.stderr)
        self.listening = False

    def _exactly(self, size: int, deadline_ns: int) -> bytearray:
        data = bytearray(size)
        rest = memoryview(data)
        while rest:
            try:
                received = self.socket.recv_into(rest)
            except BlockingIOError:
                self._wait(select.POLLIN, deadline_ns)
                continue
            except ConnectionError:
                raise Ended("exit") from None
            if received == 0:
                raise Ended("exit")
            rest = rest[received:]
        return data

    def _wait(self, event: int, deadline_ns: int) -> None:
        """Return when the socket is ready; meanwhile read what is printed, watch the clock and the process."""
        self.poll.register(self.socket, event)
        while True:
            left_ms = (deadline_ns - time.perf_counter_ns()) / 1e6
            if left_ms <= 0:
                raise Ended("timeout")
            ready: dict[int, Any] = dict(self.poll.poll(left_ms))
            if self.stderr in ready:
                self.drain()
            if self.socket.fileno() in ready:
                return
            if self.process in ready:
                raise Ended("exit")


def sealed(chunks: Iterable[bytes | memoryview]) -> int:
    """Return a descriptor of memory that holds ``chunks`` and that nobody can change any more (memfd_create(2))."""
    fd = os.memfd_create("outpace", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        for chunk in chunks:
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(fd, rest) :]
        fcntl.fcntl(fd, fcntl.F_ADD_SEALS, _SEALS)
    except BaseException:
        os.close(fd)
        raise
    return fd
