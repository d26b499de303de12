"""A stored run that another one repeats: what it was made of, what it was answered, and in what order all came."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from outpace.agent.arms import share_of
from outpace.agent.budget import Budget
from outpace.agent.models.base import FREE, Completion, Model
from outpace.agent.models.replay import REPLAY, ReplayModel
from outpace.agent.order import RecordedOrder, Turn
from outpace.agent.proposal import Brief, ModelUsage, Proposal, Result
from outpace.agent.proposers.around import Around
from outpace.agent.proposers.base import Proposer
from outpace.agent.proposing import OPERATORS, OUTSIDE, Means, Proposing, proposer_of, proposing_of
from outpace.agent.store.base import Run, Store
from outpace.errors import ProposalError, TaskError, UsageError
from outpace.tasks.spec import Task


def replayed(proposing: Proposing) -> str | None:
    """Return the run that is to be repeated, as the user named it, or None; raises ``UsageError`` for half of one."""
    named = [one.removeprefix(REPLAY) for one in proposing.names if one.startswith(REPLAY)]
    if not named:
        return None
    if len(proposing.names) > 1:
        raise UsageError(f"{REPLAY}{named[0]} stands alone: it repeats a whole run, with all the models of that.")
    if not named[0]:
        raise UsageError(f"'{REPLAY}' is half a name. Expected {REPLAY}RUN; the runs: outpace runs")
    return named[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A stored run as a score to play from.

    ``proposing`` is who proposed in it (for the replay of a replay: in the run that this goes back to), ``turns`` what
    it says of each brief, ``results`` the numbers of the briefs in the order in which their results were told,
    ``proposed`` what came of each where no model was asked, ``costs`` usage and latency of each proposal.
    """

    run: Run
    proposing: Proposing
    turns: Mapping[int, Turn]
    results: Sequence[int]
    proposed: Mapping[int, Proposal | str]
    costs: Mapping[int, tuple[ModelUsage, float]]

    @property
    def name(self) -> str:
        """What the model of a replay is called."""
        return f"{REPLAY}{self.run.id}"

    @property
    def from_answers(self) -> bool:
        """Whether models were asked: their answers are given again; otherwise the proposals themselves are."""
        return self.proposing.kind not in (OPERATORS, OUTSIDE)

    def settings(self, given: Any, default: Any) -> dict[str, Any]:
        """Return the options of the run, for those of ``given`` that were left at their ``default``.

        Workers may be other ones, and so may the sandbox. Raises ``UsageError`` where ``given`` contradicts the run.
        """
        config = self.run.config
        for name in ("strategy", "strategy_params", "seed", "objectives"):
            self._agreed(name, getattr(given, name), getattr(default, name), getattr(config, name))
        for one in fields(Proposing):
            if one.name != "models":
                values = (getattr(whose, one.name) for whose in (given.proposing, default.proposing, self.proposing))
                self._agreed(one.name, *values)
        same_place = given.sandbox in (default.sandbox, config.sandbox)
        return {
            "strategy": config.strategy,
            "strategy_params": config.strategy_params,
            "seed": config.seed,
            "objectives": config.objectives,
            "proposing": Proposing(models=(self.name,)),
            "budget": self.budget(given.budget),
            "sandbox": config.sandbox if same_place else given.sandbox,
            "level": given.level or (config.level if same_place else None),
        }

    def _agreed(self, name: str, given: Any, default: Any, recorded: Any) -> None:
        if given not in (default, recorded):
            raise UsageError(
                f"Run {self.run.id} was made with {name} {_said(recorded)} and cannot be repeated with {_said(given)}: "
                "leave that out. Only workers, sandbox and a smaller budget may be other ones."
            )

    def check(self, task: Task) -> None:
        """Raise ``TaskError`` where ``task`` is another than the run's."""
        config = self.run.config
        if task.spec.name != config.task_name:
            raise TaskError(
                f"Run {self.run.id} is of task '{config.task_name}', not of '{task.spec.name}'. "
                f"Repeat it with: outpace run {config.task} --model {self.name}"
            )
        if task.fingerprint != config.task_fingerprint:
            raise TaskError(f"Task '{config.task_name}' has changed since run {self.run.id}: restore it.")

    def budget(self, asked: Budget | None) -> Budget:
        """Return the bounds of a replay: all that the run has judged, or as much of it as is asked for."""
        if asked is None:
            return Budget(evaluations=self._most)
        for name in ("model_calls", "tokens", "usd"):
            if getattr(asked, name) is not None:
                raise UsageError("A replay asks no model and costs nothing: bound it by --evaluations or --minutes.")
        if asked.evaluations is not None and asked.evaluations > self._most:
            raise UsageError(
                f"Run {self.run.id} holds {self._most} evaluations, so a replay cannot make {asked.evaluations}: "
                "leave --evaluations out, or lower it."
            )
        return replace(asked, evaluations=asked.evaluations or self._most)

    def order(self, budget: Budget) -> RecordedOrder:
        """Return the order to follow, up to as many evaluations as the budget allows."""
        return RecordedOrder(self.run.id, self.turns, self.results[: self._within(budget.evaluations)])

    def models(self, store: Store) -> dict[str, Model]:
        """Return models that answer as those of the run did, by the names that its arms have for them."""

        def recall(key: str) -> Awaitable[Completion | None]:
            return asyncio.to_thread(store.completion, self.run.id, key)

        named = [share_of(one)[0] for one in self.proposing.names] if self.from_answers else []
        return {name: ReplayModel(self.run.id, recall) for name in named}

    def proposer(self, models: Mapping[str, Model], means: Means) -> Proposer:
        """Return who proposes in a replay."""
        if not self.from_answers:
            return Again(self.name, self.proposed)
        return AsItCost(proposer_of(self.proposing, models, means), self.costs)

    @property
    def _most(self) -> int:
        """How many candidates a replay may judge; measured times are never the same twice, and so more may be new."""
        judged = sum(self.turns[number].judged for number in self.results)
        return judged if self.run.config.goal.kind == "metric" else len(self.results)

    def _within(self, evaluations: int | None) -> int:
        """Return how many results are told before one evaluation more than these is needed."""
        makers: set[int] = set()
        for index, number in enumerate(self.results):
            turn = self.turns[number]
            makers |= {number} if turn.judged else set() if turn.after is None else {turn.after}
            if evaluations is not None and len(makers) > evaluations:
                return index
        return len(self.results)


class Again:
    """Proposes the stored candidates of a run again."""

    def __init__(self, name: str, proposed: Mapping[int, Proposal | str]) -> None:
        """Propose from ``proposed``: by the number of a brief, a proposal or the reason why none came of it."""
        self.name, self.lookahead = name, 0
        self._proposed = proposed

    async def propose(self, task: Task, brief: Brief) -> Proposal:
        """Return what was proposed for the brief of this number; raises ``ProposalError`` where nothing was."""
        then = self._proposed[brief.number]
        if isinstance(then, str):
            raise ProposalError(then)
        return then

    def tell(self, results: Sequence[Result]) -> None:
        """Learn nothing."""


class AsItCost(Around):
    """A proposer whose proposals tell what they cost in the run that is repeated.

    What is told of costs decides which model is asked next. The bill of the replay is another thing: it counts the
    answers of the replay, which are free.
    """

    def __init__(self, inner: Proposer, costs: Mapping[int, tuple[ModelUsage, float]]) -> None:
        """Wrap ``inner``; ``costs`` are usage and latency by the number of the brief."""
        super().__init__(inner)
        self._costs = costs

    async def propose(self, task: Task, brief: Brief) -> Proposal:
        """Return the proposal, with what it cost then; raises as the proposer."""
        proposal = await super().propose(task, brief)
        if brief.number not in self._costs:
            return proposal
        usage, latency_s = self._costs[brief.number]
        return replace(proposal, usage=usage, latency_s=latency_s)


def recording_of(store: Store, run: str) -> Recording:
    """Read a run to repeat.

    Raises:
        UnknownName: there is no such run.
        UsageError: it was recorded before the order of things was, so nobody can tell how to repeat it.
    """
    found = store.run(run)
    proposing = _proposing(store, found)
    keep = proposing.kind in (OPERATORS, OUTSIDE)
    turns: dict[int, Turn] = {}
    order: list[int] = []
    proposed: dict[int, Proposal | str] = {}
    costs: dict[int, tuple[ModelUsage, float]] = {}
    shared: list[int] = []
    makers: dict[str, int] = {}
    for result in store.results(found.id):
        number, proposal = result.brief.number, result.proposal
        order.append(number)
        turns[number] = _turn(found, result.brief, proposal)
        if proposal is not None:
            costs[number] = proposal.usage, proposal.latency_s
        if keep:
            proposed[number] = proposal or result.failure or "no candidate"
        if result.seen_before:
            shared.append(number)
        elif proposal is not None:
            makers.setdefault(proposal.candidate.id, number)
    turns |= {one.brief.number: _turn(found, one.brief, one.proposal) for one in store.pending(found.id)}
    for number in shared:
        turns[number] = replace(turns[number], after=makers.get(turns[number].candidate or ""))
    return Recording(run=found, proposing=proposing, turns=turns, results=order, proposed=proposed, costs=costs)


def _turn(run: Run, brief: Brief, proposal: Proposal | None) -> Turn:
    if brief.told is None and brief.number:
        raise UsageError(
            f"Run {run.id} cannot be repeated: it was recorded by an older version, which did not keep how many "
            "results were known when each brief was asked for."
        )
    parents = tuple(one.candidate.id for one in brief.parents)
    return Turn(told=brief.told or 0, parents=parents, candidate=proposal.candidate.id if proposal else None)


def _proposing(store: Store, run: Run) -> Proposing:
    """Return who proposed in a run, or in the run that it repeats."""
    proposing = proposing_of(run.config)
    again = replayed(proposing)
    return _proposing(store, store.run(again)) if again else proposing


def _said(value: Any) -> str:
    return "as by default" if value in (None, (), FREE) else repr(value)
