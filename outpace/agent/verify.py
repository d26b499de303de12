"""Is it true, here and now? The final measurement of a stored candidate, made again."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from outpace.agent.conditions import least_level, opened_sandbox, task_of
from outpace.agent.store.base import Run, Store
from outpace.evaluators import integrity
from outpace.evaluators.base import UNMEASURED, Clock, Evaluation, Evaluator, Noise, evaluated
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.evaluators.machine import machine
from outpace.evaluators.statistics import measurable, speedup
from outpace.sandbox.base import Containment, Level
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal, Split, Task

SPLITS: tuple[Split, ...] = ("train", "heldout")
TOLERANCE = 1e-9  # relative: libraries of other versions round sums differently
NOT_COMPARED = ("level", "sandbox", "clock", "noise_floor", "noise", "gpu")  # of a record of a machine: how, not where


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A final measurement made again, beside what the store has of it; by split.

    ``noise`` was measured again too (None for metric tasks), ``here`` is this machine and ``there`` the recorded one.
    ``fresh`` tells whether the training inputs were other ones than the search's, ``unnoticed`` what nothing of this
    would show.
    """

    run: Run
    candidate: Candidate
    found: Mapping[Split, Evaluation]
    recorded: Mapping[Split, Evaluation]
    noise: Noise | None
    containment: Containment
    sandbox: str
    fresh: bool = True
    unnoticed: Sequence[str] = ()
    here: Mapping[str, str] = field(default_factory=machine)
    at: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))

    @property
    def there(self) -> Mapping[str, str]:
        """The machine that the recorded evaluation was made on."""
        recorded = next(iter(self.recorded.values()), None)
        return recorded.machine if recorded else {}

    @property
    def elsewhere(self) -> list[str]:
        """Return the names of what differs between this machine and the recorded one."""
        names = {*self.here, *self.there} - {*NOT_COMPARED}
        return sorted(name for name in names if self.there and self.here.get(name) != self.there.get(name))


async def measure_again(
    store: Store, run: Run, candidate: Candidate, *, sandbox: str | None = None, level: Level | None = None
) -> Evidence:
    """Measure a candidate of a run on held-out inputs and on fresh training ones, in the run's own sandbox or another.

    Raises:
        TaskError: the task has changed since the run.
        SandboxUnavailable: this host cannot isolate as asked.
    """
    config, task = run.config, task_of(run)
    recorded: dict[Split, Evaluation] = store.confirmations(run.id, candidate.id)
    fresh = task.spec.goal.kind == "speedup" or "train" in recorded
    own = store.evaluation(run.id, candidate.id)
    if "train" not in recorded and own:
        recorded = {"train": own, **recorded}
    chosen = sandbox or config.sandbox
    least = level or (config.level if chosen == config.sandbox else least_level(chosen))
    with opened_sandbox(chosen, least, task) as (box, containment):
        evaluator = CascadeEvaluator(box, level=containment.level)
        noise = await evaluator.noise(task)
        found = await _measured(evaluator, task, candidate, fresh=fresh)
    return Evidence(
        run=run,
        candidate=candidate,
        found=found,
        recorded={split: one for split, one in recorded.items() if split in found},
        noise=noise,
        containment=containment,
        sandbox=chosen,
        fresh=fresh,
        unnoticed=integrity.unnoticed(task),
    )


async def _measured(evaluator: Evaluator, task: Task, candidate: Candidate, *, fresh: bool) -> dict[Split, Evaluation]:
    """Evaluate on each split that the task has, as the end of a run does."""
    timed = task.spec.goal.kind == "speedup"
    return {
        split: await evaluated(evaluator, task, candidate, split=split, fresh=fresh if split == "train" else timed)
        for split in SPLITS
        if task.spec.split(split)
    }


def fault(evidence: Evidence, split: Split) -> str | None:
    """Return why the figure of one split does not hold, in a word or two; None if it does.

    Speed-ups: the lower bound must lie above 1 + the noise of this machine; on the recorded machine the figure must
    not stay behind the recorded one by more than both intervals and the noise explain. Metrics: the recorded value.
    What is not measured here holds if it is right and no figure was recorded.
    """
    goal, found, recorded = evidence.run.config.goal, evidence.found[split], evidence.recorded.get(split)
    if found.unmeasured:
        return None if recorded is None or recorded.unmeasured else UNMEASURED
    if found.status != "ok" or found.score is None:
        return found.status
    if recorded is None or recorded.score is None:
        return None if goal.kind == "metric" or measurable(found, _floor(evidence)) else "no measurable gain"
    if goal.kind == "metric":
        same = math.isclose(found.score, recorded.score, rel_tol=TOLERANCE, abs_tol=TOLERANCE)
        return None if same else "another value"
    if not measurable(found, _floor(evidence)):
        return "no measurable gain"
    high, low = (found.interval or (0.0, found.score))[1], (recorded.interval or (recorded.score, 0.0))[0]
    return "slower than recorded" if not evidence.elsewhere and high * (1 + _floor(evidence)) < low else None


def by_clock(goal: Goal, found: Evaluation) -> dict[Clock, float]:
    """Return the speed-up by each clock; nothing for metrics and for evaluations without pairs."""
    if goal.kind != "speedup" or not found.measurements:
        return {}
    clocks: tuple[Clock, ...] = ("wall", "cpu")
    return {clock: speedup(found.measurements, clock=clock)[0] for clock in clocks}


def _floor(evidence: Evidence) -> float:
    return evidence.noise.floor if evidence.noise else 0.0
