"""``outpace show``, ``diff`` and ``export``: one candidate, two candidates, a candidate as files."""

import difflib
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Annotated

import typer

from outpace.agent.cli import records, text
from outpace.agent.cli.dossier import description, open_dossier, readme, record
from outpace.agent.cli.home import HomeOption, JsonOption, opened, resolve_home
from outpace.agent.store.base import Store
from outpace.errors import UsageError
from outpace.tasks.candidate import PROGRAM, Candidate

app = typer.Typer()

START = "start"
CandidateArgument = Annotated[
    str, typer.Argument(metavar="CANDIDATE", help="Id of a candidate or its first digits (at least 4).")
]


@app.command("show")
def show_command(
    context: typer.Context, candidate: CandidateArgument, *, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Show a candidate, its figures and its origin."""
    with opened(resolve_home(context, home)) as store:
        dossier = open_dossier(store, candidate)
    if as_json:
        typer.echo(records.dump(record(dossier)))
        return
    for line in description(dossier):
        typer.echo(text.plain(line))
    typer.echo("")
    _print_files(dossier.candidate)


def _print_files(candidate: Candidate) -> None:
    for path, content in candidate.files.items():
        if list(candidate.files) != [PROGRAM]:
            typer.echo(text.plain(f"--- {path}"))
        if sys.stdout.isatty():
            from rich.console import Console
            from rich.syntax import Syntax

            lexer = Syntax.guess_lexer(path)
            Console().print(Syntax(text.plain(content), lexer, background_color="default", word_wrap=True))
        else:
            typer.echo(text.plain(content), nl=not content.endswith("\n"))


@app.command("diff")
def diff_command(
    context: typer.Context,
    a: Annotated[str, typer.Argument(metavar="A", help="A candidate, or `start` for the task's starting program.")],
    b: Annotated[str, typer.Argument(metavar="B", help="A candidate, or `start`.")],
    *,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what changes from A to B."""
    with opened(resolve_home(context, home)) as store:
        old, new = _pair(store, a, b)
    lines = list(_difference(old, new))
    if as_json:
        typer.echo(records.dump({"a": old.id, "b": new.id, "diff": "".join(f"{line}\n" for line in lines)}))
        return
    for line in lines:
        _print_change(text.plain(line))


def _pair(store: Store, a: str, b: str) -> tuple[Candidate, Candidate]:
    if a == b == START:
        raise UsageError("outpace diff start start: name a candidate for at least one of the two.")
    if a == START:
        new = store.candidate(b)
        return _start_of(store, new), new
    old = store.candidate(a)
    return old, _start_of(store, old) if b == START else store.candidate(b)


def _start_of(store: Store, candidate: Candidate) -> Candidate:
    first = store.lineage(candidate.id)[-1:]
    if not first or first[0][1].proposal is None:
        raise UsageError(f"Candidate '{candidate.id}' was never evaluated, so the start of its run is not known.")
    return first[0][1].proposal.candidate


def _difference(old: Candidate, new: Candidate) -> Iterator[str]:
    for path in sorted({*old.files, *new.files}):
        before, after = (one.files.get(path, "").splitlines() for one in (old, new))
        names = f"{old.id}/{path}", f"{new.id}/{path}"
        yield from difflib.unified_diff(before, after, *names, lineterm="")


def _print_change(line: str) -> None:
    colours = {"+": typer.colors.GREEN, "-": typer.colors.RED, "@": typer.colors.CYAN}
    colour = colours.get(line[:1]) if sys.stdout.isatty() and not text.no_colour() else None
    typer.echo(typer.style(line, fg=colour) if colour else line)


@app.command("export")
def export_command(
    context: typer.Context,
    candidate: CandidateArgument,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder to write; made if it is not there.")],
    force: Annotated[bool, typer.Option("--force", help="Write even if the folder holds other files.")] = False,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a candidate's files into a folder.

    A README with its lineage and evidence goes with them.
    """
    with opened(resolve_home(context, home)) as store:
        dossier = open_dossier(store, candidate)
    files = {_safe(path): content for path, content in dossier.candidate.files.items()}
    files["README.md" if "README.md" not in files else "OUTPACE.md"] = readme(dossier)
    if out.exists() and not out.is_dir():
        raise UsageError(f"Cannot export to '{out}': it is a file, expected a folder.")
    if out.is_dir() and any(out.iterdir()) and not force:
        raise UsageError(f"Cannot export to '{out}': the folder is not empty. Name another, or add --force.")
    for path, content in files.items():
        (out / path).parent.mkdir(parents=True, exist_ok=True)
        (out / path).write_text(content, encoding="utf-8")
    if as_json:
        typer.echo(records.dump({"candidate": dossier.candidate.id, "folder": str(out), "files": sorted(files)}))
    else:
        typer.echo(f"Wrote {len(files)} files to {out}: {', '.join(text.plain(path) for path in sorted(files))}")


def _safe(path: str) -> str:
    """Return ``path``, or refuse one that leads out of the folder: the files were written by whoever proposed them."""
    parts = PurePosixPath(path).parts
    if not parts or PurePosixPath(path).is_absolute() or ".." in parts or "\x00" in path:
        raise UsageError(f"Cannot export this candidate: its file '{text.plain(path)}' would lie outside the folder.")
    return path
