"""``outpace front``: the programs of a run that no other beats in every objective."""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, cast

import typer

from outpace.agent.cli import records, text
from outpace.agent.cli.home import HomeOption, JsonOption, RunArgument, opened, resolve_home
from outpace.agent.cli.runs import print_table
from outpace.agent.home import default_home
from outpace.agent.store.base import Placed, Run, RunFront, Store
from outpace.errors import UnknownName, UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.spec import Objective

app = typer.Typer()

DIRECTIONS = ("maximise", "minimise")
ObjectiveOption = Annotated[
    list[str] | None,
    typer.Option(
        "--objective",
        metavar="METRIC:DIRECTION",
        help="What to look at beside the score, such as memory_mb:minimise; may be repeated.",
        show_default="the task's",
    ),
]


def objectives_of(texts: Sequence[str]) -> tuple[Objective, ...]:
    """Return the objectives that were written as ``METRIC:DIRECTION``; raises ``UsageError``."""
    return tuple(map(_objective, texts))


def _objective(given: str) -> Objective:
    metric, _, direction = given.rpartition(":")
    if not metric or direction not in DIRECTIONS:
        expected = "expected METRIC:minimise or METRIC:maximise, such as memory_mb:minimise"
        raise UsageError(f"--objective '{given}': {expected}.")
    return Objective(metric=metric, direction=cast(Literal["maximise", "minimise"], direction))


@app.command("front")
def front_command(
    context: typer.Context,
    run: RunArgument,
    *,
    objective: ObjectiveOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the Pareto front of a run: the programs that no other beats in every objective.

    The score, at the pessimistic end of its interval, is the first objective; the others are those of the run, or those
    that are named here. The champion of a run is the best by its score, whatever the others are.
    """
    from outpace.agent.objectives import comparable

    folder = resolve_home(context, home)
    with opened(folder) as store:
        known = store.run(run)
        start = _start(store, known)
        chosen = objectives_of(objective or ()) or known.config.objectives
        if not chosen:
            names = ", ".join(comparable(start))
            raise UsageError(
                f"Run {known.id} has no objectives beside its score. Name some, such as --objective length:minimise; "
                f"there are: {names}."
            )
        _refuse(chosen, comparable(start))
        found = store.front(known.id, chosen)
    if as_json:
        typer.echo(records.dump(record(known, found)))
        return
    print_table(*table(known, found))
    for line in words(known, found, named_home=folder if folder != default_home() else None):
        typer.echo(text.plain(line))


def _start(store: Store, run: Run) -> Evaluation:
    first = next(store.results(run.id), None)
    if first is None or first.evaluation is None:
        raise UsageError(f"Run {run.id} has no results yet: its starting program is not judged.")
    if first.evaluation.unmeasured:
        raise UsageError(f"Run {run.id} has no front: its programs were checked only, and none has a score.")
    return first.evaluation


def _refuse(chosen: Sequence[Objective], there: Sequence[str]) -> None:
    """Refuse objectives that no program of the run has a figure of, and the same twice."""
    for index, one in enumerate(chosen):
        if one.metric not in there:
            raise UnknownName("objective", one.metric, there)
        if one.metric in [other.metric for other in chosen[:index]]:
            raise UsageError(f"--objective {one.metric} was given twice; name each once.")


def table(run: Run, found: RunFront) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows of the table."""
    goal = run.config.goal
    head = ["candidate", goal.name, *(one.metric for one in found.objectives), "made by", ""]
    rows = [
        [
            one.candidate,
            text.score(goal, one.evaluation),
            *(text.number(one.evaluation.metrics[its.metric]) for its in found.objectives),
            f"{one.proposer}, {one.operator} (#{one.brief})",
            "champion" if one.candidate == run.champion else "",
        ]
        for one in found.members
    ]
    return head, rows


def words(run: Run, found: RunFront, *, named_home: Path | None) -> Iterator[str]:
    """Yield the lines below the table; ``named_home`` is the folder that the next commands have to name as well."""
    goal = run.config.goal
    by = [f"{goal.name} ({goal.direction})", *(f"{one.metric} ({one.direction})" for one in found.objectives)]
    counted = text.counted(len(found.members), "program")
    yield f"Front of run {run.id}: {counted}, out of {found.ranked} with a score, by {', '.join(by)}"
    if found.unplaced:
        yield f"Not placed: {text.counted(found.unplaced, 'program')} of which not every objective is known."
    if found.pruned:
        yield f"Left out where the front is crowded: {text.counted(found.pruned, 'program')}."
    if found.members:
        others = (one.candidate for one in found.members if one.candidate != run.champion)
        one = next(others, found.members[0].candidate)
        home = f" --home {shlex.quote(str(named_home))}" if named_home else ""
        yield f"Next: outpace show {one}{home}   or   outpace export {one} -o DIR{home}"


def record(run: Run, found: RunFront) -> dict[str, Any]:
    """Return the front for programs."""
    return {
        "run": run.id,
        "goal": records.goal(run.config.goal),
        "objectives": records.objectives(found.objectives),
        "members": [_member(one, found.objectives, run) for one in found.members],
        "ranked": found.ranked,
        "unplaced": found.unplaced,
        "pruned": found.pruned,
    }


def _member(one: Placed, objectives: Sequence[Objective], run: Run) -> dict[str, Any]:
    return {
        "candidate": one.candidate,
        "score": one.evaluation.score,
        "interval": one.evaluation.interval,
        "objectives": {its.metric: one.evaluation.metrics[its.metric] for its in objectives},
        "brief": one.brief,
        "proposer": one.proposer,
        "operator": one.operator,
        "champion": one.candidate == run.champion,
    }
