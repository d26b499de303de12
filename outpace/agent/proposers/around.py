"""A proposer around a proposer: what it does not do itself, the one within does."""

from collections.abc import Sequence

from outpace.agent.proposal import Brief, Proposal, Result
from outpace.agent.proposers.base import Proposer
from outpace.tasks.spec import Task


class Around:
    """Base of proposers that wrap another; as it stands, it is the other one."""

    def __init__(self, inner: Proposer) -> None:
        """Wrap ``inner``."""
        self.name = inner.name
        self._inner = inner

    @property
    def lookahead(self) -> int:
        """As many as the proposer within."""
        return self._inner.lookahead

    @property
    def patient(self) -> bool:
        """Whether the proposer within waits for others."""
        return bool(getattr(self._inner, "patient", False))

    async def propose(self, task: Task, brief: Brief) -> Proposal:
        """Return what the proposer within returns; raises as that."""
        return await self._inner.propose(task, brief)

    def tell(self, results: Sequence[Result]) -> None:
        """Let the proposer within learn from all results."""
        self._inner.tell(results)

    def withdraw(self) -> None:
        """Let go of those whom the proposer within waits for."""
        if withdraw := getattr(self._inner, "withdraw", None):
            withdraw()

    async def aclose(self) -> None:
        """Close what the proposer within holds open."""
        if aclose := getattr(self._inner, "aclose", None):
            await aclose()
