"""The seam for proposers."""

from collections.abc import Sequence
from typing import Protocol

from outpace.agent.proposal import Brief, Proposal, Result
from outpace.tasks.spec import Task


class Proposer(Protocol):
    """Turns briefs into candidates.

    ``lookahead`` is how many proposals it is worth keeping in flight beyond what the evaluator can take: 0 for
    proposers that answer at once, more for those that wait for somebody else. A proposer that holds something open has
    an ``async aclose()`` besides, called at the end.

    A proposer that waits for others may be ``patient`` (an attribute, True: the search does not end because nothing is
    in flight) and have ``withdraw()``, called when the sitting ends: proposals under way then raise ``Withdrawn``.
    """

    name: str

    @property
    def lookahead(self) -> int:
        """How many proposals to keep in flight beyond what the evaluator can take."""
        ...

    async def propose(self, task: Task, brief: Brief) -> Proposal:
        """Return a candidate for the brief.

        Raises ``ProposalError`` where none came of it, ``ModelError`` where an endpoint gave no answer.
        """
        ...

    def tell(self, results: Sequence[Result]) -> None:
        """Learn what became of briefs (a bandit, an optimiser of numbers); a fold, as for strategies."""
        ...
