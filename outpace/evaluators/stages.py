"""The record of the steps that a candidate has come through."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from outpace.evaluators.base import Stage


@dataclass(slots=True)
class Stages:
    """Keeps the time of each stage, so that a failure tells how far the candidate came."""

    done: list[Stage] = field(default_factory=list)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Note how long what happens inside took, and whether it raised."""
        begin = time.perf_counter()
        passed = False
        try:
            yield
            passed = True
        finally:
            self.done.append(Stage(name=name, wall_s=time.perf_counter() - begin, passed=passed))
