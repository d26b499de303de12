"""The entry point: one app, one place where errors become one line and an exit code."""

import os
import sys
import traceback
from pathlib import Path
from typing import Annotated

import typer

from outpace.agent.cli import (
    candidates,
    compare,
    doctor,
    front,
    inputs,
    outside,
    report,
    run,
    runs,
    score,
    strategies,
    task,
    verify,
)
from outpace.agent.cli.home import Settings
from outpace.agent.cli.text import plain
from outpace.errors import OutpaceError

EPILOG = (
    "State lives in the folder given by --home, else $OUTPACE_HOME, else ./.outpace if it exists, else the user's data "
    "folder. Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted."
)

app = typer.Typer(
    name="outpace",
    help="Outpace makes programs faster and heuristics better, with a speed-up you can believe.",
    epilog=EPILOG,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for part in (run, outside, runs, report, front, candidates, compare, verify, score, strategies, doctor):
    app.add_typer(part.app)
task.app.add_typer(inputs.app)
app.add_typer(task.app, name="task")


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"outpace {version('outpace')}")
        raise typer.Exit


@app.callback()
def _settings(
    context: typer.Context,
    home: Annotated[Path | None, typer.Option("--home", metavar="DIR", help="Folder of the state (see below).")] = None,
    debug: Annotated[
        bool, typer.Option("--debug", envvar="OUTPACE_DEBUG", help="Show the traceback of every error.")
    ] = False,
    version: Annotated[  # acted on by its callback
        bool, typer.Option("--version", help="Print the version and leave.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    settings = context.ensure_object(Settings)
    settings.home, settings.debug = home, debug


def main() -> None:
    """Run the command line on ``sys.argv`` and leave with its exit code."""
    code = _run(Settings())
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads us any more, as in `outpace runs | head`; the interpreter would complain of it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _run(settings: Settings) -> int | str | None:
    """Run the command and return the exit code; a deliberate error becomes one line on standard error."""
    try:
        typer.main.get_command(app)(obj=settings, prog_name="outpace")
    except SystemExit as leaving:
        return leaving.code
    except KeyboardInterrupt:
        return 130
    except (OutpaceError, OSError) as error:
        if settings.debug:
            traceback.print_exc()
        else:
            print(f"outpace: {_wording(error)}", file=sys.stderr)
        return getattr(error, "exit_code", 1)
    return 0


def _wording(error: OutpaceError | OSError) -> str:
    """Return the error's text: ours as it is, the system's with the file that it is about."""
    if isinstance(error, OutpaceError):
        return plain(str(error))
    where = f" '{error.filename}'" if error.filename else ""
    return plain(f"Cannot use the file{where}: {error.strerror or error}." if where else f"{error.strerror or error}.")
