"""What ``--json`` prints: plain values with stable keys. Numbers that JSON cannot hold become null."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from outpace.agent.budget import Spent
from outpace.agent.cli import text
from outpace.agent.proposal import Member, Result
from outpace.agent.store.base import Duel, Entry, Run, Surprise, Verification
from outpace.evaluators.base import Evaluation, Noise
from outpace.limits import Limits
from outpace.sandbox.base import Containment
from outpace.tasks.spec import Goal, Objective


def dump(value: Any, *, indent: int | None = 2) -> str:
    """Return JSON text that any stream takes; not-a-number and infinities become null, lone surrogates escapes."""
    text = json.dumps(_finite(value), indent=indent, ensure_ascii=False, allow_nan=False)
    return text.encode(errors="backslashreplace").decode()


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return value


def goal(one: Goal) -> dict[str, Any]:
    """Return what is to get better."""
    return {
        "kind": one.kind,
        "name": one.name,
        "direction": one.direction,
        "unit": one.unit,
        "start": start(one),
        "best_known": one.best_known,
        "self_reported": one.self_reported,
    }


def start(one: Goal) -> float | None:
    """Return the score that the starting program is stated to have: 1 for a speed-up, by definition."""
    return 1.0 if one.kind == "speedup" else one.start


def evaluation(one: Evaluation | None) -> dict[str, Any] | None:
    """Return an evaluation without its raw pairs."""
    if one is None:
        return None
    return {
        "status": one.status,
        "score": one.score,
        "interval": one.interval,
        "metrics": one.metrics,
        "feedback": one.feedback,
        "stages": [{"name": stage.name, "wall_s": stage.wall_s, "passed": stage.passed} for stage in one.stages],
        "machine": one.machine,
        "wall_s": one.wall_s,
    }


def objectives(several: Sequence[Objective]) -> list[dict[str, Any]]:
    """Return what is looked at beside the score."""
    return [asdict(one) for one in several]


def run(one: Run) -> dict[str, Any]:
    """Return a run with its configuration."""
    config = one.config
    return {
        "id": one.id,
        "created": one.created,
        "status": one.status,
        "reason": one.reason,
        "champion": one.champion,
        "task": config.task_name,
        "task_given": config.task,
        "task_fingerprint": config.task_fingerprint,
        "goal": goal(config.goal),
        "strategy": config.strategy,
        "strategy_params": config.strategy_params,
        "proposer": config.proposer,
        "proposer_params": config.proposer_params,
        "seed": config.seed,
        "budget": config.budget.as_dict(),
        "workers": config.workers,
        "sandbox": config.sandbox,
        "level": config.level,
        "objectives": objectives(config.objectives),
    }


def entry(one: Entry) -> dict[str, Any]:
    """Return a line of the leaderboard; ``gain``: see ``text.gain``."""
    its = one.run.config.goal
    return {
        "task": one.run.config.task_name,
        "run": one.run.id,
        "created": one.run.created,
        "goal": goal(its),
        "champion": one.candidate,
        "evaluation": evaluation(one.evaluation),
        "heldout": evaluation(one.heldout),
        "start": evaluation(one.start),
        "gain": text.gain(its, one.evaluation, one.start),
        "measurable": its.kind == "metric" or text.measurable(one.evaluation),
        "proposer": one.proposer,
        "evaluations": one.evaluations,
        "machine": one.evaluation.machine,
    }


def member(one: Member | None) -> dict[str, Any] | None:
    """Return a candidate's id with its evaluation."""
    if one is None:
        return None
    return {"candidate": one.candidate.id, "evaluation": evaluation(one.evaluation)}


def outcome(one: Result | None) -> dict[str, Any] | None:
    """Return what became of a brief, in short: who, what, and the score."""
    if one is None:
        return None
    found = one.evaluation
    return {
        "brief": one.brief.number,
        "candidate": one.proposal.candidate.id if one.proposal else None,
        "operator": one.proposal.operator if one.proposal else one.brief.operator,
        "status": found.status if found else "failed",
        "score": found.score if found else None,
        "interval": found.interval if found else None,
        "reason": ""
        if found and found.status == "ok"
        else text.first_line(found.feedback if found else one.failure or ""),
    }


def result(one: Result) -> dict[str, Any]:
    """Return what became of a brief, without the program's text."""
    proposal = one.proposal
    return {
        "brief": one.brief.number,
        "candidate": proposal.candidate.id if proposal else None,
        "proposer": proposal.proposer if proposal else None,
        "operator": proposal.operator if proposal else one.brief.operator,
        "parents": list(proposal.parents) if proposal else [],
        "thought": proposal.thought if proposal else "",
        "evaluation": evaluation(one.evaluation),
        "failure": one.failure,
        "seen_before": one.seen_before,
    }


def noise(one: Noise | None) -> dict[str, Any] | None:
    """Return what an A/A measurement said."""
    return asdict(one) if one else None


def duel(one: Duel) -> dict[str, Any]:
    """Return a duel; the outcome is the challenger's."""
    return {
        "challenger": one.challenger,
        "champion": one.champion,
        "outcome": one.outcome,
        "evaluation": evaluation(one.evaluation),
    }


def surprise(one: Surprise) -> dict[str, Any]:
    """Return both measurements of a surprising result, and which counts."""
    return {
        "candidate": one.candidate,
        "first": evaluation(one.first),
        "second": evaluation(one.second),
        "counts": one.counts,
    }


def verification(one: Verification) -> dict[str, Any]:
    """Return a repetition of a final measurement."""
    measured = {split: evaluation(found) for split, found in one.evaluations.items()}
    return {"at": one.at, "holds": one.holds, "verdict": one.verdict, "evaluations": measured}


def containment(one: Containment) -> dict[str, Any]:
    """Return what holds a worker, and what is lacking."""
    return {"level": one.level, "facts": dict(one.facts), "lacking": one.lacking}


def spent(one: Spent) -> dict[str, Any]:
    """Return what a run has used."""
    return asdict(one)


def limits(one: Limits) -> dict[str, Any]:
    """Return what a worker may use."""
    return asdict(one)
