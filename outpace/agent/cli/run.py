"""``outpace run`` and ``outpace resume``: one sitting of a search, watched and interruptible."""

import asyncio
import json
import re
import shlex
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outpace.agent.budget import Budget
from outpace.agent.cli import proposing, records, text
from outpace.agent.cli import report as last_words
from outpace.agent.cli.front import ObjectiveOption, objectives_of
from outpace.agent.cli.harvest import harvest
from outpace.agent.cli.home import (
    HomeOption,
    JsonOption,
    LevelOption,
    RunArgument,
    SandboxOption,
    known_level,
    opened,
    resolve_home,
)
from outpace.agent.cli.interrupting import heard, interruptible
from outpace.agent.cli.progress import Display, choose_display
from outpace.agent.cli.text import plain
from outpace.agent.home import default_home
from outpace.agent.models.replay import REPLAY
from outpace.errors import OutpaceError, UsageError
from outpace.plugins import DEFAULT_SANDBOX

if TYPE_CHECKING:
    from outpace.agent.evolve import Report, RunOptions
    from outpace.agent.search import Progress
    from outpace.agent.store.base import Run

app = typer.Typer()

Begin = Callable[[Callable[["Progress"], None], asyncio.Event], Awaitable["Report"]]
OPERATORS = "operators"
REASONS, KIND = 5, 48
"""How many reasons of failed proposals are told while a run goes on, and how many characters make one of them."""
REMEDIES = {
    "cut off at the token limit": "If that goes on: --max-tokens.",
    "The model refused": "If that goes on: another model, or other words in the statement of the task.",
    "it is empty": "If that goes on: look at how the endpoint serves this model (its chat template, its token limit).",
}

AS_GIVEN = ("task", "strategy", "seed", "workers", "sandbox", "unmeasured")
BOUNDS = ("minutes", "evaluations", "model_calls", "tokens", "usd")
EvaluationsOption = Annotated[
    int | None, typer.Option("--evaluations", metavar="N", help="Budget: candidates to evaluate.", show_default=False)
]
MinutesOption = Annotated[
    float | None, typer.Option("--minutes", metavar="M", help="Budget: minutes of wall time.", show_default=False)
]
CallsOption = Annotated[
    int | None, typer.Option("--model-calls", metavar="N", help="Budget: calls of the model.", show_default=False)
]
TokensOption = Annotated[
    int | None, typer.Option("--tokens", metavar="N", help="Budget: tokens, read and written.", show_default=False)
]
UsdOption = Annotated[
    float | None,
    typer.Option("--usd", metavar="X", help="Budget: dollars, where prices are known.", show_default=False),
]

ParamOption = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="KEY=VALUE", help="A parameter of the strategy; may be repeated."),
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=1, help="Evaluations at a time.", show_default="one per core"),
]
UnmeasuredOption = Annotated[
    bool, typer.Option("--unmeasured", help="Only check programs for a GPU: no scores, no champion.")
]


@app.command("run")
def run_command(  # noqa: PLR0913  each option is a parameter
    context: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help="A bundled task's name or the path of a task folder.")],
    *,
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
    strategy: Annotated[str, typer.Option("--strategy", metavar="NAME", help="Search strategy.")] = "islands",
    param: ParamOption = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of all chance in the search.")] = 0,
    workers: WorkersOption = None,
    sandbox: SandboxOption = DEFAULT_SANDBOX,
    level: LevelOption = None,
    unmeasured: UnmeasuredOption = False,
    objective: ObjectiveOption = None,
    evaluations: EvaluationsOption = None,
    minutes: MinutesOption = None,
    model_calls: CallsOption = None,
    tokens: TokensOption = None,
    usd: UsdOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Search for a better program.

    Without --model, rewriting operators propose the changes: no key and no network are needed. With --model outside,
    whoever likes proposes them (`outpace ask`, `tell`, `serve`): the run is begun and waits. Of several budgets, the
    first that ends ends the run; without any, the task's number of evaluations counts.
    """
    folder = resolve_home(context, home)
    from outpace.agent.evolve import RunOptions

    options = RunOptions(
        **{name: context.params[name] for name in AS_GIVEN},
        proposing=proposing.chosen(context.params),
        budget=_budget(**{name: context.params[name] for name in BOUNDS}),
        level=known_level(level),
        strategy_params=_params(param or ()),
        objectives=objectives_of(objective or ()),
    )
    _begin(options, folder, as_json=as_json)


def _begin(options: "RunOptions", home: Path, *, as_json: bool) -> None:
    """Begin a run: carry it on at once, or leave it open where programs come from outside."""
    from outpace.agent.evolve import open_run, start_run

    if options.proposing.kind == "outside":
        _say_open(asyncio.run(open_run(options, home=home)), as_json=as_json)
        return
    display = choose_display(as_json=as_json)
    report = _sit(lambda watch, stop: start_run(options, home=home, watch=watch, stop=stop), display, home=home)
    _finish(report, home, as_json=as_json)


@app.command("resume")
def resume_command(  # noqa: PLR0913  each option is a parameter
    context: typer.Context,
    run: RunArgument,
    *,
    evaluations: EvaluationsOption = None,
    minutes: MinutesOption = None,
    model_calls: CallsOption = None,
    tokens: TokensOption = None,
    usd: UsdOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a run.

    It may have been interrupted or killed, or have ended at its budget. Budgets count over all sittings of the run and
    replace those that it began with.
    """
    budget = _budget(**{name: context.params[name] for name in BOUNDS})
    folder = resolve_home(context, home)
    from outpace.agent.evolve import resume_run

    report = _sit(
        lambda watch, stop: resume_run(run, home=folder, budget=budget, watch=watch, stop=stop),
        choose_display(as_json=as_json),
        home=folder,
    )
    _finish(report, folder, as_json=as_json)


def _budget(*, minutes: float | None, **bounds: Any) -> Budget | None:
    """Return the budget of the options that were given, None if there are none."""
    if minutes is not None:
        bounds["wall_s"] = 60 * minutes
    given = {name: bound for name, bound in bounds.items() if bound is not None}
    return Budget(**given) if given else None


def _params(texts: Sequence[str]) -> dict[str, Any]:
    """Return the strategy's parameters; a value that reads as JSON is that value, anything else is text."""
    params: dict[str, Any] = {}
    for given in texts:
        key, equals, value = given.partition("=")
        if not key or not equals:
            raise UsageError(f"--param '{given}': expected KEY=VALUE, such as islands=4.")
        try:
            params[key] = json.loads(value)
        except ValueError:
            params[key] = value
    return params


def _sit(begin: Begin, display: Display, *, home: Path) -> "Report":
    """Run one sitting under the display; the first Ctrl-C (or SIGTERM) stops it cleanly, the second at once."""
    return asyncio.run(_sitting(begin, display, home))


async def _sitting(begin: Begin, display: Display, home: Path) -> "Report":
    with display, heard(display):
        watch = _Watch(display)
        try:
            return await interruptible(lambda stop: begin(watch, stop), display)
        except (OutpaceError, KeyboardInterrupt):
            _say_stored(watch, home)
            raise


@dataclass(slots=True)
class _Watch:
    """Leads what is seen to the display, says first who proposes where no model was named, and knows the run."""

    display: Display
    run: str | None = None
    warned: int = 0
    reasons: set[str] = field(default_factory=set)

    def __call__(self, progress: "Progress") -> None:
        if self.run is None and progress.run.config.proposer == OPERATORS:
            self.display.note("No model named: rewriting operators propose the changes, no key is needed.")
        if self.run is None and (proposer := progress.run.config.proposer).startswith(REPLAY):
            config = progress.run.config
            self.display.note(
                f"Repeats run {proposer.removeprefix(REPLAY)} (strategy {config.strategy}, seed {config.seed}): "
                "no model is asked."
            )
        self.run = progress.run.id
        if progress.last and progress.last.failure:
            self._say_failure(progress.last.brief.number, progress.last.failure)
        for warning in progress.warnings[self.warned :]:
            self.display.note(warning)
        self.warned = len(progress.warnings)
        self.display.see(progress)

    def _say_failure(self, number: int, failure: str) -> None:
        """Say why nothing came of an answer, once for each reason and not of too many."""
        reason = text.first_line(failure).partition(" (Asked twice")[0]
        kind = re.sub(r"\W*\d[\w.]*", "", reason)[:KIND]
        if kind in self.reasons or len(self.reasons) >= REASONS:
            return
        self.reasons.add(kind)
        remedy = next((f" {said}" for sign, said in REMEDIES.items() if sign in reason), "")
        self.display.note(plain(f"Brief {number} gave no candidate: {reason}{remedy}"))


def _say_open(run: "Run", *, as_json: bool) -> None:
    """Tell how to serve a run that waits for others."""
    if as_json:
        typer.echo(records.dump({"event": "open", **records.run(run)}, indent=None))
        return
    typer.echo(f"Run {run.id} of task {run.config.task_name} is open: its start is judged, and nobody has a brief yet.")
    typer.echo(f"Next: outpace ask {run.id}   then   outpace tell {run.id} FILE   or   outpace serve {run.id}")


def _say_stored(watch: _Watch, home: Path) -> None:
    if watch.run is not None:
        named = f" --home {shlex.quote(str(home))}" if home != default_home() else ""
        watch.display.note(f"What was found is stored; go on with: outpace resume {watch.run}{named}")


def _finish(report: "Report", home: Path, *, as_json: bool) -> None:
    """Print the last words and leave: 130 for a run that was interrupted, so that scripts do not go on."""
    with opened(home) as store:
        models = harvest(store, report.run)
    if as_json:
        typer.echo(records.dump(last_words.record(report, home, models=models), indent=None))
    else:
        named = home if home != default_home() else None
        for line in last_words.words(report, home, named_home=named, models=models):
            typer.echo(plain(line))
    if report.ended == "interrupted":
        raise typer.Exit(130)
