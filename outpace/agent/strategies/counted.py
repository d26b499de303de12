"""What most strategies share: all that they remember beside the results is how often they were asked."""

from collections.abc import Mapping
from typing import Any

from outpace.agent.proposal import Brief
from outpace.agent.strategies.parameters import asks_of, whole
from outpace.tasks.spec import Goal


class Counted:
    """Base of strategies whose asks follow from their number, the seed and what was told.

    A subclass defines ``tell``, ``_ready`` and ``_next``, which makes the brief of ask number ``_asks``; or ``ask``
    itself, where not every ask can be served.
    """

    def __init__(self, goal: Goal, *, seed: int = 0) -> None:
        """Begin with no ask; raises ``UsageError`` for a seed that is none."""
        self._goal, self._seed = goal, whole("seed", seed, least=0)
        self._asks = 0

    def ask(self, n: int) -> list[Brief]:
        """Return ``n`` briefs; none before the starting program has been told."""
        briefs: list[Brief] = []
        for _ in range(n if self._ready() else 0):
            self._asks += 1
            briefs.append(self._next())
        return briefs

    def state(self) -> Mapping[str, Any]:
        """Return the number of asks."""
        return {"asks": self._asks}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on after that many asks."""
        self._asks = asks_of(state)

    def _ready(self) -> bool:
        """Return whether there is something to ask for."""
        raise NotImplementedError

    def _next(self) -> Brief:
        """Return the brief of this ask."""
        raise NotImplementedError
