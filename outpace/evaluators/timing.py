"""How much is measured: rounds of pairs in one pair of processes or in several, and when it is enough."""

import asyncio
import math
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

from outpace.evaluators import integrity, statistics
from outpace.evaluators.base import Measurement
from outpace.evaluators.correctness import Failure
from outpace.evaluators.pairs import Bench, Sizes, Workers
from outpace.tasks.spec import Case, Task

GROUP_S, LEAST_EACH = 0.8, 3
"""A pair of processes is given about so long per case, and at least so many rounds."""
LEAST_GROUPS = 5
"""How many pairs of processes a final measurement takes at least, however long they take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """How much is measured. A round is one pair of every timed case.

    In the search, in one pair of processes: ``least`` to ``most`` rounds, or ``first`` for what is hopeless.

    In final measurements: up to ``groups`` pairs of fresh processes, with ``each`` rounds in each of them. Of programs
    that take long to start or to run there are fewer, so that all of it takes about ``wall_s``, but no fewer than
    ``LEAST_GROUPS``.

    In between it is looked whether that is enough: as soon as the interval lies below 1 (clearly worse), or is narrow
    and leaves little doubt whether the gain is above the floor: it lies on one side of it, or the score is not even
    halfway there. Narrow is ``width`` on the scale of logarithms, or for large gains ``share`` of them.
    """

    first: int = 3
    least: int = 7
    most: int = 21
    width: float = 0.06
    share: float = 0.04
    groups: int = 18
    each: int = 32
    wall_s: float = 20.0

    def rounds(self) -> tuple[int, ...]:
        """Return after how many rounds to look, in the search."""
        return tuple(
            sorted({min(self.first, self.least), self.least, round(math.sqrt(self.least * self.most)), self.most})
        )

    def processes(self, group_s: float = 0.0) -> tuple[int, ...]:
        """Return after how many pairs of processes to look, in a final measurement in which the first took so long."""
        groups = min(self.groups, max(LEAST_GROUPS, int(self.wall_s / group_s) if group_s else self.groups))
        return tuple(sorted({min(LEAST_GROUPS, groups), math.ceil(0.6 * groups), groups}))

    def enough(self, score: float, interval: tuple[float, float], floor: float) -> bool:
        """Tell whether a result needs no more pairs."""
        low, high = interval
        narrow = math.log(high / low) < max(self.width, self.share * math.log(score))
        return high < 1 or (narrow and (score < 1 + floor / 2 or not low <= 1 + floor <= high))


Measured = tuple[list[Measurement], float]
"""The measurements, one for each case, and the error of the interval of the look at which they ended."""
Enough = Callable[[list[Measurement], float], bool]


class Session:
    """One pair of processes: rounds of pairs of all timed cases, in the order AB BA."""

    def __init__(
        self, task: Task, cases: Sequence[Case], workers: Workers, *, group: int = 0, sizes: Sequence[Sizes] = ()
    ) -> None:
        """``group`` numbers the pair of processes; ``sizes`` are the batches of each case, if they are known."""
        known: Sequence[Sizes | None] = sizes or [None] * len(cases)
        self.group, self.done = group, 0
        self.benches = [
            Bench(task=task, case=case, workers=workers, sizes=size) for case, size in zip(cases, known, strict=True)
        ]

    @property
    def sizes(self) -> list[Sizes]:
        """The batches of each case."""
        return [bench.sizes or Sizes() for bench in self.benches]

    async def begin(self) -> None:
        """Warm up."""
        for bench in self.benches:
            await bench.begin()

    async def until(self, rounds: int) -> None:
        """Go on until so many rounds are done."""
        while self.done < rounds:
            for bench in self.benches:
                await bench.pair(baseline_first=(self.done + self.group) % 2 == 0)
            self.done += 1

    def measurements(self) -> list[Measurement]:
        """Return what has been measured, by case; raises ``Failure`` if the candidate worked between its calls."""
        replies = [candidate for bench in self.benches for _, candidate in bench.pairs]
        if reason := integrity.restless(replies):
            raise Failure("refused", f"The program broke a rule: {reason}")
        return [bench.measurement(self.group) for bench in self.benches]


async def measure(session: Session, pairing: Pairing, enough: Enough) -> Measured:
    """Measure in one pair of processes, until ``enough`` says so at one of the looks or the budget of rounds is used.

    Raises ``Failure`` if the candidate fails, ``BaselineFailed`` if the baseline does.
    """
    await session.begin()
    looks = pairing.rounds()
    for rounds, error in zip(looks, statistics.errors(looks), strict=True):
        await session.until(rounds)
        found = session.measurements()
        if await asyncio.to_thread(enough, found, error):
            break
    return found, error


@dataclass(frozen=True, slots=True)
class Plan:
    """A measurement in several pairs of processes: the timed cases, who gives a pair, how long each pair is used."""

    task: Task
    cases: Sequence[Case]
    processes: Callable[[int], AbstractAsyncContextManager[Workers]]
    group_s: float


async def repeat(plan: Plan, pairing: Pairing, enough: Enough) -> Measured:
    """Measure in pairs of fresh processes, until ``enough`` says so at one of the looks; raises as ``measure``."""
    errors: dict[int, float] = {}
    found: list[Measurement] = []
    sizes: list[Sizes] = []
    group, groups, each = 0, pairing.groups, 0
    while group < groups:
        begin = time.perf_counter()
        async with plan.processes(group) as workers:
            session = Session(plan.task, plan.cases, workers, group=group, sizes=sizes)
            each = await _one_group(session, pairing.each, known=each, group_s=plan.group_s)
            sizes = session.sizes
        found = joined(found, session.measurements())
        if group == 0:
            looks = pairing.processes(time.perf_counter() - begin)
            groups, errors = looks[-1], dict(zip(looks, statistics.errors(looks, statistics.CLAIM_ERROR), strict=True))
        group += 1
        if group in errors and await asyncio.to_thread(enough, found, errors[group]):
            break
    return found, errors[group]


async def _one_group(session: Session, each: int, *, known: int, group_s: float) -> int:
    """Take the rounds of one pair of processes, and return how many: ``known``, or as many as the time allows."""
    await session.begin()
    begin = time.perf_counter()
    least = known or min(LEAST_EACH, each)
    await session.until(least)
    round_s = (time.perf_counter() - begin) / least
    rounds = known or max(least, min(each, int(group_s / round_s)))
    await session.until(rounds)
    return rounds


def joined(first: Sequence[Measurement], second: Sequence[Measurement]) -> list[Measurement]:
    """Return the pairs of both, case by case."""
    if not first:
        return list(second)
    names = [name for name in Measurement.__slots__ if name != "case"]
    return [
        replace(one, **{name: getattr(one, name) + getattr(other, name) for name in names})
        for one, other in zip(first, second, strict=True)
    ]
