"""What somebody outside is told: plain values with stable keys.

Nothing of the judge's is among them: no seeds, no held-out case.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from outpace.agent.outside import Attended
from outpace.agent.prompts.render import render
from outpace.agent.prompts.templates import Templates, templates_of
from outpace.agent.proposal import Brief, Member, Result
from outpace.evaluators.base import Evaluation
from outpace.tasks.spec import Task

PLACES = 10
"""How many programs a leaderboard shows."""


def task_record(task: Task) -> dict[str, Any]:
    """Return what a program has to do, and the program to begin with."""
    spec = task.spec
    return {
        "name": spec.name,
        "title": spec.title,
        "statement": spec.statement,
        "language": spec.language,
        "entry": spec.entry,
        "goal": {name: getattr(spec.goal, name) for name in ("kind", "name", "direction", "unit", "self_reported")},
        "packages": list(spec.requires),
        "limits": {
            "wall_s": spec.limits.wall_s,
            "cpu_s": spec.limits.cpu_s,
            "memory_mb": spec.limits.memory_mb,
            "threads": spec.limits.threads,
        },
        "cases": [{"name": case.name, "params": dict(case.params)} for case in spec.split("train")],
        "start": dict(task.start.files),
    }


def brief_record(task: Task, brief: Brief) -> dict[str, Any]:
    """Return a brief: the same words that a model gets, and what they are made of."""
    return {
        "brief": brief.number,
        "text": brief_text(task, brief),
        "operator": brief.operator,
        "instruction": brief.instruction,
        "edit_mode": brief.edit_mode,
        "parents": [member_record(one) for one in brief.parents],
        "inspirations": [member_record(one) for one in brief.inspirations],
    }


def brief_text(task: Task, brief: Brief) -> str:
    """Return a brief as one text."""
    return "\n".join(message.content for message in render(task, brief, templates=_templates(task)))


@lru_cache(maxsize=1)  # of the run that is served
def _templates(task: Task) -> Templates:
    return templates_of(task)


def member_record(member: Member) -> dict[str, Any]:
    """Return a program with what is known of it."""
    return {
        "candidate": member.candidate.id,
        "files": dict(member.candidate.files),
        **evaluation_record(member.evaluation),
    }


def evaluation_record(one: Evaluation) -> dict[str, Any]:
    """Return what the judge says of a program."""
    return {
        "status": one.status,
        "score": one.score,
        "interval": list(one.interval) if one.interval else None,
        "metrics": dict(one.metrics),
        "feedback": one.feedback,
    }


def result_record(run: Attended, result: Result) -> dict[str, Any]:
    """Return what became of a brief, and where the run stands."""
    judged = evaluation_record(result.evaluation) if result.evaluation else {"status": "failed", "score": None}
    return {
        "brief": result.brief.number,
        "candidate": result.proposal.candidate.id if result.proposal else None,
        "seen_before": result.seen_before,
        "reason": result.failure or _reason(result),
        **judged,
        **standing(run),
    }


def _reason(result: Result) -> str:
    """Return why a program was not judged, if it was not."""
    if not (result.seen_before and result.proposal):
        return ""
    return f"The same program was judged before in this run, as candidate {result.proposal.candidate.id}."


def standing(run: Attended) -> dict[str, Any]:
    """Return the best so far, whether scores are self-reported, and what is left of the budget."""
    search = run.search
    best = search.best.evaluation if search.best else None
    return {
        "best_score": best.score if best else None,
        "self_reported": search.task.spec.goal.self_reported,
        "left": search.run.config.budget.left(search.ledger.spent),
        "ended": run.ended,
    }


def leaders(members: Sequence[Member]) -> list[dict[str, Any]]:
    """Return the best programs of a run by their evaluations in the search, without their text."""
    return [
        {"place": place, "candidate": one.candidate.id, **_figures(one.evaluation)}
        for place, one in enumerate(members, 1)
    ]


def _figures(one: Evaluation) -> dict[str, Any]:
    return {name: value for name, value in evaluation_record(one).items() if name in ("status", "score", "interval")}
