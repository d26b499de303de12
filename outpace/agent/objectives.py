"""The objectives of a run beside its goal: chosen, held against what its programs have, and counted in a front."""

from collections.abc import Sequence

from outpace.agent.store.base import Run, RunConfig, Store
from outpace.errors import TaskError, UnknownName, UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks import objectives
from outpace.tasks.spec import Objective, TaskSpec


def chosen(given: Sequence[Objective], spec: TaskSpec) -> tuple[Objective, ...]:
    """Return the objectives of a run: those that the user gave, or else the task's.

    Raises ``UsageError`` for what cannot be one, as far as that is known before a program was judged.
    """
    if found := objectives.fault(spec, given):
        raise UsageError(f"Objective number {found[0] + 1}: {found[1]}.")
    return tuple(given) or spec.objectives


def known_of(start: Evaluation | None, config: RunConfig, *, by_task: bool) -> None:
    """Refuse objectives that the evaluation of the starting program has no figure of.

    Raises ``UsageError``, ``TaskError`` where the task names them (``by_task``). A start that was only checked says
    nothing: its run has no front.
    """
    if start is None or start.unmeasured:
        return
    missing = [one.metric for one in config.objectives if one.metric not in start.metrics]
    if not missing:
        return
    unknown = UnknownName("objective", missing[0], comparable(start))
    if missing[0] in objectives.MEASURED:
        raise UsageError(f"Objective '{missing[0]}': it could not be measured here. {unknown}")
    raise TaskError(f"Task '{config.task_name}', [[objectives]] of task.toml: {unknown}") if by_task else unknown


def comparable(found: Evaluation) -> list[str]:
    """Return the metrics of an evaluation that may be objectives."""
    ours = objectives.TAKEN - objectives.MEASURED.keys()
    return [name for name in found.metrics if name not in ours and not name.startswith(objectives.INSTANCE)]


def front_size(store: Store, run: Run) -> int | None:
    """Return how many programs are in the Pareto front of a run; None for a run without objectives."""
    return len(store.front(run.id, run.config.objectives).members) if run.config.objectives else None
