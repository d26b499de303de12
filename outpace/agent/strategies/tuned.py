"""Tuning of declared parameters around any strategy: a share of the asks goes to an optimiser of numbers."""

from bisect import insort
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from outpace.agent.proposal import Brief, Member, Result
from outpace.agent.strategies import parameters
from outpace.agent.strategies.base import Strategy
from outpace.agent.strategies.chance import brief_seed
from outpace.tasks.spec import Goal
from outpace.tasks.tunables import TUNABLES, VALUES, Declared, declared, in_words

if TYPE_CHECKING:
    from outpace.agent.strategies.tuning import Session

TEMPLATE, ORIGIN = "template", "origin"
"""In the note of a sample: the key of its template, and the note of the brief that its parent came of."""
SHARE = 0.25
"""Part of the asks that go to tuning while there is something to tune."""
OPEN = 3
"""Sessions at a time."""
WAITING = 16
"""Templates that wait for a session: the best."""
FIELD = 16
"""A template that so many programs are better than is not tuned, or no more."""
ROUND = 10
"""Samples after which it is the turn of another session."""
CLOSED = 4096
"""Templates that are remembered after their session: the last."""


class Tuned:
    """A strategy around a strategy: while good programs declare tunables, a ``share`` of the asks goes to these.

    A session belongs to a template, a program with its values taken out. The best templates have one, up to ``OPEN`` at
    a time; they take turns of ``ROUND`` samples, the best first. A session is closed when nothing better has come for
    long enough, or when ``FIELD`` other programs are better than its best. Asks that tuning has no use for are the
    inner strategy's, so where nobody declares anything all is as without this one.

    The brief of a sample has the operator ``tunables``, the program that opened the session as its parent and the
    values in ``given``; models are not asked, and nobody repairs it. The inner strategy hears of a sample only if it is
    the best of its session so far, and then as of a further program of the brief that its parent came of. Briefs are
    numbered here; those of the inner strategy keep their seeds.

    All follows from what was told, but for counts of asks. Memory is bounded: ``WAITING`` programs, ``OPEN`` sessions,
    a key and a rank for each of the last ``CLOSED`` templates.
    """

    def __init__(self, strategy: Strategy, goal: Goal, *, seed: int = 0, share: float = SHARE) -> None:
        """Wrap ``strategy``, which has not been asked yet; raises ``UsageError`` for a share that is none."""
        self._inner = strategy
        self._seed, self._share = parameters.whole("seed", seed, least=0), parameters.share("tunables", share)
        self._templates = _Templates(goal, self._seed)
        self._asks, self._credit = 0, 0.0

    def ask(self, n: int) -> list[Brief]:
        """Return ``n`` briefs or more (those of one request come together); fewer where the inner strategy has none."""
        briefs: list[Brief] = []
        while len(briefs) < n:
            sample = self._templates.ask() if self._credit >= 1 else None
            made = [sample] if sample else self._inner.ask(1)
            if not made:
                break
            self._credit -= sample is not None
            briefs += map(self._numbered, made)
        return briefs

    def tell(self, results: Sequence[Result]) -> None:
        """Learn what became of samples and what else may be tuned, and tell the inner strategy the rest."""
        for result in results:
            if (heard := self._templates.tell(result)) is not None:
                self._inner.tell([heard])

    def state(self) -> Mapping[str, Any]:
        """Return the number of asks, the part of one that tuning is owed, the asks of each session, the inner state."""
        asked = {key: one.session.asked for key, one in self._templates.open.items()}
        return {"asks": self._asks, "owed": self._credit, "tuned": asked, "inner": dict(self._inner.state())}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on after these asks; what a run from before has stored is the inner strategy's."""
        self._asks, self._credit = parameters.asks_of(state), float(state.get("owed", 0.0))
        for key, asked in state.get("tuned", {}).items():
            if key in self._templates.open:
                self._templates.open[key].session.asked = asked
        self._inner.restore(state["inner"] if "owed" in state else state)

    def _numbered(self, brief: Brief) -> Brief:
        """Return the brief with the next number; briefs that share a request go on pointing to the first of them."""
        self._asks += 1
        self._credit = min(1.0, self._credit + self._share)
        if brief.operator == TUNABLES:
            return replace(brief, number=self._asks, seed=brief_seed(self._seed, -self._asks))
        sample, later = brief.sample, self._asks - brief.number
        return replace(brief, number=self._asks, sample=sample and replace(sample, first=sample.first + later))


@dataclass(frozen=True, slots=True)
class _Opening:
    """A program that declares something, with its rank and the note of the brief that it came of."""

    declared: Declared
    member: Member
    rank: float
    note: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Open:
    """A template that is being tuned."""

    opening: _Opening
    session: "Session"


@dataclass(slots=True)
class _Templates:
    """The templates of a run: those that wait, those that are being tuned, and what came of the others."""

    goal: Goal
    seed: int
    open: dict[str, _Open] = field(default_factory=dict)
    _waiting: dict[str, _Opening] = field(default_factory=dict)
    _closed: OrderedDict[str, float] = field(default_factory=OrderedDict)  # the best rank of each
    _field: list[float] = field(default_factory=list)  # the best ranks of the run but for samples, least first

    def ask(self) -> Brief | None:
        """Return a brief without a number for the next sample; None where no session has one."""
        for key in sorted(self.open, key=self._turn):
            opening, session = self.open[key].opening, self.open[key].session
            if (values := session.ask()) is not None:
                return Brief(
                    number=0,
                    parents=(opening.member,),
                    seed=0,
                    operator=TUNABLES,
                    instruction=in_words(values),
                    given={VALUES: values},
                    note={TEMPLATE: key, ORIGIN: dict(opening.note)},
                )
        return None

    def tell(self, result: Result) -> Result | None:
        """Learn from one result; return what the inner strategy is to hear of it, None for nothing."""
        key = result.brief.note.get(TEMPLATE) if result.brief.operator == TUNABLES else None
        if key is None:
            self._learn(result)
        better = key is None or self._is_better(result, key)
        self._settle()
        if key is None or not better:
            return result if better else None
        return replace(result, brief=replace(result.brief, note=result.brief.note.get(ORIGIN, {})))

    def _turn(self, key: str) -> tuple[int, float]:
        session = self.open[key].session
        return session.asked // ROUND, -session.best

    def _is_better(self, result: Result, key: str) -> bool:
        """Pass a sample on to its session; return whether it is new and the best of it so far."""
        rank = result.evaluation.rank(self.goal) if result.evaluation else None
        if key in self.open:
            better = self.open[key].session.tell(result.brief.given[VALUES], rank)
        else:  # it came after its session was closed
            better = rank is not None and rank > self._closed.get(key, float("inf"))
            if better and rank is not None:
                self._closed[key] = rank
        return better and not result.seen_before

    def _learn(self, result: Result) -> None:
        """Take note of a good program that is no sample."""
        rank = result.evaluation.rank(self.goal) if result.evaluation else None
        if result.proposal is None or result.evaluation is None or rank is None or result.seen_before:
            return
        insort(self._field, rank)
        del self._field[:-FIELD]
        found = declared(result.proposal.candidate)
        if found.key in self.open:
            self.open[found.key].session.learn(found.values, rank)
        elif found.key and found.key not in self._closed:
            member = Member(result.proposal.candidate, result.evaluation)
            self._wait(_Opening(found, member, rank, result.brief.note))

    def _wait(self, opening: _Opening) -> None:
        key = opening.declared.key
        if key in self._waiting and opening.rank <= self._waiting[key].rank:
            return
        self._waiting[key] = opening
        if len(self._waiting) > WAITING:
            del self._waiting[min(self._waiting, key=lambda one: self._waiting[one].rank)]

    def _settle(self) -> None:
        """Close the sessions that are over or far behind, and open others in their place."""
        least = self._field[0] if len(self._field) == FIELD else float("-inf")
        for key, one in list(self.open.items()):
            if one.session.over or one.session.best < least:
                del self.open[key]
                self._closed[key] = one.session.best
        if len(self._closed) > CLOSED:
            self._closed.popitem(last=False)
        while self._waiting and len(self.open) < OPEN:
            key = max(self._waiting, key=lambda one: self._waiting[one].rank)
            if (opening := self._waiting.pop(key)).rank >= least:
                self.open[key] = _opened(opening, self.seed)


def _opened(opening: _Opening, seed: int) -> _Open:
    from outpace.agent.strategies.tuning import Session  # its libraries are wanted only where something is declared

    session = Session(opening.declared, brief_seed(seed, int(opening.declared.key, 16)))
    session.learn(opening.declared.values, opening.rank)
    return _Open(opening, session)
