"""What an evaluation is."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal, Split, Task

INFRA_TRIES = 3  # evaluations of one candidate that may fail by our own fault
UNMEASURED = "not measured on a GPU"
"""What the machine of an evaluation says of ``gpu`` where a program for a GPU was only checked."""
Status = Literal["ok", "wrong", "crashed", "timeout", "refused", "infra"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """Raw pairs of one timed case: times of baseline and candidate on the same inputs, both clocks, in ns.

    A side of a pair may be a batch: its time is the sum over ``*_calls`` calls (empty: one call each), the first of
    them on the same inputs as the other side's. What an exchange of such a batch costs without work has been taken off;
    ``taken_*`` is how much of that the candidate's own process has done (empty: nothing).
    ``groups`` says which pair of fresh processes each pair was taken in (empty: all in one).
    """

    case: str
    baseline_wall_ns: tuple[int, ...]
    candidate_wall_ns: tuple[int, ...]
    baseline_cpu_ns: tuple[int, ...]
    candidate_cpu_ns: tuple[int, ...]
    baseline_calls: tuple[int, ...] = ()
    candidate_calls: tuple[int, ...] = ()
    taken_wall_ns: tuple[int, ...] = ()
    taken_cpu_ns: tuple[int, ...] = ()
    groups: tuple[int, ...] = ()


Clock = Literal["wall", "cpu"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """What the A/A measurement of a baseline against its own copy said of this machine for this task.

    ``clock`` is the clock to trust, ``floor`` the smallest relative gain that can be claimed (0.02: a lower bound above
    1.02), ``wall`` and ``cpu`` the spread of the two clocks it was chosen by, ``pairs`` how many pairs it rests on.
    """

    clock: Clock
    floor: float
    wall: float
    cpu: float
    pairs: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One step of the cascade: ``build``, ``load``, ``smoke``, ``check``, ``measure``."""

    name: str
    wall_s: float
    passed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What the evaluator found. A failed candidate has no score: ``score`` is None unless ``status`` is ``ok``.

    Nor has one that was only checked, for what would measure it is not there: ``unmeasured``.

    ``score`` is in the unit and direction of the goal; ``interval`` what holds it where it was measured with noise
    (95 % in the search, 99 % in final measurements). ``metrics`` are the score per case (``case/<name>``), per problem
    where a case of a metric task has several (``instance/<case>/<number>``, from 1), and further figures, which never
    rank (``outpace.evaluators.further``); ``feedback`` is written for whoever proposes next.
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

    @property
    def unmeasured(self) -> bool:
        """Whether it was found right and nothing more: it has no score and no rank, and is in no leaderboard."""
        return self.status == "ok" and self.score is None

    def standing(self, goal: Goal) -> float | None:
        """Return the rank for a population to keep members by: 0 for all that are unmeasured, None if failed.

        No run has both measured and unmeasured members.
        """
        return 0.0 if self.unmeasured else self.rank(goal)

    def rank(self, goal: Goal) -> float | None:
        """Return what orders candidates: more is better, the pessimistic end of the interval, None without a score."""
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

    async def duel(
        self, task: Task, challenger: Candidate, champion: Candidate, *, split: Split = "train"
    ) -> Evaluation:
        """Time ``challenger`` directly against ``champion`` (speed-up tasks), on fresh seeds, in fresh processes.

        ``score`` is how many times as fast as the champion the challenger is; the challenger has won where the lower
        end of ``interval`` lies above 1 + the noise floor.
        """
        ...

    async def noise(self, task: Task) -> Noise | None:
        """Measure the starting program against its own copy; None for tasks that are not timed.

        The evaluator uses what it found from then on.
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
