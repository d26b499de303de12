"""By what programs differ in kind: descriptors, and the cells that programs of one kind share.

After MAP-Elites (Mouret and Clune 2015, https://arxiv.org/abs/1504.04909), with cells whose places the programs
themselves set, as in centroidal variants of it (Vassiliades et al. 2018, https://arxiv.org/abs/1610.05729): no range of
a figure has to be known beforehand, and no cell moves when the range grows.
"""

import itertools
import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from outpace.errors import MarkerError, UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import PROGRAM, Candidate, blocks
from outpace.tasks.spec import Feature

Point = tuple[float | None, ...]
"""Figures of a program, each in steps; None: this program has no such figure."""
Cell = int
_TOKEN = re.compile(r"\d[\w.]*(?:(?<=[eE])[+-]\d+)?|\w+|[^\w\s]")


class Features:
    """Describes programs by the figures that the task has chosen, or else by two that follow from their text.

    The task's: metrics of the evaluation, each in units of its step; one that is missing or not finite (an evaluator
    that stopped early did not get to it) is None.

    By default: length (characters of the evolve blocks, of the whole program where it has none) and difference (how
    many tokens stand in one block and not in the other, as bags, compared with the starting program). Both in
    doublings, log2(1 + x).
    """

    def __init__(self, start: Candidate, chosen: Sequence[Feature] = ()) -> None:
        """Measure differences to ``start``, or take the ``chosen`` figures."""
        self._chosen = tuple(chosen)
        self._start = _tokens(evolving(start))

    def point(self, candidate: Candidate, found: Evaluation) -> Point:
        """Return the figures of a program, as many for every program."""
        if self._chosen:
            return tuple(_steps(found.metrics.get(feature.metric), feature.step) for feature in self._chosen)
        text = evolving(candidate)
        tokens = _tokens(text)
        shared = (tokens & self._start).total()
        difference = tokens.total() + self._start.total() - 2 * shared
        return (math.log2(1 + len(text)), math.log2(1 + difference))


class Cells:
    """At most ``most`` cells, around centres that are points of programs: incremental clustering by doubling.

    After Charikar, Chekuri, Feder and Motwani 1997 ("Incremental clustering and dynamic information retrieval", STOC),
    with one radius for founding and merging. A point farther than the radius from every centre founds a cell, any other
    falls into that of the nearest centre. With one cell too many, the radius doubles until two centres lie within it,
    and then, the oldest first, each centre takes in those within the radius. So centres lie more than the radius apart,
    and points at most twice the radius from the centre of their cell: once the radius has doubled, at most 8 times as
    far as from the best placed centres. Distances are those of the figure that differs most, and the first radius is
    1 step.

    Programs that lack figures share cells only with programs that lack the same, so that one which was stopped early
    displaces none that was measured in full. There are at most ``most`` cells for each set of figures that is met.
    """

    def __init__(self, most: int) -> None:
        """Start without cells."""
        self._most = most
        self._cells = itertools.count()
        self._spaces: dict[tuple[bool, ...], _Space] = {}

    def place(self, point: Point) -> tuple[Cell, Mapping[Cell, Cell]]:
        """Return the cell of a program, and which cells have now been taken in by which others."""
        has = tuple(figure is not None for figure in point)
        space, figures = self._spaces.setdefault(has, _Space()), [figure for figure in point if figure is not None]
        near = space.near(figures)
        if near is not None:
            return near, {}
        cell = next(self._cells)
        space.centres[cell] = figures
        taken = space.merge() if len(space.centres) > self._most else {}
        return taken.get(cell, cell), taken


class _Space:
    """The centres, the oldest first, and the radius of the cells for one set of figures."""

    def __init__(self) -> None:
        self.radius = 1.0
        self.centres: dict[Cell, Sequence[float]] = {}

    def near(self, point: Sequence[float]) -> Cell | None:
        """Return the cell of the nearest centre, of equals the oldest; None if none lies within the radius."""
        far = {cell: _distance(point, centre) for cell, centre in self.centres.items()}
        nearest = min(far, key=far.__getitem__, default=None)
        return nearest if nearest is not None and far[nearest] <= self.radius else None

    def merge(self) -> dict[Cell, Cell]:
        """Double the radius until there are fewer cells; return which were taken in by which."""
        closest = min(_distance(one, other) for one, other in itertools.combinations(self.centres.values(), 2))
        while self.radius < closest:
            self.radius *= 2
        taken: dict[Cell, Cell] = {}
        for cell, centre in self.centres.items():
            if cell not in taken:
                later = (other for other in self.centres if other > cell and other not in taken)
                taken |= {other: cell for other in later if _distance(centre, self.centres[other]) <= self.radius}
        for cell in taken:
            del self.centres[cell]
        return taken


def chosen(features: Sequence[Feature | Mapping[str, Any]]) -> tuple[Feature, ...]:
    """Return the features that a task has chosen, or a user as mappings; raises ``UsageError`` for what is neither."""
    given = features if isinstance(features, Sequence) and not isinstance(features, str) else [features]
    return tuple(one if isinstance(one, Feature) else _feature(one) for one in given)


def _feature(given: object) -> Feature:
    match given:
        case {"metric": str(metric), "step": int(step) | float(step), **rest} if not rest and 0 < step < math.inf:
            return Feature(metric=metric, step=float(step))
    wanted = '[{"metric": "length", "step": 10}], each with a step above 0'
    raise UsageError(f"Strategy: features must be a list such as {wanted}; got {given!r} in it.")


def evolving(candidate: Candidate) -> str:
    """Return what may change of a program; of one whose markers are broken, all."""
    text = candidate.files.get(PROGRAM, "")
    try:
        return "".join(block.text for block in blocks(text)) or text
    except MarkerError:
        return text


def _steps(value: float | None, step: float) -> float | None:
    """Return a figure in steps, or None for one that is not there or not finite."""
    steps = math.nan if value is None else value / step
    return steps if math.isfinite(steps) else None


def _distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Return by how much the figure differs that differs most; 0 where there are none."""
    return max((abs(a - b) for a, b in zip(one, other, strict=True)), default=0.0)


def _tokens(text: str) -> Counter[str]:
    return Counter(_TOKEN.findall(text))
