"""A line: one growing conversation about one program, and where that program stands."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from outpace.agent.models.base import Message
from outpace.agent.proposal import Brief, Member, Result
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal


@dataclass(frozen=True, slots=True)
class Offer:
    """A changed program, and the lines of it that are new: ``first`` to ``last``, none where ``last`` is before."""

    candidate: Candidate
    first: int
    last: int


@dataclass(slots=True, kw_only=True)
class Line:
    """``number`` is the brief that began it, ``note`` the strategy's note there: who may continue it.

    ``here`` is the snapshot at which the program stands, always one that was evaluated in this run; ``best`` the best
    of the line. ``sent`` counts the model's messages, of which the line may have ``most``. ``serving`` is the brief
    that it works on or whose result it waits for, ``offered`` what it has proposed, ``news`` the result, until the
    model is told. ``seed`` chooses the inputs that the model may try.
    """

    number: int
    note: Mapping[str, Any]
    seed: int
    goal: Goal
    begun: Member
    most: int
    messages: list[Message] = field(default_factory=list)
    sent: int = 0
    serving: int | None = None
    offered: Offer | None = None
    news: Result | None = None
    here: Member = field(init=False)
    best: Member = field(init=False)
    known: dict[str, Member] = field(init=False)

    def __post_init__(self) -> None:
        """Stand at the program that the line begins with."""
        self.here = self.best = self.begun
        self.known = {self.begun.candidate.id: self.begun}

    @property
    def left(self) -> int:
        """How many messages the model may still send."""
        return self.most - self.sent

    def serves(self, brief: Brief) -> bool:
        """Whether the line is free to work on this brief."""
        return self.serving is None and self.left > 0 and self.note == brief.note

    def hear(self, result: Result) -> None:
        """Take note of what became of the brief that the line serves.

        A snapshot that could not be judged is none: the program stands where it stood before.
        """
        self.serving, self.news = None, result
        proposal, evaluation = result.proposal, result.evaluation
        if proposal is None or evaluation is None or evaluation.status == "infra":
            return
        self.here = Member(proposal.candidate, evaluation)  # as it was judged: perhaps earlier, written otherwise
        self.known[proposal.candidate.id] = self.here
        if self._rank(self.here) > self._rank(self.best):
            self.best = self.here

    def judged(self, candidate: Candidate) -> Member | None:
        """Return a snapshot of this line with its evaluation, None for a program that it has not had yet."""
        return self.known.get(candidate.id)

    def _rank(self, member: Member) -> float:
        rank = member.evaluation.rank(self.goal)
        return float("-inf") if rank is None else rank
