"""Stands in for AlgoTune's module AlgoTuneTasks.base: what the tasks take from it, and nothing that times or writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

TASK_REGISTRY: dict[str, type] = {}


def register_task(name: str) -> Callable[[type], type]:
    """Return a decorator that enters a class under a name, unless there is one already."""

    def entered(kind: type) -> type:
        TASK_REGISTRY.setdefault(name, kind)
        return kind

    return entered


class Task:
    """Base of the tasks."""

    def __init__(self, **settings: Any) -> None:
        """Keep what is given, as the original does; none of it matters here."""
        for name in ("n", "dataset_size", "target_time_ms", "data_dir"):
            setattr(self, name, settings.get(name))
        self.task_name = type(self).__name__
        self.k: int | None = None
        self.oracle = self.solve

    def generate_problem(self, n: int, random_seed: int = 1) -> Any:
        """Make the problem of size ``n``."""
        raise NotImplementedError

    def solve(self, problem: Any) -> Any:
        """Answer it."""
        raise NotImplementedError

    def is_solution(self, problem: Any, solution: Any) -> bool:
        """Tell whether an answer is right."""
        raise NotImplementedError
