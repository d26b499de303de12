"""Runs whose candidates come from outside: the search goes on in the background, whoever asks gets a brief."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from outpace.agent.budget import Budget
from outpace.agent.evolve import Report, concluded, record_failure, seated
from outpace.agent.proposal import Brief, Result
from outpace.agent.proposers.desk import Desk
from outpace.agent.proposing import OUTSIDE
from outpace.agent.search import Search
from outpace.errors import UsageError

T = TypeVar("T")
LAST_S = 0.05
SPENT = frozenset(one.name for one in fields(Budget))
ASK_S = 30.0
"""How long a brief may take: the strategy works it out at once, but a sitting may have to begin first."""


@dataclass(slots=True)
class Attended:
    """A run that is open to others. ``report`` is there once it has ended for good: its budget is spent."""

    search: Search
    desk: Desk
    report: Report | None = None
    ended: str | None = None
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _sitting: asyncio.Task[None] | None = None

    async def ask(self) -> Brief:
        """Return a new brief; raises ``UsageError`` where the budget is spent, or what ended the sitting."""
        brief = None if self.ended else await self._unless_ended(self.desk.take(wait_s=ASK_S))
        if brief is None:
            raise UsageError(self._why_none())
        return brief

    async def submit(self, number: int | None, answer: str, *, by: str = "", thought: str = "") -> tuple[int, str]:
        """Take a program for a brief (None: the only one that is open); return the brief and the candidate.

        Raises:
            UsageError: that brief is not open, or no number was given and there is none or more than one.
            EditError: the text gives no program for this brief.
        """
        await self._unless_ended(self.desk.ready())
        if number is None:
            number = self._only()
        return number, self.desk.submit(number, answer, by=by, thought=thought)

    async def result(self, number: int, *, wait_s: float) -> Result | None:
        """Return what became of a brief, waiting so long for it."""
        return await self._unless_ended(self.desk.result(number, wait_s=wait_s))

    async def until_ended(self, other: asyncio.Event) -> None:
        """Wait until the sitting or something else ends; raises what ended the sitting."""
        await self._unless_ended(other.wait())

    async def crowned(self) -> None:
        """Wait until nobody fights for the crown, or wants to."""
        while not self._done() and (self.search.throne.next() or self.search.throne.fighting):  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # a duel that ends can let another begin: no single event tells the last of them

    def _only(self) -> int:
        briefs = self.desk.open_briefs()
        if len(briefs) != 1:
            numbers = ", ".join(str(brief.number) for brief in briefs) or "none; ask for one first"
            raise UsageError(f"Which brief is that program for? Open: {numbers}.")
        return briefs[0].number

    def _why_none(self) -> str:
        run = self.search.run
        if self.ended in SPENT:
            bound = getattr(run.config.budget, self.ended)
            return (
                f"Run {run.id} has spent its budget ({bound:g} {self.ended}): there are no more briefs. "
                f"Go on with a larger one: outpace ask {run.id} --evaluations N."
            )
        return f"Run {run.id} gives no brief now ({self.ended or 'none came in time'})."

    async def _unless_ended(self, work: Coroutine[Any, Any, T]) -> T | None:
        """Return what ``work`` gives, None if the sitting ends before; raises what ended it."""
        assert self._sitting is not None
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task, self._sitting}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                await asyncio.wait({task}, timeout=LAST_S)  # what is known already is still told
            if task.done():
                return task.result()
            self._sitting.result()
            return None
        finally:
            task.cancel()

    def _done(self) -> bool:
        return self._sitting is None or self._sitting.done()

    async def _sit(self) -> None:
        try:
            self.ended = await seated(self.search, self._stop)
            if self.ended in SPENT:
                self.report = await concluded(self.search, self.ended)
            else:
                self.search.store.end_run(self.search.run.id, "stopped", reason=self.ended)
        except BaseException as error:
            record_failure(self.search, error)
            raise


@asynccontextmanager
async def attended(search: Search) -> AsyncIterator[Attended]:
    """Carry a run on in the background until the block ends; what is being judged then is waited for.

    Where the budget is spent the champion is confirmed, as at the end of any run; otherwise briefs stay open for a
    sitting to come. Raises ``UsageError`` for a run that proposes for itself.
    """
    if not isinstance(search.proposer, Desk):
        raise UsageError(
            f"Run {search.run.id} is served by '{search.run.config.proposer}'. "
            f"Only runs of '{OUTSIDE}' give out briefs."
        )
    found = Attended(search, search.proposer)
    found._sitting = asyncio.create_task(found._sit())
    try:
        yield found
    finally:
        found._stop.set()
        await found._sitting
