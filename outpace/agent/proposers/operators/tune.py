"""Tune: CMA-ES over the numbers of a program, each sample an evaluated candidate.

A session belongs to a template, so all programs that differ in their numbers only share it. It begins with a wide
sample around the numbers it was opened with and goes on with CMA-ES (Hansen, The CMA evolution strategy: a tutorial,
arXiv:1604.00772) from the best of those; with many numbers, with its diagonal form (Ros, Hansen, PPSN 2008). A restart
is a session of its own, with another seed.

A session is deterministic: its samples follow from its seed and from the values it was told, and from nothing else.
"""

import hashlib
import math
from dataclasses import dataclass, field
from statistics import median

import numpy as np
from cmaes import CMA, SepCMA
from numpy.typing import NDArray

from outpace.agent.proposers.operators.numbers import Template

Array = NDArray[np.float64]

WIDE = 45
"""Samples of the first, wide generation of fresh weights (fewer where there are few numbers)."""
CLOSE = 16
"""Samples of the first generation where all numbers exist already: they are somewhere near a good place."""
SPREAD = 4.0
"""Standard deviation of the first generation in a fresh weight, in units of its feature."""
SHRINK = 0.25
"""Step size after the first generation in a fresh weight, as a part of ``SPREAD``."""
NEAR = (0.01, 0.6)
"""Standard deviations of the first generation in existing numbers, drawn in between for each sample."""
RELATIVE, FLOOR = 0.5, 0.1
"""Unit of an existing number: this part of its size, which is taken as ``FLOOR`` at least."""
WHOLE = 3.0
"""Least unit of a whole number: smaller steps would be rounded away."""
SEPARABLE = 40
"""Above this many numbers only the variances are learnt: the full matrix would take too many evaluations."""
STALL = 9
"""Generations over which a session must get better, or it is over."""


@dataclass(slots=True)
class Sample:
    """One point of a generation: its place in units of the session, and its rank once told (None: failed)."""

    point: Array
    text: str
    told: bool = False
    rank: float | None = None


@dataclass(slots=True)
class Session:
    """One run of the optimiser on one template. ``centre`` and ``unit`` turn its points into numbers."""

    name: str
    template: Template
    centre: Array
    unit: Array
    origin: str
    fresh: NDArray[np.bool_]
    seed: int
    generation: int = 0
    samples: list[Sample] = field(default_factory=list)
    best: float = -math.inf
    best_values: tuple[float, ...] = ()
    tops: list[float] = field(default_factory=list)
    middles: list[float] = field(default_factory=list)
    _cma: CMA | SepCMA | None = None
    _scales: list[float] = field(default_factory=list)
    _ranks: dict[str, float | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Draw the wide generation."""
        self.best_values = tuple(self.centre)
        rng = np.random.default_rng(self.seed)
        for _ in range(min(WIDE if self.fresh.any() else CLOSE, 10 * len(self.centre))):
            scale = math.exp(rng.uniform(*np.log(NEAR)))
            spread = np.where(self.fresh, SPREAD, scale)
            sample = self._sample(rng.normal(size=len(self.centre)) * spread)
            if sample.text not in (one.text for one in self.samples):  # whole numbers are soon exhausted
                self._scales.append(SHRINK * SPREAD if self.fresh.any() else scale)
                self.samples.append(sample)

    def values(self, point: Array) -> tuple[float, ...]:
        """Return the numbers at ``point``."""
        return tuple(float(value) for value in np.clip(self.centre + point * self.unit, -1e11, 1e11))

    def tell(self, generation: int, index: int, rank: float | None) -> None:
        """Record the rank of a sample (more is better, None: failed); the last one of a generation begins the next."""
        if generation != self.generation or not 0 <= index < len(self.samples):
            return
        sample = self.samples[index]
        if sample.told:
            return
        self._ranks[sample.text] = rank
        for twin in self.samples:
            if twin.text == sample.text:
                twin.told, twin.rank = True, rank
        if rank is not None and rank > self.best:
            self.best, self.best_values = rank, self.values(sample.point)
        while not self.over and all(sample.told for sample in self.samples):
            self._advance()

    @property
    def over(self) -> bool:
        """Whether going on is not worth while: converged, or neither best nor median got better for a while."""
        if self._cma is not None and self._cma.should_stop():
            return True
        if len(self.tops) <= 2 * STALL or max(self.tops[-STALL:]) > max(self.tops[:-STALL]):
            return False
        return median(self.middles[-STALL:]) <= median(self.middles[-2 * STALL : -STALL])

    def _sample(self, point: Array) -> Sample:
        """Return the sample at ``point``; one that has been evaluated before is told already."""
        text = self.template.write(self.values(point))
        return Sample(point, text, text in self._ranks, self._ranks.get(text))

    def _advance(self) -> None:
        ranks = [sample.rank for sample in self.samples]
        values = [-math.inf if rank is None else rank for rank in ranks]
        self.tops.append(max(values))
        self.middles.append(median(values))
        if self._cma is None:
            self._cma = self._begin(ranks)
        else:
            self._cma.tell(_losses(self.samples))
        self.generation += 1
        self.samples = [self._sample(self._cma.ask()) for _ in range(self._cma.population_size)]

    def _begin(self, ranks: list[float | None]) -> CMA | SepCMA:
        """Start CMA-ES at the best point of the wide generation, or at the centre if that is better."""
        best = max(range(len(ranks)), key=lambda index: -math.inf if ranks[index] is None else ranks[index] or 0.0)
        rank = ranks[best]
        better = rank is not None and rank >= self.best
        mean = self.samples[best].point if better else np.zeros(len(self.centre))
        sigma = self._scales[best] if rank is not None else NEAR[0]
        kind = SepCMA if len(mean) > SEPARABLE else CMA
        return kind(mean=mean.copy(), sigma=sigma, seed=self.seed % 2**32)


@dataclass(frozen=True, slots=True)
class Opening:
    """Where a session begins: the program whose numbers these are, its rank, and the positions of fresh weights.

    Fresh weights, which ``parametrise`` has just added, are searched widely and measured in units of 1.
    """

    template: Template
    values: tuple[float, ...]
    origin: str
    rank: float
    fresh: frozenset[int] = frozenset()


def open_session(opening: Opening, *, name: str, seed: int) -> Session:
    """Return a new session; ``name`` and ``seed`` alone decide its chance."""
    template, centre = opening.template, np.array(opening.values)
    unit = RELATIVE * np.maximum(np.abs(centre), FLOOR)
    new = np.isin(np.arange(len(centre)), list(opening.fresh))
    unit[new] = 1.0
    whole = np.array([slot.whole for slot in template.slots])
    unit[whole] = np.maximum(unit[whole], WHOLE)
    digest = int.from_bytes(hashlib.sha256(f"{seed} {name}".encode()).digest()[:6], "big")
    return Session(name, template, centre, unit, opening.origin, new, digest, best=opening.rank)


def _losses(samples: list[Sample]) -> list[tuple[Array, float]]:
    """Return points with losses for CMA-ES; failures are a little worse than the worst success."""
    known = [-sample.rank for sample in samples if sample.rank is not None]
    worst = max(known) + 1.0 if known else 0.0
    return [(sample.point, worst if sample.rank is None else -sample.rank) for sample in samples]
