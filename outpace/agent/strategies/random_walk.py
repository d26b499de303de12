"""A walk without a sense of direction: any program that works may be the next parent."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from outpace.agent.proposal import Brief, Member, Result
from outpace.agent.strategies.base import Ranges
from outpace.agent.strategies.chance import brief_seed, stream
from outpace.agent.strategies.parameters import asks_of, whole
from outpace.tasks.spec import Goal


class RandomWalk:
    """Changes a program drawn evenly from all that work, however good they are.

    The random walker is the yardstick of ArchGym (Krishnan et al. 2023, https://arxiv.org/abs/2306.08888): a search
    that does not beat it has learnt nothing from what it was told. Of more than ``pool`` programs an even sample is
    kept, so that memory stays bounded (reservoir sampling, Vitter 1985, algorithm R).
    """

    RANGES: ClassVar[Ranges] = {"pool": (16, 1024)}

    def __init__(self, goal: Goal, *, seed: int = 0, pool: int = 256) -> None:
        """Start with an empty pool; raises ``UsageError`` for a pool that holds nothing."""
        self._goal, self._seed = goal, whole("seed", seed, least=0)
        self._most = whole("pool", pool, least=1)
        self._pool: list[Member] = []
        self._asks = self._met = 0

    def ask(self, n: int) -> list[Brief]:
        """Return ``n`` briefs; none before the starting program has been told."""
        return [self._next() for _ in range(n)] if self._pool else []

    def tell(self, results: Sequence[Result]) -> None:
        """Let each new program that works into the pool, with the chance that keeps it an even sample."""
        for result in results:
            found = result.evaluation
            if result.proposal is None or found is None or found.standing(self._goal) is None or result.seen_before:
                continue
            self._meet(Member(result.proposal.candidate, found))

    def state(self) -> Mapping[str, Any]:
        """Return the number of asks."""
        return {"asks": self._asks}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on after that many asks."""
        self._asks = asks_of(state)

    def _meet(self, member: Member) -> None:
        self._met += 1
        if len(self._pool) < self._most:
            self._pool.append(member)
            return
        place = stream(self._seed, -self._met).randrange(self._met)  # asks have the streams above 0
        if place < self._most:
            self._pool[place] = member

    def _next(self) -> Brief:
        self._asks += 1
        place = stream(self._seed, self._asks).randrange(len(self._pool))
        return Brief(number=self._asks, parents=(self._pool[place],), seed=brief_seed(self._seed, self._asks))
