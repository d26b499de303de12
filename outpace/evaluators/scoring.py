"""Measures a ladder and programs beside it, and tells which level each program reaches."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace

from outpace.errors import TaskError, UsageError
from outpace.evaluators import correctness, costs
from outpace.evaluators.base import Status
from outpace.evaluators.checking import Check
from outpace.evaluators.correctness import Failure
from outpace.evaluators.costs import Course, Fails, Field
from outpace.evaluators.ladder import BASE, Cost, Ladder, Rule, Standing, Unit, segments
from outpace.evaluators.loading import Loader
from outpace.evaluators.machine import Lane, available_cores, lane
from outpace.evaluators.stages import Stages
from outpace.sandbox.base import Sandbox
from outpace.tasks.candidate import Candidate
from outpace.tasks.ladder import Rung
from outpace.tasks.spec import Case, Task

PERFORMANCE = "performance"
"""The case that programs are measured on, where a task has one of this name; else its first timed one of the search."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What was found of one program: its cost and where it stands, or the status and reason of its failure.

    A program that fails has no standing: its score is not 0, it has none.
    """

    candidate: Candidate
    status: Status = "ok"
    feedback: str = ""
    cost: Cost | None = None
    standing: Standing | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored:
    """A measured ladder, and the programs beside it in the order they were given.

    ``why``: why costs are times by the CPU clock and not instructions; empty where they are instructions.
    """

    case: Case
    ladder: Ladder
    programs: tuple[Found, ...]
    rounds: int
    why: str


@dataclass(slots=True)
class Weighing:
    """Says when there have been rounds enough, and keeps the ladder of the last look."""

    weights: Mapping[str, float]
    unit: Unit
    ladder: Ladder = field(init=False)

    def enough(self, found: Mapping[str, Cost], error: float) -> bool:
        """Tell whether no more rounds are needed: where each program stands, and which rungs share a level, is sure."""
        self.weigh(found, error)
        beside = [cost for name, cost in found.items() if name not in self.weights]
        standings = [self.ladder.standing(cost) for cost in beside]
        clear = len(segments([cost.typical for cost in self.ladder.costs.values()], BASE))
        return clear == len(self.ladder.levels()) and all(one.sure == one.level for one in standings)

    def weigh(self, found: Mapping[str, Cost], error: float) -> None:
        """Make the ladder of these costs."""
        rungs = {name: cost for name, cost in found.items() if name in self.weights}
        self.ladder = Ladder(rungs, Rule(unit=self.unit, error=error), self.weights)


def case_of(task: Task, name: str | None = None) -> Case:
    """Return the case that programs are measured on: the named one, else ``performance``, else the first timed one.

    Raises ``UsageError`` for a task without timed cases of its own, and for a name that no timed case has.
    """
    spec = task.spec
    if spec.goal.kind != "speedup" or spec.device == "gpu":
        what = "is timed on a GPU" if spec.device == "gpu" else "asks for a better answer"
        raise UsageError(f"Task '{spec.name}' {what}; levels of speed are for speed-up tasks on the CPU.")
    timed = [case for case in spec.cases if case.timed]
    wanted = [case for case in timed if case.name == (name or PERFORMANCE)]
    if name and not wanted:
        raise UsageError(f"There is no timed case '{name:.60}'. Timed cases: {', '.join(one.name for one in timed)}.")
    return (wanted or [case for case in timed if case.split == "train"])[0]


async def scored(
    sandbox: Sandbox, task: Task, rungs: Sequence[Rung], programs: Sequence[Candidate], case: Case
) -> Scored:
    """Check the rungs and the programs, measure those that pass side by side on ``case``, and weigh.

    Raises:
        TaskError: a rung fails, with its name; or the task itself is broken.
        SandboxUnavailable: a fault of the sandbox.
    """
    free, loader = lane(available_cores(), task.spec.limits.threads), Loader(sandbox)
    names = {f"program {number}": program for number, program in enumerate(programs, 1)}
    ladder = {rung.name: rung.candidate for rung in rungs}
    course = Course(task=task, case=case, cores=free.cores, needed=ladder)
    try:
        failures = await _failing(loader, replace(course, cores=free.rest), ladder | names)
        sides = ladder | {name: program for name, program in names.items() if name not in failures}
        weighing, found = await measured(loader, course, sides, {rung.name: rung.weight for rung in rungs}, free)
    except Fails as error:
        raise broken(task, error) from error
    failures, known = failures | found.failures, found.costs()
    return Scored(
        case=case,
        ladder=weighing.ladder,
        programs=tuple(_found(one, failures.get(name), known.get(name), weighing) for name, one in names.items()),
        rounds=found.rounds,
        why=found.why,
    )


def broken(task: Task, error: Fails) -> TaskError:
    """Return the error of a task whose ladder has a rung that fails."""
    return TaskError(f"Task '{task.spec.name}': the ladder cannot be used, for its rung {error}")


async def measured(
    loader: Loader, course: Course, sides: Mapping[str, Candidate], weights: Mapping[str, float], free: Lane
) -> tuple[Weighing, Field]:
    """Measure side by side, on cores that nothing else of ours uses meanwhile; ``weights`` are those of the rungs.

    Raises ``Fails`` for a needed side that fails, ``SandboxUnavailable`` for a fault of the sandbox.
    """
    async with AsyncExitStack() as stack:
        stack.enter_context(free.kept_free())
        found = await costs.entered(stack, loader, course, sides)
        weighing = Weighing(weights, found.unit)
        error = await found.until(weighing.enough)
        await found.repeat(weights)
        await asyncio.to_thread(weighing.weigh, found.costs(), error)
        return weighing, found


async def _failing(loader: Loader, course: Course, programs: Mapping[str, Candidate]) -> dict[str, Failure]:
    """Check all programs; return the failures of those that fail by name; raises ``Fails`` if such a one is needed."""
    failures = {}
    for name, program in programs.items():
        try:
            await _checked(loader, course, program)
        except Failure as failure:
            if name in course.needed:
                raise Fails(name, failure) from failure
            failures[name] = failure
    return failures


async def _checked(loader: Loader, course: Course, program: Candidate) -> None:
    """Judge the answers to fresh problems of every case of the search and of the one that is measured."""
    task = course.task
    cases = {one.name: one for one in (*task.spec.split("train"), course.case)}.values()
    async with loader.loaded(task, program, course.cores) as worker:
        pending = [(one, correctness.fresh_seed()) for one in cases for _ in range(one.instances)]
        await Check(task, worker, pending).run(Stages(), lambda: loader.loaded(task, program, course.cores))


def _found(program: Candidate, failure: Failure | None, cost: Cost | None, weighing: Weighing) -> Found:
    if failure is not None or cost is None:
        assert failure is not None
        return Found(candidate=program, status=failure.status, feedback=failure.feedback)
    return Found(candidate=program, cost=cost, standing=weighing.ladder.standing(cost))
