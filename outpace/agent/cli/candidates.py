"""``outpace show``, ``diff`` and ``export``: one candidate, two candidates, a candidate as files."""

import difflib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import typer

from outpace.agent.cli import records, text
from outpace.agent.cli.home import HomeOption, JsonOption, opened, resolve_home
from outpace.agent.cli.runs import heldout
from outpace.agent.proposal import Result
from outpace.agent.store.base import Run, Store
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import PROGRAM, Candidate
from outpace.tasks.spec import Goal, Split

app = typer.Typer()

START = "start"
SPLITS: dict[Split, str] = {"train": "confirmed", "heldout": "held-out", "ood": "out of distribution"}
CandidateArgument = Annotated[
    str, typer.Argument(metavar="CANDIDATE", help="Id of a candidate or its first digits (at least 4).")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """All that the store knows of a candidate. ``lineage`` is newest first and ends with the start."""

    candidate: Candidate
    run: Run
    evaluation: Evaluation | None
    confirmations: Mapping[Split, Evaluation]
    start_confirmations: Mapping[Split, Evaluation]
    lineage: tuple[Result, ...]

    @property
    def goal(self) -> Goal:
        """Return the goal of its task."""
        return self.run.config.goal

    @property
    def start(self) -> Evaluation | None:
        """Return the evaluation of the program that it all began with."""
        return self.lineage[-1].evaluation if self.lineage else None

    @property
    def compared(self) -> tuple[Evaluation | None, Evaluation | None]:
        """Return the evaluations of candidate and start that make the gain: on the same inputs, fresh ones if known."""
        found = self.confirmations.get("train")
        return (self.evaluation, self.start) if found is None else (found, self.start_confirmations.get("train", self.start))


def open_dossier(store: Store, given: str) -> Dossier:
    """Gather what is known of a candidate, in the run that crowned it or else the first that met it."""
    candidate = store.candidate(given)
    lineage = store.lineage(candidate.id)
    if not lineage:
        raise UsageError(f"Candidate '{candidate.id}' was never evaluated; nothing is known of it but its files.")
    crowned = (run for run in store.runs(task=lineage[0][0].config.task_name) if run.champion == candidate.id)
    run = next(crowned, lineage[0][0])
    first = lineage[-1][1].proposal
    return Dossier(
        candidate=candidate,
        run=run,
        evaluation=store.evaluation(run.id, candidate.id),
        confirmations=store.confirmations(run.id, candidate.id),
        start_confirmations=store.confirmations(run.id, first.candidate.id) if first else {},
        lineage=tuple(result for _, result in lineage),
    )


@app.command("show")
def show_command(
    context: typer.Context, candidate: CandidateArgument, *, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Show a candidate, its figures and its origin."""
    with opened(resolve_home(context, home)) as store:
        dossier = open_dossier(store, candidate)
    if as_json:
        typer.echo(records.dump(_dossier_record(dossier)))
        return
    for line in _description(dossier):
        typer.echo(text.plain(line))
    typer.echo("")
    _print_files(dossier.candidate)


def _dossier_record(dossier: Dossier) -> dict[str, Any]:
    return {
        "candidate": dossier.candidate.id,
        "run": records.run(dossier.run),
        "evaluation": records.evaluation(dossier.evaluation),
        "confirmations": {split: records.evaluation(found) for split, found in dossier.confirmations.items()},
        "start": records.evaluation(dossier.start),
        "start_confirmations": {split: records.evaluation(one) for split, one in dossier.start_confirmations.items()},
        "gain": text.gain(dossier.goal, *dossier.compared),
        "lineage": [records.result(result) for result in dossier.lineage],
        "files": dict(dossier.candidate.files),
    }


def _description(dossier: Dossier) -> Iterator[str]:
    goal = dossier.goal
    yield f"Candidate {dossier.candidate.id} for {dossier.run.config.task_name} (run {dossier.run.id})"
    yield ""
    yield from text.columns(_figures(dossier))
    if dossier.evaluation and dossier.evaluation.feedback and dossier.evaluation.status != "ok":
        yield from ("", "Feedback", *(f"  {line}" for line in dossier.evaluation.feedback.splitlines()))
    metrics = dossier.evaluation.metrics if dossier.evaluation else {}
    if metrics:
        yield from ("", "Metrics")
        yield from text.columns([(f"  {name}", text.number(value)) for name, value in metrics.items()])
    yield from ("", f"Lineage, newest first ({goal.name}, and the gain over the parent)")
    yield from text.columns([(f"  {cells[0]}", *cells[1:]) for cells in lineage_rows(dossier)])


def _figures(dossier: Dossier) -> list[tuple[str, str, str]]:
    """Return rows of evidence: what was measured, the candidate's figure, the start's figure."""
    goal = dossier.goal
    rows = [("", "candidate", "start")]
    rows.append(("in the search", text.score(goal, dossier.evaluation), text.score(goal, dossier.start)))
    for split, name in SPLITS.items():
        if found := dossier.confirmations.get(split):
            rows.append((name, heldout(goal, found), heldout(goal, dossier.start_confirmations.get(split))))
    rows.append(("gain", text.gain_text(goal, *dossier.compared), ""))
    return rows


def lineage_rows(dossier: Dossier) -> list[tuple[str, ...]]:
    """Return one row for each ancestor: number, id, operator, score, change from its parent."""
    rows: list[tuple[str, ...]] = []
    goal = dossier.goal
    for index, result in enumerate(dossier.lineage):
        parent = dossier.lineage[index + 1].evaluation if index + 1 < len(dossier.lineage) else None
        proposal = result.proposal
        rows.append(
            (
                f"#{result.brief.number}",
                proposal.candidate.id if proposal else "-",
                proposal.operator if proposal else "-",
                text.score(goal, result.evaluation),
                _step(goal, result.evaluation, parent),
            )
        )
    return rows


def _step(goal: Goal, child: Evaluation | None, parent: Evaluation | None) -> str:
    if child is None or parent is None or child.score is None or not parent.score:
        return ""
    if goal.kind == "speedup":
        return f"x {text.number(child.score / parent.score)}"
    return f"{100 * (goal.rank(child.score) - goal.rank(parent.score)) / abs(parent.score):+.2f} %"


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
    files["README.md" if "README.md" not in files else "OUTPACE.md"] = _readme(dossier)
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


def _readme(dossier: Dossier) -> str:
    config, machine = dossier.run.config, dossier.evaluation.machine if dossier.evaluation else {}
    lines = [
        f"# {config.task_name}: candidate {dossier.candidate.id}",
        "",
        f"Found by [Outpace](https://pypi.org/project/outpace/) in run {dossier.run.id} of {dossier.run.created}: "
        f"strategy `{config.strategy}`, proposer `{config.proposer}`, seed {config.seed}, sandbox `{config.sandbox}`.",
        "",
        f"## Evidence ({config.goal.name}, {config.goal.direction})",
        "",
        *_markdown(_figures(dossier)),
        "",
        "A figure in brackets after a score is its 95 % interval.",
        "",
        "Machine: " + (", ".join(f"{key} {value}" for key, value in machine.items()) or "not recorded") + ".",
        "",
        "## Lineage, newest first (the gain is that over the parent)",
        "",
        *_markdown(
            [("brief", "candidate", "operator", config.goal.name, "gain over the parent"), *lineage_rows(dossier)]
        ),
    ]
    return text.plain("\n".join(lines)) + "\n"


def _markdown(rows: list[tuple[str, str, str]] | list[tuple[str, ...]]) -> list[str]:
    lines = ["| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in row) + " |" for row in rows]
    return [lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]]
