"""Reflective evolution: what makes a program better than another is said in words before the next one is written."""

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from outpace.agent.proposal import REFLECTION, Brief, Member, Result
from outpace.agent.strategies.base import Ranges
from outpace.agent.strategies.chance import brief_seed, stream
from outpace.agent.strategies.counted import Counted
from outpace.agent.strategies.parameters import share, whole
from outpace.agent.strategies.population import Entry, entry_of, in_short
from outpace.tasks.spec import Goal

SEED, CROSSOVER, MUTATION = "reevo_seed", "reevo_crossover", "reevo_mutation"
SHORT, LONG = "reevo_short", "reevo_long"
MOST_SHORT, MOST_LONG = 200, 600
"""Characters of an answer that are kept: about 20 words were asked for, and about 50."""
TRIALS = 100
"""How often two programs are drawn until they differ in score."""


class Reevo(Counted):
    """Crossover of a worse and a better program after a word on the difference; mutation of the best after all words.

    After ReEvo (Ye et al. 2024, NeurIPS, https://arxiv.org/abs/2402.01145). The first ``initial`` asks are variations
    of the starting program. Then rounds follow of ``size`` crossovers and ``size * mutation`` mutations of the best so
    far. A crossover asks first what makes one parent better than the other (the short reflection); the first mutation
    of a round asks first what all this teaches (the long reflection, from the one before and the latest short ones),
    and the others follow the latest long one that has come in. Parents are drawn evenly from the good programs of
    about the last round and the best, two of different score. Memory holds at most ``max(initial, a round) + 1``
    programs and ``size + 1`` short texts.
    """

    RANGES: ClassVar[Ranges] = {"size": (4, 16), "initial": (5, 40), "mutation": (0.2, 1.0)}

    def __init__(
        self,
        goal: Goal,
        *,
        seed: int = 0,
        size: int = 10,
        initial: int = 30,
        mutation: float = 0.5,
    ) -> None:
        """Start with nothing learnt; raises ``UsageError`` for parameters out of their range."""
        super().__init__(goal, seed=seed)
        self._size = whole("size", size, least=1)
        self._initial = whole("initial", initial, least=0)
        self._round = size + int(size * share("mutation", mutation))
        self._recent: deque[Entry] = deque()  # good programs, oldest first
        self._start: Member | None = None
        self._best: Entry | None = None
        self._short: deque[str] = deque(maxlen=size)  # the latest short reflections, oldest first
        self._long = ""
        self._told = 0

    def tell(self, results: Sequence[Result]) -> None:
        """Keep good candidates of about the last round, the best of all, and what was said."""
        for result in results:
            self._told += result.brief.number != 0
            if entry := entry_of(result, self._goal):
                self._keep(entry)
                self._start = entry.member if result.brief.number == 0 else self._start
            self._listen(result)

    def _keep(self, entry: Entry) -> None:
        """Let a program in and the oldest out: as many stay as were asked for first, after the first round a round."""
        if self._best is None or entry.rank > self._best.rank:
            self._best = entry
        self._recent.append(entry)
        first = self._told <= self._initial + self._round
        while len(self._recent) > max(self._round, self._initial if first else 0):
            self._recent.popleft()

    def _listen(self, result: Result) -> None:
        """Learn what was said before the candidate was made."""
        said = result.proposal.detail.get(REFLECTION) if result.proposal else None
        if not isinstance(said, str) or not said.strip():
            return
        if result.brief.reflect == LONG:
            self._long = in_short(said, MOST_LONG)
        elif result.brief.reflect == SHORT and (hint := in_short(said, MOST_SHORT)) not in self._short:
            self._short.append(hint)

    def _ready(self) -> bool:
        return self._start is not None and self._best is not None

    def _next(self) -> Brief:
        start, best = self._start, self._best
        assert start is not None and best is not None
        turn = self._asks - 1 - self._initial
        if turn >= 0 and (place := turn % self._round) >= self._size:
            return self._mutated(best.member, first=place == self._size)
        pair = self._pair(stream(self._seed, self._asks), best) if turn >= 0 else ()
        if not pair:
            return self._brief(SEED, (start,))
        return replace(self._brief(CROSSOVER, pair), reflect=SHORT)

    def _mutated(self, best: Member, *, first: bool) -> Brief:
        given = {"long": self._long, "short": list(self._short)}
        reflect = LONG if first and self._short else None
        return replace(self._brief(MUTATION, (best,)), given=given, reflect=reflect, edit_mode="diff")

    def _brief(self, operator: str, parents: tuple[Member, ...]) -> Brief:
        seed, note = brief_seed(self._seed, self._asks), {"operator": operator}
        return Brief(number=self._asks, parents=parents, seed=seed, operator=operator, edit_mode="whole", note=note)

    def _pair(self, chance: random.Random, best: Entry) -> tuple[Member, ...]:
        """Return two programs of different score, the better first; nothing where chance finds none."""
        pool = [*self._recent, best]
        for _ in range(TRIALS):
            one, other = chance.choice(pool), chance.choice(pool)
            if one.likeness != other.likeness and one.member.candidate.id != other.member.candidate.id:
                better, worse = (one, other) if one.rank >= other.rank else (other, one)
                return (better.member, worse.member)
        return ()
