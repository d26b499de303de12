"""What do several programs cost on the same inputs? All answer the same fresh problems, round by round, on one core."""

import asyncio
import math
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import cycle

import numpy as np

from outpace.errors import SandboxUnavailable
from outpace.evaluators import correctness, instructions, integrity, statistics
from outpace.evaluators.correctness import Failure
from outpace.evaluators.instructions import Counter
from outpace.evaluators.ladder import Cost, Unit
from outpace.evaluators.loading import Cores, Loader
from outpace.evaluators.pairs import BATCH_NS, MOST_CALLS, MOST_INPUT_BYTES, NULLS, STEP_NS, Bench, Workers
from outpace.sandbox.base import Reply, Worker
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Problem, Task

LOOKS = (7, 12, 21)
"""After how many rounds it is looked whether that is enough; the last of them is the budget."""
WALL_S, LEAST = 90.0, 3
"""After so long there are no more rounds than the least."""
REPEATS, SLOW_NS, SLOW_REPEATS = 7, 2e9, 3
"""How often rungs answer the same inputs, and how often where one takes longer than that."""
Enough = Callable[[Mapping[str, Cost], float], bool]
"""Tells from the costs so far, and the error that their intervals may have at this look, whether that is enough."""


class Fails(Exception):
    """A program fails without which there is nothing to compare: a rung of a ladder."""

    def __init__(self, name: str, failure: Failure) -> None:
        super().__init__(f"'{name}' fails ({failure.status}): {' '.join(failure.feedback.split()):.500}")
        self.name, self.failure = name, failure


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What programs are measured on, and how long: a case of a task, on these cores.

    ``needed`` are the names that must not fail; ``looks`` and ``wall_s`` bound the rounds.
    """

    task: Task
    case: Case
    cores: Cores
    needed: Collection[str] = ()
    looks: Sequence[int] = LOOKS
    wall_s: float = WALL_S


@dataclass(slots=True)
class Side:
    """One program in its worker: how many calls make a batch, and what the batches cost so far."""

    bench: Bench
    worker: Worker
    counter: Counter | None = None
    calls: int = 1
    totals: list[float] = field(default_factory=list)
    repeats: list[float] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    answer_bytes: int = 1

    async def ask(self, problems: Sequence[Problem]) -> tuple[Reply, float]:
        """Have a batch answered; return the reply with what it cost, exchange included; raises ``Failure``."""
        before = self.counter.read() if self.counter else 0.0
        reply = await self.bench.ask(self.worker, problems)
        return reply, self.counter.read() - before if self.counter else float(reply.cpu_ns)

    async def begin(self) -> None:
        """Warm up, and find out how many calls make a batch; all answers are checked; raises ``Failure``."""
        problems = await asyncio.to_thread(self.bench.draw, 1)
        reply, _ = await self.ask(problems)
        await correctness.judged(self.bench.check, self.worker, problems, reply)
        first = self.bench
        self.bench = Bench(task=first.task, case=first.case, workers=first.workers)  # the first call may have compiled
        self.calls = await self.bench.size(self.worker)

    async def take(self, problems: Sequence[Problem]) -> None:
        """Have its batch answered, note the cost, and check all answers; raises ``Failure``."""
        reply, cost = await self.ask(problems[: self.calls])
        await correctness.judged(self.bench.check, self.worker, problems, reply)
        self.totals.append(cost)
        self.answer_bytes = correctness.held(reply.output[0])
        self.replies.append(Reply(idle_cpu_ns=reply.idle_cpu_ns, threads=reply.threads, cpu_ns=reply.cpu_ns))
        if reason := integrity.restless(self.replies):
            raise Failure("refused", f"The program broke a rule: {reason}")

    def again(self) -> list[Problem]:
        """Return some problems over and over: a batch that takes ``BATCH_NS``, if its inputs and answers have room."""
        drawn = self.bench.draw(self.calls)
        wanted = math.ceil(BATCH_NS * self.calls / max(self.replies[-1].cpu_ns, STEP_NS))
        room = (self.bench.task.spec.limits.output_mb << 19) // self.answer_bytes
        most = min(MOST_CALLS, MOST_INPUT_BYTES // correctness.held(drawn[0]), room)
        return [problem for _, problem in zip(range(max(self.calls, min(wanted, most))), cycle(drawn), strict=False)]


@dataclass(slots=True)
class Field:
    """Programs side by side on one case: each round has all of them answer the same problems, drawn for this round.

    ``why``: why costs are times by the CPU clock and not instructions; empty where every side has a counter of these. A
    program that fails drops out, into ``failures``, and the others go on, unless it is ``needed``: then all ends by
    ``Fails``.
    """

    course: Course
    sides: dict[str, Side]
    null: Side
    why: str = ""
    failures: dict[str, Failure] = field(default_factory=dict)
    rounds: int = 0
    _nulls: dict[int, list[float]] = field(default_factory=dict)

    @property
    def unit(self) -> Unit:
        """What costs are counted in."""
        return "cpu_ns" if self.why else "instructions"

    async def begin(self) -> None:
        """Warm all programs up."""
        for name, side in list(self.sides.items()):
            try:
                await side.begin()
            except Failure as failure:
                self._drop(name, failure)

    async def round(self) -> None:
        """Have all programs answer, in one order and the next time in the other."""
        names = list(self.sides) if self.rounds % 2 == 0 else list(self.sides)[::-1]
        sizes = {self.sides[name].calls for name in names}
        if not sizes:
            return
        problems = await asyncio.to_thread(self.null.bench.draw, max(sizes))
        for name in names:
            try:
                await self.sides[name].take(problems)
            except Failure as failure:
                self._drop(name, failure)
        for calls in sizes:
            nulls = self._nulls.setdefault(calls, [])
            if len(nulls) < NULLS:
                nulls.append(await self._exchange(problems[:calls]))
        self.rounds += 1

    async def repeat(self, names: Iterable[str]) -> None:
        """Have some of the programs answer the same problems several times, in batches as long as may be."""
        for name in names:
            side = self.sides[name]
            problems = await asyncio.to_thread(side.again)
            try:
                for _ in range(SLOW_REPEATS if side.replies[-1].cpu_ns > SLOW_NS else REPEATS):
                    side.repeats.append((await side.ask(problems))[1] / len(problems))
            except Failure as failure:
                self._drop(name, failure)
            nulls = [await self._exchange(problems) / len(problems) for _ in range(SLOW_REPEATS)]
            side.repeats = [max(cost - float(np.median(nulls)), 1.0) for cost in side.repeats]

    async def until(self, enough: Enough) -> float:
        """Go on until ``enough`` says so at one of the looks, and return the error of the intervals at that look.

        Where rounds take long it ends between two looks, by the clock and not by what was found.
        """
        looks, deadline = self.course.looks, time.monotonic() + self.course.wall_s
        await self.begin()
        for rounds, error in zip(looks, statistics.errors(looks), strict=True):
            while self.sides and self.rounds < rounds:
                await self.round()
                if self.rounds >= LEAST and time.monotonic() > deadline:
                    return error
            if not self.sides or await asyncio.to_thread(enough, self.costs(), error):
                break
        return error

    def costs(self) -> dict[str, Cost]:
        """Return what one call of each program that did not fail cost in each round, less what an exchange costs."""
        found = {}
        for name, side in self.sides.items():
            low, fixed, high = np.quantile(self._nulls[side.calls], (0.25, 0.5, 0.75))
            least = max(float(high - low), STEP_NS)
            rounds = tuple(max(total - float(fixed), least) / side.calls for total in side.totals)
            found[name] = Cost(rounds, tuple(side.repeats))
        return found

    async def _exchange(self, problems: Sequence[Problem]) -> float:
        """Return what it costs to exchange a batch without work; raises ``SandboxUnavailable`` if that fails."""
        try:
            return (await self.null.ask(problems))[1]
        except Failure as failure:
            raise SandboxUnavailable(f"A program that does nothing failed: {failure.feedback}") from failure

    def _drop(self, name: str, failure: Failure) -> None:
        if name in self.course.needed:
            raise Fails(name, failure) from failure
        self.failures[name] = failure
        del self.sides[name]


async def entered(stack: AsyncExitStack, loader: Loader, course: Course, programs: Mapping[str, Candidate]) -> Field:
    """Return programs side by side, each loaded in a worker of its own, which ``stack`` closes.

    Costs are instructions where the host counts them for all of these workers, else times by the CPU clock. A program
    that cannot be loaded is among the failures from the beginning; raises ``Fails`` if it is needed.
    """
    task, cores = course.task, course.cores
    null = await stack.enter_async_context(loader.null(task, cores))
    workers: dict[str, Worker] = {}
    failures: dict[str, Failure] = {}
    for name, program in programs.items():
        try:
            workers[name] = await stack.enter_async_context(loader.loaded(task, program, cores))
        except Failure as failure:
            if name in course.needed:
                raise Fails(name, failure) from failure
            failures[name] = failure
    counters, why = _counters(stack, [*workers.values(), null])

    def side(worker: Worker, counter: Counter | None) -> Side:
        seats = Workers(baseline=worker, candidate=worker, null=null)
        return Side(Bench(task=task, case=course.case, workers=seats), worker, counter)

    sides = {name: side(worker, counter) for (name, worker), counter in zip(workers.items(), counters, strict=False)}
    return Field(course, sides, side(null, counters[-1]), why=why, failures=failures)


def _counters(stack: AsyncExitStack, workers: Sequence[Worker]) -> tuple[list[Counter | None], str]:
    """Return a counter of instructions for each worker, or none for any and why."""
    if why := instructions.missing():
        return [None] * len(workers), why
    try:
        return [*instructions.opened([getattr(worker, "pid", 0) for worker in workers], stack)], ""
    except OSError as error:
        return [None] * len(workers), instructions.reason(error)
