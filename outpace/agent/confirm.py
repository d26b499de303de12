"""Who has really won: the best of a run, measured again where the search never looked."""

from dataclasses import dataclass

from outpace.agent.proposal import Member
from outpace.agent.store.base import Store
from outpace.evaluators.base import Evaluation, Evaluator
from outpace.tasks.spec import Split, Task

CONTENDERS = 3
LEAST_SPEEDUP = 1.05  # what two copies of one program may differ by on a busy machine; smaller gains are not claimed


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """A champion with its evaluations on fresh seeds (``train``), on held-out and on out-of-distribution cases.

    For a metric task ``train`` is the evaluation of the search: the same program on the same inputs answers the same.
    """

    champion: Member
    train: Evaluation
    heldout: Evaluation | None
    ood: Evaluation | None


async def confirm(task: Task, evaluator: Evaluator, store: Store, run: str, *, start: Member) -> Confirmed | None:
    """Return the champion of a run, or None where nothing was confirmed to be better than the start.

    The maximum of noisy samples is biased upwards (the winner's curse), so the best few of a speed-up task are timed
    again on fresh inputs, and the best lower bound of these second measurements wins. A contender that fails on
    held-out cases is no champion. Everything measured here is stored.
    """
    goal = task.spec.goal
    floor = start.evaluation.rank(goal) if goal.kind == "metric" else LEAST_SPEEDUP
    assert floor is not None
    ahead = [
        m for m in store.top(run, CONTENDERS + 1) if m.candidate.id != start.candidate.id and _above(m, task, floor)
    ]
    again: list[tuple[Member, Evaluation]] = []
    for member in ahead[:CONTENDERS]:
        found = member.evaluation
        if goal.kind == "speedup":
            found = await evaluator.evaluate(task, member.candidate)
            store.add_confirmation(run, member.candidate.id, "train", found)
        if _above(Member(member.candidate, found), task, floor):
            again.append((member, found))
    again.sort(key=lambda pair: pair[1].rank(goal) or floor, reverse=True)
    for member, found in again:
        others = {split: await _further(task, evaluator, store, run, member, split) for split in ("heldout", "ood")}
        if all(evaluation is None or evaluation.status == "ok" for evaluation in others.values()):
            return Confirmed(champion=member, train=found, **others)
    return None


async def beside(task: Task, evaluator: Evaluator, store: Store, run: str, *, start: Member) -> None:
    """Evaluate the starting program on the cases outside the search, so that the champion's values have a neighbour."""
    if task.spec.goal.kind == "metric":  # a speed-up is measured against the start already
        for split in ("heldout", "ood"):
            await _further(task, evaluator, store, run, start, split)


async def _further(
    task: Task, evaluator: Evaluator, store: Store, run: str, member: Member, split: Split
) -> Evaluation | None:
    if not task.spec.split(split):
        return None
    found = await evaluator.evaluate(task, member.candidate, split=split)
    store.add_confirmation(run, member.candidate.id, split, found)
    return found


def _above(member: Member, task: Task, floor: float) -> bool:
    rank = member.evaluation.rank(task.spec.goal)
    return rank is not None and rank > floor
