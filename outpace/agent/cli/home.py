"""What commands share: the settings given before the command, the folder of the state, the store in it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast, get_args

import typer

from outpace.agent.home import default_home
from outpace.agent.store.base import Store
from outpace.errors import UnknownName, UsageError
from outpace.sandbox.base import Level

HomeOption = Annotated[Path | None, typer.Option("--home", metavar="DIR", help="Folder of the state.")]
SandboxOption = Annotated[
    str, typer.Option("--sandbox", metavar="NAME", help="Where candidates run; see `outpace doctor`.")
]
LevelOption = Annotated[
    str | None,
    typer.Option(
        "--level", metavar="A|B|C|D", help="The least that must hold candidates.", show_default="B, process: D"
    ),
]
RunArgument = Annotated[
    str, typer.Argument(metavar="RUN", help="Id of a run or its first characters; `last` is the newest.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


@dataclass(slots=True)
class Settings:
    """What was given before the command."""

    home: Path | None = None
    debug: bool = False


def resolve_home(context: typer.Context, given: Path | None) -> Path:
    """Return the folder of the state: ``--home`` after the command, ``--home`` before it, or the default."""
    chosen = given or context.ensure_object(Settings).home
    return chosen.expanduser().absolute() if chosen else default_home()


def known_level(given: str | None) -> Level | None:
    """Return the level that was asked for, None if none was; raises ``UnknownName``."""
    if given is None:
        return None
    if given.upper() not in get_args(Level):
        raise UnknownName("level", given, get_args(Level))
    return cast(Level, given.upper())


def holds_runs(home: Path) -> bool:
    """Tell whether there is a store in the folder; looking makes none."""
    from outpace.agent.store import DATABASE

    return (home / DATABASE).exists()


@contextmanager
def opened(home: Path) -> Iterator[Store]:
    """Open the store of a folder for reading and close it afterwards.

    Raises:
        UsageError: there is none.
        StoreError: it cannot be read.
    """
    from outpace.agent.store import open_store

    if not holds_runs(home):
        raise UsageError(f"There are no runs in '{home}' yet. Begin one: outpace run TASK, or name another --home.")
    store = open_store(home)
    try:
        yield store
    finally:
        store.close()
