"""``outpace compare``: strategies on tasks at equal budgets, as a table, a report and curves."""

import asyncio
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outpace.agent.budget import Budget
from outpace.agent.cli import proposing, records
from outpace.agent.cli.cells import Showing
from outpace.agent.cli.home import JsonOption, LevelOption, SandboxOption, known_level
from outpace.agent.cli.interrupting import heard, interruptible
from outpace.agent.cli.run import (
    CallsOption,
    EvaluationsOption,
    TokensOption,
    UsdOption,
    WorkersOption,
)
from outpace.agent.cli.text import plain
from outpace.errors import MissingPackage, OutpaceError, UsageError
from outpace.plugins import DEFAULT_SANDBOX

if TYPE_CHECKING:
    from outpace.agent.compare.carry import Folder
    from outpace.agent.compare.figures import Figures
    from outpace.agent.compare.plan import Key, Plan

app = typer.Typer()

BOUNDS = ("evaluations", "model_calls", "tokens", "usd")
ALONE = ("output", "report", "plot", "as_json")  # what may stand beside -o DIR to go on with what is there
REPORT, RECORD = "report.md", "report.json"


TasksArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[TASK…]", help="Tasks, as for `outpace run`.", show_default=False)
]
OutputOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the comparison, to begin or to go on with.")
]
StrategiesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--strategy",
        metavar="NAME[:KEY=VALUE,…]",
        help="A strategy, perhaps with parameters; may be repeated. random and best_of_n are always there.",
        show_default=False,
    ),
]
SeedsOption = Annotated[int, typer.Option("--seeds", metavar="N", help="Runs of each strategy on each task.")]
SeedOption = Annotated[int, typer.Option("--seed", metavar="N", min=0, help="The first of the seeds.")]
DrawsOption = Annotated[
    int,
    typer.Option("--draws", metavar="N", help="Settings of each strategy's parameters: as named, the others drawn."),
]
ReportOption = Annotated[bool, typer.Option("--report", help="Only write the reports of what is there anew.")]
PlotOption = Annotated[
    bool | None, typer.Option("--plot/--no-plot", help="Draw the curves.", show_default="if matplotlib is installed")
]


@app.command("compare")
def compare_command(  # noqa: PLR0913  each option is a parameter
    context: typer.Context,
    tasks: TasksArgument = None,
    *,
    output: OutputOption,
    strategy: StrategiesOption = None,
    seeds: SeedsOption = 5,
    seed: SeedOption = 0,
    draws: DrawsOption = 1,
    evaluations: EvaluationsOption = None,
    tokens: TokensOption = None,
    model_calls: CallsOption = None,
    usd: UsdOption = None,
    model: proposing.ModelOption = None,
    base_url: proposing.BaseUrlOption = None,
    temperature: proposing.TemperatureOption = None,
    effort: proposing.EffortOption = None,
    max_tokens: proposing.MaxTokensOption = None,
    logprobs: proposing.LogprobsOption = False,
    edit: proposing.EditOption = None,
    ensemble: proposing.EnsembleOption = "shares",
    samples: proposing.SamplesOption = 1,
    repair: proposing.RepairOption = True,
    profile: proposing.ProfileOption = 0.0,
    tunables: proposing.TunablesOption = 0.25,
    in_flight: proposing.InFlightOption = None,
    messages: proposing.MessagesOption = None,
    window: proposing.WindowOption = None,
    proposer: proposing.ProposerOption = None,
    operator: proposing.OperatorOption = None,
    prompts: proposing.PromptsOption = None,
    meta_prompting: proposing.MetaOption = False,
    vllm_python: proposing.VllmPythonOption = None,
    workers: WorkersOption = None,
    sandbox: SandboxOption = DEFAULT_SANDBOX,
    level: LevelOption = None,
    report: ReportOption = False,
    plot: PlotOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare strategies: each on each task with each seed, at equal budgets, from the same start.

    `outpace compare -o DIR` goes on with a comparison that was interrupted or killed. Without --model, rewriting
    operators propose the changes.
    """
    from outpace.agent.compare.carry import Folder

    folder = Folder(output.expanduser().absolute())
    pictures = _drawing(plot)
    plan = _plan(context, folder, tasks or (), report=report)
    ended = report or _carry(folder, plan, as_json=as_json)
    _tell(folder, plan, pictures=pictures, as_json=as_json)
    if not ended:
        raise typer.Exit(130)


def _drawing(wanted: bool | None) -> bool:
    """Return whether to draw; raises ``MissingPackage`` where that was asked for and cannot be."""
    from outpace.agent.compare.plot import MISSING, available

    if wanted and not available():
        raise MissingPackage(MISSING)
    if wanted is None and not available():
        print(f"No pictures are drawn. {MISSING}", file=sys.stderr)
    return available() if wanted is None else wanted


def _plan(context: typer.Context, folder: "Folder", tasks: Sequence[str], *, report: bool) -> "Plan":
    """Return the plan: that of the folder where nothing new is asked for, else the new one, kept in the folder."""
    from outpace.agent.compare.carry import with_facts
    from outpace.agent.compare.plan import Wanted, planned

    given = [
        name
        for name in context.params
        if name not in ALONE and getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE"
    ]
    if report and given:
        raise UsageError("--report only writes the reports of what is in the folder: leave everything else out.")
    if not given:
        return folder.plan()
    options = context.params
    bounds = {name: options[name] for name in BOUNDS if options[name] is not None}
    wanted = Wanted(
        tasks=tasks,
        strategies=options["strategy"] or (),
        seeds=options["seeds"],
        first_seed=options["seed"],
        draws=options["draws"],
        budget=Budget(**bounds) if bounds else None,
        proposing=proposing.chosen(options),
        workers=options["workers"],
        sandbox=options["sandbox"],
        level=known_level(options["level"]),
    )
    return folder.begin(with_facts(planned(wanted)))


def _carry(folder: "Folder", plan: "Plan", *, as_json: bool) -> bool:
    """Run what is not done; return whether all is."""
    with Showing(plan, _known(folder, plan), as_json=as_json) as showing:
        try:
            return asyncio.run(_sitting(folder, plan, showing))
        except (OutpaceError, KeyboardInterrupt):
            showing.note(f"What is done is kept; go on with: outpace compare -o {shlex.quote(str(folder.path))}")
            raise


async def _sitting(folder: "Folder", plan: "Plan", showing: Showing) -> bool:
    """Carry on until all is done; the first Ctrl-C (or SIGTERM) stops cleanly, the second at once."""
    from outpace.agent.compare.carry import Sitting, carried_on

    sitting = Sitting(watch=showing.see, begins=showing.begins, ends=showing.ends)
    with heard(showing):
        return await interruptible(lambda stop: carried_on(folder, plan, sitting=sitting, stop=stop), showing)


def _known(folder: "Folder", plan: "Plan") -> dict["Key", float]:
    """Return the final scores of the runs that are done."""
    from outpace.agent.compare.carry import done
    from outpace.agent.store import open_store

    runs = {key: run for key, run in folder.runs(plan).items() if done(run)}
    if not runs:
        return {}
    store = open_store(folder.home)
    try:
        return {key: store.history(run.id)[-1][1] for key, run in runs.items()}
    finally:
        store.close()


def _tell(folder: "Folder", plan: "Plan", *, pictures: bool, as_json: bool) -> None:
    """Write the reports, and say what is in them."""
    from outpace.agent.cli import comparison
    from outpace.agent.compare.carry import replaced
    from outpace.agent.compare.plot import draw

    found = _figures(folder, plan)
    drawn = draw(found, folder.path) if pictures else []
    names = [file.name for file in drawn if file.suffix == ".png"]
    replaced(folder.path / REPORT, comparison.report(found, names))
    record = comparison.record(found)
    replaced(folder.path / RECORD, records.dump(record) + "\n")
    if as_json:
        typer.echo(records.dump({"event": "comparison", "folder": str(folder.path), **record}, indent=None))
        return
    for line in comparison.terminal(found):
        typer.echo(plain(line))
    files = ", ".join([REPORT, RECORD, *(file.name for file in drawn)])
    typer.echo(f"{found.done} of {found.cells} runs are done. Written to {folder.path}: {files}")
    typer.echo(f"Look at its runs: outpace runs --home {shlex.quote(str(folder.home))}")


def _figures(folder: "Folder", plan: "Plan") -> "Figures":
    """Return the figures of what is in the store; raises ``UsageError`` where nothing is."""
    from outpace.agent.compare.figures import figures
    from outpace.agent.store import DATABASE, open_store

    if not (folder.home / DATABASE).exists():
        raise UsageError(f"There are no runs in '{folder.path}' yet. Go on with: outpace compare -o {folder.path}")
    store = open_store(folder.home)
    try:
        return figures(plan, folder.runs(plan), store)
    finally:
        store.close()
