"""The last words of a run: the champion, how much better it is, on what evidence, and the next command.

``outpace report`` says them again.
"""

import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from outpace.agent.cli import harvest, records, text
from outpace.agent.cli.home import HomeOption, JsonOption, RunArgument, opened, resolve_home
from outpace.agent.cli.progress import failures
from outpace.agent.cli.runs import heldout
from outpace.agent.home import default_home
from outpace.agent.models.replay import REPLAY
from outpace.agent.objectives import front_size
from outpace.agent.proposal import Member
from outpace.agent.store.base import Run, Store
from outpace.errors import UsageError
from outpace.evaluators.base import UNMEASURED, Evaluation
from outpace.tasks.spec import Goal

if TYPE_CHECKING:
    from outpace.agent.confirm import Confirmed
    from outpace.agent.evolve import Report

app = typer.Typer()

GOES_ON = "running"
_ENDED = {
    "evaluations": "all evaluations of the budget are done",
    "wall_s": "the time of the budget is over",
    "model_calls": "all model calls of the budget are made",
    "tokens": "all tokens of the budget are used",
    "usd": "the money of the budget is spent",
    "interrupted": "it was interrupted",
    "stalled": "nothing new came any more",
    "replayed": "all that was recorded is repeated",
    "open": "it waits for programs from outside",
}


@app.command("report")
def report_command(
    context: typer.Context, run: RunArgument, *, home: HomeOption = None, as_json: JsonOption = False
) -> None:
    """Tell what a run has found, and what came of the answers of each model."""
    folder = resolve_home(context, home)
    with opened(folder) as store:
        known = store.run(run)
        report, models = stored(store, known), harvest.harvest(store, known)
    if as_json:
        typer.echo(records.dump(record(report, folder, models=models)))
        return
    for line in words(report, folder, named_home=folder if folder != default_home() else None, models=models):
        typer.echo(text.plain(line))


def stored(store: Store, run: Run) -> "Report":
    """Return the report of a run as the store knows it; raises ``UsageError`` before its start is judged."""
    from outpace.agent.evolve import Report

    first = next(store.results(run.id), None)
    if first is None or first.proposal is None or first.evaluation is None:
        raise UsageError(f"Run {run.id} has no results yet: its starting program is not judged.")
    start = Member(first.proposal.candidate, first.evaluation)
    further, noise = store.confirmations(run.id, start.candidate.id), store.noise(run.id)
    champion = _champion(store, run, Member(start.candidate, further.get("train", start.evaluation)))
    return Report(
        run=run,
        ended=GOES_ON if run.status == "running" else run.reason,
        start=champion.start if champion else start,
        champion=champion,
        start_heldout=further.get("heldout"),
        start_ood=further.get("ood"),
        spent=store.spent(run.id),
        statuses=store.statuses(run.id),
        noise=noise[0] if noise else None,
        duels=tuple(store.duels(run.id)),
        front=front_size(store, run),
    )


def _champion(store: Store, run: Run, start: Member) -> "Confirmed | None":
    from outpace.agent.confirm import Confirmed

    if run.champion is None:
        return None
    found = store.confirmations(run.id, run.champion)
    train = found.get("train") or store.evaluation(run.id, run.champion)
    if train is None:
        return None
    champion = Member(store.candidate(run.champion), store.evaluation(run.id, run.champion) or train)
    return Confirmed(champion=champion, start=start, train=train, heldout=found.get("heldout"), ood=found.get("ood"))


def words(
    report: "Report", home: Path, *, named_home: Path | None, models: Sequence[harvest.Harvest] = ()
) -> Iterator[str]:
    """Yield the lines for people; ``named_home`` is the folder that the next commands have to name as well."""
    run = report.run
    ended = _ENDED.get(report.ended, report.ended.rstrip("."))
    yield f"Run {run.id} has not ended." if report.ended == GOES_ON else f"Run {run.id} ended: {ended}."
    if report.champion is None:
        yield _nothing(report)
    else:
        yield f"Champion {report.champion.champion.candidate.id} of task {run.config.task_name}:"
        yield from text.columns([(f"  {name}", said) for name, said in _evidence(report)])
    if report.front is not None:
        home_named = _home(named_home)
        yield f"Front: {text.counted(report.front, 'program')} (outpace front {run.id}{home_named})"
    spent = report.spent
    cost = f", {spent.model_calls} model calls, {spent.tokens} tokens" if spent.model_calls else ""
    took = f"{text.counted(spent.evaluations, 'evaluation')} in {text.duration(spent.wall_s)}{cost}"
    yield f"Spent {took}; failed: {failures(report.statuses)}."
    if models:
        yield "What came of the answers:"
        yield from (f"  {line}" for line in harvest.lines(models))
    yield f"Stored in {home}"
    yield "Next: " + "   or   ".join(_next(report, named_home))


def _nothing(report: "Report") -> str:
    """Return why there is no champion."""
    goal = report.run.config.goal
    if report.start.evaluation.unmeasured:
        right = text.counted(report.statuses.get("ok", 0), "right answer")
        return f"No champion, for nothing has a score: {UNMEASURED}. What was checked: {right}, the start's among them."
    if report.noise is None:
        return f"No candidate was confirmed to be better than the start ({text.score(goal, report.start.evaluation)})."
    floor = text.percent(report.noise.floor)
    return (
        f"No measurable gain: no candidate was confirmed to be faster than the start by more than the noise, {floor}."
    )


def _evidence(report: "Report") -> Iterator[tuple[str, str]]:
    goal, found = report.run.config.goal, report.champion
    assert found is not None
    yield "fresh inputs", _beside(goal, found.train, report.start.evaluation)
    if found.heldout is not None:
        yield "held-out", _beside(goal, found.heldout, report.start_heldout)
    if found.ood is not None:
        yield "out of distribution", _beside(goal, found.ood, report.start_ood)
    if report.noise is not None:
        won = sum(duel.outcome == "won" for duel in report.duels)
        yield "noise floor", text.noise(report.noise)
        yield "duels", f"{len(report.duels)} for the crown, which changed hands {text.counted(won, 'time')}"
    config = report.run.config
    yield "sandbox", f"{config.sandbox}, level {found.train.machine.get('level', config.level)}"


def _beside(goal: Goal, found: Evaluation, start: Evaluation | None) -> str:
    """Return a figure beside the start's, with the pairs that it rests on."""
    pairs = found.metrics.get("pairs")
    evidence = f" ({int(pairs)} pairs, {text.confidence(found)} interval)" if pairs else ""
    if goal.kind == "speedup" or start is None:
        return f"{text.score(goal, found)}{' as fast as the start' if goal.kind == 'speedup' else ''}{evidence}"
    return f"{heldout(goal, found)}, the start {heldout(goal, start)}: {text.gain_text(goal, found, start)}{evidence}"


def _next(report: "Report", named_home: Path | None) -> Iterator[str]:
    home = _home(named_home)
    if report.champion is not None:
        champion = report.champion.champion.candidate.id
        yield f"outpace show {champion}{home}"
        yield f"outpace verify {champion}{home}"
        yield f"outpace export {champion} -o DIR{home}"
    if report.ended in ("interrupted", GOES_ON):
        yield f"outpace resume {report.run.id}{home}"
    elif report.run.config.proposer.startswith(REPLAY):
        yield f"outpace runs{home}"  # there is no more of a recording
    elif report.champion is None and report.ended == "stalled" and report.run.config.proposer == "operators":
        task = shlex.quote(report.run.config.task)  # the rewriting operators have nothing left to try
        yield f"outpace run {task} --model openai:NAME{home}"
        yield f"outpace run {task} --model outside{home}"
    elif report.champion is None:
        yield f"outpace resume {report.run.id}{_more(report)}{home}"


def _home(named: Path | None) -> str:
    return f" --home {shlex.quote(str(named))}" if named else ""


def _more(report: "Report") -> str:
    """Return the option that doubles the bound at which the run ended."""
    budget, bound = report.run.config.budget, report.ended
    if bound == "wall_s" and budget.wall_s is not None:
        return f" --minutes {text.number(2 * budget.wall_s / 60)}"
    limit = getattr(budget, bound, None)
    if limit is None:
        return f" --evaluations {2 * report.spent.evaluations}"
    return f" --{bound.replace('_', '-')} {text.number(2 * limit)}"


def record(report: "Report", home: Path, *, models: Sequence[harvest.Harvest] = ()) -> dict[str, Any]:
    """Return the report for programs."""
    found = report.champion
    return {
        "event": "report",
        "run": records.run(report.run),
        "ended": report.ended,
        "home": str(home),
        "champion": records.member(found.champion) if found else None,
        "confirmed": records.evaluation(found.train) if found else None,
        "heldout": records.evaluation(found.heldout) if found else None,
        "ood": records.evaluation(found.ood) if found else None,
        "start": records.member(report.start),
        "start_heldout": records.evaluation(report.start_heldout),
        "start_ood": records.evaluation(report.start_ood),
        "spent": records.spent(report.spent),
        "statuses": dict(report.statuses),
        "noise": records.noise(report.noise),
        "duels": [records.duel(duel) for duel in report.duels],
        "front": report.front,
        "models": [harvest.record(one) for one in models],
    }
