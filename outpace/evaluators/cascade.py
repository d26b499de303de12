"""The evaluator: load, smoke, check, measure; the first stage that fails ends it."""

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from outpace.errors import SandboxUnavailable
from outpace.evaluators import correctness, feedback, statistics, timing
from outpace.evaluators.base import Evaluation, Measurement, Stage
from outpace.evaluators.correctness import Failure
from outpace.evaluators.machine import load, machine
from outpace.sandbox.base import Job, Sandbox, Worker
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Split, Task

FRESH_SEEDS = 7_000_000
"""How far from a case's own seeds those of a fresh evaluation lie."""


@dataclass(slots=True)
class _Stages:
    """Keeps the time of each stage, so that a failure tells how far the candidate came."""

    done: list[Stage] = field(default_factory=list)

    @asynccontextmanager
    async def stage(self, name: str) -> AsyncIterator[None]:
        begin = time.perf_counter()
        passed = False
        try:
            yield
            passed = True
        finally:
            self.done.append(Stage(name=name, wall_s=time.perf_counter() - begin, passed=passed))


class CascadeEvaluator:
    """Judges candidates in a sandbox; answers are checked in this process, times are read from outside the sandbox.

    Speed-ups are timed one candidate at a time, on the highest core this process may use; everything else stays off it.
    """

    def __init__(self, sandbox: Sandbox, *, pairing: timing.Pairing | None = None) -> None:
        """Judge in ``sandbox``; ``pairing`` says how many pairs a timing takes."""
        self.sandbox = sandbox
        self.pairing = pairing or timing.Pairing()
        cores = sorted(os.sched_getaffinity(0))
        self._lane = (cores[-1],)
        self._rest = tuple(cores[:-1]) or self._lane
        self._timing = asyncio.Lock()

    async def evaluate(
        self, task: Task, candidate: Candidate, *, split: Split = "train", fresh: bool = False
    ) -> Evaluation:
        """Check and measure ``candidate`` on the cases of ``split``.

        ``fresh``: metric tasks take other seeds than those of the cases, always the same ones, so that values compare.
        Raises ``TaskError`` where the task itself is broken; a fault of ours comes back with status ``infra``.
        """
        begin = time.perf_counter()
        stages = _Stages()
        try:
            cases = task.spec.split(split)
            if task.spec.goal.kind == "speedup":
                found = await self._speedup(task, candidate, cases, stages)
            else:
                cases = tuple(replace(case, seed=case.seed + FRESH_SEEDS) for case in cases) if fresh else cases
                found = await self._metric(task, candidate, cases, stages)
        except Failure as failure:
            found = Evaluation(status=failure.status, feedback=failure.feedback)
        except SandboxUnavailable as error:
            found = Evaluation(status="infra", feedback=str(error))
        return replace(
            found,
            metrics={**found.metrics, "load": load()} if found.measurements else found.metrics,
            stages=tuple(stages.done),
            machine={**machine(), "sandbox": self.sandbox.name},
            wall_s=time.perf_counter() - begin,
        )

    async def _metric(self, task: Task, candidate: Candidate, cases: tuple[Case, ...], stages: _Stages) -> Evaluation:
        """Score the answers to every instance of every case; the score is the mean over cases."""
        async with self._loaded(task, candidate, None, stages) as worker:
            pending = [(case, case.seed + index) for case in cases for index in range(case.instances)]
            scores = await _checked(task, worker, pending, stages)
        means = {name: sum(values) / len(values) for name, values in scores.items()}
        unit = f" {task.spec.goal.unit}" if task.spec.goal.unit else ""
        return Evaluation(
            status="ok",
            score=sum(means.values()) / len(means),
            metrics={f"case/{name}": mean for name, mean in means.items()},
            feedback="\n".join(f"Case '{name}': {mean:.6g}{unit}" for name, mean in means.items()),
        )

    async def _speedup(self, task: Task, candidate: Candidate, cases: tuple[Case, ...], stages: _Stages) -> Evaluation:
        """Check fresh problems of every case, then time the timed ones beside the starting program."""
        async with self._loaded(task, candidate, self._rest, stages) as worker:
            pending = [(case, correctness.fresh_seed()) for case in cases for _ in range(case.instances)]
            await _checked(task, worker, pending, stages)
            async with self._timing, self._loaded(task, task.start, self._lane, _Stages()) as baseline:
                worker.pin(self._lane)
                async with stages.stage("measure"):
                    timed = [case for case in cases if case.timed]
                    found = [await timing.measure(task, case, baseline, worker, self.pairing) for case in timed]
        return await asyncio.to_thread(_scored, found)

    @asynccontextmanager
    async def _loaded(
        self, task: Task, candidate: Candidate, cores: tuple[int, ...] | None, stages: _Stages
    ) -> AsyncIterator[Worker]:
        """Give a worker with the candidate imported, and close it whatever happens."""
        job = Job(
            files=candidate.files,
            entry=task.spec.entry,
            driver=task.driver,
            limits=task.spec.limits,
            cores=cores,
        )
        async with stages.stage("load"):
            worker = await self.sandbox.start(job)
            try:
                reply = await worker.load()
                if not reply.ok:
                    raise Failure(correctness.status_of(reply), feedback.of_load(reply, worker.stderr()))
            except BaseException:
                await worker.close()
                raise
        try:
            yield worker
        finally:
            await worker.close()


async def _checked(
    task: Task, worker: Worker, pending: list[tuple[Case, int]], stages: _Stages
) -> dict[str, list[float]]:
    """Have all problems answered and checked, the first one as smoke; return the scores by case (metric tasks)."""
    scores: dict[str, list[float]] = {}
    for name, part in (("smoke", pending[:1]), ("check", pending[1:])):
        async with stages.stage(name):
            for case, seed in part:
                problem = await correctness.make(task, case, seed)
                reply = await correctness.answer(task, worker, case, problem)
                if task.spec.goal.kind == "metric":
                    scores.setdefault(case.name, []).append(await correctness.value(task, problem, reply.output))
    return scores


def _scored(measurements: list[Measurement]) -> Evaluation:
    score, interval = statistics.speedup(measurements)
    by_case = {m.case: statistics.speedup([m])[0] for m in measurements}
    pairs = sum(len(m.candidate_wall_ns) for m in measurements)
    lines = [f"Case '{name}': {ratio:.3g} times as fast as the starting program" for name, ratio in by_case.items()]
    return Evaluation(
        status="ok",
        score=score,
        interval=interval,
        metrics={**{f"case/{name}": ratio for name, ratio in by_case.items()}, "pairs": float(pairs)},
        measurements=tuple(measurements),
        feedback="\n".join(lines),
    )
