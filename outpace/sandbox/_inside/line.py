"""The inner end of a line to the judge: frames, and the descriptors that come or go with their first byte."""

from __future__ import annotations

import _socket
from array import array

from . import codec

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module ``typing`` would cost every worker 5 ms
    from collections.abc import Sequence

_MOST_FDS = 2
_JOINED_BYTES = 1 << 16
_GLANCE_BYTES = 1 << 12  # a go fits in: one call to the system instead of two
_SPACE = _socket.CMSG_SPACE(_MOST_FDS * array("i").itemsize)


class Line:
    """A stream socket to the judge. Blocking; ``EOFError`` when the judge has hung up."""

    def __init__(self, fd: int) -> None:
        """Take charge of the descriptor of a connected socket."""
        self._socket = _socket.socket(fileno=fd)

    def read(self) -> tuple[bytearray, list[int]]:
        """Return the body of the next frame and the descriptors that came with it.

        The judge sends the next frame only when this one is answered, so nothing of it is taken along.
        """
        data, extra, _, _ = self._socket.recvmsg(_GLANCE_BYTES, _SPACE, _socket.MSG_CMSG_CLOEXEC)
        if not data:
            raise EOFError
        if len(data) < codec.HEADER:
            data += self._exactly(codec.HEADER - len(data))
        missing = codec.HEADER + int.from_bytes(data[: codec.HEADER], "big") - len(data)
        if missing:
            data += self._exactly(missing)
        fds = array("i")
        for _, kind, content in extra:
            if kind == _socket.SCM_RIGHTS:
                fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
        return bytearray(data[codec.HEADER :]), fds.tolist()

    def write(self, chunks: Sequence[bytes | memoryview], fds: Sequence[int] = ()) -> None:
        """Send the chunks of a frame; copies of ``fds`` go with it."""
        if fds:
            message = b"".join(chunks)
            sent = self._socket.sendmsg([message], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array("i", fds))])
            self._socket.sendall(memoryview(message)[sent:])
            return
        head: list[bytes | memoryview] = []
        for chunk in chunks:
            if len(chunk) < _JOINED_BYTES:
                head.append(chunk)
            else:
                self._socket.sendall(b"".join(head))
                self._socket.sendall(chunk)
                head = []
        self._socket.sendall(b"".join(head))

    def _exactly(self, size: int) -> bytearray:
        data = bytearray(size)
        rest = memoryview(data)
        while rest:
            received = self._socket.recv_into(rest)
            if received == 0:
                raise EOFError
            rest = rest[received:]
        return data
