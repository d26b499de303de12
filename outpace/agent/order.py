"""In what order a search asks for briefs and tells results: as it comes, or as a run that it repeats did."""

import asyncio
from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from outpace.agent.proposal import Brief, Result


class Order:
    """As it comes: briefs are asked for while there is room, and results are told as they come in."""

    def room(self, room: int, *, told: int) -> int:
        """Return how many briefs to ask for now that ``told`` results are told; ``room`` is what the pools take."""
        return room

    def asked(self, brief: Brief) -> str:
        """Take note of a brief that was asked for; return what there is to say of it, or ""."""
        return ""

    def serves(self, number: int) -> bool:
        """Return whether a brief is to be served at all."""
        return True

    async def turn(self, number: int) -> None:
        """Wait until it is the turn of this brief's candidate to be judged."""

    def due(self, told: int) -> bool:
        """Return whether there is something to be told before anything else comes in."""
        return False

    def in_turn(self, landed: Collection[Result], *, told: int) -> Iterator[Result]:
        """Yield what is to be told now that these results have come in."""
        yield from sorted(landed, key=lambda result: result.brief.number)

    def ended(self, over: str | None, *, told: int) -> str | None:
        """Return why the sitting is over, or None; ``over`` is what the budget says."""
        return over

    def follow(self, told: int, opened: Collection[int]) -> None:
        """Go on after earlier sittings: so many results have been told, and the briefs ``opened`` have none yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a recording says of a brief.

    ``told`` is how many results had been told when it was asked for, ``candidate`` what came of it (None: nothing),
    ``after`` the number of the brief whose evaluation served it too (None: it had one of its own).
    """

    told: int
    parents: tuple[str, ...] = ()
    candidate: str | None = None
    after: int | None = None

    @property
    def judged(self) -> bool:
        """Whether an evaluation was made for this brief."""
        return self.candidate is not None and self.after is None


class RecordedOrder(Order):
    """As recorded: a strategy and a proposer that are told and asked the same in the same order do the same again.

    Brief ``n`` is asked for when as many results are told as the recording says; results that come in are kept back
    until it is their turn. So how many are judged at a time, and how long each takes, makes no difference. What the
    recording has no result for is asked for, and not served.
    """

    def __init__(self, run: str, turns: Mapping[int, Turn], results: Sequence[int]) -> None:
        """Follow run ``run``: its briefs by number, and the numbers of those to tell, in the order of telling."""
        self._run, self._turns, self._results = run, turns, results
        self._told_at = [turns[number].told for number in sorted(turns) if number]
        self._served = frozenset(results)
        self._held: dict[int, Result] = {}
        self._judged: set[int] = set()
        self._news = asyncio.Event()
        self._last = 0
        self._strayed = False

    def room(self, room: int, *, told: int) -> int:
        """Return how many briefs the recorded run asked for before it told another result, less those asked for."""
        return 0 if self._over(told) else max(0, bisect_right(self._told_at, told) - self._last)

    def asked(self, brief: Brief) -> str:
        """Take note of a brief; the first with other parents than the recording's is worth a word."""
        self._last = max(self._last, brief.number)
        turn = self._turns.get(brief.number)
        if self._strayed or turn is None or turn.parents == tuple(one.candidate.id for one in brief.parents):
            return ""
        self._strayed = True
        return (
            f"Brief {brief.number} starts from another program than in run {self._run}: from here on its answers meet "
            "other programs, and some will not fit. (Measured times are never quite the same twice.)"
        )

    def serves(self, number: int) -> bool:
        """Return whether the recording has a result of it, within the bounds of this replay."""
        return number in self._served

    async def turn(self, number: int) -> None:
        """Wait for the brief with the same candidate whose evaluation served this one too."""
        maker = self._maker(number)
        while maker is not None and maker not in self._judged:
            await self._news.wait()
        self._passed([number])

    def due(self, told: int) -> bool:
        """Return whether the result that was told next has come in, and all is asked for that was asked before it."""
        return not self._over(told) and not self.room(0, told=told) and self._results[told] in self._held

    def in_turn(self, landed: Collection[Result], *, told: int) -> Iterator[Result]:
        """Keep back what has come in, and yield what is due."""
        self._held |= {result.brief.number: result for result in landed}
        self._passed([result.brief.number for result in landed])
        while self.due(told):
            yield self._as_recorded(self._held.pop(self._results[told]))
            told += 1

    def ended(self, over: str | None, *, told: int) -> str | None:
        """Return why: the recording, not the budget, says when there is nothing more to come; time may run out."""
        if self._over(told):
            return over or "replayed"
        return over if over == "wall_s" else None

    def follow(self, told: int, opened: Collection[int]) -> None:
        """Go on where so many results have been told and the briefs ``opened`` were asked for besides."""
        before = self._results[:told]
        self._last = max((*before, *opened), default=0)
        self._passed(before)

    def _over(self, told: int) -> bool:
        return told >= len(self._results)

    def _passed(self, numbers: Collection[int]) -> None:
        self._judged.update(numbers)
        self._news.set()
        self._news = asyncio.Event()

    def _as_recorded(self, result: Result) -> Result:
        """Return the result with the recording's word on whose evaluation it was: who comes first is chance."""
        turn = self._turns.get(result.brief.number)
        if turn is None or result.proposal is None or result.proposal.candidate.id != turn.candidate:
            return result
        return replace(result, seen_before=self._maker(result.brief.number) is not None)

    def _maker(self, number: int) -> int | None:
        """Return the brief whose evaluation serves this one too, if it is served in this replay."""
        turn = self._turns.get(number)
        return turn.after if turn and turn.after in self._served else None
