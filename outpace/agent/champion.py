"""Who reigns while a run goes on: the crown changes hands only in a duel.

The maximum of many noisy times is too good to be true (the winner's curse), so a candidate of a speed-up task whose
figures look better than the champion's becomes a challenger, and is timed directly against the champion on fresh seeds.
The start reigns first. All of it is a fold over stored results and duels: nothing is fought twice on resume.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from outpace.agent.proposal import Member, Result
from outpace.agent.store.base import Duel, Outcome, Surprise
from outpace.evaluators.base import INFRA_TRIES, Evaluator, evaluated
from outpace.evaluators.statistics import measurable
from outpace.tasks.spec import Task

CHAMPION_FAILED = "champion_failed"  # the metric of a duel that could not be fought because the champion failed


@dataclass(slots=True, kw_only=True)
class Throne:
    """The reigning champion of a speed-up run, and the duels for the crown: one at a time, beside the search.

    ``floor`` is the smallest gain that can be claimed here; None (metric tasks, whose values are exact) means no duels.
    ``surprises`` are what was measured twice, by candidate id.

    A challenger's lower bound lies above the champion's ``figure`` and the floor; it fights once, and those that do not
    reach a new champion's figure are forgotten. The figure is how many times as fast as the start the champion is by
    its duels, one multiplied by the other: what the search had seen of it was the best of many draws, and would keep
    off who is truly faster. A champion that fails on fresh inputs is deposed, and the start reigns.
    """

    task: Task
    evaluator: Evaluator
    record: Callable[[Duel], Awaitable[None]]
    floor: float | None = None
    surprises: Mapping[str, Surprise] = field(default_factory=dict)
    champion: Member | None = None
    figure: float = 1.0
    fought: int = 0
    _start: Member | None = None
    _challengers: dict[str, Member] = field(default_factory=dict)
    _done: set[str] = field(default_factory=set)
    _duel: asyncio.Task[Duel | None] | None = None
    _challenger: str | None = None

    def meet(self, result: Result) -> None:
        """Take notice of a result; the first is the starting program's."""
        if self.floor is None or result.proposal is None or result.evaluation is None:
            return
        member = Member(result.proposal.candidate, result.evaluation)
        if self.champion is None:
            self.champion = self._start = member
            self._done.add(member.candidate.id)
        elif member.candidate.id not in self._done and self._low(member) > self.figure:
            self._challengers[member.candidate.id] = member

    def hear(self, duel: Duel) -> None:
        """Take notice of how a duel ended, now or in an earlier sitting."""
        self.fought += 1
        if duel.outcome == "void":
            self.champion, self.figure = self._start, 1.0
            return
        self._done.add(duel.challenger)
        challenger = self._challengers.pop(duel.challenger, None)
        if duel.outcome == "won" and challenger:
            self.champion = challenger
            self.figure *= duel.evaluation.score or 1.0
            hopeful = {name: one for name, one in self._challengers.items() if self._low(one) > self.figure}
            self._challengers = hopeful

    def next(self) -> Member | None:
        """Return who fights next: the most promising of those that have not fought."""
        if self.floor is None:
            return None
        hopeful = [one for one in self._challengers.values() if self._low(one) > 1 + self.floor]
        return max(hopeful, key=self._low, default=None)

    def begin(self) -> bool:
        """Let the next duel begin, unless one is going on; return whether it did."""
        if self._duel or self.champion is None or (challenger := self.next()) is None:
            return False
        self._challenger = challenger.candidate.id
        self._duel = asyncio.create_task(self._fight(challenger, self.champion))
        return True

    @property
    def fighting(self) -> str | None:
        """The challenger of the duel that is going on, by candidate id."""
        return self._challenger if self._duel else None

    @property
    def flight(self) -> set[asyncio.Task[Duel | None]]:
        """The duel that is going on, as a set of none or one."""
        return {self._duel} if self._duel else set()

    def land(self) -> Duel | None:
        """Return the duel that has just ended, if one has; raises what went wrong with it."""
        if self._duel is None or not self._duel.done():
            return None
        task, self._duel = self._duel, None
        duel = task.result()
        if duel:
            self.hear(duel)
        elif self._challenger:  # our own fault, again and again: nothing is known of it, and another sitting may try
            self._done.add(self._challenger)
            self._challengers.pop(self._challenger, None)
        return duel

    async def _fight(self, challenger: Member, champion: Member) -> Duel | None:
        """Time both against each other, and record the outcome; None where our own faults left nothing to record."""
        for _ in range(INFRA_TRIES):
            if duel := await self._fought(challenger, champion):
                await self.record(duel)
                return duel
        return None

    async def _fought(self, challenger: Member, champion: Member) -> Duel | None:
        surprise = self.surprises.get(challenger.candidate.id) if champion is self._start else None
        if surprise:  # timed against the start on fresh seeds in fresh processes already: that was this duel
            found = surprise.second
        else:
            found = await self.evaluator.duel(self.task, challenger.candidate, champion.candidate)
        outcome: Outcome = "won" if measurable(found, self.floor or 0.0) else "lost"
        if found.status == "infra":
            if not found.metrics.get(CHAMPION_FAILED) or champion is self._start:
                return None
            found, outcome = await evaluated(self.evaluator, self.task, champion.candidate, fresh=True), "void"
            if found.status in ("ok", "infra"):
                return None
        ids = {"challenger": challenger.candidate.id, "champion": champion.candidate.id}
        return Duel(evaluation=found, outcome=outcome, **ids)

    def _low(self, member: Member) -> float:
        rank = member.evaluation.rank(self.task.spec.goal)
        return float("-inf") if rank is None else rank
