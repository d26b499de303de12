"""All that is known of one candidate, and how it is told: figures, how it was judged, its lineage."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from outpace.agent.cli import records, text
from outpace.agent.cli.runs import heldout
from outpace.agent.proposal import Result
from outpace.agent.store.base import Duel, Run, Store, Surprise, Verification
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation, Noise
from outpace.tasks.candidate import Candidate
from outpace.tasks.objectives import INSTANCE
from outpace.tasks.spec import Goal, Split

COUNTS = {"first": "the first counts", "second": "the lower counts", "neither": "refused"}
SPLITS: dict[Split, str] = {"train": "confirmed", "heldout": "held-out", "ood": "out of distribution"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dossier:
    """All that the store knows of a candidate. ``lineage`` is newest first and ends with the start.

    ``noise`` is that of its run; ``duels`` are those in which it fought, for the crown or to keep it.
    """

    candidate: Candidate
    run: Run
    evaluation: Evaluation | None
    confirmations: Mapping[Split, Evaluation]
    start_confirmations: Mapping[Split, Evaluation]
    lineage: tuple[Result, ...]
    noise: Noise | None = None
    duels: tuple[Duel, ...] = ()
    surprises: tuple[Surprise, ...] = ()
    verifications: tuple[Verification, ...] = ()

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
        return (
            (self.evaluation, self.start)
            if found is None
            else (found, self.start_confirmations.get("train", self.start))
        )


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
        noise=noise[0] if (noise := store.noise(run.id)) else None,
        duels=tuple(one for one in store.duels(run.id) if candidate.id in (one.challenger, one.champion)),
        surprises=tuple(one for one in store.surprises(run.id) if one.candidate == candidate.id),
        verifications=tuple(store.verifications(run.id, candidate.id)),
    )


def record(dossier: Dossier) -> dict[str, Any]:
    return {
        "candidate": dossier.candidate.id,
        "run": records.run(dossier.run),
        "evaluation": records.evaluation(dossier.evaluation),
        "confirmations": {split: records.evaluation(found) for split, found in dossier.confirmations.items()},
        "start": records.evaluation(dossier.start),
        "start_confirmations": {split: records.evaluation(one) for split, one in dossier.start_confirmations.items()},
        "gain": text.gain(dossier.goal, *dossier.compared),
        "noise": records.noise(dossier.noise),
        "duels": [records.duel(one) for one in dossier.duels],
        "surprises": [records.surprise(one) for one in dossier.surprises],
        "verifications": [records.verification(one) for one in dossier.verifications],
        "lineage": [records.result(result) for result in dossier.lineage],
        "files": dict(dossier.candidate.files),
    }


def description(dossier: Dossier) -> Iterator[str]:
    goal = dossier.goal
    yield f"Candidate {dossier.candidate.id} for {dossier.run.config.task_name} (run {dossier.run.id})"
    yield ""
    yield from text.columns(_figures(dossier))
    yield from _judging(dossier)
    if dossier.evaluation and dossier.evaluation.feedback and dossier.evaluation.status != "ok":
        yield from ("", "Feedback", *(f"  {line}" for line in dossier.evaluation.feedback.splitlines()))
    found = dossier.evaluation.metrics if dossier.evaluation else {}
    metrics = {name: value for name, value in found.items() if not name.startswith(INSTANCE)}
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


def _judging(dossier: Dossier) -> Iterator[str]:
    """Yield how the candidate was judged: where, by which clock, against which noise, and what it had to stand."""
    found = dossier.confirmations.get("train") or dossier.evaluation
    facts = found.machine if found else {}
    rows = [("sandbox", f"{dossier.run.config.sandbox}, level {facts.get('level', dossier.run.config.level)}")]
    if "clock" in facts:
        rows.append(("clock", text.CLOCKS.get(facts["clock"], facts["clock"])))
    if dossier.noise:
        rows.append(("noise floor", text.noise(dossier.noise)))
    for one in dossier.surprises:
        first, second = (text.score(dossier.goal, judged) for judged in (one.first, one.second))
        rows.append(("surprise", f"{first}, measured again {second}: {COUNTS[one.counts]}"))
    rows += [("duel", _duel(dossier, one)) for one in dossier.duels]
    rows += [("verified", f"{one.at[:16].replace('T', ' ')} {one.verdict}") for one in dossier.verifications]
    yield from ("", "Judged")
    yield from text.columns([(f"  {name}", said) for name, said in rows])


def _duel(dossier: Dossier, duel: Duel) -> str:
    """Return a duel as this candidate sees it."""
    challenged = duel.challenger == dossier.candidate.id
    who = f"against {duel.champion}" if challenged else f"challenged by {duel.challenger}"
    if duel.outcome == "void":
        return f"{who}: void, the champion failed on fresh inputs ({duel.evaluation.status})"
    outcome = "won" if (duel.outcome == "won") is challenged else "lost"
    return f"{who}: {outcome}; the challenger was {text.score(dossier.goal, duel.evaluation)} as fast"


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


def readme(dossier: Dossier) -> str:
    config, machine = dossier.run.config, dossier.evaluation.machine if dossier.evaluation else {}
    lines = [
        f"# {config.task_name}: candidate {dossier.candidate.id}",
        "",
        f"Found by [Outpace](https://pypi.org/project/outpace/) in run {dossier.run.id} of {dossier.run.created}: "
        f"strategy `{config.strategy}`, proposer `{config.proposer}`, seed {config.seed}, sandbox `{config.sandbox}` "
        f"at level {config.level}.",
        "",
        f"## Evidence ({config.goal.name}, {config.goal.direction})",
        "",
        *_markdown(_figures(dossier)),
        "",
        "In brackets after a score: its interval, 95 % in the search, 99 % where it was confirmed."
        + (f" Noise floor: {text.noise(dossier.noise)}." if dossier.noise else ""),
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
