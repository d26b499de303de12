"""A bounded population by rank: what methods keep that know no islands and no cells."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

from outpace.agent.proposal import Member, Result
from outpace.tasks.spec import Goal


@dataclass(frozen=True, slots=True)
class Entry:
    """A member with its rank (more is better) and the thought that came with it, "" where none did."""

    member: Member
    rank: float
    thought: str = ""

    @property
    def likeness(self) -> float | str:
        """What duplicates share: the rank; for programs that nobody could measure, the program itself."""
        return self.member.candidate.id if self.member.evaluation.unmeasured else self.rank


def entry_of(result: Result, goal: Goal, *, most: int = 0) -> Entry | None:
    """Return what came of a brief, its thought cut to ``most`` characters; None where nothing good came of it."""
    rank = result.evaluation.standing(goal) if result.evaluation else None
    if result.proposal is None or result.evaluation is None or rank is None:
        return None
    member = Member(result.proposal.candidate, result.evaluation)
    return Entry(member, rank, in_short(result.proposal.thought, most))


def in_short(text: str, most: int) -> str:
    """Return the beginning of a text on one line, at most ``most`` characters of it."""
    words = " ".join(text.split())
    return words if len(words) <= most else f"{words[: max(0, most - 1)]}…"[:most]


class Population:
    """The best ``size`` members, no two of them alike. Newcomers are no parents before the next survival."""

    def __init__(self, size: int) -> None:
        """Start empty."""
        self._size = size
        self._newcomers: list[Entry] = []
        self.ranked: list[Entry] = []  # best first

    def add(self, entry: Entry) -> None:
        """Let a member wait for the next survival."""
        self._newcomers.append(entry)

    def survive(self) -> None:
        """Keep the best members and newcomers; of those that are alike, and of equals at the edge, the oldest."""
        kept: dict[float | str, Entry] = {}
        for entry in sorted((*self.ranked, *self._newcomers), key=lambda one: -one.rank):
            kept.setdefault(entry.likeness, entry)
        self.ranked = once(list(kept.values()))[: self._size]
        self._newcomers.clear()

    def draw(self, n: int, chance: random.Random) -> list[Entry]:
        """Return up to ``n`` different members; rank ``r`` (0 is the best) of ``m`` is drawn with weight 1/(r+1+m)."""
        left = list(range(len(self.ranked)))
        drawn: list[Entry] = []
        while left and len(drawn) < n:
            weights = [1 / (rank + 1 + len(self.ranked)) for rank in left]
            (rank,) = chance.choices(left, weights)
            left.remove(rank)
            drawn.append(self.ranked[rank])
        return drawn


def once(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries with each program once: one that was measured twice may have two ranks."""
    first: dict[str, Entry] = {}
    for entry in entries:
        first.setdefault(entry.member.candidate.id, entry)
    return list(first.values())
