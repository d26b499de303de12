"""Differential performance: which of the known levels of speed does a program reach?

Liu et al. 2024, "Evaluating Language Models for Efficient Code Generation" (COLM, arXiv 2408.06450), and the tool that
comes with it. Reference solutions are sorted from slow to fast and cut into levels; the differential performance score
(DPS) of a program is the share of known solutions that stand on its level or below, in per cent, and the normalised one
the share of the levels.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from outpace.evaluators import statistics
from outpace.evaluators.statistics import Interval

Unit = Literal["instructions", "cpu_ns"]
BASE, FIT_BASE = 0.1, 0.2
"""By which part of the slower one two neighbours must differ to stand on two levels, beside what short programs differ
by; published for the levels, and for the question whether a task is fit."""
LEAST_COST = 10_000.0
"""What the fastest rung must cost: instructions, as published, or as many nanoseconds of CPU time (one each)."""
MOST_CV, CV_PERCENTILE = 5.0, 99.0
"""What that percentile of the rungs' coefficients of variation may be, in per cent, as published."""
LEAST_LEVELS = 4
"""How many levels make a task fit, as published."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one call of a program cost in each round, with inputs that all programs had in that round and never before.

    ``repeats``: what it cost again and again on the same inputs (rungs only: a program could remember its answers).
    """

    rounds: tuple[float, ...]
    repeats: tuple[float, ...] = ()

    @property
    def typical(self) -> float:
        """The median over the rounds."""
        return float(np.median(self.rounds))

    @property
    def cv(self) -> float:
        """The coefficient of variation over the repeats, in per cent."""
        return float(100 * np.std(self.repeats) / np.mean(self.repeats)) if self.repeats else 0.0

    def over(self, other: "Cost", error: float) -> tuple[float, Interval]:
        """Return how many times ``other``'s cost this is, and an interval that misses the truth that often."""
        logs = np.log(self.rounds) - np.log(other.rounds)
        middle, (low, high) = statistics.centre([logs], [list(range(len(logs)))], error)
        return math.exp(middle), (math.exp(low), math.exp(high))


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """How costs are compared: what two equal programs may differ by, and how often an interval may miss the truth."""

    unit: Unit
    error: float = statistics.ERROR

    @property
    def floor(self) -> float:
        """No difference below it counts: instructions are counted exactly, clocks are not."""
        return 0.0 if self.unit == "instructions" else statistics.DEFAULT_FLOOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One level of speed: its rungs from slow to fast, what the slowest costs, and the scores of who reaches it."""

    rungs: tuple[str, ...]
    cost: Cost
    weight: float
    dps: float
    dps_norm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a program stands: ``level`` counts from 1, 0 is slower than the slowest level.

    ``level`` is the highest that it reaches unless it is slower beyond the noise, ``sure`` the highest that it reaches
    beyond doubt.
    """

    level: int
    sure: int
    dps: float
    dps_norm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """One of the published conditions for a task to be fit: what was found, what was expected, and whether it holds."""

    name: str
    found: str
    expected: str
    passes: bool


@dataclass(frozen=True, slots=True)
class Ladder:
    """Measured rungs: what each costs, and how many known solutions it stands for (1 where nothing is said)."""

    costs: Mapping[str, Cost]
    rule: Rule
    weights: Mapping[str, float] = field(default_factory=dict)

    def levels(self) -> list[Level]:
        """Return the levels, from slow to fast.

        Neighbours stand on two levels where the gap is above the published threshold and their costs surely differ.
        """
        found: list[Level] = []
        total, below = sum(self.weights.get(name, 1.0) for name in self.costs), 0.0
        clusters = self._clusters()
        for number, names in enumerate(clusters, 1):
            weight = sum(self.weights.get(name, 1.0) for name in names)
            below += weight
            scores = {"dps": 100 * below / total, "dps_norm": 100 * number / len(clusters)}
            found.append(Level(rungs=tuple(names), cost=self.costs[names[0]], weight=weight, **scores))
        return found

    def standing(self, program: Cost) -> Standing:
        """Return where a program of this cost stands: on the highest level whose slowest rung costs no less."""
        levels = self.levels()
        ratios = [program.over(level.cost, self.rule.error)[1] for level in levels]
        most = 1 + self.rule.floor
        level, sure = (
            max((number for number, ratio in enumerate(ratios, 1) if ratio[end] <= most), default=0) for end in (0, 1)
        )
        reached = levels[level - 1] if level else None
        return Standing(
            level=level,
            sure=min(sure, level),
            dps=reached.dps if reached else 0.0,
            dps_norm=reached.dps_norm if reached else 0.0,
        )

    def order(self) -> list[str]:
        """Return the names of the rungs, from slow to fast as measured."""
        return sorted(self.costs, key=lambda name: -self.costs[name].typical)

    def misplaced(self) -> list[tuple[str, str]]:
        """Return pairs of neighbours in the files of which the second is surely slower than the first."""
        names = list(self.costs)
        return [(one, other) for one, other in itertools.pairwise(names) if self._slower(other, one)]

    @property
    def variation(self) -> float:
        """The 99th percentile of the rungs' coefficients of variation, in per cent."""
        return float(np.percentile([cost.cv for cost in self.costs.values()], CV_PERCENTILE))

    def filters(self) -> list[Filter]:
        """Return the published conditions for a task to be fit for this score, and whether they hold."""
        least = min(float(np.mean(cost.rounds)) for cost in self.costs.values())
        cv = self.variation
        clusters = len(segments([cost.typical for cost in self.costs.values()], FIT_BASE))
        unit = "instructions" if self.rule.unit == "instructions" else "ns of CPU time"
        return [
            Filter(
                name="fastest rung",
                found=f"{least:,.0f} {unit}",
                expected=f"at least {LEAST_COST:,.0f}",
                passes=least >= LEAST_COST,
            ),
            Filter(
                name="variation",
                found=f"{cv:.1f} % (99th percentile of the rungs)",
                expected=f"at most {MOST_CV:g} %",
                passes=cv <= MOST_CV,
            ),
            Filter(
                name="levels",
                found=f"{clusters} more than {FIT_BASE:.0%} apart",
                expected=f"at least {LEAST_LEVELS}",
                passes=clusters >= LEAST_LEVELS,
            ),
        ]

    def _clusters(self) -> list[list[str]]:
        order = self.order()
        found = [order[:1]]
        for slow, fast in itertools.pairwise(order):
            apart = len(segments([self.costs[slow].typical, self.costs[fast].typical], BASE)) == 2
            if apart and self._slower(slow, fast):
                found.append([])
            found[-1].append(fast)
        return found

    def _slower(self, one: str, other: str) -> bool:
        """Tell whether the first is surely slower."""
        return self.costs[one].over(self.costs[other], self.rule.error)[1][0] > 1 + self.rule.floor


def segments(costs: Sequence[float], base: float) -> list[list[float]]:
    """Return costs from slow to fast, cut into clusters where the relative gap to the next is above a threshold.

    The threshold is ``base + sqrt(10000 / slower)``: the shorter a program, the less its cost says (adaptive
    segmentation in one dimension, as the tool of Liu et al. 2024 does it).
    """
    order = sorted(costs, reverse=True)
    found = [order[:1]]
    for slow, fast in itertools.pairwise(order):
        if (slow - fast) / slow > base + math.sqrt(LEAST_COST / slow):
            found.append([])
        found[-1].append(fast)
    return found
