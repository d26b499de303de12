"""``outpace run`` and ``outpace resume``: one sitting of a search, watched and interruptible."""

import asyncio
import json
import os
import shlex
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outpace.agent.budget import Budget
from outpace.agent.cli import records
from outpace.agent.cli import report as last_words
from outpace.agent.cli.home import HomeOption, JsonOption, LevelOption, RunArgument, SandboxOption, known_level, resolve_home
from outpace.agent.cli.progress import Display, choose_display
from outpace.agent.cli.text import plain
from outpace.agent.home import default_home
from outpace.errors import OutpaceError, UsageError
from outpace.plugins import DEFAULT_SANDBOX

if TYPE_CHECKING:
    from outpace.agent.evolve import Report
    from outpace.agent.search import Progress
    from outpace.agent.store.base import Run

app = typer.Typer()

Begin = Callable[[Callable[["Progress"], None], asyncio.Event], Awaitable["Report"]]
OPERATORS, OUTSIDE = "operators", "outside"
TICK_S = 1.0
KILL_GRACE_S = 5.0  # after the second Ctrl-C: what has not let go by then is left to the kernel

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

ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="KIND:NAME", help="Model to ask, such as openai:NAME.", show_default="none"),
]
BaseUrlOption = Annotated[
    str | None, typer.Option("--base-url", metavar="URL", help="The model's endpoint.", show_default=False)
]
TemperatureOption = Annotated[
    float | None, typer.Option("--temperature", metavar="X", help="The model's.", show_default="the endpoint's")
]
EffortOption = Annotated[
    str | None,
    typer.Option("--effort", metavar="WORD", help="How hard it thinks: low, high …", show_default="the endpoint's"),
]
MaxTokensOption = Annotated[
    int | None,
    typer.Option("--max-tokens", metavar="N", min=1, help="Of an answer.", show_default="the endpoint's"),
]
ParamOption = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="KEY=VALUE", help="A parameter of the strategy; may be repeated."),
]
WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", metavar="N", min=1, help="Evaluations at a time.", show_default="one per core"),
]


@app.command("run")
def run_command(  # noqa: PLR0913  each option is a parameter
    context: typer.Context,
    task: Annotated[str, typer.Argument(metavar="TASK", help="A bundled task's name or the path of a task folder.")],
    *,
    model: ModelOption = None,
    base_url: BaseUrlOption = None,
    temperature: TemperatureOption = None,
    effort: EffortOption = None,
    max_tokens: MaxTokensOption = None,
    strategy: Annotated[str, typer.Option("--strategy", metavar="NAME", help="Search strategy.")] = "islands",
    param: ParamOption = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of all chance in the search.")] = 0,
    workers: WorkersOption = None,
    sandbox: SandboxOption = DEFAULT_SANDBOX,
    level: LevelOption = None,
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
    whoever likes proposes them (`outpace ask`, `tell` and `serve`): the run is begun and waits. Of several budgets,
    the first that ends ends the run; without any, the task's own number of evaluations counts.
    """
    bounds = {"evaluations": evaluations, "model_calls": model_calls, "tokens": tokens, "usd": usd}
    budget = _budget(minutes=minutes, **bounds)
    params = _params(param or ())
    folder = resolve_home(context, home)
    from outpace.agent.evolve import RunOptions, open_run, start_run
    from outpace.agent.models.base import Sampling

    options = RunOptions(
        task=task,
        strategy=strategy,
        model=model,
        base_url=base_url,
        sampling=Sampling(temperature=temperature, effort=effort, max_tokens=max_tokens),
        seed=seed,
        budget=budget,
        workers=workers,
        sandbox=sandbox,
        level=known_level(level),
        strategy_params=params,
    )
    if model == OUTSIDE:
        _say_open(asyncio.run(open_run(options, home=folder)), as_json=as_json)
        return
    report = _sit(
        lambda watch, stop: start_run(options, home=folder, watch=watch, stop=stop),
        choose_display(as_json=as_json),
        home=folder,
    )
    _finish(report, folder, as_json=as_json)


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
    bounds = {"evaluations": evaluations, "model_calls": model_calls, "tokens": tokens, "usd": usd}
    budget = _budget(minutes=minutes, **bounds)
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
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    with display:
        watch = _Watch(display)
        task = asyncio.ensure_future(begin(watch, stop))

        def interrupt() -> None:
            if task.cancelling():
                display.__exit__(None, None, None)
                os._exit(130)
            if stop.is_set():
                task.cancel()
                loop.call_later(KILL_GRACE_S, os._exit, 130)
                return
            stop.set()
            display.note("Stopping: waiting for what is being evaluated. Once more to kill it.")

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt)
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=TICK_S)
                display.tick()
            return task.result()
        except asyncio.CancelledError:
            _say_stored(watch, home)
            raise KeyboardInterrupt from None
        except OutpaceError:
            _say_stored(watch, home)
            raise
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


@dataclass(slots=True)
class _Watch:
    """Leads what is seen to the display, says first who proposes where no model was named, and knows the run."""

    display: Display
    run: str | None = None
    warned: int = 0

    def __call__(self, progress: "Progress") -> None:
        if self.run is None and progress.run.config.proposer == OPERATORS:
            self.display.note("No model named: rewriting operators propose the changes, no key is needed.")
        self.run = progress.run.id
        for warning in progress.warnings[self.warned :]:
            self.display.note(warning)
        self.warned = len(progress.warnings)
        self.display.see(progress)


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
    if as_json:
        typer.echo(records.dump(last_words.record(report, home), indent=None))
    else:
        named = home if home != default_home() else None
        for line in last_words.words(report, home, named_home=named):
            typer.echo(plain(line))
    if report.ended == "interrupted":
        raise typer.Exit(130)
