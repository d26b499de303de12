"""The simplest search: always start from the best so far."""

from collections import deque
from collections.abc import Sequence

from outpace.agent.proposal import Brief, Member, Result
from outpace.agent.strategies.chance import brief_seed
from outpace.agent.strategies.counted import Counted
from outpace.tasks.spec import Goal

INSPIRATIONS = 3


class HillClimb(Counted):
    """Improves the best so far; inspirations are the bests before it, newest first.

    A (1+1) evolution strategy with a model as its mutation, the baseline that Zhang et al. 2024
    (https://arxiv.org/abs/2407.10873) ask every search over programs to be compared with.
    """

    def __init__(self, goal: Goal, *, seed: int = 0) -> None:
        """Start with an empty population."""
        super().__init__(goal, seed=seed)
        self._bests: deque[Member] = deque(maxlen=1 + INSPIRATIONS)  # newest first
        self._rank = float("-inf")

    def tell(self, results: Sequence[Result]) -> None:
        """Take over what is strictly better than the best so far."""
        for result in results:
            rank = result.evaluation.standing(self._goal) if result.evaluation else None
            if result.proposal is None or result.evaluation is None or rank is None or rank <= self._rank:
                continue
            self._bests.appendleft(Member(result.proposal.candidate, result.evaluation))
            self._rank = rank

    def _ready(self) -> bool:
        return bool(self._bests)

    def _next(self) -> Brief:
        best, *earlier = self._bests
        return Brief(
            number=self._asks,
            parents=(best,),
            seed=brief_seed(self._seed, self._asks),
            inspirations=tuple(earlier),
        )
