"""Which arm of an ensemble gets a brief: by fixed shares, by what each has brought for its cost, or by need.

A chooser is a fold over the results that it was told: no input or output, no clock, no chance but the brief's seed.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from outpace.agent.arms import Arm
from outpace.agent.proposal import Brief, Result
from outpace.agent.strategies.chance import stream
from outpace.agent.strategies.parameters import whole
from outpace.errors import UsageError
from outpace.tasks.spec import Goal

PATIENCE = 30
"""Results without a new best after which a run counts as stagnating: about two rounds of the answers in flight."""
MEMORY = 400
"""Results that the bandit looks back on: what came ``MEMORY`` results ago weighs 1/e of what came last."""
LEAST_COST = 0.05
"""What an answer costs at least, relative to the dearest arm's: a free model still takes time and evaluations."""
_SEEDS = 2**31  # seeds of briefs lie below


class Chooser(Protocol):
    """Chooses an arm for each new brief."""

    def choose(self, brief: Brief) -> Arm:
        """Return the arm for a brief: a function of its seed and of what was told."""
        ...

    def tell(self, result: Result) -> None:
        """Learn what became of a brief."""
        ...


def gain(result: Result, goal: Goal) -> float:
    """Return by how much a new candidate is confirmed to be better than its parent: 0 where it is not, at most 1.

    Confirmed: the pessimistic end of its interval (its score, where it has none) lies above the parent's score. The
    gain is relative to the larger of the two: a program that takes half the time has gained 0.5. A repaired program is
    held against the program that the failed one was made of. A candidate that was seen before brings nothing new.
    """
    rank = result.evaluation.rank(goal) if result.evaluation and not result.seen_before else None
    members = (*result.brief.parents, *result.brief.inspirations)
    scores = (one.evaluation.score for one in members if one.evaluation.status == "ok")
    base = next((goal.rank(score) for score in scores if score is not None), None)
    if rank is None or base is None or not rank > base:
        return 0.0
    return min(1.0, (rank - base) / max(abs(rank), abs(base)))


class Shares:
    """Gives each arm its share of the briefs, by chance."""

    def __init__(self, arms: Sequence[Arm]) -> None:
        """Choose among ``arms``, at least one."""
        self._arms = tuple(arms)

    def choose(self, brief: Brief) -> Arm:
        """Return an arm by the brief's seed."""
        left = brief.seed / _SEEDS * sum(arm.share for arm in self._arms)
        for arm in self._arms:
            left -= arm.share
            if left < 0:
                return arm
        return self._arms[-1]

    def tell(self, result: Result) -> None:
        """Learn nothing."""


class Stagnation:
    """Gives all briefs to the first model, and to the others while nothing better comes.

    After ``patience`` results in a row without a new best of the run, all briefs go to the arms of the other models (by
    their shares), until a new best comes. A new best is one that lies above the best so far by the pessimistic end of
    its interval. Repairs stay with the arm whose program failed.
    """

    def __init__(self, arms: Sequence[Arm], goal: Goal, *, patience: int = PATIENCE) -> None:
        """Choose among ``arms`` of at least two models; raises ``UsageError``."""
        self._goal, self._patience = goal, whole("the patience of --ensemble stagnation", patience, least=1)
        first = [arm for arm in arms if arm.model == arms[0].model]
        others = [arm for arm in arms if arm.model != arms[0].model]
        if not others:
            raise UsageError("--ensemble stagnation needs a second --model, to be asked while the first finds nothing.")
        self._bulk, self._others = Shares(first), Shares(others)
        self._best = float("-inf")
        self._barren = 0

    def choose(self, brief: Brief) -> Arm:
        """Return an arm of the first model, or of the others while the run stagnates."""
        return (self._others if self._barren >= self._patience else self._bulk).choose(brief)

    def tell(self, result: Result) -> None:
        """Count the results since the last new best."""
        rank = result.evaluation.rank(self._goal) if result.evaluation else None
        self._barren += 1
        if rank is None or result.evaluation is None or result.evaluation.score is None or rank <= self._best:
            return
        self._best = self._goal.rank(result.evaluation.score)
        self._barren = 0


@dataclass(slots=True)
class _Account:
    """What an arm has brought and cost; every figure fades with time."""

    answers: float = 0.0
    gains: float = 0.0  # answers that were confirmed to be better than their parent
    gained: float = 0.0  # the sum of these gains
    billed: float = 0.0  # answers whose cost is known from their proposal
    calls: float = 0.0
    tokens: float = 0.0
    usd: float = 0.0

    def fade(self, kept: float) -> None:
        """Weigh all that came before by ``kept``."""
        for name in self.__dataclass_fields__:
            setattr(self, name, getattr(self, name) * kept)


class Bandit:
    """Gives briefs to the arms that bring the most confirmed improvement for their cost.

    Thompson sampling for bandits with costs (Xia et al. 2015, https://arxiv.org/abs/1505.00146: draw a rate for each
    arm from its posterior, take the arm with the largest ratio of reward to cost) on a memory that fades (Raj and
    Kalyani 2017, https://arxiv.org/abs/1707.09727), because who helps early need not help late. Every brief draws anew,
    so those in flight together spread over the arms as far as these are not told apart yet; results that come late and
    in any order do little harm to such draws (Chapelle and Li 2011, "An Empirical Evaluation of Thompson Sampling").

    The value of an arm is (chance of an improvement, drawn) x (its mean gain) / (its mean cost). Improvements are rare,
    so the prior of an arm's chance is that of all arms together, held as if one improvement had been seen; mean gain
    and mean cost begin at those of all arms, with the weight of one. The cost is in dollars where every answer had a
    price, else in tokens where any were counted, else in calls; an arm costs at least ``LEAST_COST`` of the dearest. An
    answer that gave no candidate tells no cost: it counts as the arm's mean.
    """

    def __init__(self, arms: Sequence[Arm], goal: Goal, *, memory: int = MEMORY) -> None:
        """Choose among ``arms``; raises ``UsageError`` where there is nothing to choose."""
        if len(arms) < 2:
            raise UsageError(
                "--ensemble bandit needs something to choose: name several models, temperatures or efforts."
            )
        self._arms, self._goal = tuple(arms), goal
        self._kept = 1 - 1 / whole("the memory of --ensemble bandit", memory, least=2)
        self._accounts = {arm.name: _Account() for arm in arms}
        self._unpriced = False

    def choose(self, brief: Brief) -> Arm:
        """Draw a value for each arm and return the arm with the largest."""
        chance = stream(brief.seed, brief.number)
        accounts = [self._accounts[arm.name] for arm in self._arms]
        answers, gains = (sum(getattr(one, name) for one in accounts) for name in ("answers", "gains"))
        usual = (gains + 1) / (answers + 2)
        gain_of = _shrunk([(one.gained, one.gains) for one in accounts])
        cost_of = self._costs(accounts)
        best, most = self._arms[0], -1.0
        for arm, one, each, cost in zip(self._arms, accounts, gain_of, cost_of, strict=True):
            rate = chance.betavariate(1 + one.gains, 1 / usual - 1 + one.answers - one.gains)
            if (value := rate * each / cost) > most:
                best, most = arm, value
        return best

    def tell(self, result: Result) -> None:
        """Book what an arm has brought, and let what came before fade."""
        account = self._accounts.get(result.brief.model_hint or "")
        if account is None:
            return  # the start, or a brief from before the arms
        for one in self._accounts.values():
            one.fade(self._kept)
        found = gain(result, self._goal)
        account.answers += 1
        account.gains += found > 0
        account.gained += found
        if result.proposal is not None:
            usage = result.proposal.usage
            account.billed += 1
            account.calls += usage.calls
            account.tokens += usage.tokens
            account.usd += usage.cost_usd or 0.0
            self._unpriced |= usage.cost_usd is None and usage.calls > 0

    def _costs(self, accounts: Sequence[_Account]) -> list[float]:
        """Return what an answer of each arm costs, in one unit for all."""
        units: list[Callable[[_Account], float]] = [lambda one: one.tokens, lambda one: one.calls, lambda _: 1.0]
        if not self._unpriced:
            units.insert(0, lambda one: one.usd)
        unit = next(unit for unit in units if sum(map(unit, accounts)) > 0)
        if unit is units[-1]:
            return [1.0] * len(accounts)
        costs = _shrunk([(unit(one), one.billed) for one in accounts])
        least = LEAST_COST * max(costs)
        return [max(cost, least) for cost in costs]


def _shrunk(totals: Sequence[tuple[float, float]]) -> list[float]:
    """Return the mean of each (sum, count), begun at the mean of all with the weight of one (1 where none is known)."""
    count = sum(count for _, count in totals)
    usual = sum(total for total, _ in totals) / count if count > 0 else 1.0
    return [(total + usual) / (count + 1) for total, count in totals]


def chooser(ensemble: str, arms: Sequence[Arm], goal: Goal) -> Chooser:
    """Return the chooser of that name: ``shares``, ``bandit``, ``stagnation``, or ``stagnation=40`` with its patience.

    Raises ``UsageError`` for any other name, and where there are too few arms to choose among.
    """
    name, equals, given = ensemble.partition("=")
    if name == "shares" and not equals:
        return Shares(arms)
    if name == "bandit" and not equals:
        return Bandit(arms, goal)
    if name == "stagnation" and (not equals or given.isdecimal()):
        return Stagnation(arms, goal, patience=int(given) if equals else PATIENCE)
    raise UsageError(f"--ensemble '{ensemble}' is unknown. Choose from: shares, bandit, stagnation (or stagnation=40).")
