"""Islands of MAP-Elites cells with migration around a ring: the strategy of AlphaEvolve, as far as it is published."""

import random
from collections.abc import Mapping, Sequence
from typing import Any

from outpace.agent.proposal import Brief, Member, Result
from outpace.agent.strategies.archive import Archive, Elite, Features
from outpace.agent.strategies.chance import brief_seed, stream
from outpace.agent.strategies.parameters import asks_of, share, whole
from outpace.tasks.spec import Goal

GLOBAL_SHARE = 0.25  # of the exploiting asks, how many start from the best of all islands


class Islands:
    """Several small archives that mostly evolve apart.

    After AlphaEvolve (Novikov et al. 2025, https://arxiv.org/abs/2506.13131), whose database joins MAP-Elites with
    island models. Asks go around the islands. A share ``exploitation`` of them improves the best (of the island, or of
    all), the others a program of any cell of the island, all cells alike. Inspirations are the island's best, a
    program of another cell, and the best of the next island. Every ``migration_interval`` results, the ``migrants``
    best of each island are copied to the next one, so all migration follows from what was told. Failed candidates are
    never kept.
    """

    def __init__(  # the six parameters of the method
        self,
        goal: Goal,
        *,
        seed: int = 0,
        islands: int = 4,
        exploitation: float = 0.7,
        migration_interval: int = 50,
        migrants: int = 2,
    ) -> None:
        """Start with an empty population; raises ``UsageError`` for parameters out of their range."""
        self._goal, self._seed = goal, whole("seed", seed, least=0)
        self._archives = [Archive() for _ in range(whole("islands", islands, least=1))]
        self._exploitation = share("exploitation", exploitation)
        self._interval = whole("migration_interval", migration_interval, least=1)
        self._migrants = whole("migrants", migrants, least=0)
        self._features: Features | None = None
        self._asks = self._told = 0

    def ask(self, n: int) -> list[Brief]:
        """Return ``n`` briefs; none before the starting program has been told."""
        if self._features is None:
            return []
        return [self._next() for _ in range(n)]

    def tell(self, results: Sequence[Result]) -> None:
        """Put each good candidate on the island that asked for it; the starting program on all."""
        for result in results:
            self._place(result)
            if result.brief.number == 0:
                continue
            self._told += 1
            if self._told % self._interval == 0:
                self._migrate()

    def state(self) -> Mapping[str, Any]:
        """Return the number of asks."""
        return {"asks": self._asks}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on after that many asks."""
        self._asks = asks_of(state)

    def _next(self) -> Brief:
        self._asks += 1
        chance = stream(self._seed, self._asks)
        island = (self._asks - 1) % len(self._archives)
        parent = self._parent(island, chance)
        return Brief(
            number=self._asks,
            parents=(parent,),
            seed=brief_seed(self._seed, self._asks),
            inspirations=self._inspirations(island, parent, chance),
            note={"island": island},
        )

    def _parent(self, island: int, chance: random.Random) -> Member:
        archive = self._archives[island]
        explore, everywhere, where = chance.random(), chance.random(), chance.random()
        if explore >= self._exploitation:
            return archive.at(where).member
        return _best(self._leading() if everywhere < GLOBAL_SHARE else archive).member

    def _inspirations(self, island: int, parent: Member, chance: random.Random) -> tuple[Member, ...]:
        archive, neighbour = self._archives[island], self._archives[(island + 1) % len(self._archives)]
        others = (_best(archive).member, archive.at(chance.random()).member, _best(neighbour).member)
        chosen = {member.candidate.id: member for member in others if member.candidate.id != parent.candidate.id}
        return tuple(chosen.values())

    def _leading(self) -> Archive:
        """Return the island with the best of all; the first where several have it."""
        return max(self._archives, key=lambda archive: _best(archive).rank)

    def _place(self, result: Result) -> None:
        rank = result.evaluation.standing(self._goal) if result.evaluation else None
        if result.proposal is None or result.evaluation is None or rank is None:
            return
        candidate = result.proposal.candidate
        if result.brief.number == 0:
            self._features = Features(candidate)
        if self._features is None:
            return  # nothing good can come before the starting program is good
        elite, cell = Elite(Member(candidate, result.evaluation), rank), self._features.cell(candidate)
        for archive in self._archives if result.brief.number == 0 else [self._home(result.brief)]:
            archive.add(cell, elite)

    def _home(self, brief: Brief) -> Archive:
        """Return the island that asked; for a brief that no island made, one by its number."""
        island = brief.note.get("island")
        if isinstance(island, int) and 0 <= island < len(self._archives):
            return self._archives[island]
        return self._archives[brief.number % len(self._archives)]

    def _migrate(self) -> None:
        leaving = [archive.leaders(self._migrants) for archive in self._archives]
        for island, leaders in enumerate(leaving):
            for cell, elite in leaders:
                self._archives[(island + 1) % len(self._archives)].add(cell, elite)


def _best(archive: Archive) -> Elite:
    """Return the best of an island, which has one from the start on."""
    assert archive.best is not None
    return archive.best
