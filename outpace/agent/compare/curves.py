"""Best-so-far curves: steps of one run, the median and the quartiles of several, the area below."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from outpace.tasks.spec import Goal

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Curve:
    """The best score after so much was spent: ``points`` (spent, score) at each improvement, flat between and after.

    The first point is the starting program's; before it there is nothing.
    """

    points: tuple[tuple[float, float], ...]

    @property
    def start(self) -> float:
        """The score of the starting program."""
        return self.points[0][1]

    @property
    def final(self) -> float:
        """The score at the end."""
        return self.points[-1][1]

    def at(self, spent: Sequence[float] | Values) -> Values:
        """Return the scores after so much was spent; before the first point its score."""
        steps = np.array([step for step, _ in self.points])
        places = np.searchsorted(steps, np.asarray(spent, dtype=float), side="right") - 1
        scores: Values = np.array([score for _, score in self.points])[np.maximum(places, 0)]
        return scores


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """The median and the quartiles (linear between ranks) of several curves, at each ``spent`` where one changes."""

    spent: tuple[float, ...]
    median: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The median, the quartiles and the ends of several values, the quartiles linear between ranks."""

    median: float
    low: float
    high: float
    least: float
    most: float


def spread(values: Sequence[float]) -> Spread | None:
    """Return how values spread, None of none."""
    if not values:
        return None
    least, low, median, high, most = (float(one) for one in np.percentile(values, [0, 25, 50, 75, 100]))
    return Spread(median=median, low=low, high=high, least=least, most=most)


def band(curves: Sequence[Curve], *, until: float) -> Band:
    """Return the median and the quartiles of curves, from their first points to ``until``."""
    begin = min(one.points[0][0] for one in curves)
    steps = {step for one in curves for step, _ in one.points}
    spent = sorted({begin, until, *(step for step in steps if step <= until)})
    scores = np.array([one.at(spent) for one in curves])
    low, median, high = np.percentile(scores, [25, 50, 75], axis=0)
    return Band(spent=tuple(spent), median=tuple(median.tolist()), low=tuple(low.tolist()), high=tuple(high.tolist()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Scores of one task as parts of the way from its start (0) to the best that anyone found (1).

    A speed-up counts by its logarithm: from 1 to 2 is as far as from 2 to 4. Where nobody found anything better there
    is no way, and every part is 0.
    """

    goal: Goal
    start: float
    best: float

    def part(self, scores: Values) -> Values:
        """Return the part of the way for each score; what is worse than the start counts as the start."""
        way = self._size(self.best) - self._size(self.start)
        if way <= 0:
            return np.zeros_like(scores)
        sizes = np.array([self._size(float(score)) for score in scores])
        parts: Values = np.clip((sizes - self._size(self.start)) / way, 0.0, 1.0)
        return parts

    def area(self, curve: Curve, *, budget: int) -> float:
        """Return the area below a curve: the mean part of the way after each of the ``budget`` evaluations."""
        steps = [step for step, _ in curve.points] + [budget + 1]
        lengths = np.maximum(0.0, np.diff(np.clip(np.array(steps, dtype=float), 1, budget + 1)))
        parts = self.part(np.array([score for _, score in curve.points]))
        return float(np.sum(parts * lengths) / budget)

    def _size(self, score: float) -> float:
        return math.log(max(score, 1e-12)) if self.goal.kind == "speedup" else self.goal.rank(score)


def scale_of(goal: Goal, curves: Sequence[Curve]) -> Scale:
    """Return the scale of a task by all curves on it; a speed-up starts at 1 by definition."""
    start = 1.0 if goal.kind == "speedup" else float(np.median([one.start for one in curves]))
    best = max((score for one in curves for _, score in one.points), key=goal.rank)
    return Scale(goal=goal, start=start, best=max(start, best, key=goal.rank))
