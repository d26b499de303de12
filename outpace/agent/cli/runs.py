"""``outpace runs`` and ``outpace leaderboard``: what there is, and what is best."""

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from outpace.agent.cli import records, sets, text
from outpace.agent.cli.home import HomeOption, JsonOption, holds_runs, opened, resolve_home
from outpace.agent.store.base import Entry, Run, Store
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.spec import Goal

app = typer.Typer()

SetOption = Annotated[
    str | None,
    typer.Option(
        "--set",
        metavar="FORMAT:PATH",
        help="The tasks of a checkout of another tool, or `library`, with the figures of the set.",
        show_default=False,
    ),
]
TaskArgument = Annotated[str | None, typer.Argument(metavar="[TASK]", help="Only this task.", show_default=False)]


@app.command("runs")
def runs_command(
    context: typer.Context, task: TaskArgument = None, *, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """List all runs, newest first."""
    folder = resolve_home(context, home)
    if _says_empty(folder, as_json=as_json):
        return
    with opened(folder) as store:
        found = store.runs(task=task)
        if as_json:
            typer.echo(records.dump([_run_record(store, run) for run in found]))
            return
        rows = [_run_row(store, run) for run in found]
    print_table(["run", "task", "status", "proposer", "strategy", "seed", "evaluations", "champion", "began"], rows)
    typer.echo(f"{text.counted(len(rows), 'run')} in {folder}")


def _says_empty(folder: Path, *, as_json: bool) -> bool:
    """Return whether there are no runs yet, having said so."""
    if holds_runs(folder):
        return False
    typer.echo("[]" if as_json else f"No runs in {folder} yet. Begin one: outpace run TASK")
    return True


def _run_record(store: Store, run: Run) -> dict[str, Any]:
    return {**records.run(run), "status": _status(store, run), "spent": records.spent(store.spent(run.id))}


def _status(store: Store, run: Run) -> str:
    """Return the status; ``killed`` where a run is said to go on and nobody carries it on."""
    return "killed" if run.status == "running" and not store.is_held(run.id) else run.status


def _run_row(store: Store, run: Run) -> list[str]:
    config, spent = run.config, store.spent(run.id)
    bound = f"/{config.budget.evaluations}" if config.budget.evaluations else ""
    return [
        run.id,
        config.task_name,
        _status(store, run),
        config.proposer,
        config.strategy,
        str(config.seed),
        f"{spent.evaluations}{bound}",
        run.champion or "-",
        run.created[:16].replace("T", " "),
    ]


@app.command("leaderboard")
def leaderboard_command(
    context: typer.Context,
    task: TaskArgument = None,
    *,
    set_of: SetOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the champions by task, the best first."""
    folder = resolve_home(context, home)
    if set_of is not None:
        if task is not None:
            raise UsageError(f"Got the task '{task}' and --set {set_of}; expected one of the two.")
        _show_set(set_of, folder, as_json=as_json)
        return
    if _says_empty(folder, as_json=as_json):
        return
    with opened(folder) as store:
        entries = store.leaderboard(task=task)
    if as_json:
        typer.echo(records.dump([records.entry(entry) for entry in entries]))
        return
    if not entries:
        typer.echo(
            f"No champions in {folder} yet: no ended run found anything better than its start. See: outpace runs"
        )
        return
    _print_entries(entries, folder)


def _show_set(name: str, folder: Path, *, as_json: bool) -> None:
    """Print the champions of a set of tasks, the best one of each, and the figures of the set."""
    with opened(folder) if holds_runs(folder) else nullcontext() as store:
        found = sets.found(store, name)
    entries = list(found.champions.values())
    if as_json:
        typer.echo(records.dump({**sets.record(found), "entries": [records.entry(entry) for entry in entries]}))
        return
    if entries:
        _print_entries(entries, folder)
    for line in sets.lines(found):
        typer.echo(text.plain(line))


def _print_entries(entries: Sequence[Entry], folder: Path) -> None:
    head = [
        "task",
        "champion",
        "score",
        "held-out",
        "gain over the start",
        "proposer",
        "evaluations",
        "machine",
        "began",
    ]
    print_table(head, [_entry_row(entry) for entry in entries])
    typer.echo(f"{text.counted(len(entries), 'champion')} in {folder}")
    if any(entry.run.config.goal.self_reported for entry in entries):
        typer.echo(
            f"{text.SELF_REPORTED}: the task's own evaluator worked the score out in the process of the program; "
            "nothing here has checked it."
        )
    if len({_machine(entry.evaluation) for entry in entries}) > 1:
        typer.echo("Measured on several machines: compare times within one machine only.")


def _entry_row(entry: Entry) -> list[str]:
    goal = entry.run.config.goal
    return [
        entry.run.config.task_name,
        entry.candidate,
        text.score(goal, entry.evaluation),
        heldout(goal, entry.heldout),
        text.gain_text(goal, entry.evaluation, entry.start),
        entry.proposer,
        str(entry.evaluations),
        _machine(entry.evaluation),
        entry.run.created[:10],
    ]


def heldout(goal: Goal, evaluation: Evaluation | None) -> str:
    """Return the held-out score, for metric tasks with the value of each case."""
    cases = text.by_case(goal, evaluation) if goal.kind == "metric" else {}
    details = ", ".join(f"{name} {value}" for name, value in cases.items()) if len(cases) > 1 else ""
    return text.score(goal, evaluation) + (f" ({details})" if details else "")


def _machine(evaluation: Evaluation) -> str:
    machine = evaluation.machine
    cpu = machine.get("cpu", "")
    return f"{cpu}, {machine['cores']} cores" if cpu and "cores" in machine else cpu or "-"


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: drawn on a terminal, plain aligned columns elsewhere."""
    clean = [[text.plain(cell) for cell in row] for row in rows]
    if not sys.stdout.isatty():
        typer.echo("\n".join(text.columns([head, *clean])))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in head:
        table.add_column(name, overflow="fold")
    for row in clean:
        table.add_row(*(Text(cell) for cell in row))
    Console().print(table)
