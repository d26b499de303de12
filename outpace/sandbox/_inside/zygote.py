"""The process that workers are forked from: it has imported what takes long, and never sees a candidate.

A bare interpreter is sent this by its socket, like a worker, and then serves its judge until that hangs up. Frames in
are ``[id, kind, body]``, frames out ``[id, "value", answer]`` or ``[id, "error", text]``:

``begin``
    First and once. ``{"view": None or the argument of namespaces.enclose, "preload": [names of modules], "scratch":
    folder or None}``. With a view, this process moves into namespaces of its own, and each worker into further ones.
    Without (in a container, which has some), workers are plain forks that rlimits, Landlock and the system-call filter
    of their ``setup`` hold; ``scratch`` is then the only folder that they can write to, emptied when none is alive.
    The answer is the pid of the zygote as it sees itself.
``fork``
    Two descriptors come with it: the worker's end of the line to the judge, and of the pipe that it prints to. Body:
    ``{"disk_bytes": n, "disk_files": n}``. The answer is the worker's pid as the zygote sees it; its pidfd goes with
    the answer. The worker waits for its ``setup`` then, as a bare one does after its code.
``reap``
    Body: the pid. Once the worker has ended, what it leaves is killed, and the answer is its exit code, or minus the
    number of the signal that ended it; None while it lives.
"""

from __future__ import annotations

import gc
import os
import signal
import sys

from . import codec, namespaces, worker
from .landlock import call
from .line import Line

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module ``typing`` would cost every worker 5 ms
    from typing import Any, NoReturn

CONTROL_FD = 201
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER = 1, 4, 36
_CLOSE_RANGE, _ALL = 436, 0xFFFF_FFFF
_SLEEP = ("/usr/bin/sleep", "/bin/sleep")
_FAILED = 70  # EX_SOFTWARE of sysexits.h


def main(judge: int) -> None:
    """Serve the judge at the other end of this file descriptor; each worker leaves this function as a process."""
    os.dup2(judge, CONTROL_FD, inheritable=False)
    os.close(judge)
    zygote = Zygote(Line(CONTROL_FD))
    try:
        order = zygote.serve()
    except (EOFError, ConnectionError):
        os._exit(0)
    _be_worker(order)


class Fork:
    """What a new worker is given: the descriptors of its lines, its folders and their room, and its parent."""

    def __init__(self, fds: list[int], room: tuple[list[str], int, int], zygote: int) -> None:
        (self.line, self.printed), self.room, self.zygote = fds, room, zygote


class Zygote:
    """Forks workers and reaps them."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.enclosed = False
        self.own: list[str] = []
        self.scratch: str | None = None
        self.home = -1
        self.guards: dict[int, int] = {}  # pid of a worker: pid of the first process of its PID namespace, or 0

    def serve(self) -> Fork:
        """Answer requests in order; return, in the process of a new worker, what that was given."""
        while True:
            message, fds = self.line.read()
            number, kind, body = codec.decode(message, copy=True)
            me = 0 if self.enclosed else os.getpid()  # parents outside of a PID namespace have no number in it
            try:
                if kind == "fork":
                    pid = self._fork()
                    if pid == 0:
                        return Fork(fds, (self.own, body["disk_bytes"], body["disk_files"]), me)
                    self._answer_with_pidfd(number, pid)
                elif kind == "reap":
                    self._answer(number, "value", self._reap(body))
                else:
                    self._begin(body)
                    self._answer(number, "value", os.getpid())
            except (OSError, ImportError) as error:
                self._answer(number, "error", str(error))
            for fd in fds:
                os.close(fd)

    def _answer(self, number: int, kind: str, value: Any) -> None:
        self.line.write(codec.frame(value, head=(number, kind), max_bytes=1 << 20))

    def _answer_with_pidfd(self, number: int, pid: int) -> None:
        pidfd = os.pidfd_open(pid)
        try:
            self.line.write(codec.frame(pid, head=(number, "value"), max_bytes=1 << 20), [pidfd])
        finally:
            os.close(pidfd)

    def _begin(self, order: dict[str, Any]) -> None:
        self.enclosed, self.scratch = order["view"] is not None, order["scratch"]
        if self.enclosed:
            self.own = order["view"]["own"]
            namespaces.enclose(order["view"])
            _continue_as_child()
            namespaces.settle(self.own)
            self.home = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)
        else:
            call("prctl", _PR_SET_DUMPABLE, 0)  # workers are of the same user
            call("prctl", _PR_SET_CHILD_SUBREAPER, 1)
        if order["preload"]:  # a module may ask for the place of temporary files, where nobody can write yet
            import tempfile

            tempfile.tempdir = os.environ.get("TMPDIR")
        for name in order["preload"]:
            try:
                __import__(name)
            except ImportError as error:
                raise ImportError(f"the module '{name}' cannot be imported: {error}") from None
        _tidy()

    def _fork(self) -> int:
        """Fork a worker; 0 in the worker. With namespaces it is the second process of a PID namespace of its own.

        The first is a guard: the kernel ignores signals that the first process sends itself, as abort(3) does.
        """
        guard = 0
        if self.enclosed:
            call("unshare", namespaces.NEW_PIDS)
        try:
            if self.enclosed:
                guard = _start_guard()
            pid = os.fork()
        except OSError:
            self._come_home()
            _end(guard)
            raise
        if pid:
            self._come_home()
            self.guards[pid] = guard
        return pid

    def _come_home(self) -> None:
        """Let the next child be one of our own PID namespace."""
        if self.enclosed:
            call("setns", self.home, namespaces.NEW_PIDS)

    def _reap(self, pid: int) -> int | None:
        found, status = os.waitpid(pid, os.WNOHANG)
        if not found:
            return None
        guard = self.guards.pop(pid)
        if guard:
            _end(guard)
        else:
            self._clean()
        return os.waitstatus_to_exitcode(status)

    def _clean(self) -> None:
        """Without namespaces: end what a worker has left running; when none is alive, remove what they wrote."""
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:  # noqa: PTH123
            left = {int(pid) for pid in file.read().split()} - self.guards.keys()
        for pid in left:
            _end(pid)
        if self.scratch is not None and not self.guards:
            _empty(self.scratch)


def _continue_as_child() -> None:
    """Go on as a child, the first process of the new PID namespace; the parent only waits for it."""
    child = os.fork()
    if child:
        _close_all(3, _ALL)
        os._exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) & 255)
    call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL)


def _tidy() -> None:
    """Make forks cheap and safe: one thread, and nothing that a collection of garbage would write to.

    Libraries such as OpenBLAS end their threads when the process forks, and start them again when they compute.
    """
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    try:
        threads = len(os.listdir("/proc/self/task"))  # noqa: PTH208
    except OSError:
        threads = 1
    if threads != 1:
        raise ImportError(
            f"the modules to preload have started {threads - 1} threads; a process with threads cannot fork"
        )
    gc.collect()
    gc.freeze()


def _start_guard() -> int:
    """Start what is the first process of a PID namespace and does nothing until it is killed; return its pid.

    A small program, because copying a process that has loaded much takes long; such a copy where there is no program.
    """
    for program in _SLEEP:
        if os.access(program, os.X_OK):
            return os.posix_spawn(program, ["sleep", "infinity"], {})
    guard = os.fork()
    while guard == 0:
        _close_all(3, _ALL)
        signal.pause()
    return guard


def _be_worker(fork: Fork) -> NoReturn:
    """Turn the copy of the zygote into a worker: its own lines, its own folders, its own chance; then serve."""
    try:
        for number in (1, 2):
            os.dup2(fork.printed, number)
        os.dup2(fork.line, worker.PRIVATE_FD, inheritable=False)
        _close_all(3, worker.PRIVATE_FD - 1)
        _close_all(worker.PRIVATE_FD + 1, _ALL)
        call("prctl", _PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != fork.zygote:
            os._exit(_FAILED)
        if fork.room[0]:
            namespaces.set_apart(*fork.room)
        if "numpy.random" in sys.modules:  # random itself takes care
            sys.modules["numpy.random"].seed()
    except OSError as error:
        os.write(2, f"{error}\n".encode(errors="replace"))
        os._exit(_FAILED)
    worker.main(worker.PRIVATE_FD)
    os._exit(0)


def _end(pid: int) -> None:
    """Kill a child and reap it; 0: there is none."""
    if pid:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _close_all(first: int, last: int) -> None:
    call("syscall", _CLOSE_RANGE, first, last, 0)


def _empty(folder: str) -> None:
    """Remove all that lies in a folder, however deep, and even below folders that were closed.

    What lies in a folder is moved up before that is removed: no path gets long, and nothing is called within itself.
    """
    while entries := list(os.scandir(folder)):
        for entry in entries:
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.path)  # noqa: PTH108
                continue
            os.chmod(entry.path, 0o700)  # noqa: PTH101
            for inner in list(os.scandir(entry.path)):
                if inner.is_dir(follow_symlinks=False):
                    os.chmod(inner.path, 0o700)  # noqa: PTH101
                os.rename(inner.path, f"{folder}/{os.urandom(8).hex()}")  # noqa: PTH104
            os.rmdir(entry.path)  # noqa: PTH106
