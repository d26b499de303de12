"""Which templates get the evaluations: brackets of tuning sessions, halved until one is left.

A bracket opens a handful of sessions (on fresh parametrisations, on the best template so far, on a promising newcomer),
lets each do a few generations, keeps the better half, and so on; the last one runs until it makes no more progress
(successive halving: Jamieson, Talwalkar, AISTATS 2016). Then the next bracket gathers new parametrisations.

Everything here is a fold over what it is told; nothing depends on what is in flight.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from outpace.agent.proposers.operators.tune import Opening, Session, open_session

GATHER = 2
"""Fresh parametrisations that a bracket waits for."""
RUNG = 3
"""Generations between two halvings."""
STARTS = 2
"""Sessions on each template of the first bracket: what the wide sample finds is a matter of luck."""


@dataclass(slots=True)
class _Known:
    """What is known of a template: its first opening, its best member, and how many sessions it has had."""

    first: Opening
    best: Opening
    sessions: int = 0


@dataclass(slots=True)
class Schedule:
    """The brackets of a run.

    A bracket waits for ``gather`` parametrisations (0 where nothing can be parametrised), of which ``wanted`` are out.
    """

    seed: int
    gather: int = GATHER
    wanted: int = GATHER
    sessions: dict[str, Session] = field(default_factory=dict)
    live: list[Session] = field(default_factory=list)
    bracket: int = 0
    _known: dict[str, _Known] = field(default_factory=dict)
    _gathered: list[str] = field(default_factory=list)
    _quota: int = 0

    def learn(self, opening: Opening, *, gathered: bool) -> None:
        """Remember a program that works; ``gathered``: it is a fresh parametrisation."""
        key = opening.template.key
        known = self._known.setdefault(key, _Known(opening, opening))
        if opening.rank > known.best.rank:
            known.best = opening
        if gathered and key not in self._gathered:
            self._gathered.append(key)

    def arrived(self) -> None:
        """Note that a parametrisation came back, whether it works or not."""
        self.wanted = max(0, self.wanted - 1)

    def tell(self, name: str, generation: int, index: int, rank: float | None, candidate: str) -> None:
        """Pass the rank of a sample on to its session."""
        session = self.sessions.get(name)
        if session is None:
            return
        before = session.best
        session.tell(generation, index, rank)
        if session.best > before:
            known = self._known[session.template.key]
            if session.best > known.best.rank:
                known.best = replace(known.first, values=session.best_values, origin=candidate, rank=session.best)
        self._halve()

    def samples(self) -> Iterator[tuple[Session, int]]:
        """Yield what may be evaluated next, the least advanced session first."""
        for session in sorted(self.live, key=lambda session: session.generation):
            if len(self.live) == 1 or session.generation < self._quota:
                yield from ((session, i) for i, sample in enumerate(session.samples) if not sample.told)

    def settle(self) -> None:
        """Open the next bracket when the last one is over and what it waits for has come."""
        if not self.live and not self.wanted and self._known:
            self._begin()

    def _begin(self) -> None:
        """Open the sessions of a bracket."""
        fresh = [self._known[key] for key in self._gathered]
        self._gathered.clear()
        opened = list(self._first(fresh) if self.bracket == 0 else self._later(fresh))
        self.live, self._quota = opened, 1 + RUNG
        self.bracket += 1

    def _first(self, fresh: list[_Known]) -> Iterator[Session]:
        others = [known for known in self._known.values() if known not in fresh]
        for known in [*fresh, *others[:1]]:
            yield from (self._open(known, known.first) for _ in range(STARTS))

    def _later(self, fresh: list[_Known]) -> Iterator[Session]:
        """The best template near its best numbers and from its first ones, the best newcomer, the fresh ones."""
        ranked = sorted(self._known.values(), key=lambda known: -known.best.rank)
        if ranked:
            yield self._open(ranked[0], replace(ranked[0].best, fresh=frozenset()))
            yield self._open(ranked[0], ranked[0].first)
        newcomers = [known for known in ranked[1:] if not known.sessions and known not in fresh]
        yield from (self._open(known, replace(known.best, fresh=frozenset())) for known in newcomers[:1])
        yield from (self._open(known, known.first) for known in fresh)

    def _open(self, known: _Known, opening: Opening) -> Session:
        name = f"{opening.template.key}.{known.sessions}"
        known.sessions += 1
        self.sessions[name] = open_session(opening, name=name, seed=self.seed)
        return self.sessions[name]

    def _halve(self) -> None:
        """End the rung when all live sessions have done their generations, and the bracket when the last is over."""
        while len(self.live) > 1 and all(one.generation >= self._quota or one.over for one in self.live):
            ranked = sorted(self.live, key=lambda session: -session.best)
            kept = ranked[: (len(ranked) + 1) // 2]
            for session in ranked[len(kept) :]:
                self._close(session)
            self.live, self._quota = kept, self._quota + RUNG
        if len(self.live) == 1 and self.live[0].over:
            self._close(self.live[0])
            self.live, self.wanted = [], self.gather

    def _close(self, session: Session) -> None:
        """Forget a session: what comes back for it now changes nothing."""
        del self.sessions[session.name]
