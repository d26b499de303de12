"""The warm worker, the default: a confined process with numpy loaded that is forked for a candidate in milliseconds."""

import os
import platform
import re
import secrets
import socket
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from outpace.errors import SandboxUnavailable
from outpace.sandbox import confined_worker, interpreter, level, view
from outpace.sandbox.base import Containment, Job
from outpace.sandbox.bubblewrap import spare_uids
from outpace.sandbox.channel import Channel
from outpace.sandbox.child import Child, Spawn
from outpace.sandbox.confined_worker import ConfinedWorker
from outpace.sandbox.forking import Zygote
from outpace.sandbox.launch import Launch, environment, rlimits
from outpace.sandbox.seccomp import filter_program

OLDEST_LINUX = (5, 14)
"""The first with mount_setattr(2), Landlock, and a limit on processes that counts per user namespace."""
END_WALL_S = 10.0
REMEDY = f"{level.NAMESPACES_REMEDY}, or, if you trust the code, pass --sandbox process."


class ZygoteSandbox:
    """Workers forked from a warm process, a zygote, each in namespaces of its own, as root and as an ordinary user.

    A zygote is a fresh interpreter, never a fork of the judge: it holds modules and nothing else. There is one for each
    environment, set of mounts and set of modules to preload; it starts with the first job that needs it and ends with
    ``close``, or with the judge.
    """

    name = "zygote"

    def __init__(self) -> None:
        """Start nothing yet."""
        self._zygotes: dict[Any, _Warm] = {}
        self._lock = threading.Lock()
        self._end = weakref.finalize(self, _close, self._zygotes)  # also at the end of the judge

    def probe(self) -> Containment:
        """Start a worker and stop it; tell what holds it. Raises ``SandboxUnavailable`` with reason and remedy."""
        job = Job(files={}, entry="")
        return level.probe(self._launch(job), job.limits, spawn=self._spawn(job))

    def missing(self, packages: Sequence[str]) -> list[str]:
        """Return those of ``packages``, by the names they are imported by, that a worker cannot import."""
        job = Job(files={}, entry="")
        found: list[str] = confined_worker.ask(
            self._launch(job), job.limits, "find", list(packages), spawn=self._spawn(job)
        )
        return found

    async def start(self, job: Job) -> ConfinedWorker:
        """Start a worker; raises ``SandboxUnavailable``."""
        view.must_be_there(job.mounts)
        return await confined_worker.start(self._launch(job), job, spawn=self._spawn(job))

    def close(self) -> None:
        """End the zygotes, and with them every worker that is still alive."""
        with self._lock:
            _close(self._zygotes)

    def _launch(self, job: Job) -> Launch:
        processes = job.limits.processes
        return Launch(
            env=environment(job, view.FOLDER),
            folder=view.FOLDER,
            filter=_filter(programs=job.may_start_programs),
            rlimits={**rlimits(job.limits), "NPROC": (processes, processes)},
            landlock=view.reachable(job),
            artefacts=job.artefacts,
            die_with_parent=True,
            disk_mb=job.limits.disk_mb,
        )

    def _spawn(self, job: Job) -> Spawn:
        """Return what forks a worker for ``job`` from the zygote that it needs, started anew if it has died."""

        def spawn(launch: Launch, channel: Channel) -> Child:
            warm = self._warm(launch.env, job)
            try:
                return warm.zygote.spawn(launch, channel)
            except SandboxUnavailable:
                if warm.zygote.failed is None:
                    raise
                return self._warm(launch.env, job).zygote.spawn(launch, channel)

        return spawn

    def _warm(self, env: Mapping[str, str], job: Job) -> "_Warm":
        """Return the zygote for ``job``; others wait here while it starts."""
        mounts = view.mounts_of(job)
        key = (os.getpid(), frozenset(env.items()), mounts, job.preload)
        with self._lock:
            warm = self._zygotes.get(key)
            if warm is None or warm.zygote.failed is not None:
                if warm is not None:
                    warm.close()
                plan = {"uid": self._uid(mounts), "steps": _steps(mounts), "own": list(map(str, view.SCRATCH))}
                warm = self._zygotes[key] = _Warm(env, plan, job.preload)
            return warm

    def _uid(self, mounts: Sequence[Path]) -> int | None:
        """Return the user of the host that a zygote of root's becomes: one that nobody else is."""
        if os.geteuid() != 0:
            return None
        uids = spare_uids(Path("/proc/self/uid_map").read_text())
        if uids is None:
            return None
        view.must_be_open([*interpreter.readable_paths(), *mounts])
        return secrets.choice(uids)


class _Warm:
    """A zygote and the process that it runs in."""

    def __init__(self, env: Mapping[str, str], plan: Mapping[str, Any], preload: Sequence[str]) -> None:
        """Start a bare interpreter and make a zygote of it; raises ``SandboxUnavailable``."""
        _must_be_new_enough()
        self._judge = os.getpid()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        self._printed = os.memfd_create("outpace-zygote", os.MFD_CLOEXEC)
        self.zygote = Zygote(ours, self._explain)
        try:
            with theirs:
                self._process = self._start(env, theirs.fileno())
        except OSError as error:
            ours.close()
            os.close(self._printed)
            raise SandboxUnavailable(f"Cannot start {interpreter.executable()}: {error.strerror}.") from error
        try:
            self.zygote.begin(view=plan, preload=preload)
        except BaseException as error:
            self.close()
            raise _with_remedy(error) from error

    def close(self) -> None:
        """Hang up, and wait until the zygote and all of its workers have ended. A fork of the judge leaves it alone."""
        if self._judge != os.getpid():
            return
        self.zygote.close()
        try:
            self._process.wait(END_WALL_S)
        except subprocess.TimeoutExpired:
            self._process.kill()  # the kernel then kills the zygote, and so its PID namespace
            self._process.wait()
        os.close(self._printed)

    def _start(self, env: Mapping[str, str], line: int) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [*interpreter.command(), str(line)],
            env=dict(env),
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=self._printed,
            stderr=self._printed,
            pass_fds=(line,),
            start_new_session=True,  # Ctrl-C on the terminal is for us alone
        )

    def _explain(self) -> str:
        lines = os.pread(self._printed, 1 << 16, 0).decode(errors="replace").split("\n")
        return next((line.strip().rstrip(".") for line in reversed(lines) if line.strip()), "")


def _close(zygotes: dict[Any, _Warm]) -> None:
    while zygotes:
        zygotes.popitem()[1].close()


@cache
def _filter(*, programs: bool) -> bytes:
    return filter_program(allow_exec=programs, allow_fork=programs)


@cache
def _steps(mounts: tuple[Path, ...]) -> list[tuple[str, str, str]]:
    return [(step.kind, str(step.path), step.source) for step in view.steps(mounts)]


def _must_be_new_enough() -> None:
    if sys.platform != "linux":
        raise SandboxUnavailable(f"The sandbox 'zygote' runs on Linux only; this is {platform.system()}.")
    release = platform.release()
    if tuple(map(int, re.findall(r"\d+", release)[:2])) < OLDEST_LINUX:
        oldest = ".".join(map(str, OLDEST_LINUX))
        raise SandboxUnavailable(
            f"The sandbox 'zygote' needs Linux {oldest}; this is {release}. Remedy: pass --sandbox bubblewrap"
        )


def _with_remedy(error: BaseException) -> BaseException:
    """Add the remedy where the kernel refused namespaces."""
    if not isinstance(error, SandboxUnavailable):
        return error
    refused = "refused unshare" in str(error) or "mounting " in str(error) or "uid_map" in str(error)
    return SandboxUnavailable(f"The sandbox 'zygote' does not work here: {error}{' ' + REMEDY if refused else ''}")
