"""``outpace verify``: the final measurement of a candidate, made again here and now, with all its evidence."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outpace.agent.cli import records, text
from outpace.agent.cli.candidates import CandidateArgument
from outpace.agent.cli.dossier import open_dossier
from outpace.agent.cli.home import HomeOption, JsonOption, LevelOption, known_level, opened, resolve_home
from outpace.agent.store.base import Verification
from outpace.evaluators.base import Evaluation
from outpace.tasks.spec import Goal, Split

if TYPE_CHECKING:
    from outpace.agent.verify import Evidence

app = typer.Typer()

UNSEEN: Mapping[Split, str] = {"heldout": "held-out inputs"}


@app.command("verify")
def verify_command(
    context: typer.Context,
    candidate: CandidateArgument,
    *,
    sandbox: Annotated[
        str | None,
        typer.Option("--sandbox", metavar="NAME", help="Where the candidate runs.", show_default="as in its run"),
    ] = None,
    level: LevelOption = None,
    home: HomeOption = None,
    as_json: JsonOption = False,
) -> None:
    """Measure a stored candidate again.

    On held-out inputs and on fresh training inputs, as at the end of a run, with the noise of this machine measured
    anew. Prints the evidence and a verdict in one line; the exit code is 0 if the recorded figure holds, 1 if not.
    """
    from outpace.agent.verify import measure_again

    asked = known_level(level)
    with opened(resolve_home(context, home)) as store:
        dossier = open_dossier(store, candidate)
        evidence = asyncio.run(measure_again(store, dossier.run, dossier.candidate, sandbox=sandbox, level=asked))
        holds, verdict = judged(evidence)
        verification = Verification(at=evidence.at, holds=holds, verdict=verdict, evaluations=evidence.found)
        store.add_verification(dossier.run.id, dossier.candidate.id, verification)
    if as_json:
        typer.echo(records.dump(_record(evidence, verification)))
    else:
        for line in (*_description(evidence), "", verdict):
            typer.echo(text.plain(line))
    if not holds:
        raise typer.Exit(1)


def judged(evidence: "Evidence") -> tuple[bool, str]:
    """Return whether the recorded figures hold, and the verdict in one line."""
    from outpace.agent.verify import fault

    for split in evidence.found:
        if reason := fault(evidence, split):
            why = text.first_line(evidence.found[split].feedback)
            said = _beside(evidence, split) if evidence.found[split].status == "ok" else why
            return False, f"does not hold: {reason} on {_inputs(evidence, split)}" + (f": {said}" if said else "")
    return True, f"holds: {_beside(evidence, 'heldout' if 'heldout' in evidence.found else 'train')}"


def _beside(evidence: "Evidence", split: Split) -> str:
    goal, recorded = evidence.run.config.goal, evidence.recorded.get(split)
    beside = f", recorded {text.score(goal, recorded)}" if recorded else ", nothing recorded"
    return f"{text.score(goal, evidence.found[split])} on {_inputs(evidence, split)}{beside}"


def _inputs(evidence: "Evidence", split: Split) -> str:
    return UNSEEN.get(split, "fresh training inputs" if evidence.fresh else "training inputs")


def _description(evidence: "Evidence") -> Iterator[str]:
    config, containment = evidence.run.config, evidence.containment
    yield f"Candidate {evidence.candidate.id} for {config.task_name} (run {evidence.run.id})"
    for split, found in evidence.found.items():
        yield from ("", _inputs(evidence, split).capitalize())
        yield from text.columns(list(_figures(evidence, split, found)))
    facts = ", ".join(f"{name} {fact}" for name, fact in containment.facts.items())
    rows = [("sandbox", f"{evidence.sandbox}, level {containment.level}" + (f" ({facts})" if facts else ""))]
    if evidence.noise:
        rows.append(("noise floor", text.noise(evidence.noise)))
    rows.append(("machine", _machine(evidence.here)))
    rows.append(("recorded on", "the same" if not evidence.elsewhere else _machine(evidence.there)))
    if not evidence.there:
        rows[-1] = ("recorded on", "not recorded")
    elif evidence.elsewhere:
        rows.append(("differs in", f"{', '.join(evidence.elsewhere)}: the recorded figure need not be reached here"))
    yield ""
    yield from text.columns(rows)
    if evidence.unnoticed:
        yield from ("", "What this would not have noticed", *(f"  {one}" for one in evidence.unnoticed))


def _figures(evidence: "Evidence", split: Split, found: Evaluation) -> Iterator[tuple[str, str]]:
    """Yield rows of evidence: name and value."""
    from outpace.agent.verify import by_clock

    goal = evidence.run.config.goal
    yield "  status", found.status + (f": {text.first_line(found.feedback)}" if found.status != "ok" else "")
    yield f"  {goal.name}", text.score(goal, found)
    if recorded := evidence.recorded.get(split):
        yield "  recorded", text.score(goal, recorded)
    if clocks := by_clock(goal, found):
        yield "  by clock", ", ".join(f"{text.CLOCKS[clock]} {text.number(ratio)}x" for clock, ratio in clocks.items())
        yield "  counted", text.CLOCKS.get(found.machine.get("clock", "lower"), "")
        yield "  measured in", _counts(found)
    for name, value in text.by_case(goal, found).items():
        yield f"  case {name}", value


def _counts(found: Evaluation) -> str:
    """Return how many pairs of timings there are, and in how many pairs of fresh processes they were taken."""
    pairs = sum(len(one.candidate_wall_ns) for one in found.measurements)
    processes = text.counted(text.process_pairs(found), "pair")
    return f"{text.counted(pairs, 'pair')}, {processes} of fresh processes; {text.confidence(found)} interval"


def _machine(facts: Mapping[str, str]) -> str:
    from outpace.agent.verify import NOT_COMPARED

    return ", ".join(f"{name} {fact}" for name, fact in facts.items() if name not in NOT_COMPARED)


def _record(evidence: "Evidence", verification: Verification) -> dict[str, Any]:
    from outpace.agent.verify import by_clock

    goal: Goal = evidence.run.config.goal
    return {
        "candidate": evidence.candidate.id,
        "run": records.run(evidence.run),
        **records.verification(verification),
        "by_clock": {split: by_clock(goal, found) for split, found in evidence.found.items()},
        "measured_in": {split: _counts(found) for split, found in evidence.found.items() if found.measurements},
        "recorded": {split: records.evaluation(found) for split, found in evidence.recorded.items()},
        "fresh": evidence.fresh,
        "noise": records.noise(evidence.noise),
        "sandbox": evidence.sandbox,
        "containment": records.containment(evidence.containment),
        "machine": dict(evidence.here),
        "recorded_machine": dict(evidence.there),
        "differs_in": evidence.elsewhere,
        "unnoticed": [*evidence.unnoticed],
    }
