"""The asynchronous face of a worker that talks to ``_inside/worker.py``."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from outpace.errors import SandboxUnavailable
from outpace.limits import Limits
from outpace.sandbox.base import Job, Reply, Usage
from outpace.sandbox.launch import Launch
from outpace.sandbox.worker_process import START_WALL_S, WorkerProcess

LOAD_WALL_S = 20.0
"""What importing the candidate may take at least: compiled packages are slow to import on a busy machine."""


class ConfinedWorker:
    """A worker of any sandbox that talks to ``_inside/worker.py``; implements ``Worker``."""

    def __init__(self, process: WorkerProcess, job: Job) -> None:
        """Wrap a started process that has not loaded ``job`` yet."""
        self._process, self._job = process, job

    @property
    def pid(self) -> int:
        """The host's pid of the process that holds the candidate."""
        return self._process.pid

    async def load(self) -> Reply:
        """Hand over the job's files and import them; ``output`` is None when all is well."""
        body = {"files": dict(self._job.files), "entry": self._job.entry, "driver": self._job.driver}
        return await self._exchange("load", body, max(LOAD_WALL_S, self._job.limits.wall_s))

    async def call(self, problem: Mapping[str, Any], *, wall_s: float | None = None) -> Reply:
        """Run the entry on one problem.

        Raises ``TypeError`` or ``ValueError`` if the problem is not plain data: a fault of the task.
        """
        return await self._exchange("call", dict(problem), self._job.limits.wall_s if wall_s is None else wall_s)

    def pin(self, cores: Sequence[int]) -> None:
        """Move the worker to these cores; a worker that has ended takes no notice."""
        self._process.pin(cores)

    def stderr(self) -> str:
        """Return the tail of what the candidate printed (stdout and stderr), at most 8 kB."""
        return self._process.stderr()

    async def close(self) -> Usage:
        """Kill the whole tree, reap it, and tell what it used."""
        return await asyncio.to_thread(self._process.close)

    async def _exchange(self, kind: str, body: Any, wall_s: float) -> Reply:
        try:
            return await asyncio.to_thread(self._process.exchange, kind, body, wall_s)
        except asyncio.CancelledError:
            self._process.kill()  # else its thread would wait for the answer until the deadline
            raise


async def start(launch: Launch, job: Job) -> ConfinedWorker:
    """Start a confined worker for ``job``; raises ``SandboxUnavailable``."""
    process = WorkerProcess(launch, job.limits)
    try:
        await asyncio.to_thread(process.handshake, job.cores)
    except BaseException:
        await asyncio.to_thread(process.close)
        raise
    return ConfinedWorker(process, job)


def ask(launch: Launch, limits: Limits, kind: str, body: Any) -> Any:
    """Start a worker, put one question to it and close it again; raises ``SandboxUnavailable``."""
    process = WorkerProcess(launch, limits)
    try:
        process.handshake(None)
        reply = process.exchange(kind, body, START_WALL_S)
    finally:
        process.close()
    if not reply.ok:
        raise SandboxUnavailable(f"A worker failed at the question '{kind}': {reply.error or reply.detail}.")
    return reply.output
