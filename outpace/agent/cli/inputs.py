"""``outpace task inputs``: inputs that tell the rungs of a task's ladder apart."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outpace.agent.cli import records, text
from outpace.agent.cli.home import JsonOption, LevelOption, SandboxOption, known_level
from outpace.agent.cli.score import CaseOption, amount, cost_line, fitness, ladder_record, rungs_table
from outpace.plugins import DEFAULT_SANDBOX
from outpace.tasks.spec import Case

if TYPE_CHECKING:
    from outpace.evaluators.inputs import Grown, Step

WIDTH = 11

app = typer.Typer()


@app.command("inputs")
def inputs_command(
    task: Annotated[str, typer.Argument(metavar="TASK", help="As for `outpace run`; it must have a ladder.")],
    *,
    grow: Annotated[
        list[str] | None,
        typer.Option("--grow", metavar="NAME", help="Parameter that grows; may be repeated.", show_default="all"),
    ] = None,
    begin: Annotated[
        int | None,
        typer.Option("--from", metavar="N", min=1, help="What it begins with.", show_default="what the case has"),
    ] = None,
    case: CaseOption = None,
    sandbox: SandboxOption = DEFAULT_SANDBOX,
    level: LevelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Grow inputs until they tell the rungs of a task's ladder apart.

    Parameters that are whole numbers are doubled until every rung has a level of its own, or until a rung takes more
    than 20 s or fails. Prints a case for task.toml, for `outpace score` to measure on.
    """
    from outpace.agent.conditions import least_level, opened_sandbox
    from outpace.evaluators.inputs import growing, grown
    from outpace.evaluators.scoring import case_of
    from outpace.tasks import ladder, registry

    found = registry.find(task)
    first, names = growing(case_of(found, case), grow or (), start=begin)
    rungs = ladder.read(found)
    if not as_json:
        typer.echo(f"{found.spec.name}, case {first.name}: doubling {' and '.join(names)}")
        typer.echo(_cells([*names, *(rung.name for rung in rungs), "levels", "CV"]))

    def seen(step: "Step") -> None:
        if not as_json:
            typer.echo(text.plain(_line(step, names, [rung.name for rung in rungs])))

    with opened_sandbox(sandbox, least_level(sandbox, known_level(level)), found) as (box, _):
        result = asyncio.run(grown(box, found, rungs, first, names, seen=seen))
    if as_json:
        typer.echo(records.dump({"task": found.spec.name, **_record(result)}))
        return
    for line in _conclusion(result, names):
        typer.echo(text.plain(line))


def _line(step: "Step", names: Sequence[str], rungs: Sequence[str]) -> str:
    """Return a row of the table: sizes, the cost of each rung, levels and variation, or why there is no more."""
    sizes = [str(step.case.params[name]) for name in names]
    if step.ladder is None:
        return _cells([*sizes, step.limit])
    costs = [amount(step.ladder.rule.unit, step.ladder.costs[name].typical) for name in rungs]
    return _cells([*sizes, *costs, f"{len(step.ladder.levels())} of {len(rungs)}", f"{step.ladder.variation:.1f} %"])


def _cells(cells: Sequence[str]) -> str:
    return "  ".join(cell.ljust(WIDTH) for cell in cells).rstrip()


def ending(result: "Grown") -> str:
    """Return why growing ended, in a sentence."""
    last = result.steps[-1]
    if last.separates:
        return "Every rung has a level of its own, in the order of the files."
    assert result.chosen.ladder is not None
    ladder = result.chosen.ladder
    order = ", out of order" if ladder.misplaced() else ""
    levels = f"{len(ladder.levels())} of {text.counted(len(ladder.costs), 'level')}{order}"
    return f"The ladder is not told apart ({levels}): {last.limit or 'that is the last size that is tried'}."


def _conclusion(result: "Grown", names: Sequence[str]) -> Iterator[str]:
    chosen = result.chosen
    assert chosen.ladder is not None
    yield cost_line(chosen.ladder.rule.unit, chosen.why)
    yield ""
    yield f"{ending(result)} Chosen: {', '.join(f'{name} = {chosen.case.params[name]}' for name in names)}"
    yield from rungs_table(chosen.ladder)
    yield from fitness(chosen.ladder)
    yield from ("", "For task.toml, where `outpace score` finds it:", "", *toml(result.case).splitlines())


def toml(case: Case) -> str:
    """Return a case as a table of ``task.toml``."""
    import tomli_w

    params = tomli_w.dumps({"params": dict(case.params)})
    facts = {"name": case.name, "split": case.split, "seed": case.seed, "instances": case.instances}
    return f"[[cases]]\n{tomli_w.dumps(facts)}{params.replace('[params]', '[cases.params]').strip()}\n"


def _record(result: "Grown") -> dict[str, Any]:
    rows = [
        {"params": step.case.params, "limit": step.limit or None}
        | (ladder_record(step.ladder, step.why) if step.ladder else {})
        for step in result.steps
    ]
    case = result.case
    return {
        "steps": rows,
        "separates": result.steps[-1].separates,
        "ended": ending(result),
        "case": {"name": case.name, "split": case.split, "seed": case.seed, "params": case.params},
        "toml": toml(case),
    }
