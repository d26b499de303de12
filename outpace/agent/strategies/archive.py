"""What islands keep: the best member of each cell of programs that are alike.

After MAP-Elites (Mouret and Clune 2015, https://arxiv.org/abs/1504.04909): a search that keeps the best of each kind,
not only the best of all, has stepping stones left when the best is a dead end.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from outpace.agent.proposal import Member
from outpace.agent.strategies.features import Cell


@dataclass(frozen=True, slots=True)
class Elite:
    """A member with its rank (more is better)."""

    member: Member
    rank: float


class Archive:
    """The best member of each cell. ``add`` and ``at`` take the same time however many members were seen."""

    def __init__(self) -> None:
        """Start empty."""
        self._elites: dict[Cell, Elite] = {}
        self._order: list[Cell] = []
        self.best: Elite | None = None

    def __len__(self) -> int:
        """Count the cells that hold a member."""
        return len(self._order)

    def add(self, cell: Cell, elite: Elite) -> bool:
        """Keep the member if its cell has none or a worse one; of equals the older stays. Returns if it was kept."""
        held = self._elites.get(cell)
        if held is not None and elite.rank <= held.rank:
            return False
        if held is None:
            self._order.append(cell)
        self._elites[cell] = elite
        if self.best is None or elite.rank > self.best.rank:
            self.best = elite
        return True

    def merge(self, taken: Mapping[Cell, Cell]) -> None:
        """Move the members of the cells that were ``taken`` in by others there, where the better one stays."""
        for cell in [cell for cell in self._order if cell in taken]:
            self._order.remove(cell)
            self.add(taken[cell], self._elites.pop(cell))

    def at(self, fraction: float) -> Elite:
        """Return the member of one cell; ``fraction`` in [0, 1) goes evenly over the cells in order of discovery."""
        return self._elites[self._order[int(fraction * len(self._order))]]

    def leaders(self, n: int) -> list[tuple[Cell, Elite]]:
        """Return the best ``n`` members with their cells, best first, of equals the cell discovered first."""
        ranked = sorted(self._order, key=lambda cell: -self._elites[cell].rank)
        return [(cell, self._elites[cell]) for cell in ranked[:n]]
