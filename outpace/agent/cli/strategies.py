"""``outpace strategies``: what decides what to try next, and the parameters of each."""

import inspect
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from outpace.agent.cli import records, text
from outpace.agent.cli.home import JsonOption

app = typer.Typer()

GIVEN = {"self", "goal", "seed", "evaluations", "language", "device", "features", "objectives", "facts"}
"""What a strategy is given by its run, and needs no word of the user's."""
NameArgument = Annotated[str | None, typer.Argument(metavar="[NAME]", help="Tell all of this one.", show_default=False)]


@app.command("strategies")
def strategies_command(name: NameArgument = None, *, as_json: JsonOption = False) -> None:
    """List the search strategies, or tell how one works and what its parameters are."""
    from outpace.plugins import available, load

    names = [name] if name else available("strategy")
    found = {one: load("strategy", one) for one in names}
    if as_json:
        typer.echo(records.dump([_record(one, factory) for one, factory in found.items()]))
    elif name:
        _tell(name, found[name])
    else:
        rows = [(one, _summary(factory), " ".join(_parameters(factory))) for one, factory in found.items()]
        typer.echo("\n".join(text.columns([("strategy", "what it does", "parameters"), *rows])))
        typer.echo("Choose one with: outpace run TASK --strategy NAME --param KEY=VALUE")


def _tell(name: str, factory: Any) -> None:
    typer.echo(f"{name}: {inspect.getdoc(factory) or 'it tells nothing about itself'}\n")
    lines = [f"  --param {key}={text_of(value)}" for key, value in _parameters(factory).items()]
    typer.echo("\n".join(["Parameters, with their defaults:", *lines] if lines else ["It has no parameters."]))


def _record(name: str, factory: Any) -> dict[str, Any]:
    return {"name": name, "summary": _summary(factory), "parameters": dict(_parameters(factory))}


def _summary(factory: Any) -> str:
    return (inspect.getdoc(factory) or "").partition("\n")[0]


def _parameters(factory: Any) -> Mapping[str, Any]:
    """Return the parameters that a user may set, with their defaults."""
    parameters = inspect.signature(factory).parameters.values()
    return {one.name: _plain(one.default) for one in parameters if one.name not in GIVEN}


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else None if value is inspect.Parameter.empty else value


def text_of(value: Any) -> str:
    """Return a value as ``--param`` takes it."""
    return value if isinstance(value, str) else records.dump(value, indent=None)
