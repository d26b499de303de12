"""``outpace score``: which of the known levels of speed of a task a program reaches."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outpace.agent.cli import records, text
from outpace.agent.cli.candidates import START
from outpace.agent.cli.home import HomeOption, JsonOption, LevelOption, SandboxOption, known_level, opened, resolve_home
from outpace.errors import UsageError
from outpace.plugins import DEFAULT_SANDBOX
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Task

if TYPE_CHECKING:
    from outpace.evaluators.ladder import Cost, Filter, Ladder, Unit
    from outpace.evaluators.scoring import Found, Scored

app = typer.Typer()

CaseOption = Annotated[
    str | None,
    typer.Option(
        "--case", metavar="NAME", help="The timed case to measure on.", show_default="performance, or the first"
    ),
]


@app.command("score")
def score_command(  # noqa: PLR0913  each option is a parameter
    context: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help="As for `outpace run`; it must have a ladder.")],
    programs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROGRAM…]", help="Files, ids of candidates, or `start` (default).", show_default=False
        ),
    ] = None,
    *,
    case: CaseOption = None,
    sandbox: SandboxOption = DEFAULT_SANDBOX,
    level: LevelOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Tell which of a task's known levels of speed a program reaches.

    The ladder of the task, reference solutions from slow to fast, is measured beside the programs, on the same inputs.
    DPS: per cent of the known solutions on the level reached or below. The exit code is 1 if a program fails.
    """
    from outpace.evaluators.machine import machine
    from outpace.evaluators.scoring import case_of, scored
    from outpace.tasks import ladder, registry

    found_task = registry.find(task)
    chosen, rungs = case_of(found_task, case), ladder.read(found_task)
    named = _named(found_task, programs or [START], context, home)
    from outpace.agent.conditions import least_level, opened_sandbox

    with opened_sandbox(sandbox, least_level(sandbox, known_level(level)), found_task) as (box, held):
        found = asyncio.run(scored(box, found_task, rungs, list(named.values()), chosen))
    if as_json:
        here = {**machine(), "sandbox": sandbox, "level": held.level}
        typer.echo(records.dump({"task": found_task.spec.name, **_record(found, list(named)), "machine": here}))
    else:
        for line in _description(found_task, found, list(named)):
            typer.echo(text.plain(line))
    if any(one.status != "ok" for one in found.programs):
        raise typer.Exit(1)


def _named(task: Task, given: Sequence[str], context: typer.Context, home: Path | None) -> dict[str, Candidate]:
    """Return the programs that were named, each once: files (``.py``, or with a slash), ``start``, stored candidates.

    Raises ``UsageError`` for a file that cannot be read as text, and for candidates of another task.
    """
    found = {}
    for name in dict.fromkeys(given):
        if name == START:
            found[name] = task.start
        elif "/" in name or name.endswith(".py"):
            found[name] = task.start.with_program(_read(Path(name)))
        else:
            found[name] = _stored(task, name, resolve_home(context, home))
    return found


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except FileNotFoundError as error:
        raise UsageError(f"There is no file '{path}'; expected a program, the id of a candidate, or start.") from error
    except UnicodeDecodeError as error:
        raise UsageError(
            f"The file '{path}' is no text (byte {error.start} is not UTF-8); expected a program."
        ) from error


def _stored(task: Task, given: str, home: Path) -> Candidate:
    from outpace.agent.cli.dossier import open_dossier

    with opened(home) as store:
        dossier = open_dossier(store, given)
    if dossier.run.config.task_name != task.spec.name:
        raise UsageError(
            f"Candidate '{given}' is a program for {dossier.run.config.task_name}, expected one for {task.spec.name}."
        )
    return dossier.candidate


def cost_line(unit: "Unit", why: str) -> str:
    """Return what costs are, and why they are nothing better."""
    return f"cost: CPU clock; no instruction counter: {why}" if unit == "cpu_ns" else "cost: CPU instructions"


def amount(unit: "Unit", cost: float) -> str:
    """Return a cost with its unit: ``1.9 ms``, ``2.345e+06``."""
    if unit == "instructions":
        return f"{cost:.4g} instr"
    for name, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if cost >= size:
            return f"{text.number(cost / size)} {name}"
    return f"{text.number(cost)} ns"


def rungs_table(ladder: "Ladder") -> list[str]:
    """Return the measured ladder as lines, from slow to fast: level, rung, cost, variation, weight, scores."""
    rows = [("level", "rung", "cost of a call", "CV", "stands for", "DPS", "DPS norm")]
    for number, level in enumerate(ladder.levels(), 1):
        for name in level.rungs:
            cost = ladder.costs[name]
            row = (str(number), name, amount(ladder.rule.unit, cost.typical), f"{cost.cv:.1f} %")
            scores = (f"{level.dps:.1f}", f"{level.dps_norm:.1f}")
            rows.append((*row, text.number(ladder.weights.get(name, 1.0)), *scores))
    return text.columns(rows)


def fitness(ladder: "Ladder") -> Iterator[str]:
    """Yield what the published filters say of the task, and where rungs do not stand in the order of their files."""
    failed = [one for one in ladder.filters() if not one.passes]
    for one in failed:
        yield f"Not fit by the published filter '{one.name}': {one.found}, expected {one.expected}."
    if not failed:
        yield "Fit for this score by the published filters (cost of the fastest rung, variation, levels)."
    for slow, fast in ladder.misplaced():
        yield f"Out of order: {fast} is slower than {slow} here, though its file comes later."


def _description(task: Task, found: "Scored", names: Sequence[str]) -> Iterator[str]:
    ladder = found.ladder
    count = len(ladder.levels())
    yield f"{task.spec.name}, case {_told(found.case)}: {text.counted(count, 'level')}, {found.rounds} rounds"
    yield cost_line(ladder.rule.unit, found.why)
    yield ""
    yield from rungs_table(ladder)
    yield ""
    rows = [("program", "cost of a call", "level", "DPS", "DPS norm")]
    rows += [_row(name, one, ladder) for name, one in zip(names, found.programs, strict=True)]
    yield from text.columns(rows)
    for name, one in zip(names, found.programs, strict=True):
        if one.status != "ok":
            yield f"{name} fails ({one.status}): {text.first_line(one.feedback)}"
    yield ""
    yield from fitness(ladder)


def _row(name: str, one: "Found", ladder: "Ladder") -> tuple[str, str, str, str, str]:
    if one.standing is None or one.cost is None:
        return name, f"fails: {one.status}", "-", "-", "-"
    where = one.standing
    sure = f" (surely {where.sure})" if where.sure != where.level else ""
    level = f"{where.level} of {len(ladder.levels())}{sure}" if where.level else "0: slower than all"
    return name, amount(ladder.rule.unit, one.cost.typical), level, f"{where.dps:.1f}", f"{where.dps_norm:.1f}"


def _told(case: Case) -> str:
    params = ", ".join(f"{key}={value}" for key, value in case.params.items())
    return f"{case.name} ({params})" if params else case.name


def _record(found: "Scored", names: Sequence[str]) -> dict[str, Any]:
    return {
        "case": {"name": found.case.name, "params": found.case.params},
        "rounds": found.rounds,
        **ladder_record(found.ladder, found.why),
        "programs": [
            {
                "program": name,
                "candidate": one.candidate.id,
                "status": one.status,
                "feedback": one.feedback,
                **_cost(one.cost),
                "level": one.standing.level if one.standing else None,
                "sure_level": one.standing.sure if one.standing else None,
                "dps": one.standing.dps if one.standing else None,
                "dps_norm": one.standing.dps_norm if one.standing else None,
            }
            for name, one in zip(names, found.programs, strict=True)
        ],
    }


def ladder_record(ladder: "Ladder", why: str) -> dict[str, Any]:
    """Return a measured ladder: how costs were taken, levels, rungs, and what the published filters say."""
    levels = ladder.levels()
    place = {name: number for number, level in enumerate(levels, 1) for name in level.rungs}
    return {
        "cost": {"unit": ladder.rule.unit, "no_instruction_counter": why or None},
        "levels": [
            {"level": place[level.rungs[0]], "rungs": list(level.rungs), "weight": level.weight}
            | {"cost": level.cost.typical, "dps": level.dps, "dps_norm": level.dps_norm}
            for level in levels
        ],
        "rungs": [
            {"rung": name, "level": place[name], "weight": ladder.weights.get(name, 1.0), **_cost(ladder.costs[name])}
            for name in ladder.order()
        ],
        "fit": all(one.passes for one in ladder.filters()),
        "filters": [_filter(one) for one in ladder.filters()],
        "out_of_order": [list(pair) for pair in ladder.misplaced()],
    }


def _cost(cost: "Cost | None") -> Mapping[str, Any]:
    return {"cost": cost.typical if cost else None, "cv_percent": cost.cv if cost and cost.repeats else None}


def _filter(one: "Filter") -> dict[str, Any]:
    return {"filter": one.name, "found": one.found, "expected": one.expected, "passes": one.passes}
