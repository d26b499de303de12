"""Who has really won: the champion of a run, measured a last time where the search never looked."""

from collections.abc import Sequence
from dataclasses import dataclass

from outpace.agent.proposal import Member
from outpace.agent.store.base import Store
from outpace.evaluators.base import Evaluation, Evaluator, evaluated
from outpace.evaluators.statistics import measurable
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Split, Task

CONTENDERS = {"speedup": 3, "metric": 5}
UNSEEN: tuple[Split, ...] = ("heldout", "ood")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed:
    """A champion with its evaluations on fresh inputs of the training cases, on held-out and out-of-distribution ones.

    ``start`` is the starting program with its evaluation on the same fresh inputs.
    """

    champion: Member
    start: Member
    train: Evaluation
    heldout: Evaluation | None
    ood: Evaluation | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirming:
    """The last measurements of a run; everything measured here is stored.

    The maximum of many values that chance has a part in is too good to be true (the winner's curse): of noisy times, or
    of scores on the few instances that the search was trained on. Evaluations on fresh inputs decide who wins, and a
    contender that fails on held-out cases is no champion.
    """

    task: Task
    evaluator: Evaluator
    store: Store
    run: str

    async def fastest(self, start: Member, *, reigning: Member | None, floor: float) -> Confirmed | None:
        """Return the champion of a speed-up run, or None where nothing is measurably faster than the start.

        That is the reigning champion, or, where it does not hold, the first that does of those that came next in the
        search. To hold means a lower bound above 1 + ``floor`` on fresh training inputs and on held-out ones, and right
        answers out of distribution.
        """
        for member in self._contenders(start, first=reigning):
            train = await self._further(member.candidate, "train")
            if not measurable(train, floor):
                continue
            heldout = await self._unseen(member.candidate, "heldout")
            if heldout is not None and not measurable(heldout, floor):
                continue
            ood = await self._unseen(member.candidate, "ood")
            if ood is None or ood.status == "ok":
                return Confirmed(champion=member, start=start, train=train, heldout=heldout, ood=ood)
        return None

    async def best(self, start: Member) -> Confirmed | None:
        """Return the champion of a metric run, or None where nothing is better than the start on fresh inputs.

        The best few of the search are judged again, and the best of these second evaluations wins.
        """
        goal, contenders = self.task.spec.goal, self._contenders(start)
        if not contenders:
            return None
        start = Member(start.candidate, await self._further(start.candidate, "train"))
        for split in UNSEEN:
            await self._unseen(start.candidate, split)
        floor = start.evaluation.rank(goal)
        if floor is None:
            return None  # the starting program does not hold on fresh inputs: nothing to compare with
        again: list[tuple[float, Member, Evaluation]] = []
        for member in contenders:
            found = await self._further(member.candidate, "train")
            rank = found.rank(goal)
            if rank is not None and rank > floor:
                again.append((rank, member, found))
        for _, member, found in sorted(again, key=lambda one: one[0], reverse=True):
            heldout = await self._unseen(member.candidate, "heldout")
            ood = await self._unseen(member.candidate, "ood")
            if all(evaluation is None or evaluation.status == "ok" for evaluation in (heldout, ood)):
                return Confirmed(champion=member, start=start, train=found, heldout=heldout, ood=ood)
        return None

    def _contenders(self, start: Member, *, first: Member | None = None) -> Sequence[Member]:
        """Return the best of the run that did better than the start in the search, after ``first`` if there is one."""
        goal = self.task.spec.goal
        floor, most = start.evaluation.rank(goal), CONTENDERS[goal.kind]
        ranked = [(member.evaluation.rank(goal), member) for member in self.store.top(self.run, most)]
        better = [member for rank, member in ranked if rank is not None and floor is not None and rank > floor]
        if first is None or first.candidate.id == start.candidate.id:
            return better
        return [first, *(member for member in better if member.candidate.id != first.candidate.id)]

    async def _further(self, candidate: Candidate, split: Split) -> Evaluation:
        """Evaluate on what the search did not see; a metric that an earlier sitting worked out serves again."""
        known = self.store.confirmations(self.run, candidate.id).get(split)
        if known and self.task.spec.goal.kind == "metric":
            return known
        found = await evaluated(self.evaluator, self.task, candidate, split=split, fresh=self._fresh(split))
        self.store.add_confirmation(self.run, candidate.id, split, found)
        return found

    def _fresh(self, split: Split) -> bool:
        """Tell whether to measure as the last time: a metric's unseen instances are the same for everybody.

        What is out of distribution decides about right and wrong only, so its times are taken as in the search.
        """
        return split == "train" or (split == "heldout" and self.task.spec.goal.kind == "speedup")

    async def _unseen(self, candidate: Candidate, split: Split) -> Evaluation | None:
        return await self._further(candidate, split) if self.task.spec.split(split) else None
