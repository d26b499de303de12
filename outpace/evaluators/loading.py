"""From a program to a worker that has it loaded: compile stage, start, import; and the workers of a measurement."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from outpace.errors import SandboxUnavailable
from outpace.evaluators import building, correctness, device, feedback
from outpace.evaluators.correctness import BaselineFailed, Failure
from outpace.evaluators.pairs import NULL, NULL_ENTRY, Workers
from outpace.evaluators.stages import Stages
from outpace.sandbox.base import Job, Sandbox, Worker
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Task

Cores = tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class Loader:
    """Starts workers in a sandbox."""

    sandbox: Sandbox

    @asynccontextmanager
    async def loaded(
        self, task: Task, candidate: Candidate, cores: Cores, *, stages: Stages | None = None
    ) -> AsyncIterator[Worker]:
        """Give a worker with the candidate imported, and close it whatever happens; raises ``Failure``."""
        worker = await self._started(task, candidate, cores, stages or Stages())
        try:
            yield worker
        finally:
            await worker.close()

    @asynccontextmanager
    async def beside(self, task: Task, baseline: Candidate, cores: Cores) -> AsyncIterator[Worker]:
        """Give a worker with the program that a candidate is timed beside; raises ``BaselineFailed``."""
        try:
            worker = await self._started(task, baseline, cores, Stages())
        except Failure as failure:
            raise BaselineFailed(f"The program beside the candidate failed: {failure.feedback}") from failure
        try:
            yield worker
        finally:
            await worker.close()

    @asynccontextmanager
    async def null(self, task: Task, cores: Cores) -> AsyncIterator[Worker]:
        """Give a worker with the program that does nothing."""
        limits, preload = task.spec.limits, task.spec.requires
        job = Job(files=NULL.files, entry=NULL_ENTRY, limits=limits, preload=preload, cores=cores)
        worker = await self.sandbox.start(job)
        try:
            reply = await worker.load()
            if not reply.ok:
                raise SandboxUnavailable(f"A program that does nothing cannot be loaded: {reply.error or reply.detail}")
            yield worker
        finally:
            await worker.close()

    @asynccontextmanager
    async def fresh(
        self, task: Task, candidate: Candidate, baseline: Candidate, cores: Cores, group: int
    ) -> AsyncIterator[Workers]:
        """Give a pair of fresh processes; which of the two starts first alternates with the number of the group."""
        async with AsyncExitStack() as stack:
            null = await stack.enter_async_context(self.null(task, cores))
            if group % 2 == 0:
                beside = await stack.enter_async_context(self.beside(task, baseline, cores))
                worker = await stack.enter_async_context(self.loaded(task, candidate, cores))
            else:
                worker = await stack.enter_async_context(self.loaded(task, candidate, cores))
                beside = await stack.enter_async_context(self.beside(task, baseline, cores))
            yield Workers(baseline=beside, candidate=worker, null=null)

    async def _started(self, task: Task, candidate: Candidate, cores: Cores, stages: Stages) -> Worker:
        """Build, start and load."""
        artefacts: Mapping[str, bytes] = task.support
        if task.spec.build:
            with stages.stage("build"):
                artefacts = {**await building.artefacts(self.sandbox, task, candidate), **task.support}
        job = Job(
            files=candidate.files,
            entry=task.spec.entry,
            driver=task.driver,
            limits=task.spec.limits,
            artefacts=artefacts,
            preload=task.spec.requires,
            env=device.environment(task.spec),
            cores=cores,
            programs=task.spec.goal.self_reported,
        )
        with stages.stage("load"):
            worker = await self.sandbox.start(job)
            try:
                reply = await worker.load()
                if not reply.ok:
                    raise Failure(correctness.status_of(reply), feedback.of_load(reply, worker.stderr()))
            except BaseException:
                await worker.close()
                raise
        return worker
