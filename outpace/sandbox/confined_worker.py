"""The asynchronous face of a worker that talks to ``_inside/worker.py``."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from outpace.errors import SandboxUnavailable
from outpace.limits import Limits
from outpace.sandbox.base import Job, Reply, Usage
from outpace.sandbox.child import Program, Spawn
from outpace.sandbox.launch import Launch
from outpace.sandbox.worker_process import START_WALL_S, WorkerProcess, only

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
        return await self._one("load", body, max(LOAD_WALL_S, self._job.limits.wall_s))

    async def call(self, problem: Mapping[str, Any], *, wall_s: float | None = None) -> Reply:
        """Run the entry on one problem.

        Raises ``TypeError`` or ``ValueError`` if the problem is not plain data: a fault of the task.
        """
        return await self._one("call", dict(problem), wall_s)

    async def batch(self, problems: Sequence[Mapping[str, Any]], *, wall_s: float | None = None) -> Reply:
        """Run the entry on several problems, one directly after the other; ``output`` is the list of answers, in order.

        All answers together keep to what one answer may be. Raises like ``call``.
        """
        return await self._exchange("call", [dict(problem) for problem in problems], wall_s)

    async def audit(self, problem: Mapping[str, Any]) -> Reply:
        """Run the entry once; ``output`` is ``{"answer", "inputs", "shared"}``. Raises like ``call``.

        ``shared`` looks at arrays: it names the inputs with an array whose memory an array of the answer lies in.
        """
        return await self._one("audit", dict(problem), None)

    async def idle(self, wall_s: float) -> int:
        """Let the worker run for that long without a request; return the CPU time in ns that it used."""
        try:
            return await asyncio.to_thread(self._process.idle, wall_s)
        except asyncio.CancelledError:
            self._process.kill()
            raise

    async def build(self) -> Reply:
        """Hand over the job's files and run its ``build`` command; ``output``: what it made, path to content."""
        if self._job.build is None:
            raise ValueError("The job has no build command; expected Job(build=(program, argument, ...)).")
        body = {"files": dict(self._job.files), "command": list(self._job.build)}
        return await self._one("build", body, None)

    def pin(self, cores: Sequence[int]) -> None:
        """Move the worker to these cores; a worker that has ended takes no notice."""
        self._process.pin(cores)

    def peak_mb(self) -> float | None:
        """Return the most memory in megabytes that the candidate's process has held; None where nothing tells."""
        tree, ended = self._process.tree, self._process.ended
        return None if tree is None or ended is not None else tree.peak_mb()

    def stderr(self) -> str:
        """Return the tail of what the candidate printed (stdout and stderr), at most 8 kB."""
        return self._process.stderr()

    async def close(self) -> Usage:
        """Kill the whole tree, reap it, and tell what it used."""
        return await asyncio.to_thread(self._process.close)

    async def _one(self, kind: str, body: Any, wall_s: float | None) -> Reply:
        return only(await self._exchange(kind, [body], wall_s))

    async def _exchange(self, kind: str, bodies: Sequence[Any], wall_s: float | None) -> Reply:
        limit = self._job.limits.wall_s if wall_s is None else wall_s
        try:
            return await asyncio.to_thread(self._process.exchange, kind, bodies, limit)
        except asyncio.CancelledError:
            self._process.kill()  # else its thread would wait for the answer until the deadline
            raise


async def start(launch: Launch, job: Job, *, spawn: Spawn = Program) -> ConfinedWorker:
    """Start a confined worker for ``job``; raises ``SandboxUnavailable``."""
    begun = WorkerProcess(launch, job.limits) if spawn is Program else None  # by this thread, which lives on
    making = asyncio.ensure_future(asyncio.to_thread(_ready, begun, launch, job, spawn))
    try:
        return ConfinedWorker(await asyncio.shield(making), job)
    except asyncio.CancelledError:
        if begun is not None:
            begun.kill()
        await asyncio.wait([making])
        if making.exception() is None:
            await asyncio.to_thread(making.result().close)
        raise


def _ready(begun: WorkerProcess | None, launch: Launch, job: Job, spawn: Spawn) -> WorkerProcess:
    """Return a process that has confined itself; start it first if that is not ``begun``."""
    process = begun or WorkerProcess(launch, job.limits, spawn=spawn)
    try:
        process.handshake(job.cores)
    except BaseException:
        process.close()
        raise
    return process


def ask(launch: Launch, limits: Limits, kind: str, body: Any, *, spawn: Spawn = Program) -> Any:
    """Start a worker, put one question to it and close it again; raises ``SandboxUnavailable``."""
    process = WorkerProcess(launch, limits, spawn=spawn)
    try:
        process.handshake(None)
        reply = only(process.exchange(kind, [body], START_WALL_S))
    finally:
        process.close()
    if not reply.ok:
        raise SandboxUnavailable(f"A worker failed at the question '{kind}': {reply.error or reply.detail}.")
    return reply.output
