"""Samples for tests of stores: records with nothing left at its default, and how to take one all the way."""

from collections.abc import Callable, Sequence
from typing import Any

from outpace.agent.budget import Budget
from outpace.agent.proposal import Brief, Member, ModelUsage, Proposal, Result
from outpace.agent.store.base import Run, RunConfig, Store
from outpace.errors import OutpaceError
from outpace.evaluators.base import Evaluation, Measurement, Noise, Stage, Status
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal, Objective

GOAL = Goal(kind="metric", name="gap", direction="minimise", unit="%", best_known=0.1)
NOISE = Noise(clock="cpu", floor=0.1 + 0.2, wall=1 / 3, cpu=5e-324, pairs=24)


def config(task: str = "packing", **changes: Any) -> RunConfig:
    """Return a configuration with nothing left at its default."""
    fields: dict[str, Any] = {
        "task": f"./{task}",
        "task_name": task,
        "task_fingerprint": "f00d",
        "goal": GOAL,
        "strategy": "islands",
        "proposer": "operators",
        "seed": 7,
        "budget": Budget(evaluations=100, usd=0.1),
        "workers": 2,
        "sandbox": "bubblewrap",
        "level": "C",
        "strategy_params": {"islands": 3, "exploitation": 0.7},
        "proposer_params": {"names": ["a", "b"], "deep": {"on": True, "off": None}},
        "objectives": (Objective(metric="length", direction="minimise"),),
    }
    return RunConfig(**fields | changes)


def program(text: str) -> Candidate:
    """Return a candidate of two files, the second always the same."""
    return Candidate({"program.py": text, "data/notes.txt": "unchanged\n"})


def judged(score: float | None, status: Status = "ok") -> Evaluation:
    """Return an evaluation with nothing left at its default; one that failed has no score."""
    clock = {"baseline_wall_ns": (3, 2**62), "baseline_cpu_ns": (1, 1), "candidate_cpu_ns": ()}
    batches = {"baseline_calls": (1, 8), "candidate_calls": (1000, 1), "groups": (0, 3)}
    return Evaluation(
        status=status,
        score=score,
        interval=None if score is None else (score - 0.25, score + 0.25),
        metrics={"case/1k": 0.1 + 0.2, "ops": 5e-324},
        measurements=(Measurement(case="1k", candidate_wall_ns=(7,), **clock, **batches),),
        feedback="expected 3, came 4\n\udce9\x00 ünï",
        stages=(Stage(name="load", wall_s=1 / 3, passed=True), Stage(name="check", wall_s=0.0, passed=False)),
        machine={"cpu": "x86", "cores": "2"},
        wall_s=0.123456789,
    )


def propose(store: Store, run: Run, brief: Brief, candidate: Candidate, *, parents: Sequence[str] = ()) -> Proposal:
    """Record a brief and a proposal of it, with nothing left at its default."""
    usage = ModelUsage(calls=2, input_tokens=10, cached_tokens=4, output_tokens=3, reasoning_tokens=1, cost_usd=0.01)
    proposal = Proposal(
        candidate=candidate,
        proposer="model:small",
        operator="tune",
        parents=tuple(parents),
        thought="try a bigger step",
        detail={"sigma": 0.5, "path": [1, [2, {}]]},
        usage=usage,
        latency_s=0.75,
    )
    store.add_brief(run.id, brief, {"asks": brief.number})
    store.add_proposal(run.id, brief.number, proposal)
    return proposal


def land(
    store: Store, run: Run, candidate: Candidate, evaluation: Evaluation, *, parents: Sequence[Member] = ()
) -> Result:
    """Take one candidate all the way; its brief's number follows from what is there."""
    brief = Brief(number=sum(store.statuses(run.id).values()), parents=tuple(parents), seed=2**31 - 1)
    proposal = propose(store, run, brief, candidate, parents=[parent.candidate.id for parent in parents])
    known = store.evaluation(run.id, candidate.id)
    result = Result(brief=brief, proposal=proposal, evaluation=known or evaluation, seen_before=known is not None)
    store.add_result(run.id, result)
    return result


def refusal(call: Callable[[], object], kind: type[OutpaceError]) -> str:
    """Return the text of the error that ``call`` must raise."""
    try:
        call()
    except kind as error:
        assert type(error) is kind
        return str(error)
    raise AssertionError(f"expected {kind.__name__}")
