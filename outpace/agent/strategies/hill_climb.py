"""The simplest search: always start from the best so far."""

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from outpace.agent.proposal import Brief, Member, Result
from outpace.agent.strategies.chance import brief_seed
from outpace.agent.strategies.parameters import asks_of, whole
from outpace.tasks.spec import Goal

INSPIRATIONS = 3


class HillClimb:
    """Improves the best so far; inspirations are the bests before it, newest first.

    A (1+1) evolution strategy with a model as its mutation, the baseline that Zhang et al. 2024
    (https://arxiv.org/abs/2407.10873) ask every search over programs to be compared with.
    """

    def __init__(self, goal: Goal, *, seed: int = 0) -> None:
        """Start with an empty population."""
        self._goal, self._seed = goal, whole("seed", seed, least=0)
        self._bests: deque[Member] = deque(maxlen=1 + INSPIRATIONS)  # newest first
        self._rank = float("-inf")
        self._asks = 0

    def ask(self, n: int) -> list[Brief]:
        """Return ``n`` briefs; none before the starting program has been told."""
        if not self._bests:
            return []
        return [self._next() for _ in range(n)]

    def tell(self, results: Sequence[Result]) -> None:
        """Take over what is strictly better than the best so far."""
        for result in results:
            rank = result.evaluation.standing(self._goal) if result.evaluation else None
            if result.proposal is None or result.evaluation is None or rank is None or rank <= self._rank:
                continue
            self._bests.appendleft(Member(result.proposal.candidate, result.evaluation))
            self._rank = rank

    def state(self) -> Mapping[str, Any]:
        """Return the number of asks."""
        return {"asks": self._asks}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on after that many asks."""
        self._asks = asks_of(state)

    def _next(self) -> Brief:
        self._asks += 1
        best, *earlier = self._bests
        return Brief(
            number=self._asks,
            parents=(best,),
            seed=brief_seed(self._seed, self._asks),
            inspirations=tuple(earlier),
        )
