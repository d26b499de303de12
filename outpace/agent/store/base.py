"""The seam for stores: what a run remembers, in the order in which it happens.

One brief's way through the store: ``add_brief`` (asked) → ``add_completion`` (a model answered; before anything else
happens to the answer) → ``add_proposal`` (a candidate came of it; before it is evaluated) → ``add_result`` (evaluated,
or failed). Each call is one transaction that is on disk when it returns. Nothing is ever changed or deleted.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from outpace.agent.budget import Budget, Spent
from outpace.agent.models.base import Completion
from outpace.agent.proposal import Brief, Member, Proposal, Result
from outpace.evaluators.base import Evaluation, Noise
from outpace.sandbox.base import Level
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal, Objective, Split

RunStatus = Literal["running", "finished", "stopped", "failed"]
Outcome = Literal["won", "lost", "void"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """Everything that defines a run, enough to resume it. ``task`` is what the user named (a name or a folder).

    ``level`` is the least that must hold its candidates in the sandbox. ``objectives`` make its Pareto front, beside
    the score; runs of older versions have none.
    """

    task: str
    task_name: str
    task_fingerprint: str
    goal: Goal
    strategy: str
    proposer: str
    seed: int
    budget: Budget
    workers: int
    sandbox: str
    level: Level = "B"
    strategy_params: Mapping[str, Any] = field(default_factory=dict)
    proposer_params: Mapping[str, Any] = field(default_factory=dict)
    objectives: tuple[Objective, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run as the store knows it. ``id`` is short and sortable by time; ``created`` is UTC in ISO 8601.

    ``status`` ``running`` may also mean that its process died: whoever holds the run's lock knows.
    """

    id: str
    config: RunConfig
    created: str
    status: RunStatus = "running"
    reason: str = ""
    champion: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A brief that was asked and has no result yet; ``proposal`` is there if it got that far."""

    brief: Brief
    proposal: Proposal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of a leaderboard: the champion of a run, with its confirmed and its held-out evaluation."""

    run: Run
    candidate: str
    evaluation: Evaluation
    heldout: Evaluation | None
    start: Evaluation | None
    proposer: str
    evaluations: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A member of the Pareto front of a run, by candidate id, and the first brief that led to it."""

    candidate: str
    evaluation: Evaluation
    brief: int
    proposer: str
    operator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFront:
    """The Pareto front of a run by its score (the pessimistic end of the interval) and ``objectives``.

    ``members`` are ordered by score, the best first; of those that are equal in everything there is the first.
    ``ranked`` counts the members of the run with a score, ``unplaced`` those of them of which an objective is not
    known, ``pruned`` what was left out because the front was too large.
    """

    objectives: tuple[Objective, ...]
    members: tuple[Placed, ...]
    ranked: int
    unplaced: int
    pruned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Duel:
    """A challenger timed directly against the champion of its day, both by candidate id.

    ``evaluation`` is the duel's own: its score is how many times as fast as the champion the challenger was. The
    outcome is the challenger's; ``void``: the champion failed on these fresh inputs and again when evaluated anew
    (that is the evaluation then), so the start reigns again and the challenger may fight once more.
    """

    challenger: str
    champion: str
    evaluation: Evaluation
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Surprise:
    """A result that jumped too far above the field and was measured a second time, before anything was made of it.

    ``counts`` tells what became of it: the first evaluation, the second (the lower of two that disagree), or neither.
    """

    candidate: str
    first: Evaluation
    second: Evaluation
    counts: Literal["first", "second", "neither"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """A final measurement repeated on request: when (UTC, ISO 8601), what was found by split, and the verdict of it."""

    at: str
    holds: bool
    verdict: str
    evaluations: Mapping[Split, Evaluation]


class KeepsRuns(Protocol):
    """Runs as wholes."""

    def add_run(self, config: RunConfig) -> Run:
        """Begin a run."""
        ...

    def end_run(self, run: str, status: RunStatus, *, reason: str = "", champion: str | None = None) -> None:
        """Record how a sitting of a run ended (appended; the last one counts)."""
        ...

    def run(self, run: str) -> Run:
        """Return a run by id or unambiguous prefix, ``last`` for the newest; raises ``UnknownName``."""
        ...

    def runs(self, *, task: str | None = None) -> list[Run]:
        """Return all runs, newest first, of one task if named."""
        ...

    def hold(self, run: str, *, wait_s: float = 0.0) -> AbstractContextManager[None]:
        """Be the one process that carries the run on while the block lasts; ``StoreError`` if another is so long."""
        ...

    def is_held(self, run: str) -> bool:
        """Return whether a living process carries the run on now."""
        ...


class Records(Protocol):
    """What is written while a run goes on; each call is one transaction."""

    def add_brief(self, run: str, brief: Brief, state: Mapping[str, Any]) -> None:
        """Record an ask, with the strategy's ``state`` right after it."""
        ...

    def add_completion(self, run: str, key: str, completion: Completion) -> None:
        """Record a model's answer under its request's key."""
        ...

    def add_proposal(self, run: str, brief: int, proposal: Proposal) -> None:
        """Record the candidate that came of brief number ``brief``."""
        ...

    def add_result(self, run: str, result: Result) -> None:
        """Record what became of a brief (this is the order in which results are told)."""
        ...

    def add_wall(self, run: str, wall_s: float) -> None:
        """Add to the run's wall clock (called now and then, and at the end of a sitting)."""
        ...

    def add_confirmation(self, run: str, candidate: str, split: Split, evaluation: Evaluation) -> None:
        """Record a further evaluation of a candidate: a confirmation on fresh seeds, or on held-out cases."""
        ...


class Recalls(Protocol):
    """What a sitting reads."""

    def completion(self, run: str, key: str) -> Completion | None:
        """Return the recorded answer of a request, if there is one."""
        ...

    def completions(self, run: str) -> Iterator[tuple[str, Completion]]:
        """Yield all recorded answers with the keys of their requests, in the order of these texts."""
        ...

    def results(self, run: str) -> Iterator[Result]:
        """Yield all results in the order in which they were recorded."""
        ...

    def pending(self, run: str) -> list[Pending]:
        """Return the briefs without a result, by number."""
        ...

    def state(self, run: str) -> Mapping[str, Any]:
        """Return the strategy's state as of the last brief ({} before the first)."""
        ...

    def spent(self, run: str) -> Spent:
        """Return what the run has used."""
        ...

    def evaluation(self, run: str, candidate: str) -> Evaluation | None:
        """Return the run's earlier evaluation of a candidate, if it has one (``infra`` does not count)."""
        ...

    def known(self, run: str, candidate: Candidate, *, before: int | None = None) -> Member | None:
        """Return the run's member that is this program, if there is one: the candidate itself, or one of its shape.

        Of several the first. With ``before`` only the run's first so many results count.
        """
        ...

    def confirmations(self, run: str, candidate: str) -> dict[Split, Evaluation]:
        """Return the last confirmation of a candidate for each split."""
        ...


class Ranks(Protocol):
    """What was found."""

    def top(self, run: str, n: int) -> list[Member]:
        """Return the run's best ``n`` members by rank, best first."""
        ...

    def front(self, run: str, objectives: Sequence[Objective], *, most: int = 256) -> RunFront:
        """Return the run's Pareto front of at most ``most`` members; no program is loaded, nor all members at once."""
        ...

    def history(self, run: str) -> list[tuple[int, float]]:
        """Return the best-so-far curve: (evaluations, score) at each improvement."""
        ...

    def statuses(self, run: str) -> dict[str, int]:
        """Return how many results ended how: evaluation statuses, ``failed`` for proposals that gave no candidate."""
        ...

    def candidate(self, candidate: str) -> Candidate:
        """Return a candidate by id or unambiguous prefix (at least 4 digits); raises ``UnknownName``."""
        ...

    def lineage(self, candidate: str) -> list[tuple[Run, Result]]:
        """Return the first result of a candidate and of its first parents, back to the start: newest first."""
        ...

    def leaderboard(self, *, task: str | None = None) -> list[Entry]:
        """Return the champions of all ended runs: by task, best rank first (held-out rank where there is one)."""
        ...


class Crowns(Protocol):
    """What decides who is champion, and what was measured to decide it; appended, never changed."""

    def add_noise(self, run: str, noise: Noise, machine: Mapping[str, str]) -> None:
        """Record the A/A measurement of the run's starting program on a machine."""
        ...

    def noise(self, run: str) -> tuple[Noise, Mapping[str, str]] | None:
        """Return the last A/A measurement of the run, with the machine that it was made on."""
        ...

    def add_duel(self, run: str, duel: Duel) -> None:
        """Record a duel for the crown of the run."""
        ...

    def duels(self, run: str) -> list[Duel]:
        """Return all duels of the run, in the order in which they were fought."""
        ...

    def add_surprise(self, run: str, surprise: Surprise) -> None:
        """Record that a result was measured a second time."""
        ...

    def surprises(self, run: str) -> list[Surprise]:
        """Return what was measured a second time in the run, in that order."""
        ...

    def add_verification(self, run: str, candidate: str, verification: Verification) -> None:
        """Record that a candidate's final measurement was repeated."""
        ...

    def verifications(self, run: str, candidate: str) -> list[Verification]:
        """Return the repetitions of a candidate's final measurement, oldest first."""
        ...


class Store(KeepsRuns, Records, Recalls, Ranks, Crowns, Protocol):
    """Remembers runs. Every method may raise ``StoreError``; synchronous, and safe to call from several threads."""

    def close(self) -> None:
        """Close the database."""
        ...
