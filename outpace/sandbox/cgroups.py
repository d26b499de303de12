"""Control groups: limits on the sum of what all processes of one worker use, where the host lets us have them.

Groups are made below the judge's own group, so that whatever binds the judge binds its workers too. Version 2 needs the
controllers ``memory`` and ``pids`` delegated to the judge's group, version 1 the right to write there (in practice
root); see cgroups(7), and Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of the kernel.

Memory of a group counts everything: the heap, the pages of files in a tmpfs, the kernel's own for the worker. Its limit
is therefore that of memory plus that of disk plus ``SLACK_MB`` for the interpreter.
"""

import contextlib
import os
import re
import secrets
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from outpace.errors import SandboxUnavailable
from outpace.limits import Limits

MEGABYTE = 1 << 20
SLACK_MB = 64
"""What a group may use beyond the limits of memory and disk: an interpreter, its page tables, its sockets."""
NEEDED = ("memory", "pids")
DELEGATION = "systemd-run --user --scope -p Delegate=yes -- outpace …"
"""The command that gives an ordinary user a group of their own to divide."""
_NAME = re.compile(r"outpace-(\d+)-(\d+)-(\d+)-\w+")
_CLOSING_S = 2.0


@dataclass(frozen=True, slots=True)
class Place:
    """Where groups are made: the version of control groups, and one folder (2) or one for each controller (1)."""

    version: int
    folders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Nowhere:
    """Why there are no control groups here, and what would help."""

    reason: str
    remedy: str


class Group:
    """The control group of one worker: its folders, one (version 2) or one for each controller (version 1)."""

    def __init__(self, version: int, folders: list[str]) -> None:
        """Take charge of folders that exist."""
        self.version, self.folders = version, folders

    def limit(self, memory_bytes: int, processes: int) -> None:
        """Limit what all in the group use together; ``OSError`` where the kernel refuses."""
        first, last = self.folders[0], self.folders[-1]
        if self.version == 2:
            _write(f"{first}/memory.max", memory_bytes)
            _write_if_there(f"{first}/memory.swap.max", 0)
            _write_if_there(f"{first}/memory.oom.group", 1)
        else:
            _write(f"{first}/memory.limit_in_bytes", memory_bytes)
            _write_if_there(f"{first}/memory.memsw.limit_in_bytes", memory_bytes)
        _write(f"{last}/pids.max", processes)

    def add(self, pid: int) -> None:
        """Put a process into the group, and so all that it will start; one that is gone already is no error.

        Raises ``SandboxUnavailable`` if the kernel refuses: a worker must not run without the limits that we report.
        """
        for folder in self.folders:
            try:
                _write(f"{folder}/cgroup.procs", pid)
            except ProcessLookupError:
                return
            except OSError as error:
                raise SandboxUnavailable(
                    f"Cannot put a worker into the control group {folder}: {error.strerror}."
                ) from error

    def out_of_memory(self) -> bool:
        """Tell whether the kernel has killed a process of the group for lack of memory."""
        name = "memory.events" if self.version == 2 else "memory.oom_control"
        found = re.search(r"^oom_kill (\d+)$", _read(f"{self.folders[0]}/{name}"), re.MULTILINE)
        return found is not None and int(found.group(1)) > 0

    def close(self) -> None:
        """Kill what is left in the group and remove it; never raises, may be called twice.

        What the kernel still holds after two seconds (a process in uninterruptible sleep) is left to the next judge.
        """
        deadline = time.monotonic() + _CLOSING_S
        pause_s = 0.0
        while self.folders and time.monotonic() < deadline:
            self.folders = [folder for folder in self.folders if not _removed(folder)]
            if self.folders:
                self._kill()
                time.sleep(pause_s)
                pause_s = min(0.02, pause_s * 2 + 0.0005)

    def _kill(self) -> None:
        """Kill every process of the group; without ``cgroup.kill``, forbid new ones first so that none gets away."""
        for folder in self.folders:
            with contextlib.suppress(OSError):
                _write(f"{folder}/cgroup.kill", 1)
                return
        with contextlib.suppress(OSError):
            _write(f"{self.folders[-1]}/pids.max", 0)
        for folder in self.folders:
            for pid in _members(folder):
                _kill_member(folder, pid)


def make(limits: Limits) -> Group | None:
    """Return a new group with ``limits``, or None where this host gives us none; ``in_force`` then says why."""
    place = _place(os.getpid())
    if isinstance(place, Nowhere):
        return None
    return _limited(place, limits)


def in_force() -> str:
    """Return what holds workers made from now on: "v1: memory, pids", or "none: " and the reason."""
    place = _place(os.getpid())
    return f"none: {place.reason}" if isinstance(place, Nowhere) else f"v{place.version}: {', '.join(NEEDED)}"


def remedy() -> str:
    """Return what would give this judge control groups, nothing where it has them."""
    place = _place(os.getpid())
    return place.remedy if isinstance(place, Nowhere) else ""


@cache
def _place(judge: int) -> Place | Nowhere:
    """Return where this judge can make groups, having tried it; a fork of it (another pid) looks anew."""
    found = find(Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text())
    if isinstance(found, Nowhere):
        return found
    for folder in found.folders:
        _sweep(folder)
    try:
        group = _limited(found, Limits())
    except SandboxUnavailable as error:
        return Nowhere(str(error).rstrip("."), f"Start Outpace as root, or by: {DELEGATION}")
    group.close()
    return found


def _limited(place: Place, limits: Limits) -> Group:
    """Make a group with its limits set, or raise ``SandboxUnavailable`` and leave nothing."""
    name = _name()
    group = Group(place.version, [])
    try:
        for folder in place.folders:
            os.mkdir(f"{folder}/{name}")  # noqa: PTH102  (a worker must not wait for pathlib)
            group.folders.append(f"{folder}/{name}")
        group.limit((limits.memory_mb + limits.disk_mb + SLACK_MB) * MEGABYTE, limits.processes)
    except OSError as error:
        group.close()
        raise SandboxUnavailable(f"Cannot make a control group: {error.filename}: {error.strerror}.") from error
    return group


def find(mountinfo: str, own: str) -> Place | Nowhere:
    """Return where groups may be made, from the texts of /proc/self/mountinfo and /proc/self/cgroup: v2, else v1."""
    second, first = _second(mountinfo, own), _first(mountinfo, own)
    if isinstance(second, Nowhere) and isinstance(first, Place):
        return first
    if isinstance(second, Nowhere) and isinstance(first, Nowhere):
        return second if "cgroup2" in mountinfo and " cgroup " not in mountinfo else first
    return second


def _second(mountinfo: str, own: str) -> Place | Nowhere:
    """Return the judge's own group of version 2 if it may hand controllers on to groups below it."""
    folder = next(_folders(mountinfo, own, "cgroup2", ""), None)
    if folder is None:
        return Nowhere("no control groups are mounted", "Mount cgroup2 at /sys/fs/cgroup.")
    missing = set(NEEDED) - set(_read(f"{folder}/cgroup.controllers").split())
    if missing:
        lacks = " and ".join(sorted(missing))
        return Nowhere(f"{folder} has no controller {lacks}", f"Start Outpace by: {DELEGATION}")
    if not os.access(folder, os.W_OK):
        return Nowhere(f"{folder} may not be written to", f"Start Outpace as root, or by: {DELEGATION}")
    if set(NEEDED) <= set(_read(f"{folder}/cgroup.subtree_control").split()) or _enabled(folder):
        return Place(2, (folder,))
    return Nowhere(f"{folder} holds other programs as well", f"Start Outpace by: {DELEGATION}")


def _enabled(folder: str) -> bool:
    """Hand the controllers on to groups below ``folder``; a group that does so may hold no process, so move ours.

    Only where all of them are the judge's: itself and what it has started. Its leaf goes with the group it lies in.
    """
    with contextlib.suppress(OSError):
        _write(f"{folder}/cgroup.subtree_control", " ".join(f"+{name}" for name in NEEDED))
        return True
    members = _members(folder)
    if not members or not all(map(_is_ours, members)):
        return False
    leaf = f"{folder}/{_name()}"
    try:
        os.mkdir(leaf)  # noqa: PTH102
        for pid in members:
            _write(f"{leaf}/cgroup.procs", pid)
        _write(f"{folder}/cgroup.subtree_control", " ".join(f"+{name}" for name in NEEDED))
    except OSError:
        return False
    return True


def _first(mountinfo: str, own: str) -> Place | Nowhere:
    """Return the judge's own groups of version 1, one for each controller."""
    folders = []
    for name in NEEDED:
        folder = next(_folders(mountinfo, own, "cgroup", name), None)
        if folder is None:
            return Nowhere(f"no control group '{name}' is mounted", "Mount the control groups of the host.")
        if not os.access(folder, os.W_OK):
            return Nowhere(f"{folder} may not be written to", f"Start Outpace as root, or by: {DELEGATION}")
        folders.append(folder)
    return Place(1, tuple(folders))


def _folders(mountinfo: str, own: str, kind: str, controller: str) -> Iterator[str]:
    """Yield where the judge's own group of ``controller`` lies, for each mount of this ``kind`` that shows it."""
    paths = [path for _, names, path in (line.split(":", 2) for line in own.splitlines()) if _has(names, controller)]
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        root, mount = before.split()[3:5]
        fields = after.split()
        if fields[0] != kind or (controller and controller not in fields[2].split(",")):
            continue
        for path in paths:
            below = path if root == "/" else path.removeprefix(root)
            folder = f"{mount}{below}".rstrip("/")
            if ".." not in path.split("/") and Path(folder, "cgroup.procs").exists():
                yield folder


def _has(names: str, controller: str) -> bool:
    return controller in names.split(",")


def _name() -> str:
    """Return a name for a group that tells whose it is: PID namespace, pid and start time of the judge."""
    pid = os.getpid()
    return f"outpace-{_namespace()}-{pid}-{_started(pid)}-{secrets.token_hex(4)}"


def _sweep(folder: str) -> None:
    """Remove the groups that judges of this PID namespace have left below ``folder`` when they were killed."""
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208
            found = _NAME.fullmatch(name)
            if found is None or int(found.group(1)) != _namespace():
                continue
            pid, started = int(found.group(2)), int(found.group(3))
            if _started(pid) != started:
                Group(1, [f"{folder}/{name}"]).close()


def _namespace() -> int:
    return os.stat("/proc/self/ns/pid").st_ino  # noqa: PTH116


def _started(pid: int) -> int:
    """Return when ``pid`` was started, in the kernel's ticks; -1 if there is none."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(fields[19]) if len(fields) > 19 else -1


def _is_ours(pid: int) -> bool:
    """Tell whether ``pid`` is this process or was started by it, directly or not."""
    while pid > 1:
        if pid == os.getpid():
            return True
        fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        pid = int(fields[1]) if fields else 0
    return False


def _kill_member(folder: str, pid: int) -> None:
    """Kill ``pid`` if it still is in the group: its number may have passed on to a stranger since it was read."""
    with contextlib.suppress(OSError):
        pidfd = os.pidfd_open(pid)
        try:
            if pid in _members(folder):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        finally:
            os.close(pidfd)


def _members(folder: str) -> list[int]:
    return [pid for pid in map(int, _read(f"{folder}/cgroup.procs").split()) if pid > 0]


def _removed(folder: str) -> bool:
    try:
        os.rmdir(folder)  # noqa: PTH106
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _read(path: str) -> str:
    """Return the text of a file of the kernel, nothing if it cannot be read."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(fd, 1 << 20).decode(errors="replace")
    except OSError:
        return ""
    finally:
        os.close(fd)


def _write(path: str, value: int | str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, str(value).encode())
    except OSError as error:
        error.filename = path
        raise
    finally:
        os.close(fd)


def _write_if_there(path: str, value: int) -> None:
    """Set what not every kernel has (accounting of swap, killing a group as a whole)."""
    with contextlib.suppress(FileNotFoundError, PermissionError):
        _write(path, value)


__all__ = ["Group", "Nowhere", "Place", "find", "in_force", "make", "remedy"]
