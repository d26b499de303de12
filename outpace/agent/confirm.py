"""Who has really won: the best of a run, measured again where the search never looked."""

from dataclasses import dataclass

from outpace.agent.proposal import Member
from outpace.agent.store.base import Store
from outpace.evaluators.base import Evaluation, Evaluator, evaluated
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Split, Task

CONTENDERS = {"speedup": 3, "metric": 5}
LEAST_SPEEDUP = 1.05  # what two copies of one program may differ by on a busy machine; smaller gains are not claimed
UNSEEN: tuple[Split, ...] = ("heldout", "ood")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """A champion with its evaluations on fresh seeds of the training cases, on held-out and on out-of-distribution ones.

    ``start`` is the starting program with its evaluation on the same fresh inputs.
    """

    champion: Member
    start: Member
    train: Evaluation
    heldout: Evaluation | None
    ood: Evaluation | None


async def confirm(task: Task, evaluator: Evaluator, store: Store, run: str, *, start: Member) -> Confirmed | None:
    """Return the champion of a run, or None where nothing was confirmed to be better than the start.

    The maximum of many values that chance has a part in is too good to be true (the winner's curse): of noisy times, or of
    scores on the few instances that the search was trained on. So the best few are judged again on fresh inputs, and the
    best of these second evaluations wins; those of times by their lower bound. A contender that fails on held-out cases
    is no champion. Everything measured here is stored.
    """
    goal, floor = task.spec.goal, LEAST_SPEEDUP
    contenders = _contenders(task, store, run, start)
    if contenders and goal.kind == "metric":  # a speed-up is measured against the start already
        start = Member(start.candidate, await _further(task, evaluator, store, run, start.candidate, "train"))
        for split in UNSEEN:
            await _unseen(task, evaluator, store, run, start.candidate, split)
        rank = start.evaluation.rank(goal)
        if rank is None:
            return None  # the starting program does not hold on fresh inputs: nothing to compare with
        floor = rank
    again: list[tuple[float, Member, Evaluation]] = []
    for member in contenders:
        found = await _further(task, evaluator, store, run, member.candidate, "train")
        rank = found.rank(goal)
        if rank is not None and rank > floor:
            again.append((rank, member, found))
    for _, member, found in sorted(again, key=lambda one: one[0], reverse=True):
        heldout = await _unseen(task, evaluator, store, run, member.candidate, "heldout")
        ood = await _unseen(task, evaluator, store, run, member.candidate, "ood")
        if all(evaluation is None or evaluation.status == "ok" for evaluation in (heldout, ood)):
            return Confirmed(champion=member, start=start, train=found, heldout=heldout, ood=ood)
    return None


def _contenders(task: Task, store: Store, run: str, start: Member) -> list[Member]:
    """Return the best of the run that did better than the start in the search."""
    goal = task.spec.goal
    floor, most = start.evaluation.rank(goal), CONTENDERS[goal.kind]
    ranked = [(member.evaluation.rank(goal), member) for member in store.top(run, most)]
    return [member for rank, member in ranked if rank is not None and floor is not None and rank > floor]


async def _further(
    task: Task, evaluator: Evaluator, store: Store, run: str, candidate: Candidate, split: Split
) -> Evaluation:
    """Evaluate on what the search did not see; a metric that an earlier sitting worked out serves again."""
    known = store.confirmations(run, candidate.id).get(split)
    if known and task.spec.goal.kind == "metric":
        return known
    found = await evaluated(evaluator, task, candidate, split=split, fresh=split == "train")
    store.add_confirmation(run, candidate.id, split, found)
    return found


async def _unseen(
    task: Task, evaluator: Evaluator, store: Store, run: str, candidate: Candidate, split: Split
) -> Evaluation | None:
    if not task.spec.split(split):
        return None
    return await _further(task, evaluator, store, run, candidate, split)
