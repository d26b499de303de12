"""Briefs for whoever likes to serve them: people and agents outside of this process take one and submit a program."""

import ast
import asyncio
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from outpace.agent.prompts.templates import fence
from outpace.agent.proposal import Brief, Proposal, Result
from outpace.agent.proposers.answers import MAX_THOUGHT, code_of, replacements_of
from outpace.agent.proposers.edits import apply
from outpace.errors import UsageError, Withdrawn
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Task

T = TypeVar("T")
READY_S = 60.0
AGAIN_S = 5.0
"""How long a new brief is waited for while others lie open."""
MAX_NAME = 60
"""Characters of the name by which somebody submits."""
KEPT = 1000
"""Of how many briefs the outcome is remembered, for those who ask late."""


@dataclass(slots=True)
class _Open:
    """A brief that waits for a program."""

    brief: Brief
    parent: Candidate
    proposal: asyncio.Future[Proposal]
    taken: bool


class Desk:
    """A proposer that has nothing to propose itself: it lays briefs open and waits.

    A brief is made when somebody wants one, so that it speaks of the population as it is then. One that was taken and
    not served (a sitting that ended, an agent that never came back) is handed out again only where no new one can be
    made. The first program that is submitted for a brief is the one that is judged.

    Made for one sitting, in one event loop.
    """

    patient = True
    """The search waits, rather than ends, when nothing is in flight."""

    def __init__(self, task: Task, *, workers: int, known: Collection[int] = ()) -> None:
        """Serve a search that judges ``workers`` candidates at a time; ``known`` briefs were open before."""
        self.name = "outside"
        self._task, self._workers, self._known = task, workers, frozenset(known)
        self._open: dict[int, _Open] = {}
        self._seen: set[int] = set()
        self._submitted: set[int] = set()
        self._results: OrderedDict[int, Result] = OrderedDict()
        self._wanted = 0
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()

    @property
    def lookahead(self) -> int:
        """As many proposals in flight as are open, being judged, or wanted."""
        return len(self._open) + len(self._submitted) + self._wanted - self._workers

    async def propose(self, task: Task, brief: Brief) -> Proposal:
        """Lay the brief open, and return what is submitted for it; raises ``Withdrawn`` if nothing is in the end."""
        parent = brief.parents[0].candidate if brief.parents else task.start
        taken = brief.number in self._known
        self._seen.add(brief.number)
        self._open[brief.number] = one = _Open(brief, parent, asyncio.get_running_loop().create_future(), taken)
        self._change()
        try:
            return await one.proposal
        finally:
            del self._open[brief.number]

    def tell(self, results: Sequence[Result]) -> None:
        """Keep what became of briefs, for those who have served them."""
        for result in results:
            self._submitted.discard(result.brief.number)
            self._results[result.brief.number] = result
        while len(self._results) > KEPT:
            self._results.popitem(last=False)
        self._change()

    def withdraw(self) -> None:
        """End the wait for programs: nothing more is taken in this sitting."""
        for one in self._open.values():
            if not one.proposal.done():
                one.proposal.set_exception(Withdrawn(f"Brief {one.brief.number} stays open: the sitting has ended."))

    async def take(self, *, wait_s: float) -> Brief | None:
        """Return a new brief, waiting so long for one; None where the search gives none.

        Where it gives none because all that is left of the budget is spoken for, the oldest open one is handed out once
        more: whoever took it may have left.
        """
        self._wanted += 1
        try:
            one = await self._until(self._fresh, min(wait_s, AGAIN_S) if self.open_briefs() else wait_s)
        finally:
            self._wanted -= 1
        if one is None and not (again := self.open_briefs()):
            return None
        one = one or self._open[again[0].number]
        one.taken = True
        return one.brief

    async def ready(self) -> None:
        """Wait until all briefs that were open before lie open again."""
        await self._until(lambda: self._known <= self._seen or None, READY_S)

    def open_briefs(self) -> list[Brief]:
        """Return the briefs that wait for a program, oldest first."""
        return [one.brief for _, one in sorted(self._open.items()) if not one.proposal.done()]

    def submit(self, number: int, answer: str, *, by: str = "", thought: str = "") -> str:
        """Take a program for a brief, whole or as SEARCH/REPLACE blocks for its parent; return the candidate's id.

        Raises:
            UsageError: the brief is not open.
            EditError: the text gives no program; the brief stays open.
        """
        one = self._open.get(number)
        if one is None or one.proposal.done():
            served = number in self._submitted or number in self._results
            others = ", ".join(str(brief.number) for brief in self.open_briefs()) or "none"
            raise UsageError(f"Brief {number} {'has a program already' if served else 'is not open'}. Open: {others}.")
        spec = self._task.spec
        edit = apply(_fenced(answer), one.parent, entry=spec.entry, language=spec.language)
        self._submitted.add(number)
        by = "".join(sign for sign in by if sign.isprintable())[:MAX_NAME]
        one.proposal.set_result(
            Proposal(
                candidate=edit.candidate,
                proposer=f"{self.name}:{by}" if by else self.name,
                operator=one.brief.operator or edit.mode,
                parents=(one.parent.id,),
                thought=thought[:MAX_THOUGHT] or edit.thought,
            )
        )
        return edit.candidate.id

    async def result(self, number: int, *, wait_s: float) -> Result | None:
        """Return what became of a brief, waiting so long for it; None where nothing has yet."""
        return await self._until(lambda: self._results.get(number), wait_s)

    def _fresh(self) -> _Open | None:
        """Return the oldest brief that nobody has taken."""
        return next((one for _, one in sorted(self._open.items()) if not one.taken), None)

    async def _until(self, look: Callable[[], T | None], wait_s: float) -> T | None:
        """Return what ``look`` finds as soon as it finds something, None where it does not in time."""
        try:
            async with asyncio.timeout(wait_s):
                while (found := look()) is None:
                    await self._news.wait()
        except TimeoutError:
            return None
        return found

    def _change(self) -> None:
        """Wake those who wait; what earlier sittings gave is told from another thread."""
        self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def _fenced(answer: str) -> str:
    """Return the answer with a fence around it if it is a program and nothing else, whatever stands in its strings."""
    if replacements_of(answer):
        return answer
    return fence(answer, "python") if code_of(answer) is None or _parses(answer) else answer


def _parses(text: str) -> bool:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return False
    return True
