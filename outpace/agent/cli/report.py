"""The last words of a run: the champion, how much better it is, on what evidence, and the next command."""

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outpace.agent.cli import records, text
from outpace.agent.cli.progress import failures
from outpace.agent.cli.runs import heldout
from outpace.evaluators.base import Evaluation
from outpace.tasks.spec import Goal

if TYPE_CHECKING:
    from outpace.agent.evolve import Report

_ENDED = {
    "evaluations": "all evaluations of the budget are done",
    "wall_s": "the time of the budget is over",
    "model_calls": "all model calls of the budget are made",
    "tokens": "all tokens of the budget are used",
    "usd": "the money of the budget is spent",
    "interrupted": "it was interrupted",
    "stalled": "nothing new came any more",
}


def words(report: "Report", home: Path, *, named_home: Path | None) -> Iterator[str]:
    """Yield the lines for people; ``named_home`` is the folder that the next commands have to name as well."""
    run = report.run
    yield f"Run {run.id} ended: {_ENDED.get(report.ended, report.ended)}."
    if report.champion is None:
        yield _nothing(report)
    else:
        yield f"Champion {report.champion.champion.candidate.id} of task {run.config.task_name}:"
        yield from text.columns([(f"  {name}", said) for name, said in _evidence(report)])
    spent = report.spent
    cost = f", {spent.model_calls} model calls, {spent.tokens} tokens" if spent.model_calls else ""
    took = f"{text.counted(spent.evaluations, 'evaluation')} in {text.duration(spent.wall_s)}{cost}"
    yield f"Spent {took}; failed: {failures(report.statuses)}."
    yield f"Stored in {home}"
    yield "Next: " + "   or   ".join(_next(report, named_home))


def _nothing(report: "Report") -> str:
    """Return why there is no champion."""
    goal = report.run.config.goal
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
    home = f" --home {shlex.quote(str(named_home))}" if named_home else ""
    if report.champion is not None:
        champion = report.champion.champion.candidate.id
        yield f"outpace show {champion}{home}"
        yield f"outpace verify {champion}{home}"
        yield f"outpace export {champion} -o DIR{home}"
    if report.ended == "interrupted":
        yield f"outpace resume {report.run.id}{home}"
    elif report.champion is None:
        yield f"outpace resume {report.run.id}{_more(report)}{home}"


def _more(report: "Report") -> str:
    """Return the option that doubles the bound at which the run ended."""
    budget, bound = report.run.config.budget, report.ended
    if bound == "wall_s" and budget.wall_s is not None:
        return f" --minutes {text.number(2 * budget.wall_s / 60)}"
    limit = getattr(budget, bound, None)
    if limit is None:
        return f" --evaluations {2 * report.spent.evaluations}"
    return f" --{bound.replace('_', '-')} {text.number(2 * limit)}"


def record(report: "Report", home: Path) -> dict[str, Any]:
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
    }
