"""What islands keep: the best member of each cell of a grid of features.

After MAP-Elites (Mouret and Clune 2015, https://arxiv.org/abs/1504.04909): a search that keeps the best of each kind,
not only the best of all, has stepping stones left when the best is a dead end.
"""

import re
from collections import Counter
from dataclasses import dataclass

from outpace.agent.proposal import Member
from outpace.errors import MarkerError
from outpace.tasks.candidate import PROGRAM, Candidate, blocks

Cell = tuple[int, int]
_TOKEN = re.compile(r"\d[\w.]*(?:(?<=[eE])[+-]\d+)?|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Elite:
    """A member with its rank (more is better)."""

    member: Member
    rank: float


class Features:
    """Places programs in cells by two features that depend on nothing but the program and the starting program.

    Length: characters of the evolve blocks (of the whole program where it has none). Difference: how many tokens stand
    in one block but not in the other, as bags, compared with the starting program. Both in steps of doubling, so a cell
    is a pair of small numbers: 0 for 0, 1 for 1, 2 for 2 and 3, 3 for 4 to 7, and so on.
    """

    def __init__(self, start: Candidate) -> None:
        """Measure differences to ``start``."""
        self._start = _tokens(_evolving(start))

    def cell(self, candidate: Candidate) -> Cell:
        """Return the cell of a program."""
        text = _evolving(candidate)
        tokens = _tokens(text)
        shared = (tokens & self._start).total()
        difference = tokens.total() + self._start.total() - 2 * shared
        return (len(text).bit_length(), difference.bit_length())


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

    def at(self, fraction: float) -> Elite:
        """Return the member of one cell; ``fraction`` in [0, 1) goes evenly over the cells in order of discovery."""
        return self._elites[self._order[int(fraction * len(self._order))]]

    def leaders(self, n: int) -> list[tuple[Cell, Elite]]:
        """Return the best ``n`` members with their cells, best first, of equals the cell discovered first."""
        ranked = sorted(self._order, key=lambda cell: -self._elites[cell].rank)
        return [(cell, self._elites[cell]) for cell in ranked[:n]]


def _evolving(candidate: Candidate) -> str:
    """Return what may change of a program; of one whose markers are broken, all."""
    text = candidate.files.get(PROGRAM, "")
    try:
        return "".join(block.text for block in blocks(text)) or text
    except MarkerError:
        return text


def _tokens(text: str) -> Counter[str]:
    return Counter(_TOKEN.findall(text))
