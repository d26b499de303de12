"""Tuning sessions: an optimiser over what one program declares to be tunable.

A tree-structured Parzen estimator (Bergstra et al. 2011, "Algorithms for Hyper-Parameter Optimization", NeurIPS), in
the form that looks at all tunables together (Falkner et al. 2018, https://arxiv.org/abs/1807.01774), by Optuna (Akiba
et al. 2019, https://arxiv.org/abs/1907.10902). Where there are few combinations, all are tried instead.
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.trial import TrialState, create_trial

from outpace.agent.strategies.chance import brief_seed, stream
from outpace.tasks.tunables import Choices, Declared, Domain, Value

ALL = 24
"""Combinations of which all are tried, in an order by chance."""
LISTED = 4096
"""Combinations of which those that are left can be listed."""
RANDOM = 10
"""Samples by chance before the estimator has something to go by (Optuna's default); fewer for one or two tunables."""
PATIENCE, PATIENCE_EACH = 12, 6
"""Samples without a better one after which a session is over: so many, and so many more for each tunable."""
WORTH = 0.01
"""A better one counts for this if it adds at least so much to what the session has gained."""
MOST = 250
"""Samples of one session."""
OUT = 8
"""Samples of one session that are out at a time: what is drawn meanwhile knows nothing of them."""
TRIES = 4
"""How often another sample is drawn in place of one that is known."""

_Point = tuple[int | float, ...]


@dataclass(frozen=True)
class _Axis:
    """One tunable as the optimiser sees it: choices by their place (numbers by size), ranges by the number itself."""

    domain: Domain

    @cached_property
    def values(self) -> tuple[Value, ...]:
        """The choices; where they are numbers, in their order."""
        given = self.domain.values if isinstance(self.domain, Choices) else ()
        return tuple(sorted(given)) if self._ordered else given

    @property
    def size(self) -> float:
        """How many values there are."""
        if isinstance(self.domain, Choices):
            return len(self.domain.values)
        return self.domain.high - self.domain.low + 1 if self.domain.whole else math.inf

    @property
    def points(self) -> range:
        """All places; only where there are finitely many."""
        if isinstance(self.domain, Choices):
            return range(len(self.values))
        return range(int(self.domain.low), int(self.domain.high) + 1)

    @cached_property
    def distribution(self) -> BaseDistribution:
        """What Optuna is to draw places from."""
        if isinstance(self.domain, Choices):
            last = len(self.values) - 1
            return IntDistribution(0, last) if self._ordered else CategoricalDistribution(list(range(last + 1)))
        low, high, log = self.domain.low, self.domain.high, self.domain.log
        if self.domain.whole:
            return IntDistribution(int(low), int(high), log=log)
        return FloatDistribution(low, high, log=log)

    def place(self, value: Value) -> int | float:
        """Return where a value lies."""
        if isinstance(self.domain, Choices):
            return self.values.index(value)
        assert not isinstance(value, str)
        return self.domain.rounded(value)

    def value(self, place: int | float) -> Value:
        """Return the value at a place."""
        return self.values[int(place)] if isinstance(self.domain, Choices) else place

    @property
    def _ordered(self) -> bool:
        given = self.domain.values if isinstance(self.domain, Choices) else ()
        return len(given) > 2 and all(isinstance(one, int | float) for one in given)


@dataclass(slots=True)
class Session:
    """The search for the best values of one template, a program with the values of its tunables taken out.

    Sample number ``asked`` follows from ``seed``, that number and what was told, and from nothing else: many may be
    out, and they may come back in any order. A point is kept for each sample, at most ``MOST``.
    """

    declared: Declared
    seed: int
    best: float = -math.inf
    asked: int = 0
    told: int = 0
    _since: int = 0  # samples told since the last one that counted as better
    _first: float | None = None  # the first rank
    _known: set[_Point] = field(default_factory=set)
    _axes: dict[str, _Axis] = field(init=False)
    _study: optuna.Study = field(init=False)

    def __post_init__(self) -> None:
        """Lay out the axes."""
        self._axes = {one.name: _Axis(one.domain) for one in self.declared.tunables}
        with _silent():
            self._study = optuna.create_study(direction="maximize")

    @property
    def over(self) -> bool:
        """Whether nothing is left, or nothing better has come for long enough."""
        if len(self._known) >= self._size or self.told >= MOST:
            return True
        return self._size > ALL and self._since >= PATIENCE + PATIENCE_EACH * len(self._axes)

    def ask(self) -> dict[str, Value] | None:
        """Return the values of the next sample; None where all are known or too many are out."""
        point = self._listed() if self._size <= ALL else self._estimated()
        if point is None:
            return None
        return {name: axis.value(at) for (name, axis), at in zip(self._axes.items(), point, strict=True)}

    def tell(self, values: Mapping[str, Value], rank: float | None) -> bool:
        """Take note of what became of a sample (None: failed); return whether it is the best so far."""
        self.told += 1
        self._since += 1
        return self.learn(values, rank)

    def learn(self, values: Mapping[str, Value], rank: float | None) -> bool:
        """Take note of the rank of any program of this template; return whether it is the best so far."""
        point = tuple(axis.place(values[name]) for name, axis in self._axes.items())
        if point not in self._known:
            self._known.add(point)
            self._add(point, -math.inf if rank is None else rank)
        if rank is None or not rank > self.best:
            return False
        if self._first is None:
            self._first = rank
        elif rank - self.best > WORTH * (self.best - self._first):
            self._since = 0
        self.best = rank
        return True

    @property
    def _size(self) -> float:
        """How many combinations there are."""
        return math.prod(axis.size for axis in self._axes.values())

    def _all(self) -> list[_Point]:
        return list(product(*(axis.points for axis in self._axes.values())))

    def _listed(self) -> _Point | None:
        """Return the next of all combinations; ``asked`` is how many were passed."""
        points = self._all()
        stream(self.seed, 0).shuffle(points)
        for number in range(self.asked, len(points)):
            if points[number] not in self._known:
                self.asked = number + 1
                return points[number]
        return None

    def _estimated(self) -> _Point | None:
        if self.asked - self.told >= OUT:
            return None
        self.asked += 1
        for turn in range(TRIES):
            point = self._drawn(brief_seed(self.seed, self.asked * TRIES + turn))
            if point not in self._known:
                return point
        left = [one for one in self._all() if one not in self._known] if self._size <= LISTED else []
        return stream(self.seed, self.asked).choice(left) if left else point

    def _drawn(self, seed: int) -> _Point:
        """Return a point drawn by the estimator; Optuna is left as if it had not been asked."""
        startup = min(RANDOM, 4 + 2 * len(self._axes))
        self._study.sampler = TPESampler(seed=seed, n_startup_trials=startup)
        trial = self._study.ask(self._distributions())
        self._study.tell(trial, state=TrialState.FAIL)  # what is not complete is not gone by
        return tuple(axis.place(axis.value(trial.params[name])) for name, axis in self._axes.items())

    def _add(self, point: _Point, rank: float) -> None:
        params = dict(zip(self._axes, point, strict=True))
        self._study.add_trial(create_trial(params=params, distributions=self._distributions(), value=rank))

    def _distributions(self) -> dict[str, BaseDistribution]:
        return {name: axis.distribution for name, axis in self._axes.items()}


@contextmanager
def _silent() -> Iterator[None]:
    """Keep Optuna from telling of studies on standard error."""
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)
