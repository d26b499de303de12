"""The figures of a set of tasks: those of a checkout of another tool, or the bundled ones."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from outpace.agent.cli import text
from outpace.agent.store.base import Entry, Store
from outpace.errors import UnknownName
from outpace.evaluators.base import Evaluation
from outpace.evaluators.sets import algotune_score, fast_p
from outpace.tasks.spec import Goal

LIBRARY = "library"
FASTER_THAN = (0, 1, 2)
"""The p of fast_p that are told."""
_NAMED = 6  # tasks without a champion that are named


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskSet:
    """The tasks of a set by the texts that their runs name them by, what is known of their goals, and their champions.

    ``speedups`` are the tasks that figures of speed are worked out for; the others ask for a better answer.
    """

    name: str
    tasks: tuple[str, ...]
    speedups: tuple[str, ...]
    champions: Mapping[str, Entry]

    @property
    def missing(self) -> list[str]:
        """The tasks without a champion."""
        return [task for task in self.tasks if task not in self.champions]

    def finals(self) -> list[Evaluation | None]:
        """Return the last measurement of each speed-up task, held-out where there is one; None where it has none."""
        return [_final(self.champions.get(task)) for task in self.speedups]


def found(store: Store | None, name: str) -> TaskSet:
    """Return the set ``library`` or ``FORMAT:PATH`` with the champions of a store (None: there are no runs yet).

    Of several runs of a task those count that were made on the task as its newest run found it, and the best of them,
    as on the leaderboard. A task that nothing is known of is taken for what the others of its set are. Raises
    ``TaskError`` and ``UnknownName`` where there is no such set.
    """
    from outpace.tasks import registry
    from outpace.tasks.importers import source

    goals: dict[str, Goal] = {}
    if name == LIBRARY:
        goals = {spec.name: spec.goal for spec in registry.specs()}
        tasks = list(goals)
    elif not source.is_source(name):
        raise UnknownName("set", name, [LIBRARY, *(f"{one}:PATH" for one in source.FORMATS)])
    else:
        tasks = [registry.absolute(one) for one in source.listed(name)]
    runs = [run for run in (store.runs() if store else []) if run.config.task in set(tasks)]
    newest: dict[str, str] = {}
    for run in runs:  # the newest first
        newest.setdefault(run.config.task, run.config.task_fingerprint)
        goals.setdefault(run.config.task, run.config.goal)
    champions: dict[str, Entry] = {}
    for entry in store.leaderboard() if store else []:  # the best first
        config = entry.run.config
        if newest.get(config.task) == config.task_fingerprint:
            champions.setdefault(config.task, entry)
    kinds = {task: goal.kind for task, goal in goals.items()}
    usual = "metric" if kinds and set(kinds.values()) == {"metric"} else "speedup"
    speedups = tuple(task for task in tasks if kinds.get(task, usual) == "speedup")
    return TaskSet(name=name, tasks=tuple(tasks), speedups=speedups, champions=champions)


def _final(entry: Entry | None) -> Evaluation | None:
    """Return the measurement that counts of a champion, None where it failed."""
    if entry is None:
        return None
    final = entry.heldout or entry.evaluation
    return final if final.status == "ok" and final.score is not None else None


def record(one: TaskSet) -> dict[str, Any]:
    """Return the figures of a set; those of speed are null where no task of it is a speed-up."""
    finals = one.finals()
    right = [final.score for final in finals if final is not None and final.score is not None]
    counts = bool(one.speedups)
    return {
        "set": one.name,
        "tasks": len(one.tasks),
        "speedup_tasks": len(one.speedups),
        "champions": len(one.champions),
        "missing": one.missing,
        "algotune_score": algotune_score([_mean_of_ratios(final) for final in finals]) if counts else None,
        "paired_score": algotune_score([final.score if final else None for final in finals]) if counts else None,
        "paired_lower_bound": algotune_score([_lower_bound(final) for final in finals]) if counts else None,
        "fast_p": {str(p): fast_p(right, len(finals), p) for p in FASTER_THAN} if counts else None,
    }


def _mean_of_ratios(final: Evaluation | None) -> float | None:
    return None if final is None else final.metrics.get("mean_of_ratios", final.score)


def _lower_bound(final: Evaluation | None) -> float | None:
    return None if final is None else final.interval[0] if final.interval else final.score


def lines(one: TaskSet) -> Iterator[str]:
    """Yield what is said of a set below the table of its champions."""
    told = record(one)
    yield f"Set {one.name}: {told['champions']} of {text.counted(len(one.tasks), 'task')} have a champion."
    if one.speedups:
        yield from text.columns(_rows(told))
    else:
        yield "None of them is a speed-up, so there is no AlgoTune score and no fast_p."
    if one.speedups and len(one.speedups) < len(one.tasks):
        yield f"The {len(one.tasks) - len(one.speedups)} tasks that ask for a better answer are not in these figures."
    if one.missing:
        rest = len(one.missing) - _NAMED
        more = f" and {rest} more" if rest > 0 else ""
        yield f"Without a champion: {', '.join(one.missing[:_NAMED])}{more}. Next: outpace run {one.missing[0]}"


def _rows(told: Mapping[str, Any]) -> Sequence[tuple[str, str, str]]:
    return [
        (
            "  AlgoTune score",
            text.number(told["algotune_score"]),
            "harmonic mean of max(1, mean of ratios); without a champion a task counts 1",
        ),
        ("  paired score", text.number(told["paired_score"]), "the same of our scores, which rank"),
        ("  lower bounds", text.number(told["paired_lower_bound"]), "the same of the lower ends of their intervals"),
        *(
            (
                f"  fast_{p}",
                text.percent(share),
                f"of all {told['speedup_tasks']}: right" + (f" and more than {p}x as fast" if int(p) else ""),
            )
            for p, share in told["fast_p"].items()
        ),
    ]
