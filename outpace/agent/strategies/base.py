"""The seam for search strategies."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from outpace.agent.proposal import Brief, Result
from outpace.tasks.spec import Goal

Ranges = Mapping[str, Sequence[Any]]
"""From where sensible values of parameters may be drawn, by their names: see ``Strategy``."""


class Strategy(Protocol):
    """Decides what to try next and who survives. No input or output, no clock, no chance but its seed.

    Constructed as ``Class(goal, seed=…, **parameters)``. A parameter named ``evaluations`` (the budget), ``language``,
    ``device`` or ``features`` (those of the task), ``objectives`` (those of the run, beside the goal; ``Front`` keeps
    what is best by them), or ``target`` (what its programs are hinted at as, ``hints.py``) gets the run's, unless the
    user gives another.

    Its memory is a fold over what it was told; ``state`` holds the rest (counters of asks), small and JSON, so that
    ``tell`` of all stored results followed by ``restore`` of the last stored state gives the same next asks as no
    interruption. The first result told is the starting program's, with ``brief.number`` 0. Where models are asked,
    briefs get other numbers on their way (``Guided``) and results come of repairs that nobody here asked for: a
    strategy knows its own by their ``note``. One that gives failed programs back by itself, to be mended, has a class
    attribute ``repairs = True``, and nobody else does it then.

    A class attribute ``RANGES`` states from where sensible values of parameters may be drawn (by ``outpace compare
    --draws``): a pair of whole numbers or of decimal numbers, both ends included, or else choices. For instance
    ``{"islands": (1, 8), "exploitation": (0.1, 0.9)}``.
    """

    def __init__(self, goal: Goal, *, seed: int = 0) -> None:
        """Start with an empty population."""
        ...

    def ask(self, n: int) -> list[Brief]:
        """Return up to ``n`` briefs. Many may be in flight; an empty list means: wait for results."""
        ...

    def tell(self, results: Sequence[Result]) -> None:
        """Learn what became of briefs, in any order."""
        ...

    def state(self) -> Mapping[str, Any]:
        """Return what cannot be rebuilt from the results alone."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take back what ``state`` returned, after all stored results were told."""
        ...
