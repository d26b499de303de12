"""Performance-exercising inputs: grown until they tell the rungs of a ladder apart.

As Liu et al. 2024 (COLM, arXiv 2408.06450, section 3.1) and the tool that comes with the paper do it: the scale is
doubled until an input takes too long to make or to answer, or too much memory, and the costliest input on which
no reference solution fails is kept. Here the scale is a parameter of a case, and growing ends as soon as every rung has
a level of its own.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from outpace.errors import UsageError
from outpace.evaluators import correctness
from outpace.evaluators.correctness import Failure
from outpace.evaluators.costs import Course, Fails
from outpace.evaluators.hop import hop
from outpace.evaluators.ladder import Ladder
from outpace.evaluators.loading import Loader
from outpace.evaluators.machine import available_cores, lane
from outpace.evaluators.scoring import PERFORMANCE, broken, measured
from outpace.sandbox.base import Sandbox
from outpace.tasks.deadline import Passed
from outpace.tasks.ladder import Rung
from outpace.tasks.spec import Case, Task

CALL_S, INPUT_MB, STEPS = 20.0, 64, 26
"""What a call of any rung may take, and making an input; how large an input may be; how often the scale is doubled."""
LOOKS, WALL_S = (5, 9), 15.0
"""After how many rounds it is looked whether a step is decided, and after how long it has no more than the least."""
SEED = 9_000_000
"""Where the seeds of the case begin that comes of it: away from those of others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One size of inputs: its case, and the ladder measured there, or why there is none (``limit``)."""

    case: Case
    ladder: Ladder | None = None
    limit: str = ""
    why: str = ""

    @property
    def separates(self) -> bool:
        """Whether every rung has a level of its own there, in the order of the files."""
        if self.ladder is None or self.ladder.misplaced():
            return False
        return len(self.ladder.levels()) == len(self.ladder.costs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grown:
    """All steps from small to large. ``chosen``: the last on which no rung failed."""

    steps: tuple[Step, ...]

    @property
    def chosen(self) -> Step:
        """The step whose inputs are to be used."""
        return [step for step in self.steps if step.ladder is not None][-1]

    @property
    def case(self) -> Case:
        """The case for ``task.toml``: the champion of a run is tried on it, the search never is."""
        return replace(self.chosen.case, name=PERFORMANCE, split="ood", seed=SEED, instances=1, timed=True)


def growing(case: Case, names: Sequence[str] = (), *, start: int | None = None) -> tuple[Case, tuple[str, ...]]:
    """Return the case to begin with, and the names of the parameters that grow: ``names``, or all whole numbers.

    ``start``: what those begin with, in place of what the case has. Raises ``UsageError`` for a parameter that is no
    whole number above 0.
    """
    whole = [name for name, value in case.params.items() if type(value) is int and value > 0]
    for name in names:
        if name not in whole:
            given = f"{name} = {case.params[name]!r}" if name in case.params else f"no parameter '{name}'"
            known = ", ".join(whole) or "none"
            raise UsageError(f"Case '{case.name}' has {given}; whole numbers above 0 can grow, there: {known}.")
    grow = tuple(dict.fromkeys(names)) or tuple(whole)
    if not grow:
        raise UsageError(f"Case '{case.name}' has no parameter that is a whole number above 0, so nothing can grow.")
    begin = dict.fromkeys(grow, start) if start is not None else {}
    return replace(case, params={**case.params, **begin}), grow


async def grown(
    sandbox: Sandbox,
    task: Task,
    rungs: Sequence[Rung],
    case: Case,
    names: Sequence[str],
    *,
    seen: Callable[[Step], None] = lambda step: None,
) -> Grown:
    """Double the parameters ``names`` of ``case`` until the rungs stand apart or a limit is met.

    ``seen`` is called with each step as soon as it is done.

    Raises:
        TaskError: a rung answers wrongly, with its name.
        UsageError: the very first inputs are beyond a limit already.
        SandboxUnavailable: a fault of the sandbox.
    """
    patient = _patient(task)
    steps: list[Step] = []
    for doubling in range(STEPS + 1):
        grow = {name: case.params[name] * 2**doubling for name in names}
        step = await _step(Loader(sandbox), patient, rungs, replace(case, params={**case.params, **grow}))
        if step.ladder is None and not steps:
            first = ", ".join(f"{name} = {value}" for name, value in grow.items())
            raise UsageError(f"Task '{task.spec.name}': {step.limit}, on the first inputs already ({first}).")
        steps.append(step)
        seen(step)
        if step.separates or step.ladder is None:
            break
    return Grown(steps=tuple(steps))


async def _step(loader: Loader, task: Task, rungs: Sequence[Rung], case: Case) -> Step:
    """Measure all rungs on one size of inputs, in fresh workers; raises ``TaskError`` where a rung answers wrongly."""
    if limit := await _too_large(task, case):
        return Step(case=case, limit=limit)
    free, programs = lane(available_cores(), task.spec.limits.threads), {rung.name: rung.candidate for rung in rungs}
    course = Course(task=task, case=case, cores=free.cores, needed=programs, looks=LOOKS, wall_s=WALL_S)
    try:
        weighing, found = await measured(loader, course, programs, {rung.name: rung.weight for rung in rungs}, free)
        return Step(case=case, ladder=weighing.ladder, why=found.why)
    except Fails as fails:
        if fails.failure.status in ("wrong", "refused"):
            raise broken(task, fails) from fails
        return Step(case=case, limit=f"rung '{fails.name}' fails ({_how(fails.failure)})")


def _how(failure: Failure) -> str:
    """Return how a rung came to its end."""
    return f"{failure.status}: no answer within {CALL_S:g} s" if failure.status == "timeout" else failure.status


async def _too_large(task: Task, case: Case) -> str:
    """Return why inputs of this size cannot be made, or are too large to be used; empty if they can."""
    try:
        problem = await hop(task.generate, case, correctness.fresh_seed(), limit_s=CALL_S)
    except Passed:
        return f"making an input takes more than {CALL_S:g} s"
    except Exception as error:  # noqa: BLE001  a generator that cannot go on ends the growth, whatever it says
        return f"the task makes no inputs of this size ({type(error).__name__}: {error!s:.100})"
    size_mb = correctness.held(problem) / 2**20
    return f"an input takes {size_mb:.0f} MB, at most {INPUT_MB} are used" if size_mb > INPUT_MB else ""


def _patient(task: Task) -> Task:
    """Return the task with ``CALL_S`` for a call, and with CPU time for as many calls as are made."""
    patient = copy.copy(task)
    limits = replace(task.spec.limits, wall_s=CALL_S, cpu_s=max(task.spec.limits.cpu_s, 100 * CALL_S))
    patient.spec = replace(task.spec, limits=limits)
    return patient
