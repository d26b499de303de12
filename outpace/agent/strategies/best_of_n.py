"""No search at all: every program is made of the starting program, and the best of them counts."""

from collections.abc import Sequence

from outpace.agent.proposal import Brief, Member, Result
from outpace.agent.strategies.chance import brief_seed
from outpace.agent.strategies.counted import Counted
from outpace.tasks.spec import Goal


class BestOfN(Counted):
    """Asks for changes of the starting program, each independent of all others.

    What sampling alone reaches: the baseline that any search has to beat for the same number of evaluations (Brown et
    al. 2024, "Large Language Monkeys", https://arxiv.org/abs/2407.21787). N is the budget of the run.
    """

    def __init__(self, goal: Goal, *, seed: int = 0) -> None:
        """Wait for the starting program."""
        super().__init__(goal, seed=seed)
        self._start: Member | None = None

    def tell(self, results: Sequence[Result]) -> None:
        """Learn the starting program; nothing else matters."""
        for result in results:
            found = result.evaluation
            if result.brief.number == 0 and result.proposal and found and found.standing(self._goal) is not None:
                self._start = Member(result.proposal.candidate, found)

    def _ready(self) -> bool:
        return self._start is not None

    def _next(self) -> Brief:
        assert self._start is not None
        return Brief(number=self._asks, parents=(self._start,), seed=brief_seed(self._seed, self._asks))
