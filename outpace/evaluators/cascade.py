"""The evaluator: build, load, smoke, check, measure; the first stage that fails ends it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from outpace.errors import SandboxUnavailable, TaskError
from outpace.evaluators import correctness, device, timing
from outpace.evaluators import noise as analysis
from outpace.evaluators.base import Evaluation, Noise
from outpace.evaluators.checking import Check
from outpace.evaluators.correctness import BaselineFailed, Failure
from outpace.evaluators.further import Further
from outpace.evaluators.loading import Loader
from outpace.evaluators.machine import Lane, available_cores, lane, load, machine
from outpace.evaluators.pace import Pace, paced
from outpace.evaluators.pairs import Bench, Workers
from outpace.evaluators.stages import Stages
from outpace.evaluators.timing import Measured, Pairing, Plan, Session
from outpace.evaluators.weighing import Scales
from outpace.sandbox.base import Level, Sandbox, Worker
from outpace.tasks.candidate import Candidate
from outpace.tasks.objectives import CASE, INSTANCE
from outpace.tasks.spec import Case, Split, Task

FRESH_SEEDS = 7_000_000
"""How far from a case's own seeds those of a fresh evaluation lie."""
START, CHAMPION = "the starting program", "the champion"


@dataclass(frozen=True, slots=True)
class _Trial:
    """A candidate of a speed-up task, the program that it is timed beside, and the cores for both."""

    task: Task
    candidate: Candidate
    baseline: Candidate
    cases: tuple[Case, ...]
    lane: Lane

    @property
    def timed(self) -> list[Case]:
        return [case for case in self.cases if case.timed]


class CascadeEvaluator:
    """Judges candidates in a sandbox; answers are checked in this process, times are read from outside the sandbox.

    Speed-ups are timed one candidate at a time, on the highest cores this process may use; all else stays off them.
    """

    def __init__(
        self,
        sandbox: Sandbox,
        *,
        pairing: Pairing | None = None,
        noise: Noise | None = None,
        level: Level | None = None,
    ) -> None:
        """Judge in ``sandbox``.

        ``pairing`` says how much is measured, ``noise`` what an A/A measurement found, ``level`` at which level the
        sandbox is known to hold candidates here (None: it is probed at the first evaluation).
        """
        self.sandbox = sandbox
        self.pairing = pairing or Pairing()
        self._noise = noise
        self._loader = Loader(sandbox)
        self._timing = asyncio.Lock()
        self._level = level
        self._cores = available_cores()

    @property
    def floor(self) -> float:
        """The smallest gain of a speed-up task that can be claimed; 0.05 as long as no noise has been measured."""
        return Scales(noise=self._noise).floor

    async def evaluate(
        self, task: Task, candidate: Candidate, *, split: Split = "train", fresh: bool = False
    ) -> Evaluation:
        """Check and measure ``candidate`` on the cases of ``split``.

        ``fresh``: metric tasks take other seeds than those of the cases, always the same ones, so that values compare;
        speed-up tasks, which draw fresh seeds anyway, are measured in several pairs of fresh processes.
        Programs for a GPU are only checked: they are ``ok`` without a score.
        Raises ``TaskError`` where the task itself is broken; a fault of ours comes back with status ``infra``.
        """

        async def judged(stages: Stages) -> Evaluation:
            if task.spec.device == "gpu":
                return await device.checked(self._loader.loaded, task, candidate, split, stages)
            if task.spec.goal.kind == "metric":
                return await self._metric(task, candidate, _seeded(task, split, fresh=fresh), stages)
            trial = self._trial(task, candidate, task.start, split)
            return await (self._final(trial, START, stages) if fresh else self._search(trial, stages))

        return await self._recorded(judged)

    async def duel(
        self, task: Task, challenger: Candidate, champion: Candidate, *, split: Split = "train"
    ) -> Evaluation:
        """Time ``challenger`` against ``champion`` as ``evaluate`` with ``fresh`` times a candidate against the start.

        Where the champion fails on these fresh seeds, nothing is said of the challenger: the status is ``infra`` and
        the metric ``champion_failed`` is 1. Nobody duels for a GPU: the challenger is checked, as by ``evaluate``.
        """

        async def judged(stages: Stages) -> Evaluation:
            if task.spec.device == "gpu":
                return await device.checked(self._loader.loaded, task, challenger, split, stages)
            try:
                return await self._final(self._trial(task, challenger, champion, split), CHAMPION, stages)
            except BaselineFailed as error:
                return Evaluation(status="infra", feedback=str(error), metrics={"champion_failed": 1.0})

        return await self._recorded(judged)

    async def noise(self, task: Task, *, wall_s: float = analysis.WALL_S) -> Noise | None:
        """Measure the starting program against its own copy; None for tasks that are not timed.

        What it finds decides from then on which clock counts and what is a gain. It takes about ``wall_s``, longer only
        for programs that take more than a second. Raises ``SandboxUnavailable`` if the starting program fails, and
        ``TaskError`` if no training case is timed.
        """
        if task.spec.goal.kind != "speedup" or task.spec.device == "gpu":
            return None
        trial = self._trial(task, task.start, task.start, "train")
        deadline = time.monotonic() + wall_s
        try:
            async with self._timing:
                with trial.lane.kept_free():
                    found, _ = await timing.repeat(
                        Plan(task, trial.timed, self._fresh(trial), group_s=wall_s / analysis.GROUPS),
                        replace(self.pairing, groups=analysis.GROUPS),
                        lambda *_: time.monotonic() > deadline,
                    )
        except Failure as failure:
            raise BaselineFailed(f"The starting program failed beside its own copy: {failure.feedback}") from failure
        threads, groups = task.spec.limits.threads, self.pairing.groups
        self._noise = await asyncio.to_thread(analysis.analysed, found, threads=threads, groups=groups)
        return self._noise

    async def paces(self, task: Task) -> list[Pace]:
        """Return how long the starting program takes on each timed case, held-out ones too; none where none is timed.

        Raises ``Failure`` if it fails, and ``SandboxUnavailable`` and ``TaskError`` as ``evaluate``.
        """
        if task.spec.goal.kind != "speedup" or task.spec.device == "gpu":
            return []
        trial = self._trial(task, task.start, task.start, "train")
        timed, cores = [case for case in task.spec.cases if case.timed], trial.lane.cores
        async with self._timing:
            with trial.lane.kept_free():
                async with (
                    self._loader.loaded(task, task.start, cores) as start,
                    self._loader.null(task, cores) as null,
                ):
                    workers = Workers(baseline=start, candidate=start, null=null)
                    return [await paced(Bench(task=task, case=case, workers=workers)) for case in timed]

    def _trial(self, task: Task, candidate: Candidate, baseline: Candidate, split: Split) -> _Trial:
        cases, free = task.spec.split(split), lane(self._cores, task.spec.limits.threads)
        if not any(case.timed for case in cases):
            raise TaskError(
                f"Task '{task.spec.name}': no case of the split '{split}' is timed; a speed-up needs at least one."
            )
        return _Trial(task, candidate, baseline, cases, free)

    async def _recorded(self, judged: Callable[[Stages], Awaitable[Evaluation]]) -> Evaluation:
        """Turn what can go wrong into a status, and add what goes on record with every evaluation."""
        begin = time.perf_counter()
        stages = Stages()
        record = {**machine(), "sandbox": self.sandbox.name}
        try:
            record["level"] = await self._contained()
            found = await judged(stages)
        except Failure as failure:
            found = Evaluation(status=failure.status, feedback=failure.feedback)
        except SandboxUnavailable as error:
            found = Evaluation(status="infra", feedback=str(error))
        return replace(
            found,
            metrics={**found.metrics, "load": load()} if found.measurements else found.metrics,
            stages=tuple(stages.done),
            machine={**record, **found.machine},
            wall_s=time.perf_counter() - begin,
        )

    async def _contained(self) -> Level:
        """Return the level at which the sandbox holds candidates on this host."""
        if self._level is None:
            self._level = (await asyncio.to_thread(self.sandbox.probe)).level
        return self._level

    async def _metric(self, task: Task, candidate: Candidate, cases: tuple[Case, ...], stages: Stages) -> Evaluation:
        """Score the answers to every instance of every case; the score is the mean over cases."""
        async with self._loader.loaded(task, candidate, None, stages=stages) as worker:
            pending = [(case, case.seed + index) for case in cases for index in range(case.instances)]
            check = Check(task, worker, pending)
            scores = await check.run(stages, lambda: self._loader.loaded(task, candidate, None))
        means = {name: sum(values) / len(values) for name, values in scores.items()}
        unit = f" {task.spec.goal.unit}" if task.spec.goal.unit else ""
        found = Evaluation(
            status="ok",
            score=sum(means.values()) / len(means),
            metrics={f"{CASE}{name}": mean for name, mean in means.items()} | _instances(scores),
            feedback="\n".join(
                f"Case '{name}': {mean:.6g}{unit}" + (f"\n{check.remarks[name]}" if check.remarks[name] else "")
                for name, mean in means.items()
            ),
        )
        return check.further.joined(found, candidate)

    async def _search(self, trial: _Trial, stages: Stages) -> Evaluation:
        """Check fresh problems of every case, then time the timed ones beside the start, in the same worker."""
        task, loader, cores = trial.task, self._loader, trial.lane.cores
        async with loader.loaded(task, trial.candidate, trial.lane.rest, stages=stages) as worker:
            further = await self._checked(trial, worker, stages)
            async with self._timing:
                with stages.stage("measure"), trial.lane.kept_free():
                    async with loader.beside(task, trial.baseline, cores) as baseline, loader.null(task, cores) as null:
                        worker.pin(cores)
                        workers = Workers(baseline=baseline, candidate=worker, null=null)

                        async def take(scales: Scales) -> Measured:
                            session = Session(task, trial.timed, workers)
                            return await timing.measure(session, self.pairing, scales.enough(self.pairing))

                        return further.joined(await self._weighed(trial, take, START), trial.candidate)

    async def _final(self, trial: _Trial, beside: str, stages: Stages) -> Evaluation:
        """Check fresh problems of every case, then time the timed ones in several pairs of fresh processes."""
        task = trial.task
        async with self._loader.loaded(task, trial.candidate, trial.lane.rest, stages=stages) as worker:
            further = await self._checked(trial, worker, stages)

        async def take(scales: Scales) -> Measured:
            plan = Plan(task, trial.timed, self._fresh(trial), group_s=timing.GROUP_S * len(trial.timed))
            return await timing.repeat(plan, self.pairing, scales.enough(self.pairing))

        async with self._timing:
            with stages.stage("measure"), trial.lane.kept_free():
                return further.joined(await self._weighed(trial, take, beside), trial.candidate)

    def _fresh(self, trial: _Trial) -> Callable[[int], AbstractAsyncContextManager[Workers]]:
        """Return what gives pairs of fresh processes."""
        return lambda group: self._loader.fresh(trial.task, trial.candidate, trial.baseline, trial.lane.cores, group)

    async def _checked(self, trial: _Trial, worker: Worker, stages: Stages) -> Further:
        pending = [(case, correctness.fresh_seed()) for case in trial.cases for _ in range(case.instances)]
        check = Check(trial.task, worker, pending)
        await check.run(stages, lambda: self._loader.loaded(trial.task, trial.candidate, trial.lane.rest))
        return check.further

    async def _weighed(self, trial: _Trial, take: Callable[[Scales], Awaitable[Measured]], beside: str) -> Evaluation:
        """Measure, once more where the clocks disagree, and weigh; where they still do, the lower speed-up counts."""
        scales = Scales(noise=self._noise, threads=trial.task.spec.limits.threads)
        measured = await take(scales)
        again = False
        if await asyncio.to_thread(scales.disagree, measured[0]):
            measured = await take(scales)
            again = await asyncio.to_thread(scales.disagree, measured[0])
        clock = None if again else scales.clock(measured[0])
        return await asyncio.to_thread(scales.evaluation, measured, clock, beside=beside)


def _seeded(task: Task, split: Split, *, fresh: bool) -> tuple[Case, ...]:
    cases = task.spec.split(split)
    return tuple(replace(case, seed=case.seed + FRESH_SEEDS) for case in cases) if fresh else cases


def _instances(scores: Mapping[str, list[float]]) -> dict[str, float]:
    """Return the score of each problem of the cases that have several."""
    several = {name: values for name, values in scores.items() if len(values) > 1}
    return {f"{INSTANCE}{name}/{n}": value for name, values in several.items() for n, value in enumerate(values, 1)}
