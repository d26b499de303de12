"""``outpace task list``, ``show``, ``new``, ``import`` and ``check``."""

import asyncio
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from outpace.agent.cli import records, text
from outpace.agent.cli.home import JsonOption, LevelOption, SandboxOption, known_level
from outpace.errors import MissingPackage, OutpaceError, UsageError
from outpace.plugins import DEFAULT_SANDBOX
from outpace.sandbox.base import Level
from outpace.tasks.finding import Finding
from outpace.tasks.spec import Goal, Task, TaskSpec

WIDTH = 120
"""No line of the list is longer; titles are cut to that."""

app = typer.Typer(help="Tasks: list them, look at one, make one, check one.", no_args_is_help=True)


@app.command("list")
def list_command(
    tasks: Annotated[
        str | None,
        typer.Argument(
            metavar="[FORMAT:PATH]",
            help="Those of a checkout of another tool, such as algotune:PATH.",
            show_default=False,
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the bundled tasks, or those of another tool."""
    if tasks is not None:
        _list_others(tasks, as_json=as_json)
        return
    from outpace.tasks import registry

    specs = sorted(registry.specs(), key=lambda spec: (spec.family, spec.name))
    if as_json:
        typer.echo(records.dump([_spec_record(spec) for spec in specs]))
        return
    rows = [(f"  {spec.name}", *_figures(spec.goal), text.plain(spec.title)) for spec in specs]
    head, *lines = text.columns([("task", "goal", "start", "best known", "title"), *rows])
    typer.echo(head)
    families = [None, *(spec.family for spec in specs)]
    for spec, before, line in zip(specs, families, lines, strict=False):
        if spec.family != before:
            typer.echo(spec.family)
        typer.echo(line if len(line) <= WIDTH else f"{line[: WIDTH - 1].rstrip()}…")
    typer.echo("Look at one: outpace task show NAME   Your own: outpace task new PATH")


def _list_others(given: str, *, as_json: bool) -> None:
    from outpace.tasks.importers import source

    found = source.listed(given)
    if as_json:
        typer.echo(records.dump(found))
        return
    for name in found:
        typer.echo(text.plain(name))
    typer.echo(f"{text.counted(len(found), 'task')}. Which of them can be run here: outpace task check --all {given}")


@app.command("show")
def show_command(
    name: Annotated[str, typer.Argument(metavar="NAME", help="As for `outpace run`.")],
    as_json: JsonOption = False,
) -> None:
    """Show a task: its statement, cases and limits."""
    from outpace.tasks import registry

    task = registry.find(name)
    if as_json:
        typer.echo(records.dump(_task_record(task)))
        return
    for line in _description(task, name):
        typer.echo(text.plain(line))


@app.command("new")
def new_command(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Folder to make; its name is the task's.")],
    *,
    kind: Annotated[
        str, typer.Option("--kind", metavar="KIND", help="`metric`: a better answer; `speedup`: the same one, faster.")
    ] = "metric",
    as_json: JsonOption = False,
) -> None:
    """Write a new task folder.

    It passes `outpace task check` as it stands, and explains itself.
    """
    from outpace.tasks.new import new

    folder = new(path, kind)
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    if as_json:
        typer.echo(records.dump({"folder": str(folder), "files": files}))
        return
    typer.echo(f"Wrote {folder}: {', '.join(files)}")
    typer.echo(f"Next: outpace task check {_as_path(folder)}   or   outpace run {_as_path(folder)}")


def _as_path(folder: Path) -> str:
    """Return the folder as the commands tell it from a name: with a slash or a leading dot."""
    text = str(folder)
    return shlex.quote(text if "/" in text or text.startswith((".", "~")) else f"./{text}")


@app.command("import")
def import_command(
    given: Annotated[str, typer.Argument(metavar="FORMAT:PATH", help="The task of another tool.")],
    path: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder to make.")],
    as_json: JsonOption = False,
) -> None:
    """Write the task of another tool as a task folder of your own.

    `outpace run FORMAT:PATH` runs it as it is, without a folder. A folder can be changed: another statement, other
    cases, a checker of your own where the original's is not to be believed.
    """
    from outpace.tasks.folder import read_spec
    from outpace.tasks.importers import source

    files = source.written(given, path)
    if as_json:
        typer.echo(records.dump({"folder": str(path), "files": files}))
        return
    typer.echo(f"Wrote {path}: {', '.join(files)}")
    for line in read_spec(path).sources:
        typer.echo(text.plain(line))
    typer.echo(f"Next: outpace task check {_as_path(path)}   or   outpace run {_as_path(path)}")


@app.command("check")
def check_command(
    task: Annotated[str, typer.Argument(metavar="PATH", help="A task folder, a bundled task's name, or FORMAT:PATH.")],
    sandbox: SandboxOption = DEFAULT_SANDBOX,
    level: LevelOption = None,
    every: Annotated[bool, typer.Option("--all", help="Every task below FORMAT:PATH, one line each.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Tell what is wrong with a task.

    One finding a line. If the task itself is sound, its starting program is tried once in the sandbox. The exit code is
    1 if there is an error; warnings leave it at 0.
    """
    from outpace.tasks.importers import source

    if every:
        _check_all(task, sandbox, known_level(level), as_json=as_json)
        return
    path = source.folder_of(task) if source.is_source(task) else _place(task)
    findings = _found(path, sandbox, known_level(level))
    errors = [finding for finding in findings if finding.severity == "error"]
    if as_json:
        shown = [
            {"file": one.file, "line": one.line, "severity": one.severity, "message": one.message} for one in findings
        ]
        typer.echo(records.dump({"ok": not errors, "findings": shown}))
    else:
        for finding in findings:
            typer.echo(text.plain(str(finding)))
        if not errors:
            typer.echo(f"{task}: no errors. Next: outpace run {_next(task, path)}")
    if errors:
        raise typer.Exit(1)


def _place(task: str) -> Path:
    """Return the folder that a path names, or else a bundled task."""
    from outpace.tasks import registry

    path = Path(task)
    return path if path.exists() else registry.place(task) or path


def _next(task: str, path: Path) -> str:
    """Return what to run after a check, with the option that a task needs which nothing can time here."""
    from outpace.tasks import folder, registry
    from outpace.tasks.importers import source

    named = task if source.is_source(task) or registry.place(task) == path else _as_path(path)
    return f"{named} --unmeasured" if folder.read_spec(path).device == "gpu" else named


def _found(path: Path, sandbox: str, level: Level | None) -> list[Finding]:
    """Return what is wrong with a task folder; its starting program is tried if nothing is."""
    from outpace.tasks.check import check

    findings = check(path)
    if any(finding.severity == "error" for finding in findings):
        return findings
    return [*findings, *asyncio.run(_try_start(path, sandbox, level))]


def _check_all(given: str, sandbox: str, level: Level | None, *, as_json: bool) -> None:
    """Say of each task below ``FORMAT:PATH`` whether it can be run here, or why not, as soon as it is known."""
    from outpace.tasks.importers import source

    if not source.is_source(given):
        raise UsageError(f"--all is for the tasks of another tool; got '{given}', expected FORMAT:PATH.")
    shown, usable = [], 0
    names = source.listed(given)
    for name in names:
        try:
            errors = [one for one in _found(source.folder_of(name), sandbox, level) if one.severity == "error"]
            reason = errors[0].message if errors else ""
        except OutpaceError as error:
            reason = str(error)
        usable += not reason
        shown.append({"task": name, "usable": not reason, "reason": reason})
        if not as_json:
            typer.echo(text.plain(f"{name}: {'usable' if not reason else f'not usable: {text.first_line(reason)}'}"))
    if as_json:
        typer.echo(records.dump(shown))
    else:
        typer.echo(f"{usable} of {text.counted(len(names), 'task')} usable.")
    if usable < len(names):
        raise typer.Exit(1)


async def _try_start(path: Path, sandbox_name: str, level: Level | None) -> list[Finding]:
    """Evaluate the starting program once; return what is wrong with it: it fails its own check, or cannot be timed."""
    from outpace.agent.conditions import least_level, opened_sandbox
    from outpace.evaluators.cascade import CascadeEvaluator
    from outpace.evaluators.correctness import Failure
    from outpace.evaluators.pace import slow
    from outpace.tasks.folder import load as load_task

    task = load_task(path)
    try:
        with opened_sandbox(sandbox_name, least_level(sandbox_name, level), task) as (sandbox, held):
            evaluator = CascadeEvaluator(sandbox, level=held.level)
            try:
                paces = await evaluator.paces(task)
            except Failure as failure:
                return [_start_fails(path, failure.status, failure.feedback)]
            if faults := [fault for pace in paces if (fault := pace.fault())]:
                return [Finding(str(path / "task.toml"), 0, fault) for fault in faults]
            evaluation = await evaluator.evaluate(task, task.start)
    except MissingPackage as error:
        return [Finding(str(path / "task.toml"), 0, str(error))]
    if evaluation.status == "infra":
        raise OutpaceError(f"The starting program could not be tried: {evaluation.feedback}")
    if evaluation.status != "ok":
        return [_start_fails(path, evaluation.status, evaluation.feedback)]
    warning = slow(paces)
    return [Finding(str(path / "task.toml"), 0, warning, "warning")] if warning else []


def _start_fails(path: Path, status: str, feedback: str) -> Finding:
    said = f"the starting program fails its own check ({status}): {' '.join(feedback.split())}"
    return Finding(str(path / "program.py"), 0, said)


def _figures(goal: Goal) -> tuple[str, str, str]:
    """Return what is to get better, the score of the start, and the best known one; ``-`` where nothing is stated."""
    what = "speed-up" if goal.kind == "speedup" else f"{goal.direction.removesuffix('imise')} {goal.name}"
    start, best = (
        text.amount(goal, value) if value is not None else "-" for value in (records.start(goal), goal.best_known)
    )
    return what, start, best


def _goal(goal: Goal) -> str:
    begins = f", start {text.amount(goal, goal.start)}" if goal.start is not None else ""
    best = f", best known {text.amount(goal, goal.best_known)}" if goal.best_known is not None else ""
    told = ", self-reported" if goal.self_reported else ""
    return f"{'speed-up' if goal.kind == 'speedup' else f'{goal.direction} {goal.name}'}{begins}{best}{told}"


def _spec_record(spec: TaskSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "title": spec.title,
        "family": spec.family,
        "language": spec.language,
        "device": spec.device,
        "entry": spec.entry,
        "goal": records.goal(spec.goal),
        "objectives": records.objectives(spec.objectives),
        "requires": list(spec.requires),
        "sources": list(spec.sources),
        "evaluations": spec.evaluations,
    }


def _task_record(task: Task) -> dict[str, Any]:
    spec = task.spec
    cases = [
        {
            "name": case.name,
            "split": case.split,
            "seed": case.seed,
            "instances": case.instances,
            "params": case.params,
            "timed": case.timed,
        }
        for case in spec.cases
    ]
    return {
        **_spec_record(spec),
        "statement": spec.statement,
        "cases": cases,
        "limits": records.limits(spec.limits),
        "fingerprint": task.fingerprint,
        "start": {"candidate": task.start.id, "files": dict(task.start.files)},
        "driver": task.driver,
    }


def _description(task: Task, given: str) -> Iterator[str]:
    spec = task.spec
    yield f"{spec.name}: {spec.title}"
    facts = [
        ("family", spec.family),
        ("goal", _goal(spec.goal)),
        *(("objective", f"{one.direction} {one.metric}") for one in spec.objectives),
        ("entry", f"{spec.entry or 'none: the driver takes the path'} in program.py ({spec.language})"),
        ("requires", ", ".join(spec.requires) or "nothing beside the standard library and numpy"),
        *([("device", "GPU; without one programs are only checked")] if spec.device == "gpu" else []),
        ("budget", f"{spec.evaluations} evaluations unless told otherwise"),
        ("start", task.start.id),
        ("fingerprint", task.fingerprint),
        *(("source", source) for source in spec.sources),
    ]
    yield from text.columns([(f"  {name}", said) for name, said in facts])
    yield from ("", "Cases")
    rows = [
        (f"  {case.name}", case.split, f"{case.instances} x", ", ".join(f"{k}={v}" for k, v in case.params.items()))
        for case in spec.cases
    ]
    yield from text.columns(rows)
    yield from (
        "",
        "Limits of one worker",
        f"  {', '.join(f'{k} {v}' for k, v in records.limits(spec.limits).items())}",
    )
    yield from ("", *spec.statement.strip().splitlines(), "", f"Run it: outpace run {shlex.quote(given)}")
