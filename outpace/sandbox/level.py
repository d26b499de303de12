"""How much holds a worker: measured on one that runs, put in a word, and compared with what was asked for."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from outpace.errors import SandboxUnavailable, UnknownName
from outpace.limits import Limits
from outpace.sandbox import cgroups
from outpace.sandbox.base import Containment, Level, Sandbox
from outpace.sandbox.child import Program, Spawn
from outpace.sandbox.launch import Launch
from outpace.sandbox.worker_process import START_WALL_S, WorkerProcess, only

LEVELS: tuple[Level, ...] = get_args(Level)
"""Best first."""
NAMESPACES = ("pid", "mount", "network")
"""The namespaces without which a worker sees the host's processes, files or network."""
LIMITS = {
    "AS": "memory",
    "CPU": "CPU time",
    "FSIZE": "size of a file",
    "NOFILE": "descriptors",
    "NPROC": "processes",
}
"""The resource limits worth telling."""
NAMESPACES_REMEDY = (
    "Remedy: allow unprivileged user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, "
    "kernel.apparmor_restrict_unprivileged_userns)"
)
LANDLOCK_REMEDY = (
    "Remedy: a kernel with Landlock (Linux 5.13 or newer, 'landlock' in its boot parameter lsm=; not gVisor)"
)

_PROGRAM = """
import ctypes, os, resource, stat
libc = ctypes.CDLL(None, use_errno=True)
def attempt(action):
    try:
        action()
    except OSError as error:
        return error.errno
    return 0
def capabilities():
    header, sets = (ctypes.c_uint * 2)(0x20080522, 0), (ctypes.c_uint * 6)()
    return libc.capget(header, sets) == 0 and any(sets)
def entry():
    root = os.stat("/")
    limits = {name[7:]: resource.getrlimit(getattr(resource, name)) for name in dir(resource) if name[:7] == "RLIMIT_"}
    return {
        "pid": os.getpid(),
        "uid": os.getuid(),
        "root": (root.st_dev, root.st_ino),
        "root open": root.st_mode & 0o555 == 0o555,
        "root listed": attempt(lambda: os.listdir("/")),
        "landlock": libc.syscall(444, None, ctypes.c_size_t(0), 1),
        "filter": libc.prctl(21, 0, 0, 0, 0),
        "no new privileges": libc.prctl(39, 0, 0, 0, 0),
        "capabilities": capabilities(),
        "limits": {name: hard for name, (soft, hard) in limits.items() if hard >= 0},
    }
"""
_EACCES = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was measured on a worker.

    ``namespaces`` are those of ``NAMESPACES`` that are its own, ``landlock`` the version in force (0: none),
    ``filtered`` whether a system-call filter is and no new privilege can be had, ``limits`` the resource limits that
    are set, ``cgroup`` what ``cgroups.in_force`` says of it.
    """

    namespaces: tuple[str, ...]
    landlock: int
    filtered: bool
    capabilities: bool
    limits: tuple[str, ...]
    cgroup: str

    @property
    def level(self) -> Level:
        """The level as ``base.Level`` defines it."""
        walls = (set(NAMESPACES) <= set(self.namespaces)) + (self.landlock > 0)
        if not self.filtered or walls == 0:
            return "D"
        if walls == 1 or self.capabilities:
            return "C"
        return "B" if self.cgroup.startswith("none") else "A"

    @property
    def facts(self) -> Mapping[str, str]:
        """The layers in words, as ``Containment.facts`` has them."""
        return {
            "namespaces": ", ".join(self.namespaces) or "none",
            "landlock": f"version {self.landlock}" if self.landlock else "none",
            "system calls": "filtered" if self.filtered else "not filtered",
            "capabilities": "some" if self.capabilities else "none",
            "limits": ", ".join(self.limits) or "none",
            "cgroup": self.cgroup,
        }


def probe(launch: Launch, limits: Limits, *, spawn: Spawn = Program) -> Containment:
    """Start a worker, find out what holds it, and stop it; raises ``SandboxUnavailable``."""
    process = WorkerProcess(launch, limits, spawn=spawn)
    try:
        process.handshake(None)
        return measure(process)
    finally:
        process.close()


def measure(process: WorkerProcess, *, cgroup: str | None = None) -> Containment:
    """Find out what holds a worker that has confined itself and has no candidate yet; the caller closes it.

    ``cgroup`` says what holds it if not groups of ``cgroups.make``. Raises ``SandboxUnavailable`` if it does not
    answer.
    """
    process.exchange("load", [{"files": {"program.py": _PROGRAM}, "entry": "entry", "driver": None}], START_WALL_S)
    reply = only(process.exchange("call", [{}], START_WALL_S))
    if not reply.ok:
        raise SandboxUnavailable(f"A worker did not tell what holds it: {reply.error or reply.detail}.")
    return containment(_found(reply.output, process, cgroup))


def containment(found: Found) -> Containment:
    """Put what was measured in words; ``lacking`` holds the reason and the remedy."""
    return Containment(level=found.level, facts=found.facts, lacking=_lacking(found))


def require(sandbox: Sandbox, level: str) -> Containment:
    """Return what holds the workers of ``sandbox``; raises ``SandboxUnavailable`` if that is less than ``level``.

    Raises ``UnknownName`` for a level that does not exist.
    """
    if level not in LEVELS:
        raise UnknownName("level", level, LEVELS)
    found = sandbox.probe()
    if LEVELS.index(found.level) > LEVELS.index(level):
        raise SandboxUnavailable(
            f"The sandbox '{sandbox.name}' reaches level {found.level} here, level {level} was asked for: "
            f"{found.lacking.rstrip('.')}."
        )
    return found


def _found(inside: Mapping[str, Any], process: WorkerProcess, cgroup: str | None) -> Found:
    """Join what the worker found inside with what is seen of it from outside."""
    pid, host = process.pid, os.stat("/")  # noqa: PTH116
    own = {
        "pid": inside["pid"] != pid,
        "mount": tuple(inside["root"]) != (host.st_dev, host.st_ino),
        "network": _has_own_network(pid),
    }
    denied = inside["root open"] and inside["root listed"] == _EACCES  # by nothing but Landlock
    return Found(
        namespaces=tuple(name for name in NAMESPACES if own[name]),
        landlock=max(0, inside["landlock"]) if denied else 0,
        filtered=inside["filter"] == 2 and inside["no new privileges"] == 1,
        capabilities=inside["capabilities"],
        limits=_limits(inside["limits"], process.launch.rlimits),
        cgroup=cgroup or _group(pid),
    )


def _limits(measured: Mapping[str, int], wanted: Mapping[str, tuple[int, int]]) -> tuple[str, ...]:
    """Return in words which of the limits that were to be set are in force."""
    held = {name for name, (_, hard) in wanted.items() if measured.get(name, hard + 1) <= hard}
    return tuple(word for name, word in LIMITS.items() if name in held)


def _has_own_network(pid: int) -> bool:
    """Tell whether a process has a network namespace of its own, or at least no interface but loopback."""
    try:
        return Path(f"/proc/{pid}/ns/net").readlink() != Path("/proc/self/ns/net").readlink()
    except OSError:  # only for those who may trace it
        names = re.findall(r"^\s*(\w+):", Path(f"/proc/{pid}/net/dev").read_text(), re.MULTILINE)
        return names in ([], ["lo"])


def _group(pid: int) -> str:
    """Tell which control groups of ours a process is in."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        lines = []
    if any(line.rpartition("/")[2].startswith("outpace-") for line in lines):
        return cgroups.in_force()
    force = cgroups.in_force()
    return force if force.startswith("none") else "none: the sandbox does not use them"


def _lacking(found: Found) -> str:
    """Return why the level is not better, and what would help."""
    if not found.filtered:
        return "its workers have no system-call filter"
    missing = [name for name in NAMESPACES if name not in found.namespaces]
    reasons = []
    if missing:
        reasons.append(f"a worker has no {', '.join(missing)} namespace of its own. {NAMESPACES_REMEDY}")
    if not found.landlock:
        reasons.append(f"Landlock is not in force. {LANDLOCK_REMEDY}")
    if found.capabilities:
        reasons.append("a worker keeps capabilities")
    if not reasons and found.cgroup.startswith("none"):
        remedy = f". Remedy: {cgroups.remedy().rstrip('.')}" if cgroups.remedy() else ""
        reasons.append(f"no control groups ({found.cgroup.removeprefix('none: ')}){remedy}")
    return "; ".join(reasons)


__all__ = ["LEVELS", "Found", "containment", "measure", "probe", "require"]
