"""A walk without a sense of direction: any program that works may be the next parent."""

from collections.abc import Sequence
from typing import ClassVar

from outpace.agent.proposal import Brief, Member, Result
from outpace.agent.strategies.base import Ranges
from outpace.agent.strategies.chance import brief_seed, stream
from outpace.agent.strategies.counted import Counted
from outpace.agent.strategies.parameters import whole
from outpace.tasks.spec import Goal


class RandomWalk(Counted):
    """Changes a program drawn evenly from all that work, however good they are.

    The random walker is the yardstick of ArchGym (Krishnan et al. 2023, https://arxiv.org/abs/2306.08888): a search
    that does not beat it has learnt nothing from what it was told. Of more than ``pool`` programs an even sample is
    kept, so that memory stays bounded (reservoir sampling, Vitter 1985, algorithm R).
    """

    RANGES: ClassVar[Ranges] = {"pool": (16, 1024)}

    def __init__(self, goal: Goal, *, seed: int = 0, pool: int = 256) -> None:
        """Start with an empty pool; raises ``UsageError`` for a pool that holds nothing."""
        super().__init__(goal, seed=seed)
        self._most = whole("pool", pool, least=1)
        self._pool: list[Member] = []
        self._met = 0

    def tell(self, results: Sequence[Result]) -> None:
        """Let each new program that works into the pool, with the chance that keeps it an even sample."""
        for result in results:
            found = result.evaluation
            if result.proposal is None or found is None or found.standing(self._goal) is None or result.seen_before:
                continue
            self._meet(Member(result.proposal.candidate, found))

    def _meet(self, member: Member) -> None:
        self._met += 1
        if len(self._pool) < self._most:
            self._pool.append(member)
            return
        place = stream(self._seed, -self._met).randrange(self._met)  # asks have the streams above 0
        if place < self._most:
            self._pool[place] = member

    def _ready(self) -> bool:
        return bool(self._pool)

    def _next(self) -> Brief:
        place = stream(self._seed, self._asks).randrange(len(self._pool))
        return Brief(number=self._asks, parents=(self._pool[place],), seed=brief_seed(self._seed, self._asks))
