"""The sandbox itself: which container a job needs, and the workers in them."""

import asyncio
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from outpace.errors import SandboxUnavailable
from outpace.sandbox import confined_worker, level, view
from outpace.sandbox._inside import landlock
from outpace.sandbox.base import Containment, Job, Usage
from outpace.sandbox.confined_worker import ConfinedWorker
from outpace.sandbox.docker import image
from outpace.sandbox.docker.contents import Contents, must_leave_room
from outpace.sandbox.docker.engine import Engine
from outpace.sandbox.docker.meeting import hidden
from outpace.sandbox.docker.slot import Memory, Pool, Slot
from outpace.sandbox.launch import Launch
from outpace.sandbox.worker_process import WorkerProcess

IMAGE, RUNTIME = "OUTPACE_DOCKER_IMAGE", "OUTPACE_DOCKER_RUNTIME"
"""Variables that name an image and a runtime, which belong to a machine as ``DOCKER_HOST`` does."""
KERNELS = ("runsc", "kata", "krun")
"""Runtimes with a kernel of their own, by which a worker could neither be stopped nor timed from here."""


class DockerSandbox:
    """Workers in containers without a network, on a read-only root, as a user of no privilege, in control groups.

    A container sees this host's interpreter and its packages, read-only and without Outpace, or the image named.
    """

    name = "docker"

    def __init__(self, image: str | None = None, runtime: str | None = None) -> None:
        """Run in ``image`` by ``runtime``; what is not given is read from the variables ``IMAGE`` and ``RUNTIME``.

        Without an image: this host's own files. Without a runtime: the engine's default. Nothing is started yet.
        """
        self.image = image or os.environ.get(IMAGE) or None
        self.runtime = runtime or os.environ.get(RUNTIME) or None
        self._contents = Contents(self.image, self.runtime)
        self._lock = threading.Lock()
        self._connected: _Connection | None = None

    def probe(self) -> Containment:
        """Start a worker in a container and stop it; tell what holds it.

        Raises ``SandboxUnavailable`` with reason and remedy, ``MissingPackage`` without the extra ``docker``.
        """
        job = Job(files={}, entry="")
        with self._borrowed(job) as (connection, slot):
            process = _started(self._contents.launch(job), job, slot)
            try:
                found = level.measure(process, cgroup=_control_groups(process.pid, slot, connection.facts["limits"]))
            finally:
                process.close()
        engine = {name: connection.facts[name] for name in ("engine", "storage", "runtime")}
        ours = {"image": self.image or "this host's files"} | ({"runtime": self.runtime} if self.runtime else {})
        return replace(found, facts={**found.facts, **engine, **ours})

    def missing(self, packages: Sequence[str]) -> list[str]:
        """Return those of ``packages``, by the names they are imported by, that a worker cannot import."""
        job = Job(files={}, entry="")
        with self._borrowed(job) as (_, slot):
            launch = self._contents.launch(job)
            found: list[str] = confined_worker.ask(launch, job.limits, "find", list(packages), spawn=slot.spawn)
        return found

    async def start(self, job: Job) -> ConfinedWorker:
        """Start a worker; raises ``SandboxUnavailable``."""
        view.must_be_there(job.mounts)
        must_leave_room(job.mounts)
        connection, slot = await asyncio.to_thread(self._take, job)
        try:
            process = await asyncio.to_thread(_started, self._contents.launch(job), job, slot)
        except BaseException:
            await asyncio.to_thread(connection.pool.discard, slot)
            raise
        return _DockerWorker(process, job, lambda usage: _release(connection.pool, slot, job, usage))

    def close(self) -> None:
        """Remove all containers of this sandbox, and let go of the engine."""
        with self._lock:
            connection, self._connected = self._connected, None
        if connection is not None:
            connection.pool.close()
            connection.engine.close()

    @contextmanager
    def _borrowed(self, job: Job) -> "Iterator[tuple[_Connection, Slot]]":
        """Take a container for a question, and keep it warm afterwards if all went well."""
        connection, slot = self._take(job)
        try:
            yield connection, slot
        except BaseException:
            connection.pool.discard(slot)
            raise
        connection.pool.give_back(slot)

    def _take(self, job: Job) -> "tuple[_Connection, Slot]":
        """Return a container for ``job`` that no worker is in; one that compiles gets one to itself."""
        with self._lock:
            if self._connected is None:
                self._connected = _connect(self.image, self.runtime)
            connection = self._connected
        return connection, connection.pool.take(
            self._contents.recipe(job, connection.image), preload=job.preload, fresh=job.may_start_programs
        )


@dataclass(frozen=True, slots=True)
class _Connection:
    """An engine, what it says of itself, the id of the image to use, and the containers that it runs for us."""

    engine: Engine
    facts: dict[str, str]
    image: str
    pool: Pool


class _DockerWorker(ConfinedWorker):
    """A worker that gives its container back when it is closed."""

    def __init__(self, process: WorkerProcess, job: Job, release: Callable[[Usage], None]) -> None:
        super().__init__(process, job)
        self._release: Callable[[Usage], None] | None = release

    async def close(self) -> Usage:
        """Kill the worker, reap it, and tell what it used."""
        usage = await super().close()
        release, self._release = self._release, None
        if release is not None:
            await asyncio.to_thread(release, usage)
        return usage


def _connect(name: str | None, runtime: str | None) -> _Connection:
    """Connect to the engine, and clear away what judges that have died left there."""
    engine = Engine()
    try:
        facts = engine.facts()
        if any(kernel in (runtime or facts["runtime"]) for kernel in KERNELS):
            raise SandboxUnavailable(hidden(runtime or facts["runtime"]))
        engine.sweep()
        if name is None:
            number = engine.imported(*image.host_root())
        else:
            number = engine.image(name, remedy=f"docker pull {name}, or: python -m outpace.sandbox.docker --tag {name}")
        return _Connection(engine, facts, number, Pool(engine))
    except BaseException:
        engine.close()
        raise


def _started(launch: Launch, job: Job, slot: Slot) -> WorkerProcess:
    """Return a worker that has confined itself; raises ``SandboxUnavailable``."""
    process = WorkerProcess(launch, job.limits, spawn=slot.spawn)
    process.group = Memory(slot.container)
    try:
        process.handshake(job.cores)
    except PermissionError as error:  # its container is removed, and it with it
        raise _not_ours() from error
    except BaseException:
        process.close()
        raise
    return process


def _release(pool: Pool, slot: Slot, job: Job, usage: Usage) -> None:
    """Take back the container of a worker that has ended, but not one that might still hold anything of the worker's.

    That is so if it compiled, if it ran out of memory, and where no Landlock kept it to the folder that is emptied.
    """
    if not job.may_start_programs and usage.ended_by != "memory" and landlock.version() > 0:
        pool.give_back(slot)
    else:
        pool.discard(slot)


def _control_groups(pid: int, slot: Slot, limited: str) -> str:
    """Tell which control groups of its container a worker is in, of those that the engine says it can limit."""
    lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    names = {name for line in lines if slot.container.number in line for name in line.split(":")[1].split(",")}
    found = [name for name in ("memory", "pids", "cpu") if name in limited.split(", ") and {name, ""} & names]
    if not {"memory", "pids"} <= set(found):
        return f"none: the engine limits {', '.join(found) or 'nothing'}"
    return f"v{1 if 'memory' in names else 2}: {', '.join(found)} (the engine's)"


def _not_ours() -> SandboxUnavailable:
    return SandboxUnavailable(
        "The engine runs containers as users whom this process may not stop (a rootless engine, or one that maps "
        "users). Remedy: use an engine that keeps user ids, or run Outpace as root"
    )


__all__ = ["IMAGE", "RUNTIME", "DockerSandbox"]
