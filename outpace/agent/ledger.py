"""What a run may still spend: everything that costs is reserved before it happens, so that many at once keep to it."""

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields, replace

from outpace.agent.budget import Budget, Spent
from outpace.errors import BudgetSpent, UsageError

WARN_AT = (0.5, 0.8)
"""Shares of a bound at which a run says so."""
UNKNOWN = math.inf
"""The most that something costs of which nobody can tell."""
RESERVED = ("evaluations", "model_calls", "tokens", "usd")  # wall time passes by itself
_UNITS = {"wall_s": "seconds of wall time", "model_calls": "model calls", "usd": "dollars"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What something may cost at most."""

    evaluations: int = 0
    model_calls: int = 0
    tokens: float = 0
    usd: float = 0.0


@dataclass(slots=True)
class Entry:
    """What something that was reserved for has cost in the end; None: nothing."""

    cost: Spent | None = None


@dataclass(slots=True)
class Ledger:
    """One run's account, in one process and one event loop.

    Something may begin when what is spent, what all that is under way may cost at most, and what it may cost itself
    keep to every bound together; or when nothing under way counts against the bound and something of it is left. So a
    bound is overspent by no more than one thing, and not at all where the most is known: a call is one call, an
    evaluation one evaluation.

    ``spent`` begins with what earlier sittings have used; ``warnings`` gathers a line for each bound and each share in
    ``WARN_AT`` that is reached from then on; a search adds what else is worth a word.
    """

    budget: Budget
    spent: Spent = field(default_factory=Spent)
    warnings: list[str] = field(default_factory=list)
    _held: list[Claim] = field(default_factory=list)
    _reached: dict[str, int] = field(default_factory=dict)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        """Take note of what was reached before, of which nobody needs to hear again."""
        self._reached = {name: self._marks(name) for name in _bounds(self.budget)}

    @asynccontextmanager
    async def reserved(self, claim: Claim) -> AsyncIterator[Entry]:
        """Wait until ``claim`` fits, and reserve it; on the way out what it has cost is booked instead.

        Raises ``BudgetSpent`` where nothing is left of a bound that it counts against, ``UsageError`` where dollars are
        the bound and an answer before had no price (not for that answer itself: it is paid, so it is kept).
        """
        while not self._fits(claim):
            await self._changed.wait()
        self._held.append(claim)
        entry = Entry()
        try:
            yield entry
        finally:
            self._held.remove(claim)
            if entry.cost is not None:
                self.book(entry.cost)
            self._changed.set()
            self._changed = asyncio.Event()

    def book(self, cost: Spent) -> None:
        """Count what was spent."""
        names = [one.name for one in fields(cost)]
        self.spent = Spent(**{name: getattr(self.spent, name) + getattr(cost, name) for name in names})
        for name, limit in _bounds(self.budget).items():
            marks = self._marks(name)
            if marks > self._reached[name]:
                used = f"{_figure(getattr(self.spent, name))} of {_figure(limit)} {_UNITS.get(name, name)}"
                self.warnings.append(f"{WARN_AT[marks - 1]:.0%} of the budget is used: {used}.")
            self._reached[name] = marks

    def exhausted(self, *, wall_s: float = 0.0) -> str | None:
        """Return the bound that is used up, or None; ``wall_s``: time that has passed and is not booked yet."""
        return self.budget.exhausted(replace(self.spent, wall_s=self.spent.wall_s + wall_s))

    def _fits(self, claim: Claim) -> bool:
        if claim.usd and self.budget.usd is not None and self.spent.unpriced_calls:
            raise UsageError(
                "A bound in dollars cannot be kept: the model has answered, and neither its endpoint nor the price "
                "list tells what that cost. Bound the run by model calls or tokens instead."
            )
        for name in RESERVED:
            limit, asked = getattr(self.budget, name), getattr(claim, name)
            if limit is None or not asked:
                continue
            spent, held = getattr(self.spent, name), sum(getattr(one, name) for one in self._held)
            if spent >= limit:
                raise BudgetSpent(f"Nothing is left of the budget's {_figure(limit)} {_UNITS.get(name, name)}.")
            if held and spent + held + asked > limit:
                return False
        return True

    def _marks(self, name: str) -> int:
        share = getattr(self.spent, name) / getattr(self.budget, name)
        return sum(share >= mark for mark in WARN_AT)


def _bounds(budget: Budget) -> dict[str, float]:
    return {one.name: limit for one in fields(budget) if (limit := getattr(budget, one.name)) is not None}


def _figure(value: float) -> str:
    return f"{value:,.6g}" if isinstance(value, float) else f"{value:,}"
