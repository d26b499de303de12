"""How a container gets its lines to the judge: by a socket in a folder that both see, used once."""

import os
import select
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from outpace.errors import SandboxUnavailable
from outpace.sandbox.docker.engine import Container, Engine
from outpace.sandbox.docker.recipe import Recipe

MEETING_PLACE = "/run/outpace"
"""Where a container finds the judge's socket."""
START_WALL_S = 60.0
_NAME = "judge"
_LOOK_S = 0.25
_CREDENTIALS = struct.Struct("3i")
FETCH = f"""
import _signal, _socket, posix, sys
_signal.signal(_signal.SIGINT, _signal.SIG_DFL)
line = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
try:
    line.connect("{MEETING_PLACE}/{_NAME}")
except OSError as error:
    posix._exit(error.errno)
packed = line.recvmsg(1, 64)[1][0][2]
line.close()
control, printed = (int.from_bytes(packed[at : at + 4], sys.byteorder) for at in (0, 4))
for number in (1, 2):
    posix.dup2(printed, number)
posix.close(printed)
if sys.implementation.cache_tag != {sys.implementation.cache_tag!r}:
    posix.write(2, b"the image has the interpreter " + sys.implementation.cache_tag.encode())
    posix._exit(1)
sys.argv.append(str(control))
"""
"""What an interpreter in a container runs first: it takes its line to the judge and what is its standard error.

As the first process of its namespace it gets no signal from inside that it has no handler for, so it keeps none.
"""


def started(engine: Engine, recipe: Recipe, control: int, printed: int) -> Container:
    """Start a container whose command begins with ``FETCH``, and give it these two descriptors.

    Raises ``SandboxUnavailable`` if it does not come, or if it is no process of this host that the judge could time.
    """
    with _Meeting() as meeting:
        mounts = [*recipe.mounts, (meeting.folder, Path(MEETING_PLACE))]
        container = engine.start(replace(recipe, mounts=mounts))
        try:
            meeting.hand_over(container, recipe, [control, printed])
        except BaseException:
            container.remove()
            raise
    return container


class _Meeting:
    """A folder with a listening socket, for one caller: the container. Other users of the host cannot get there."""

    def __enter__(self) -> "_Meeting":
        self._scratch = tempfile.TemporaryDirectory(prefix="outpace-docker-")  # its mode is 0700
        self.folder = Path(self._scratch.name, "meeting")
        self.folder.mkdir()
        self.folder.chmod(0o755)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        place = os.open(self.folder, os.O_PATH)
        try:  # by a short name: the path of a socket may have 107 bytes
            self._listener.bind(f"/proc/self/fd/{place}/{_NAME}")
        finally:
            os.close(place)
        (self.folder / _NAME).chmod(0o666)
        self._listener.listen(1)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._listener.close()
        self._scratch.cleanup()

    def hand_over(self, container: Container, recipe: Recipe, fds: Sequence[int]) -> None:
        """Wait for the container's first process and send it ``fds``."""
        self._wait(container)
        caller, _ = self._listener.accept()
        with caller:
            pid = _CREDENTIALS.unpack(caller.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size))[0]
            if pid == 0 or pid != container.host_pid():
                raise SandboxUnavailable(hidden(recipe.runtime or "of the engine"))
            socket.send_fds(caller, [b"\0"], list(fds))

    def _wait(self, container: Container) -> None:
        deadline = time.monotonic() + START_WALL_S
        while not select.select([self._listener], [], [], _LOOK_S)[0]:
            if not container.is_running():
                raise SandboxUnavailable(_why(container))
            if time.monotonic() > deadline:
                raise SandboxUnavailable(
                    f"A container did not report within {START_WALL_S:g} s. If the engine runs in a virtual machine "
                    "(Docker Desktop), it cannot reach a socket of this host; workers need an engine on this host"
                )


def _why(container: Container) -> str:
    """Explain a container that never called: ``FETCH`` tells what kept it from calling by its exit code."""
    code = container.exit_code() or 0
    reason = f"exit code {code}; as an error of connect(2) that is '{os.strerror(code)}'" if code else "no exit code"
    return (
        f"A container ended before it reached the judge's socket: {reason}. If it may not reach sockets of the host "
        "(SELinux, Docker Desktop), use an engine on this host that lets it"
    )


def hidden(runtime: str) -> str:
    """Say why a runtime will not do whose processes this host's kernel does not see."""
    return (
        f"Workers cannot be timed: the runtime '{runtime}' hides the processes of its containers from this host, whose "
        "kernel times them. Remedy: an engine on this host, and a runtime that shows them (runc, crun)"
    )
