"""Islands of MAP-Elites cells with migration around a ring: the strategy of AlphaEvolve, as far as it is published."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from outpace.agent.proposal import Brief, Member, Result
from outpace.agent.strategies.archive import Archive, Elite
from outpace.agent.strategies.base import Ranges
from outpace.agent.strategies.chance import brief_seed, stream
from outpace.agent.strategies.counted import Counted
from outpace.agent.strategies.features import Cells, Features, chosen
from outpace.agent.strategies.parameters import share, whole
from outpace.tasks.spec import Feature, Goal

GLOBAL_SHARE = 0.25  # of the exploiting asks, how many start from the best of all islands


@dataclass(slots=True, eq=False)
class _Island:
    """An archive, and after how many results it was settled: the number orders islands by age."""

    archive: Archive = field(default_factory=Archive)
    settled: int = 0


class Islands(Counted):
    """Several small archives that mostly evolve apart.

    After AlphaEvolve (Novikov et al. 2025, https://arxiv.org/abs/2506.13131), whose database joins MAP-Elites with
    island models. Asks go around the islands. A share ``exploitation`` of them improves the best (of the island, or of
    all), the others a program of any cell of the island, all cells alike. Inspirations are the island's best, a
    program of another cell, and the best of the next island. Every ``migration_interval`` results, the ``migrants``
    best of each island are copied to the next one. Failed candidates are never kept.

    Programs within a step of each other in all ``features`` share one of at most ``cells`` cells, of which an island
    keeps the best program (see ``Features`` and ``Cells``, also for programs that lack figures). When ``patience``
    results of its own have brought the run no new best (0: however many), a new island is settled with the starting
    program and the best of another island drawn by chance. Once there are ``most_islands``, that of the worst best is
    given up instead and settled anew with the best of another, as FunSearch does (Romera-Paredes et al. 2024, Nature
    625). All of that follows from what was told.
    """

    RANGES: ClassVar[Ranges] = {
        "islands": (1, 8),
        "exploitation": (0.1, 0.95),
        "migration_interval": (10, 100),
        "patience": (30, 300),
    }

    def __init__(
        self,
        goal: Goal,
        *,
        seed: int = 0,
        islands: int = 4,
        exploitation: float = 0.7,
        migration_interval: int = 50,
        migrants: int = 2,
        features: Sequence[Feature | Mapping[str, Any]] = (),
        cells: int = 64,
        patience: int = 100,
        most_islands: int = 8,
    ) -> None:
        """Start with an empty population; raises ``UsageError`` for parameters out of their range."""
        super().__init__(goal, seed=seed)
        self._islands = [_Island() for _ in range(whole("islands", islands, least=1))]
        self._exploitation = share("exploitation", exploitation)
        self._interval = whole("migration_interval", migration_interval, least=1)
        self._migrants = whole("migrants", migrants, least=0)
        self._chosen = chosen(features)
        self._cells = Cells(whole("cells", cells, least=1))
        self._patience = whole("patience", patience, least=0)
        self._most = max(islands, whole("most_islands", most_islands, least=1))
        self._features: Features | None = None
        self._start: Elite | None = None
        self._best = float("-inf")
        self._told = self._barren = self._settled = 0

    def tell(self, results: Sequence[Result]) -> None:
        """Put each good candidate on the island that asked for it; the starting program on all."""
        for result in results:
            self._barren += "island" in result.brief.note
            self._place(result)
            if result.brief.number == 0:
                continue
            self._told += 1
            if self._told % self._interval == 0:
                self._migrate()
            if self._barren >= self._patience > 0:
                self._settle()

    def _ready(self) -> bool:
        return self._features is not None

    def _next(self) -> Brief:
        chance = stream(self._seed, self._asks)
        island = (self._asks - 1) % len(self._islands)
        parent = self._parent(island, chance)
        return Brief(
            number=self._asks,
            parents=(parent,),
            seed=brief_seed(self._seed, self._asks),
            inspirations=self._inspirations(island, parent, chance),
            note={"island": island},
        )

    def _parent(self, island: int, chance: random.Random) -> Member:
        archive = self._islands[island].archive
        explore, everywhere, where = chance.random(), chance.random(), chance.random()
        if explore >= self._exploitation:
            return archive.at(where).member
        return _best(self._leading() if everywhere < GLOBAL_SHARE else archive).member

    def _inspirations(self, island: int, parent: Member, chance: random.Random) -> tuple[Member, ...]:
        archive, neighbour = self._islands[island].archive, self._islands[(island + 1) % len(self._islands)].archive
        others = (_best(archive).member, archive.at(chance.random()).member, _best(neighbour).member)
        chosen = {member.candidate.id: member for member in others if member.candidate.id != parent.candidate.id}
        return tuple(chosen.values())

    def _leading(self) -> Archive:
        """Return the island with the best of all; the first where several have it."""
        return max((island.archive for island in self._islands), key=lambda archive: _best(archive).rank)

    def _place(self, result: Result) -> None:
        rank = result.evaluation.standing(self._goal) if result.evaluation else None
        if result.proposal is None or result.evaluation is None or rank is None:
            return
        elite = Elite(Member(result.proposal.candidate, result.evaluation), rank)
        if result.brief.number == 0:
            self._start, self._features = elite, Features(result.proposal.candidate, self._chosen)
        if self._features is None:
            return  # nothing good can come before the starting program is good
        self._put(elite, self._islands if result.brief.number == 0 else [self._home(result.brief)])
        if rank > self._best:
            self._best, self._barren = rank, 0

    def _put(self, elite: Elite, islands: Sequence[_Island]) -> None:
        """Put a member into its cell; where that makes cells one, it does so on all islands."""
        assert self._features is not None
        cell, taken = self._cells.place(self._features.point(elite.member.candidate, elite.member.evaluation))
        if taken:
            for island in self._islands:
                island.archive.merge(taken)
        for island in islands:
            island.archive.add(cell, elite)

    def _home(self, brief: Brief) -> _Island:
        """Return the island that asked; for a brief that no island made, one by its number."""
        number = brief.note.get("island")
        if isinstance(number, int) and 0 <= number < len(self._islands):
            return self._islands[number]
        return self._islands[brief.number % len(self._islands)]

    def _migrate(self) -> None:
        leaving = [island.archive.leaders(self._migrants) for island in self._islands]
        for number, leaders in enumerate(leaving):
            for cell, elite in leaders:
                self._islands[(number + 1) % len(self._islands)].archive.add(cell, elite)

    def _settle(self) -> None:
        """Settle one island more; where there are as many as may be, that of the worst best (the oldest of equals)."""
        self._barren = 0
        others = list(self._islands)
        if self._start is None or len(others) == self._most == 1:
            return
        self._settled += 1
        if len(others) < self._most:
            self._islands.append(island := _Island(settled=self._told))
            self._put(self._start, [island])
        else:
            island = min(others, key=lambda one: (_best(one.archive).rank, one.settled))
            others.remove(island)
            island.archive, island.settled = Archive(), self._told
        founder = others[int(stream(self._seed, -self._settled).random() * len(others))]
        for cell, elite in founder.archive.leaders(1):
            island.archive.add(cell, elite)


def _best(archive: Archive) -> Elite:
    """Return the best of an island, which has one from the start on."""
    assert archive.best is not None
    return archive.best
