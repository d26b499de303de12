"""Timing one case: baseline and candidate in turn on the same fresh inputs, both clocks read from outside.

The time of a call is that of its exchange, less what the exchange costs by itself. That is measured beside it with a
program that does nothing (``NULL``), in a worker of its own on the same core, given the same inputs: what remains is
the program's own, and that includes writing down its answer.
"""

import asyncio
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from outpace.evaluators import correctness
from outpace.evaluators.base import Measurement
from outpace.evaluators.correctness import BaselineFailed, Failure
from outpace.sandbox.base import Reply, Worker
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Problem, Task

NULL, NULL_ENTRY = Candidate({"program.py": "def null(**inputs):\n    return None\n"}), "null"
BATCH_NS = 20_000_000
"""What a timed exchange takes at least: shorter calls are put together, each with inputs of its own."""
MOST_CALLS = 256
"""How many calls are put together at most."""
JUDGE_S, JUDGE_SHARE = 0.1, 2.0
"""What drawing and checking the problems of a pair may take: so long, or so many times what is timed."""
MOST_INPUT_BYTES = 1 << 25
"""What the inputs of a batch may hold together; its answers together may hold half of what one answer may."""
NULLS = 7
"""How many exchanges without work are timed per case and size of batch, in each pair of processes."""
STEP_NS = 1_000
"""No time is resolved better than this."""
_PATIENCE_S = 1.0  # what a batch may take beyond two calls that use all the time they may
_SIZINGS = 3
_MARGIN = 1.15  # batches are planned a little longer than they must be


@dataclass(frozen=True, slots=True, kw_only=True)
class Workers:
    """The three workers of a measurement, loaded and pinned to the same core."""

    baseline: Worker
    candidate: Worker
    null: Worker


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many calls make a batch of one case, for each side."""

    baseline: int = 1
    candidate: int = 1

    @property
    def most(self) -> int:
        """How many problems a pair needs."""
        return max(self.baseline, self.candidate)


@dataclass(slots=True, kw_only=True)
class Bench:
    """Times one case in one pair of processes."""

    task: Task
    case: Case
    workers: Workers
    sizes: Sizes | None = None
    pairs: list[tuple[Reply, Reply]] = field(default_factory=list)
    _nulls: dict[int, list[Reply]] = field(default_factory=dict)
    _next: list[Problem] = field(default_factory=list)
    _longest_ns: int = 0

    async def begin(self) -> None:
        """Warm up, and find out how many calls make a batch; all answers are checked here too."""
        known, self.sizes = self.sizes, self.sizes or Sizes()
        problems = await asyncio.to_thread(self.draw, self.sizes.most)
        baseline, candidate = await self._exchange(problems, baseline_first=True)
        await correctness.judged(self.check, self.workers.baseline, problems, baseline)
        await correctness.judged(self.check, self.workers.candidate, problems, candidate)
        if known is None:
            size = await self.size(self.workers.baseline)
            self.sizes = Sizes(size, await self.size(self.workers.candidate))
        self._next = await asyncio.to_thread(self.draw, self.sizes.most)
        for calls in {self.sizes.baseline, self.sizes.candidate}:
            await self.ask(self.workers.null, self._next[:calls])

    async def pair(self, *, baseline_first: bool) -> None:
        """Time both sides on fresh inputs and check all their answers; raises ``Failure`` or ``BaselineFailed``."""
        assert self.sizes is not None
        problems = self._next
        pair = await self._exchange(problems, baseline_first=baseline_first)
        for calls in {self.sizes.baseline, self.sizes.candidate}:
            nulls = self._nulls.setdefault(calls, [])
            if len(nulls) < NULLS:
                nulls.append(await self.ask(self.workers.null, problems[:calls]))
        self._next = await correctness.judged(self._check_and_draw, problems, pair)
        self.pairs.append((replace(pair[0], output=None), replace(pair[1], output=None)))

    def measurement(self, group: int) -> Measurement:
        """Return the times of all pairs without the cost of the exchange."""
        assert self.sizes is not None
        mine, theirs = self.sizes.baseline, self.sizes.candidate
        baseline, candidate = zip(*self.pairs, strict=True)
        nets = {
            name: self._net([getattr(reply, clock) for reply in replies], clock, calls)
            for side, replies, calls in (("baseline", baseline, mine), ("candidate", candidate, theirs))
            for clock, name in (("wall_ns", f"{side}_wall_ns"), ("cpu_ns", f"{side}_cpu_ns"))
        }
        taken_cpu_ns = _taken([reply.cpu_ns for reply in candidate], nets["candidate_cpu_ns"])
        taken_wall_ns = _taken([reply.wall_ns for reply in candidate], nets["candidate_wall_ns"])
        return Measurement(
            case=self.case.name,
            **nets,
            baseline_calls=(mine,) * len(self.pairs),
            candidate_calls=(theirs,) * len(self.pairs),
            taken_wall_ns=tuple(map(min, taken_wall_ns, taken_cpu_ns)),  # it cannot be woken sooner, only do less
            taken_cpu_ns=taken_cpu_ns,
            groups=(group,) * len(self.pairs),
        )

    def _net(self, times_ns: list[int], clock: str, calls: int) -> tuple[int, ...]:
        """Take off the median of the exchanges without work.

        What is left is never less than their interquartile range: nobody is credited with more than the clock resolves.
        As that holds for both sides, it can hide a gain and cannot make one.
        """
        null_ns = [getattr(reply, clock) for reply in self._nulls[calls]]
        low_ns, fixed_ns, high_ns = np.quantile(null_ns, (0.25, 0.5, 0.75))
        least_ns = max(int(high_ns - low_ns), STEP_NS)
        return tuple(max(time_ns - int(fixed_ns), least_ns) for time_ns in times_ns)

    async def _exchange(self, problems: Sequence[Problem], *, baseline_first: bool) -> tuple[Reply, Reply]:
        """Have both sides answer, one directly after the other; each gets as many of the problems as make its batch."""
        assert self.sizes is not None
        mine, theirs = problems[: self.sizes.baseline], problems[: self.sizes.candidate]
        if baseline_first:
            baseline = await self.ask(self.workers.baseline, mine)
            return baseline, await self.ask(self.workers.candidate, theirs)
        candidate = await self.ask(self.workers.candidate, theirs)
        return await self.ask(self.workers.baseline, mine), candidate

    async def ask(self, worker: Worker, problems: Sequence[Problem]) -> Reply:
        """Have a worker answer a batch; raises ``Failure`` or ``BaselineFailed``."""
        limit_s = self.task.spec.limits.wall_s
        wall_s = min(len(problems) * limit_s, 2 * limit_s + _PATIENCE_S)
        with self._blame(worker):
            reply = await correctness.batch(self.task, worker, self.case, problems, wall_s=wall_s)
        self._longest_ns = max(self._longest_ns, reply.wall_ns)
        return reply

    @contextmanager
    def _blame(self, worker: Worker) -> Iterator[None]:
        """A failure of the baseline, which passed its checks when the run began, is not the candidate's."""
        try:
            yield
        except Failure as failure:
            if worker is self.workers.candidate:
                raise
            raise BaselineFailed(f"The program beside the candidate failed: {failure.feedback}") from failure

    def draw(self, calls: int) -> list[Problem]:
        """Return so many fresh problems."""
        return [correctness.generated(self.task, self.case, correctness.fresh_seed()) for _ in range(calls)]

    def check(self, worker: Worker, problems: Sequence[Problem], reply: Reply) -> None:
        """Judge the answers of a batch; raises ``Failure`` or ``BaselineFailed``."""
        with self._blame(worker):
            for problem, output in zip(problems, reply.output, strict=False):
                correctness.check(self.task, worker, self.case, problem, output)

    def _check_and_draw(self, problems: Sequence[Problem], pair: tuple[Reply, Reply]) -> list[Problem]:
        """Judge both sides of a pair and make the problems of the next, in one go."""
        for worker, reply in zip((self.workers.baseline, self.workers.candidate), pair, strict=True):
            self.check(worker, problems, reply)
        return self.draw(len(problems))

    async def size(self, worker: Worker) -> int:
        """Return how many calls take ``BATCH_NS``, within what the bounds allow."""
        calls = 1
        for _ in range(_SIZINGS):
            begin = time.perf_counter()
            problems = await asyncio.to_thread(self.draw, calls)
            judge_s = time.perf_counter() - begin
            reply, null = await self.ask(worker, problems), await self.ask(self.workers.null, problems)
            begin = time.perf_counter()
            await correctness.judged(self.check, worker, problems, reply)
            judge_s += time.perf_counter() - begin
            took_ns = max(reply.cpu_ns - null.cpu_ns, (reply.wall_ns - null.wall_ns) // 8, STEP_NS)
            if took_ns >= BATCH_NS:
                break
            most = self._most(problems[0], reply.output[0], judge_s / calls)
            wanted = min(math.ceil(_MARGIN * calls * BATCH_NS / took_ns), most)
            if wanted <= calls:
                break
            calls = wanted
        return calls

    def _most(self, problem: Problem, output: Any, judge_s: float) -> int:
        """Return how many calls a batch may have: not so many that judging them takes longer than timing them."""
        allowed_s = max(JUDGE_S, JUDGE_SHARE * (self._longest_ns + BATCH_NS) / 1e9)
        answers_bytes = self.task.spec.limits.output_mb * (1 << 20) // 2
        bounds = (
            MOST_CALLS,
            allowed_s / judge_s,
            MOST_INPUT_BYTES / correctness.held(problem),
            answers_bytes / correctness.held(output),
        )
        return max(1, int(min(bounds)))


def _taken(times_ns: Sequence[int], nets_ns: Sequence[int]) -> tuple[int, ...]:
    return tuple(max(0, time_ns - net_ns) for time_ns, net_ns in zip(times_ns, nets_ns, strict=True))
