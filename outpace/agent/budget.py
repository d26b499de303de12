"""What a run may spend: evaluations, wall time, model calls, tokens, dollars; whichever ends first."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from outpace.agent.proposal import ModelUsage
from outpace.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Spent:
    """What a run has used. ``usd`` counts known prices only; ``unpriced_calls`` tells how many calls had none."""

    evaluations: int = 0
    wall_s: float = 0.0
    model_calls: int = 0
    tokens: int = 0
    usd: float = 0.0
    unpriced_calls: int = 0

    @classmethod
    def on(cls, usage: ModelUsage) -> "Spent":
        """Return what model calls have cost."""
        unpriced = usage.calls if usage.cost_usd is None else 0
        return cls(model_calls=usage.calls, tokens=usage.tokens, usd=usage.cost_usd or 0.0, unpriced_calls=unpriced)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Upper bounds on what a run spends over all its sittings; None means unbounded."""

    evaluations: int | None = None
    wall_s: float | None = None
    model_calls: int | None = None
    tokens: int | None = None
    usd: float | None = None

    def __post_init__(self) -> None:
        """Refuse bounds that are not positive, and a budget without any bound."""
        for bound in fields(self):
            value = getattr(self, bound.name)
            if value is not None and not value > 0:
                raise UsageError(f"Budget: {bound.name} must be above 0, got {value}.")
        if all(getattr(self, bound.name) is None for bound in fields(self)):
            raise UsageError("Budget: at least one bound is needed (evaluations, wall_s, model_calls, tokens or usd).")

    def exhausted(self, spent: Spent) -> str | None:
        """Return the name of the first bound that ``spent`` has reached, or None while there is something left."""
        for bound in fields(self):
            limit = getattr(self, bound.name)
            if limit is not None and getattr(spent, bound.name) >= limit:
                return bound.name
        return None

    def left(self, spent: Spent) -> dict[str, float]:
        """Return what is left of each bound that is set."""
        return {
            bound.name: max(0, limit - getattr(spent, bound.name))
            for bound in fields(self)
            if (limit := getattr(self, bound.name)) is not None
        }

    def as_dict(self) -> dict[str, Any]:
        """Return the bounds that are set."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, bounds: Mapping[str, Any]) -> "Budget":
        """Make a budget from what ``as_dict`` returned."""
        return cls(**bounds)
