"""Can the starting program of a task be timed at all? Tried before a run begins, and by ``outpace task check``."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from outpace.evaluators import correctness
from outpace.evaluators.pairs import BATCH_NS, NULLS, STEP_NS, Bench
from outpace.evaluators.timing import Pairing
from outpace.sandbox.base import Reply
from outpace.tasks.spec import Case

PAIR_S = 60.0
"""What a pair may take, both calls with drawing their inputs and checking their answers."""
SEARCH_S = 60.0
"""From how many seconds of pairs for each candidate on a task is said to be slow."""
STEPS, SHORT_S = 3, 0.002
"""A batch is too short where it takes less than so many times what the clock resolves, and less than so long at all: on
a busy machine the clock resolves little for a while, and the A/A measurement tells what that means for longer ones."""
BATCHES = 3
"""How many batches of short calls are timed."""
GOOD = "20 to 200 ms a call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long the starting program takes on a case.

    ``call_s``: one call; ``judge_s``: drawing the inputs of a pair and checking its answers; ``calls``: how many calls
    a batch takes, ``batch_s``: what that takes without the exchange, ``step_s``: what the clock resolves there.
    """

    case: Case
    call_s: float
    judge_s: float
    calls: int
    batch_s: float
    step_s: float

    @property
    def pair_s(self) -> float:
        """What a pair of the starting program and an equal takes."""
        return 2 * self.calls * self.call_s + self.judge_s

    def fault(self) -> str:
        """Return why the case cannot be timed and what to change, in one line; empty if it can."""
        at = f"case '{self.case.name}'"
        if self.pair_s > PAIR_S:
            judged = f" and judging two answers {_time(self.judge_s)}" if self.judge_s > self.call_s else ""
            cure = "check quicker, or make" if self.judge_s > self.call_s else "make"
            return (
                f"{at} is too slow to be timed: a call of the starting program takes {_time(self.call_s)}{judged}, so "
                f"a pair of calls {_time(self.pair_s)}, expected at most {_time(PAIR_S)}; {cure} its inputs smaller "
                f"({GOOD} is good)"
            )
        if self.batch_s < min(STEPS * self.step_s, SHORT_S):
            return (
                f"{at} is too fast to be timed: {self.calls} calls of the starting program at once take "
                f"{_time(self.batch_s)} beside what the exchange takes, which varies by {_time(self.step_s)}; expected "
                f"{STEPS} times that or more; make its inputs larger ({GOOD} is good), or say timed = false"
            )
        return ""


def slow(paces: Sequence[Pace]) -> str:
    """Return a line where the pairs of each candidate take long, though they can be timed; else an empty text."""
    least = Pairing().least
    whole_s = least * sum(pace.pair_s for pace in paces if pace.case.split == "train")
    if whole_s <= SEARCH_S:
        return ""
    longest = max((pace for pace in paces if pace.case.split == "train"), key=lambda pace: pace.pair_s)
    return (
        f"each candidate takes about {_time(whole_s)} to be timed ({least} pairs of calls of every timed train case); "
        f"the longest is case '{longest.case.name}' with {_time(longest.call_s)} a call; with smaller inputs a run "
        f"tries more programs ({GOOD} is good)"
    )


async def paced(bench: Bench) -> Pace:
    """Return the pace of the baseline of ``bench``; raises ``Failure`` if it fails, a time-out included.

    The bench needs no other candidate than the baseline itself. The first call is to warm up; where it takes too long
    another one may be quicker, with what a program makes once.
    """
    for _ in range(2):
        reply, judge_s = await _one(bench)
        call_s = reply.wall_ns / 1e9
        if reply.cpu_ns < BATCH_NS and call_s < 1.0:
            return await _batch(bench, judge_s)
    return Pace(case=bench.case, call_s=call_s, judge_s=judge_s, calls=1, batch_s=call_s, step_s=STEP_NS / 1e9)


async def _one(bench: Bench) -> tuple[Reply, float]:
    worker = bench.workers.baseline
    begin = time.perf_counter()
    problems = await asyncio.to_thread(bench.draw, 1)
    draw_s = time.perf_counter() - begin
    reply = await bench.ask(worker, problems)
    begin = time.perf_counter()
    await correctness.judged(bench.check, worker, problems, reply)
    return reply, draw_s + 2 * (time.perf_counter() - begin)


async def _batch(bench: Bench, judge_s: float) -> Pace:
    """Time a batch of short calls, and what the exchange costs by itself, by the CPU clock.

    A program that waits is seen on the wall clock only, of which an eighth counts, as where batches are sized. The
    shortest of several batches counts: whatever else a busy machine does only adds to it.
    """
    worker, null = bench.workers.baseline, bench.workers.null
    calls = await bench.size(worker)
    problems = await asyncio.to_thread(bench.draw, calls)
    replies = [await bench.ask(worker, problems) for _ in range(BATCHES)]
    await correctness.judged(bench.check, worker, problems, replies[0])
    nulls = [await bench.ask(null, problems) for _ in range(NULLS)]
    found = []
    for clock, part in (("cpu_ns", 1.0), ("wall_ns", 0.125)):
        low_ns, fixed_ns, high_ns = np.quantile([getattr(one, clock) for one in nulls], (0.25, 0.5, 0.75))
        net_ns = max(min(getattr(reply, clock) for reply in replies) - fixed_ns, 0.0)
        found.append((part * net_ns / 1e9, part * max(high_ns - low_ns, STEP_NS) / 1e9))
    batch_s, step_s = max(found)
    return Pace(
        case=bench.case,
        call_s=batch_s / calls,
        judge_s=judge_s * calls,
        calls=calls,
        batch_s=float(batch_s),
        step_s=float(step_s),
    )


def _time(seconds: float) -> str:
    """Return a time with its unit: ``3.1 s``, ``150 ms``, ``0.4 µs``."""
    factor, unit = (1.0, "s") if seconds >= 1 else (1e3, "ms") if seconds >= 1e-3 else (1e6, "µs")
    value = seconds * factor
    return f"{value:.2g} {unit}" if value < 10 else f"{value:.0f} {unit}"
