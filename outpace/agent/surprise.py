"""What jumps too far above the field is measured a second time before it counts."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from outpace.agent.store.base import Surprise
from outpace.evaluators.base import Evaluation, Evaluator, evaluated
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal, Task

JUMP = 2.0
"""How many times what has been reached a result may reach before it is measured a second time."""


@dataclass(slots=True, kw_only=True)
class Examiner:
    """Judges candidates, those with surprising results twice; ``known`` are the surprises of the run so far."""

    task: Task
    evaluator: Evaluator
    record: Callable[[Surprise], Awaitable[None]]
    known: dict[str, Surprise] = field(default_factory=dict)

    async def judge(self, candidate: Candidate, *, best: Evaluation | None, start: Evaluation | None) -> Evaluation:
        """Return the evaluation that counts; what was measured twice is recorded before."""
        if candidate.id in self.known:  # by a sitting that was killed before it could store the result
            return counted(self.known[candidate.id])
        found = await evaluated(self.evaluator, self.task, candidate)
        if not surprising(self.task.spec.goal, found, best=best, start=start):
            return found
        second = await evaluated(self.evaluator, self.task, candidate, fresh=True)
        if second.status == "infra":
            return second
        surprise = self.known[candidate.id] = weighed(candidate, found, second)
        await self.record(surprise)
        return counted(surprise)


def surprising(goal: Goal, found: Evaluation, *, best: Evaluation | None, start: Evaluation | None) -> bool:
    """Tell whether a result jumps too far above the field to be believed at once.

    Speed-ups: its lower bound is more than ``JUMP`` times that of the best so far. Metrics, which have no natural zero:
    it is more than ``JUMP`` times as far above the start as the best so far. Either can happen only a few times in a
    run, for each time the field has more than doubled.
    """
    rank, top, floor = (one.rank(goal) if one else None for one in (found, best, start))
    if rank is None or top is None or floor is None:
        return False
    if goal.kind == "speedup":
        return rank > JUMP * top
    return top > floor and rank - floor > JUMP * (top - floor)


def weighed(candidate: Candidate, first: Evaluation, second: Evaluation) -> Surprise:
    """Tell which of two measurements counts, the second made with other seeds in fresh processes.

    A candidate that fails the second time counts for nothing. Where two intervals do not even touch, the lower figure
    counts. Values of metrics are exact, but of other instances: there the first one stays, and the second is evidence.
    """
    lower = first.interval and second.interval and second.interval[1] < first.interval[0]
    if second.status != "ok":
        return Surprise(candidate=candidate.id, first=first, second=second, counts="neither")
    return Surprise(candidate=candidate.id, first=first, second=second, counts="second" if lower else "first")


def counted(surprise: Surprise) -> Evaluation:
    """Return the evaluation that counts after a second measurement."""
    if surprise.counts == "first":
        return surprise.first
    second = surprise.second
    if surprise.counts == "second":
        return second
    return Evaluation(
        status="refused",
        feedback=(
            f"The result ({surprise.first.score:.4g}) was far above everything before, so it was measured again with "
            f"other seeds in fresh processes. There the program failed ({second.status}): {second.feedback}"
        ),
        stages=second.stages,
        machine=second.machine,
        wall_s=surprise.first.wall_s + second.wall_s,
    )
