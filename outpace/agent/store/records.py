"""How the records of the loop become rows and come back, field by field."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import Any

from outpace.agent.budget import Budget
from outpace.agent.models.base import Choice, Completion
from outpace.agent.proposal import Brief, Member, ModelUsage, Proposal, Sample
from outpace.agent.store.base import RunConfig
from outpace.agent.store.codec import decode, encode, finite, pack, unpack
from outpace.evaluators.base import Evaluation, Measurement, Stage
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal, Objective

Row = Mapping[str, Any]
MemberOf = Callable[[str], Member]


def config_to(config: RunConfig) -> str:
    """Return a run's configuration as JSON."""
    plain = {name: getattr(config, name) for name in RunConfig.__dataclass_fields__}
    plain |= {"goal": asdict(config.goal), "budget": config.budget.as_dict()}
    plain["objectives"] = [asdict(one) for one in config.objectives]
    return encode(plain, what="config")


def config_from(plain: Mapping[str, Any]) -> RunConfig:
    """Return what ``config_to`` was given, of its decoded JSON."""
    goal, budget = Goal(**plain["goal"]), Budget.from_dict(plain["budget"])
    objectives = tuple(Objective(**one) for one in plain.get("objectives", ()))  # runs begun before there were any
    return RunConfig(**{**plain, "goal": goal, "budget": budget, "objectives": objectives})


def brief_to(brief: Brief) -> str:
    """Return a brief as JSON, its members by the ids of their candidates."""
    plain = {name: getattr(brief, name) for name in Brief.__dataclass_fields__ if name != "number"}
    plain["parents"] = [member.candidate.id for member in brief.parents]
    plain["inspirations"] = [member.candidate.id for member in brief.inspirations]
    plain["sample"] = brief.sample and asdict(brief.sample)
    return encode(plain, what="brief")


def brief_members(plain: Mapping[str, Any]) -> list[str]:
    """Return the ids of the candidates that a stored brief speaks of."""
    return [*plain["parents"], *plain["inspirations"]]


def brief_from(number: int, plain: Mapping[str, Any], member: MemberOf) -> Brief:
    """Return a brief of its decoded JSON; ``member`` finds members by candidate id."""
    parents = tuple(member(candidate) for candidate in plain["parents"])
    inspirations = tuple(member(candidate) for candidate in plain["inspirations"])
    sample = Sample(**plain["sample"]) if plain.get("sample") else None
    known = {**plain, "number": number, "parents": parents, "inspirations": inspirations, "sample": sample}
    return Brief(**known)


def proposal_to(proposal: Proposal) -> dict[str, Any]:
    """Return a proposal as column values; its candidate by id."""
    plain = {
        "proposer": proposal.proposer,
        "operator": proposal.operator,
        "parents": proposal.parents,
        "detail": proposal.detail,
        "usage": asdict(proposal.usage),
        "latency_s": proposal.latency_s,
    }
    thought = pack(proposal.thought) if proposal.thought else None
    return {"candidate": proposal.candidate.id, "thought": thought, "data": encode(plain, what="proposal")}


def proposal_from(data: str, thought: bytes | None, candidate: Candidate) -> Proposal:
    """Return a proposal of its column values."""
    plain = decode(data)
    plain |= {"parents": tuple(plain["parents"]), "usage": ModelUsage(**plain["usage"])}
    return Proposal(**plain, candidate=candidate, thought=unpack(thought) if thought else "")


def completion_to(completion: Completion) -> dict[str, Any]:
    """Return a model's answer as column values."""
    return {"text": pack(completion.text), "data": encode(asdict(replace(completion, text="")), what="completion")}


def completion_from(row: Row) -> Completion:
    """Return a model's answer of its column values."""
    plain = decode(row["data"])
    others = tuple(Choice(**one) for one in plain.get("others", ()))  # rows written before there were any lack it
    usage = ModelUsage(**plain["usage"])
    return Completion(**{**plain, "text": unpack(row["text"]), "usage": usage, "others": others})


def evaluation_to(evaluation: Evaluation, goal: Goal) -> dict[str, Any]:
    """Return an evaluation as column values, its machine left out (that is kept among the texts)."""
    low, high = evaluation.interval or (None, None)
    numbers = {"score": evaluation.score, "rank": evaluation.rank(goal), "low": low, "high": high}
    measurements = [asdict(one) for one in evaluation.measurements]
    stages = [[stage.name, stage.wall_s, stage.passed] for stage in evaluation.stages]
    return {
        **{name: None if value is None else finite(value, f"evaluation.{name}") for name, value in numbers.items()},
        "status": evaluation.status,
        "wall_s": finite(evaluation.wall_s, "evaluation.wall_s"),
        "metrics": encode(evaluation.metrics, what="evaluation.metrics"),
        "stages": encode(stages, what="evaluation.stages"),
        "feedback": pack(evaluation.feedback) if evaluation.feedback else None,
        "measurements": pack(encode(measurements, what="evaluation.measurements")) if measurements else None,
    }


def evaluation_from(row: Row, machine: Mapping[str, str]) -> Evaluation:
    """Return an evaluation of its column values."""
    return Evaluation(
        status=row["status"],
        score=row["score"],
        interval=None if row["low"] is None else (row["low"], row["high"]),
        metrics=decode(row["metrics"]),
        measurements=_measurements(row["measurements"]),
        feedback=unpack(row["feedback"]) if row["feedback"] else "",
        stages=tuple(Stage(name=name, wall_s=wall_s, passed=passed) for name, wall_s, passed in decode(row["stages"])),
        machine=machine,
        wall_s=row["wall_s"],
    )


def _measurements(data: bytes | None) -> tuple[Measurement, ...]:
    if data is None:
        return ()
    return tuple(_measurement(one) for one in decode(unpack(data)))


def _measurement(plain: Mapping[str, Any]) -> Measurement:
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}
    return Measurement(**fields)
