"""What an evaluation is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal, Split, Task

INFRA_TRIES = 3  # evaluations of one candidate that may fail by our own fault
Status = Literal["ok", "wrong", "crashed", "timeout", "refused", "infra"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Raw pairs of one timed case: times of baseline and candidate on the same input, both clocks, in ns."""

    case: str
    baseline_wall_ns: tuple[int, ...]
    candidate_wall_ns: tuple[int, ...]
    baseline_cpu_ns: tuple[int, ...]
    candidate_cpu_ns: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of the cascade: ``load``, ``smoke``, ``check``, ``measure``."""

    name: str
    wall_s: float
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What the evaluator found. A failed candidate has no score: ``score`` is None unless ``status`` is ``ok``.

    ``score`` is in the unit and direction of the goal; ``interval`` its 95 % interval where it was measured with noise;
    ``metrics`` per case (``case/<name>``) and secondary figures; ``feedback`` is written for whoever proposes next.
    """

    status: Status
    score: float | None = None
    interval: tuple[float, float] | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    measurements: tuple[Measurement, ...] = ()
    feedback: str = ""
    stages: tuple[Stage, ...] = ()
    machine: Mapping[str, str] = field(default_factory=dict)
    wall_s: float = 0.0

    def rank(self, goal: Goal) -> float | None:
        """Return what orders candidates: more is better, the pessimistic end of the interval, None if failed."""
        if self.status != "ok" or self.score is None:
            return None
        if self.interval is None:
            return goal.rank(self.score)
        return min(goal.rank(bound) for bound in self.interval)


class Evaluator(Protocol):
    """Judges candidates of any task."""

    async def evaluate(
        self, task: Task, candidate: Candidate, *, split: Split = "train", fresh: bool = False
    ) -> Evaluation:
        """Check and measure ``candidate`` on the cases of one split; pure: no memory of other candidates.

        ``fresh``: on other seeds than the search uses (speed-up tasks draw fresh seeds anyway).
        """
        ...


async def evaluated(
    evaluator: Evaluator, task: Task, candidate: Candidate, *, split: Split = "train", fresh: bool = False
) -> Evaluation:
    """Evaluate, and try again what failed by our own fault; ``infra`` comes back only where that did not help."""
    for _ in range(INFRA_TRIES):
        found = await evaluator.evaluate(task, candidate, split=split, fresh=fresh)
        if found.status != "infra":
            break
    return found
