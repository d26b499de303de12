"""How fast is it? Baseline and candidate in turn on the same fresh inputs, both clocks read from outside."""

import asyncio
from dataclasses import dataclass, field

from outpace.errors import SandboxUnavailable
from outpace.evaluators import correctness, statistics
from outpace.evaluators.base import Measurement
from outpace.sandbox.base import Reply, Worker
from outpace.tasks.spec import Case, Problem, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairing:
    """How many pairs of one case to take: never fewer than ``least``, never more than ``most``.

    In between it stops as soon as the interval lies below 1 (clearly worse) or is narrower than ``width`` of the score.
    """

    least: int = 7
    most: int = 21
    width: float = 0.06


@dataclass(slots=True)
class _Pairs:
    """The pairs of one case as they come in."""

    baseline: list[Reply] = field(default_factory=list)
    candidate: list[Reply] = field(default_factory=list)

    def measurement(self, case: str) -> Measurement:
        return Measurement(
            case=case,
            baseline_wall_ns=tuple(reply.wall_ns for reply in self.baseline),
            candidate_wall_ns=tuple(reply.wall_ns for reply in self.candidate),
            baseline_cpu_ns=tuple(reply.cpu_ns for reply in self.baseline),
            candidate_cpu_ns=tuple(reply.cpu_ns for reply in self.candidate),
        )


async def measure(task: Task, case: Case, baseline: Worker, candidate: Worker, pairing: Pairing) -> Measurement:
    """Time one case. Every answer of a timed call is checked; both sides see each input once, in ABBA order.

    Raises ``correctness.Failure`` if an answer of the candidate is refused, ``SandboxUnavailable`` if one of the
    baseline is.
    """
    await _baseline_answer(task, baseline, case, await correctness.make(task, case, correctness.fresh_seed()))
    await correctness.answer(task, candidate, case, await correctness.make(task, case, correctness.fresh_seed()))
    pairs = _Pairs()
    for number in range(pairing.most):
        problem = await correctness.make(task, case, correctness.fresh_seed())
        if number % 2 == 0:
            pairs.baseline.append(await _baseline_answer(task, baseline, case, problem))
            pairs.candidate.append(await correctness.answer(task, candidate, case, problem))
        else:
            pairs.candidate.append(await correctness.answer(task, candidate, case, problem))
            pairs.baseline.append(await _baseline_answer(task, baseline, case, problem))
        if number + 1 >= pairing.least and await asyncio.to_thread(_settled, pairs.measurement(case.name), pairing):
            break
    return pairs.measurement(case.name)


async def _baseline_answer(task: Task, baseline: Worker, case: Case, problem: Problem) -> Reply:
    """Call the starting program; it passed its check when the run began, so a failure now is ours."""
    try:
        return await correctness.answer(task, baseline, case, problem)
    except correctness.Failure as failure:
        raise SandboxUnavailable(f"The starting program failed beside the candidate: {failure.feedback}") from failure


def _settled(measurement: Measurement, pairing: Pairing) -> bool:
    score, (low, high) = statistics.speedup([measurement])
    return high < 1 or (high - low) < pairing.width * score
