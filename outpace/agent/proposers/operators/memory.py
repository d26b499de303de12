"""What the proposer remembers of a run: a fold over the results, in the order in which they were told."""

from collections import OrderedDict
from dataclasses import dataclass, field

from outpace.agent.proposal import Result
from outpace.agent.proposers.operators.credit import Credit
from outpace.agent.proposers.operators.numbers import template
from outpace.agent.proposers.operators.schedule import Schedule
from outpace.agent.proposers.operators.tune import Opening
from outpace.errors import ProposalError
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal

REMEMBERED = 200_000
"""Ids of candidates that are kept; the oldest go first."""


@dataclass(slots=True)
class Memory:
    """Seen candidates, the best rank so far, credit of the operators, and the schedule of tuning."""

    goal: Goal
    schedule: Schedule
    seen: OrderedDict[str, None] = field(default_factory=OrderedDict)
    best_rank: float = float("-inf")
    credit: Credit = field(default_factory=Credit)
    variants: int = 0
    flight: dict[int, tuple[str, str, int, int]] = field(default_factory=dict)

    def tell(self, result: Result, start: Candidate) -> None:
        """Learn from one result."""
        self.flight.pop(result.brief.number, None)
        proposal, evaluation = result.proposal, result.evaluation
        candidate = proposal.candidate if proposal else start if result.brief.number == 0 else None
        if candidate is None or evaluation is None:
            return
        self.note(candidate.id)
        rank = evaluation.rank(self.goal)
        operator = proposal.operator if proposal else "start"
        won = rank is not None and rank > self.best_rank
        self.credit.tell(operator, won=won)
        if won and rank is not None:
            self.best_rank = rank
        if self.goal.kind == "metric":
            self._schedule(result, candidate, rank)

    def _schedule(self, result: Result, candidate: Candidate, rank: float | None) -> None:
        detail = result.proposal.detail if result.proposal else {}
        if "session" in detail:
            self.schedule.tell(detail["session"], detail["generation"], detail["index"], rank, candidate.id)
        else:
            if "variant" in detail:
                self.schedule.arrived()
                self.variants = max(self.variants, detail["variant"] + 1)
            if rank is not None:
                self._learn(candidate, rank, detail.get("fresh", ()), gathered="variant" in detail)
        self.schedule.settle()

    def _learn(self, candidate: Candidate, rank: float, fresh: tuple[int, ...], *, gathered: bool) -> None:
        try:
            found = template(candidate.program)
        except ProposalError:
            return
        if found:
            opening = Opening(found, found.values, candidate.id, rank, frozenset(fresh))
            self.schedule.learn(opening, gathered=gathered)

    def note(self, candidate: str) -> None:
        """Remember that a candidate has been proposed."""
        self.seen[candidate] = None
        if len(self.seen) > REMEMBERED:
            self.seen.popitem(last=False)
