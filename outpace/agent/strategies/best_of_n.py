"""No search at all: every program is made of the starting program, and the best of them counts."""

from collections.abc import Mapping, Sequence
from typing import Any

from outpace.agent.proposal import Brief, Member, Result
from outpace.agent.strategies.chance import brief_seed
from outpace.agent.strategies.parameters import asks_of, whole
from outpace.tasks.spec import Goal


class BestOfN:
    """Asks for changes of the starting program, each independent of all others.

    What sampling alone reaches: the baseline that any search has to beat for the same number of evaluations (Brown et
    al. 2024, "Large Language Monkeys", https://arxiv.org/abs/2407.21787). N is the budget of the run.
    """

    def __init__(self, goal: Goal, *, seed: int = 0) -> None:
        """Wait for the starting program."""
        self._goal, self._seed = goal, whole("seed", seed, least=0)
        self._start: Member | None = None
        self._asks = 0

    def ask(self, n: int) -> list[Brief]:
        """Return ``n`` briefs; none before the starting program has been told."""
        return [self._next(self._start) for _ in range(n)] if self._start else []

    def tell(self, results: Sequence[Result]) -> None:
        """Learn the starting program; nothing else matters."""
        for result in results:
            found = result.evaluation
            if result.brief.number == 0 and result.proposal and found and found.standing(self._goal) is not None:
                self._start = Member(result.proposal.candidate, found)

    def state(self) -> Mapping[str, Any]:
        """Return the number of asks."""
        return {"asks": self._asks}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on after that many asks."""
        self._asks = asks_of(state)

    def _next(self, start: Member) -> Brief:
        self._asks += 1
        return Brief(number=self._asks, parents=(start,), seed=brief_seed(self._seed, self._asks))
