"""Runs a server for somebody who may die at any moment, and ends it with them.

``python keeper.py COMMAND…`` starts the command. When it is asked to end (SIGTERM), when the command ends by itself, or
when standard input closes, because its other end was closed or because the process that held it is gone, whatever the
reason, it ends the command and every process that came of it, those in groups and sessions of their own too, and leaves
with the command's exit code. Run by path, with nothing but the standard library.
"""

import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

GRACE_S = 15.0
"""How long the command may take to end by itself once it is asked to."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_LINUX = sys.platform == "linux"


def keep(command: Sequence[str]) -> int:
    """Run the command until it ends or is not wanted any more; return its exit code (128 and the signal, if killed)."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)  # what the command leaves behind becomes ours, and is found
    woken = _wakened()
    keeper = os.getpid()
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=lambda: _tied_to(keeper),  # noqa: PLW1509  this process has one thread
    )
    while server.poll() is None and not _unwanted(woken):
        pass
    if server.poll() is None:
        _signal(server.pid, signal.SIGTERM)
        _waited(server, GRACE_S)
    _sweep(server)
    code = server.poll()
    return 1 if code is None else code if code >= 0 else 128 - code


def descendants(of: int) -> list[int]:
    """Return the processes that came of one and still are, as /proc has them; none where there is no /proc."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:  # gone meanwhile
            continue
        if fields[0] not in "ZX":
            parents[int(entry.parent.name)] = int(fields[1])
    found, frontier = set[int](), {of}
    while frontier:
        frontier = {one for one, parent in parents.items() if parent in frontier} - found
        found |= frontier
    return sorted(found)


def _wakened() -> int:
    """Return a descriptor that is readable after a signal: a child that has ended, or a request to end."""
    receiving, sending = os.pipe()
    os.set_blocking(sending, False)
    os.set_blocking(receiving, False)
    signal.set_wakeup_fd(sending, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return receiving


def _unwanted(woken: int) -> bool:
    """Wait for something to happen; return whether that is the end of who wants the server, or a request to end."""
    ready, _, _ = select.select([0, woken], [], [])
    asked = woken in ready and signal.SIGTERM in os.read(woken, 4096)
    return asked or (0 in ready and not os.read(0, 4096))


def _tied_to(keeper: int) -> None:
    """In the child, before the command: end if the keeper is killed."""
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != keeper:
        os._exit(1)


def _prctl(option: int, value: int) -> None:
    if _LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def _signal(group: int, number: int) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # it has ended
        return


def _waited(server: subprocess.Popen[bytes], limit_s: float) -> None:
    try:
        server.wait(limit_s)
    except subprocess.TimeoutExpired:
        return


def _sweep(server: subprocess.Popen[bytes]) -> None:
    """Kill what is left, until nothing is."""
    until = time.monotonic() + GRACE_S
    _signal(server.pid, signal.SIGKILL)
    while (left := descendants(os.getpid())) and time.monotonic() < until:
        for one in left:
            try:
                os.kill(one, signal.SIGKILL)
            except ProcessLookupError:
                continue
        server.poll()
        time.sleep(0.02)
    _waited(server, 1.0)


if __name__ == "__main__":
    sys.exit(keep(sys.argv[1:]))
