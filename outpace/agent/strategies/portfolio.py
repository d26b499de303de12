"""Several strategies on one budget: each gets what it earns."""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, ClassVar

from outpace.agent.proposal import Brief, Result
from outpace.agent.strategies.base import Ranges, Strategy
from outpace.agent.strategies.chance import brief_seed
from outpace.agent.strategies.opening import opened
from outpace.agent.strategies.parameters import asks_of, share, whole
from outpace.errors import UsageError
from outpace.tasks.spec import Goal

MEMBERS = "islands,eoh,mcts,hill_climb"
_MEMBER, _NOTE = "member", "note"


@dataclass(slots=True)
class _Seat:
    """A strategy with how often it was asked and how many results of its own it was told."""

    strategy: Strategy
    asked: int = 0
    told: int = 0

    @property
    def in_flight(self) -> int:
        """How many results are still to come, as far as is known: one ask may give several, or a repair besides."""
        return max(0, self.asked - self.told)


class Portfolio:
    """Asks the strategy that has brought new bests of late, and now and then the others.

    After OpenTuner's AUC bandit, with its constants (Ansel et al. 2014, "OpenTuner: An Extensible Framework for Program
    Autotuning"; credit after Fialho et al. 2010, "Analyzing Bandit-Based Adaptive Operator Selection"): a strategy is
    worth the area under the curve of its new bests among the last ``window`` results (a new best counts the more, the
    later it came) and ``exploration`` x sqrt(2 log2 H / H_t), H_t of these H results being its own. What is in flight
    counts as a result that brought nothing, so that many asks in a row spread out. Every member is told its own
    results, and new bests whoever found them: they share what is good, not what they are.

    ``members`` names the strategies: a text such as ``islands,mcts``, a list, or a mapping to their parameters.
    """

    RANGES: ClassVar[Ranges] = {"window": (100, 1000), "exploration": (0.01, 0.2)}

    def __init__(
        self,
        goal: Goal,
        *,
        seed: int = 0,
        members: str | Sequence[str] | Mapping[str, Mapping[str, Any]] = MEMBERS,
        window: int = 500,
        exploration: float = 0.05,
        facts: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        """Open the members, with the ``facts`` of the run; raises ``UsageError`` for fewer than two, and as they do."""
        self._goal, self._seed = goal, whole("seed", seed, least=0)
        self._seats = {
            name: _Seat(opened(name, goal, seed=brief_seed(seed, -1 - index), params=params, facts=facts))
            for index, (name, params) in enumerate(_named(members).items())
        }
        self.repairs = all(getattr(seat.strategy, "repairs", False) for seat in self._seats.values())
        self._exploration = share("exploration", exploration)
        self._uses: deque[tuple[str, bool]] = deque(maxlen=whole("window", window, least=1))
        self._best = float("-inf")
        self._asks = 0

    def ask(self, n: int) -> list[Brief]:
        """Return up to ``n`` briefs, each of the member worth most that has one."""
        briefs: list[Brief] = []
        while len(briefs) < n:
            if (brief := self._next()) is None:
                break
            briefs.append(brief)
        return briefs

    def tell(self, results: Sequence[Result]) -> None:
        """Tell each member its own results, and all of them a new best."""
        for result in results:
            name = result.brief.note.get(_MEMBER)
            owner = name if name in self._seats else None
            better = self._rises(result)
            if owner is not None:
                self._seats[owner].told += 1
                self._uses.append((owner, better))
            for member, seat in self._seats.items():
                if member == owner:
                    seat.strategy.tell([_handed(result, result.brief.note.get(_NOTE))])
                elif better or result.brief.number == 0:
                    seat.strategy.tell([_handed(result, None)])

    def state(self) -> Mapping[str, Any]:
        """Return the numbers of asks and the members' states."""
        inner = {name: dict(seat.strategy.state()) for name, seat in self._seats.items()}
        return {"asks": self._asks, "asked": {name: seat.asked for name, seat in self._seats.items()}, "inner": inner}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on after that many asks of each member."""
        self._asks = asks_of(state)
        for name, seat in self._seats.items():
            seat.asked = whole(f"the stored asks of '{name}'", state.get("asked", {}).get(name, 0), least=0)
            seat.strategy.restore(state.get("inner", {}).get(name, {}))

    def _next(self) -> Brief | None:
        for name, seat in sorted(self._seats.items(), key=self._worth, reverse=True):
            for brief in seat.strategy.ask(1):
                seat.asked += 1
                self._asks += 1
                seed, note = brief_seed(self._seed, self._asks), {_MEMBER: name, _NOTE: dict(brief.note)}
                return replace(brief, number=self._asks, seed=seed, note=note)
        return None

    def _worth(self, one: tuple[str, _Seat]) -> float:
        """Return the area under the curve of a member's new bests, and what it is worth to know more of it."""
        name, seat = one
        own = [better for used, better in self._uses if used == name]
        uses = len(own) + seat.in_flight
        if uses == 0:
            return math.inf
        gained = sum(place for place, better in enumerate(own, 1) if better)
        everyone = len(self._uses) + sum(other.in_flight for other in self._seats.values())
        return 2 * gained / (uses * (uses + 1)) + self._exploration * math.sqrt(2 * math.log2(everyone) / uses)

    def _rises(self, result: Result) -> bool:
        """Return whether a result is a new best of the run; the starting program is the first, and nobody's credit."""
        rank = result.evaluation.standing(self._goal) if result.evaluation else None
        if rank is None or rank <= self._best:
            return False
        self._best = rank
        return result.brief.number != 0


def _handed(result: Result, note: Any) -> Result:
    """Return a result as its member knows it: with the note that it made, or none."""
    return replace(result, brief=replace(result.brief, note=note if isinstance(note, Mapping) else {}))


def _named(members: object) -> dict[str, Mapping[str, Any]]:
    """Return the parameters of each member by name."""
    if isinstance(members, str):
        members = [name.strip() for name in members.split(",") if name.strip()]
    if isinstance(members, Mapping):
        named = dict(members)
    elif isinstance(members, Sequence) and all(isinstance(name, str) for name in members):
        named = {name: {} for name in members}
        if len(named) < len(members):
            raise UsageError(f"Strategy: members must not repeat a name, got {', '.join(members)}.")
    else:
        named = {}
    if len(named) < 2 or not all(isinstance(params, Mapping) for params in named.values()):
        raise UsageError(f"Strategy: members must name at least two strategies, such as islands,mcts; got {members!r}.")
    if "portfolio" in named:
        raise UsageError("Strategy: members must not hold a portfolio.")
    return named
