"""Stands in for OpenEvolve's module of this name, so that evaluators can be imported without OpenEvolve."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class EvaluationResult:
    """Figures by name, and words for whoever proposes next (text or bytes by name)."""

    metrics: dict[str, Any]
    artifacts: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, metrics: dict[str, Any]) -> EvaluationResult:
        """Return a result without words."""
        return cls(metrics)

    def to_dict(self) -> dict[str, Any]:
        """Return the figures."""
        return self.metrics

    def has_artifacts(self) -> bool:
        """Tell whether there are words."""
        return bool(self.artifacts)

    def get_artifact_keys(self) -> list[str]:
        """Return the names of the words."""
        return list(self.artifacts)

    def get_artifact_size(self, key: str) -> int:
        """Return how many bytes the words of this name take; 0 where there are none."""
        value = self.artifacts.get(key, b"")
        return len(value if isinstance(value, bytes) else str(value).encode())

    def get_total_artifact_size(self) -> int:
        """Return how many bytes all words take."""
        return sum(map(self.get_artifact_size, self.artifacts))
