"""A tree of programs: a few drafts, then mend what fails or improve the best."""

import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from outpace.agent.proposal import Brief, Member, Result
from outpace.agent.strategies.base import Ranges
from outpace.agent.strategies.chance import brief_seed, stream
from outpace.agent.strategies.counted import Counted
from outpace.agent.strategies.guided import WORDS
from outpace.agent.strategies.parameters import share, whole
from outpace.tasks.spec import Goal

LEAVES = 32
"""Failed programs that are kept to be mended, the latest."""
PLANS = 8
"""Drafts that a new draft is told of, the latest."""
PLAN = 240
"""Characters of what is told of one draft."""


@dataclass(frozen=True, slots=True)
class _Leaf:
    """A failed program that nobody has mended; ``depth`` debugging steps in a row led to it, from ``origin``."""

    member: Member
    origin: tuple[Member, ...]
    depth: int


class Aide(Counted):
    """Drafts new programs first, then debugs a failed leaf of the tree or improves the best program.

    After AIDE (Jiang et al. 2025, https://arxiv.org/abs/2502.13138), with its constants. The first ``drafts`` asks want
    a new program, written from the statement, unlike the drafts before. From then on a share ``debug_share`` of the
    asks goes to a failed program that has no child yet, drawn evenly, if there is one; a chain of failures gets at most
    ``debug_depth`` such tries. All other asks want one improvement of the best program. Failed programs are parents
    here. Whether a program fails, and how good it is, says the judge; in the publication a second model reads that from
    what the program prints. Memory is bounded: of failed leaves the latest ``LEAVES`` are kept, and one best.
    """

    repairs = True

    RANGES: ClassVar[Ranges] = {
        "drafts": (1, 10),
        "debug_share": (0.1, 0.9),
        "debug_depth": (1, 5),
    }

    def __init__(
        self, goal: Goal, *, seed: int = 0, drafts: int = 5, debug_share: float = 0.5, debug_depth: int = 3
    ) -> None:
        """Start with an empty tree; raises ``UsageError`` for parameters out of their range."""
        super().__init__(goal, seed=seed)
        self._drafts = whole("drafts", drafts, least=0)
        self._share = share("debug_share", debug_share)
        self._depth = whole("debug_depth", debug_depth, least=0)
        self._start: Member | None = None
        self._best: Member | None = None
        self._rank = float("-inf")
        self._plans: deque[str] = deque(maxlen=PLANS)
        self._leaves: dict[int, _Leaf] = {}  # by number, oldest first
        self._grown = 0  # leaves so far
        self._taken: set[int] = set()  # leaves that are being mended

    def tell(self, results: Sequence[Result]) -> None:
        """Grow the tree: a better program is the best, a failed one a leaf, and what was mended is a leaf no more."""
        for result in results:
            if isinstance(number := result.brief.note.get("leaf"), int):
                self._leaves.pop(number, None)
                self._taken.discard(number)
            if result.proposal is None or result.evaluation is None:
                continue
            member = Member(result.proposal.candidate, result.evaluation)
            rank = member.evaluation.standing(self._goal)
            if result.brief.note.get("step") == "draft":
                self._plans.append(_plan(result.proposal.thought, member))
            if rank is None:
                self._fail(result, member)
            elif rank > self._rank:
                self._best, self._rank = member, rank
            if result.brief.number == 0 and rank is not None:
                self._start = member

    def state(self) -> Mapping[str, Any]:
        """Return the number of asks, and which leaves are being mended: at most as many as are kept."""
        return {**super().state(), "taken": sorted(self._taken)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on after that many asks; leaves whose mending was told since then are gone."""
        super().restore(state)
        self._taken = {number for number in state.get("taken", ()) if number in self._leaves}

    def _fail(self, result: Result, member: Member) -> None:
        """Keep a failed program as a leaf, unless its chain has had its tries, or it has been met before."""
        note = result.brief.note
        depth = note.get("depth", 0)
        if member.evaluation.status not in WORDS or result.seen_before or not isinstance(depth, int):
            return
        self._grown += 1
        if depth >= self._depth:
            return
        before = (*result.brief.parents[:1], *result.brief.inspirations)
        good = [one for one in before if one.evaluation.status == "ok" and one.candidate.id != member.candidate.id]
        self._leaves[self._grown] = _Leaf(member, tuple(good[:1]), depth)
        if len(self._leaves) > LEAVES:
            oldest = next(iter(self._leaves))
            del self._leaves[oldest]
            self._taken.discard(oldest)

    def _ready(self) -> bool:
        return self._start is not None and self._best is not None

    def _next(self) -> Brief:
        start, best = self._start, self._best
        assert start is not None and best is not None
        chance = stream(self._seed, self._asks)
        if self._asks <= self._drafts:
            return self._draft(start)
        if chance.random() < self._share and (brief := self._mending(chance)):
            return brief
        seed = brief_seed(self._seed, self._asks)
        return Brief(number=self._asks, parents=(best,), seed=seed, operator="improve", note={"step": "improve"})

    def _draft(self, start: Member) -> Brief:
        return Brief(
            number=self._asks,
            parents=(start,),
            seed=brief_seed(self._seed, self._asks),
            operator="draft",
            given={"drafts": list(self._plans)},
            edit_mode="whole",
            note={"step": "draft"},
        )

    def _mending(self, chance: random.Random) -> Brief | None:
        """Return a brief that gives a free leaf back, None where there is none."""
        free = [number for number in self._leaves if number not in self._taken]
        if not free:
            return None
        number = chance.choice(free)
        self._taken.add(number)
        leaf = self._leaves[number]
        return Brief(
            number=self._asks,
            parents=(leaf.member,),
            seed=brief_seed(self._seed, self._asks),
            operator="debug",
            inspirations=leaf.origin,
            note={"step": "debug", "leaf": number, "depth": leaf.depth + 1},
        )


def _plan(thought: str, member: Member) -> str:
    """Return what a draft was about, and what became of it, in one line."""
    score = member.evaluation.score
    what = " ".join(thought.split())[:PLAN] or "a draft without a word on it"
    return f"{what} -> {member.evaluation.status if score is None else f'{score:.6g}'}"
