"""Put the parts together: start a run, resume one, and confirm its champion."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from outpace.agent.budget import Budget, Spent
from outpace.agent.conditions import least_level, noise_here, opened_sandbox, task_of
from outpace.agent.confirm import Confirmed, Confirming
from outpace.agent.home import default_home
from outpace.agent.models.base import Model
from outpace.agent.objectives import chosen, front_size, known_of
from outpace.agent.order import Order
from outpace.agent.proposal import Brief, Member, Proposal, Result
from outpace.agent.proposing import (
    OUTSIDE,
    Means,
    Proposing,
    checked,
    guided,
    opened_models,
    prompts_of,
    proposer_of,
    proposing_of,
    tuned,
)
from outpace.agent.replay import Recording, recording_of, replayed
from outpace.agent.search import Progress, Search
from outpace.agent.store.base import Duel, Run, RunConfig, RunStatus, Store
from outpace.agent.strategies.base import Strategy
from outpace.agent.strategies.hints import target_of
from outpace.agent.strategies.opening import opened
from outpace.errors import SandboxUnavailable, StoreError, TaskError, UsageError
from outpace.evaluators import device
from outpace.evaluators.base import INFRA_TRIES, Evaluation, Noise, Status, evaluated
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.evaluators.correctness import Failure
from outpace.evaluators.machine import machine
from outpace.evaluators.pace import Pace
from outpace.evaluators.statistics import DEFAULT_FLOOR
from outpace.plugins import DEFAULT_SANDBOX
from outpace.sandbox.base import Level
from outpace.tasks import registry
from outpace.tasks.spec import Objective, Task, TaskSpec

Watch = Callable[[Progress], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What a user may choose. ``task`` and ``strategy`` take a name, a dotted path or the thing itself.

    ``proposing`` says who proposes (by default the rewriting operators); ``budget`` None means the task's own number of
    evaluations; ``level`` None the least that untrusted code needs (B), or D where the sandbox ``process`` was asked
    for by name. ``unmeasured``: programs for a GPU are to be checked only, and have no score. ``objectives`` make a
    Pareto front beside the score, instead of those of the task.
    """

    task: str | Task
    strategy: str | type[Strategy] = "islands"
    proposing: Proposing = field(default_factory=Proposing)
    seed: int = 0
    budget: Budget | None = None
    workers: int | None = None
    sandbox: str = DEFAULT_SANDBOX
    level: Level | None = None
    strategy_params: Mapping[str, Any] = field(default_factory=dict)
    unmeasured: bool = False
    objectives: tuple[Objective, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a sitting gave. ``champion`` is None where nothing was confirmed to be better than the start.

    ``noise`` is what a gain of a speed-up task was held against, ``duels`` what decided who reigned.

    ``front`` is how many programs are in the Pareto front, of a run that has objectives.

    ``ended`` is the bound of the budget that was reached, ``interrupted`` or ``stalled``. ``start`` is the starting
    program, with a champion evaluated on the same fresh inputs; ``start_heldout`` and ``start_ood`` are its values
    beside the champion's (metric tasks).
    """

    run: Run
    ended: str
    start: Member
    champion: Confirmed | None
    start_heldout: Evaluation | None
    start_ood: Evaluation | None
    spent: Spent
    statuses: Mapping[str, int]
    noise: Noise | None = None
    duels: tuple[Duel, ...] = ()
    front: int | None = None


async def start_run(
    options: RunOptions, *, home: Path, watch: Watch | None = None, stop: asyncio.Event | None = None
) -> Report:
    """Begin a run and work on it until its budget ends or ``stop`` is set.

    Raises:
        UsageError: something named does not exist, does not fit or is not installed.
        TaskError: the task is broken, or its starting program fails its own check (nothing is stored then).
        SandboxUnavailable: this host cannot isolate as asked.
        ModelError, StoreError: the run ended early; what it had is stored, and ``resume_run`` goes on.
    """
    if options.proposing.kind == OUTSIDE:
        raise UsageError(
            "A run that waits for programs from outside is begun with open_run(), or with: "
            "outpace run TASK --model outside."
        )
    async with begun(options, home=home) as search:
        return await _sit(search, watch, stop)


async def open_run(options: RunOptions, *, home: Path) -> Run:
    """Begin a run for others to serve (proposer ``outside``): its start is judged, and nothing is proposed.

    Raises as ``start_run``.
    """
    async with begun(options, home=home) as search:
        search.store.end_run(search.run.id, "stopped", reason="open")
        search.writer.shutdown()
        return search.run


async def resume_run(
    run: str, *, home: Path, budget: Budget | None = None, watch: Watch | None = None, stop: asyncio.Event | None = None
) -> Report:
    """Go on with a run where it stopped; ``budget`` replaces its bounds (over all sittings).

    Raises as ``start_run``, and ``TaskError`` where the task has changed since: results of two tasks never mix.
    """
    async with resumed(run, home=home, budget=budget) as search:
        if search.run.config.proposer == OUTSIDE:
            raise UsageError(
                f"Run {search.run.id} waits for programs from outside: outpace ask {search.run.id}, then outpace tell "
                f"{search.run.id} FILE; or outpace serve {search.run.id}."
            )
        return await _sit(search, watch, stop)


def rehearsed(options: RunOptions) -> RunConfig:
    """Return the configuration that a run with these options would have, its strategy made for a trial.

    Nothing is judged, stored or asked. Raises ``UsageError`` for what is named wrongly or does not fit.
    """
    task = registry.find(options.task) if isinstance(options.task, str) else options.task
    device.must_be_timed(task.spec, unmeasured=options.unmeasured, gpu=device.found())
    config = _config(options, task)
    prompts_of(options.proposing, task)
    _strategy(options.strategy, task, config)
    return config


@asynccontextmanager
async def begun(options: RunOptions, *, home: Path) -> AsyncIterator[Search]:
    """Begin a run, and give the search that is to carry it on; raises as ``start_run``."""
    task = registry.find(options.task) if isinstance(options.task, str) else options.task
    device.must_be_timed(task.spec, unmeasured=options.unmeasured, gpu=device.found())
    with ExitStack() as closing:
        recording = None
        if again := replayed(options.proposing):
            recording = recording_of(_open(home, closing), again)
            recording.check(task)
            options = replace(options, **recording.settings(options, RunOptions(task=task)))
        config = _config(options, task)
        prompts_of(options.proposing, task)
        strategy = _strategy(options.strategy, task, config, recording=recording)
        models = {} if recording else opened_models(options.proposing)
        sandbox, held = closing.enter_context(opened_sandbox(config.sandbox, config.level, task))
        evaluator = CascadeEvaluator(sandbox, level=held.level)
        store = _open(home, closing)
        start = await _started(task, evaluator)
        known_of(start.evaluation, config, by_task=not options.objectives)
        run = store.add_run(config)
        closing.enter_context(store.hold(run.id))
        _record(store, run, start, strategy)
        means = Means(run=run, task=task, store=store, sandbox=sandbox)
        yield _search(strategy, evaluator, models, means, recording=recording)


@asynccontextmanager
async def resumed(run: str, *, home: Path, budget: Budget | None = None, wait_s: float = 0.0) -> AsyncIterator[Search]:
    """Give the search that is to carry a run on, waiting so long for a process that does; raises as ``resume_run``."""
    with ExitStack() as closing:
        store = _open(home, closing)
        known = store.run(run)
        config = known.config
        closing.enter_context(store.hold(known.id, wait_s=wait_s))
        task = task_of(known)
        again = replayed(proposing_of(config))
        recording = recording_of(store, again) if again else None
        models = {} if recording else opened_models(proposing_of(config))
        now = replace(known, config=replace(config, budget=_renewed(config, budget, recording)))
        strategy = _strategy(config.strategy, task, config, recording=recording)
        sandbox, held = closing.enter_context(opened_sandbox(config.sandbox, config.level, task))
        noise = noise_here(store, known.id)
        evaluator = CascadeEvaluator(sandbox, noise=noise, level=held.level)
        if not store.statuses(known.id):  # killed before its starting program was stored
            _record(store, known, await _started(task, evaluator), strategy)
        means = Means(run=now, task=task, store=store, sandbox=sandbox)
        search = _search(strategy, evaluator, models, means, recording=recording)
        if noise:
            search.hold_against(noise)
        yield search


def evolve(
    task: str | Task,
    *,
    model: str | Model | Sequence[str | Model] | None = None,
    home: Path | str | None = None,
    watch: Watch | None = None,
    **options: Any,
) -> Report:
    """Run evolution on a task and return its report; the blocking front door for scripts and notebooks.

    ``options`` are those of ``RunOptions`` and of ``Proposing``: ``budget``, ``seed``, ``strategy``, ``workers``,
    ``sandbox``, ``level``, ``strategy_params``, ``base_url``, ``sampling``, ``ensemble`` and so on. State is kept in
    ``home`` (default: as on the command line).
    """
    of_run = [one.name for one in fields(RunOptions) if one.name not in ("task", "proposing")]
    of_proposing = [one.name for one in fields(Proposing) if one.name != "models"]
    if unknown := options.keys() - {*of_run, *of_proposing}:
        known = ", ".join(["model", *of_run, *of_proposing])
        raise UsageError(f"evolve() has no option '{min(unknown)}'. Options: {known}.")
    proposing = Proposing(
        models=_several(model), **{name: options.pop(name) for name in of_proposing if name in options}
    )
    given = RunOptions(task=task, proposing=proposing, **options)
    return asyncio.run(start_run(given, home=Path(home or default_home()), watch=watch))


def _several(model: str | Model | Sequence[str | Model] | None) -> tuple[str | Model, ...]:
    if model is None:
        return ()
    return tuple(model) if isinstance(model, Sequence) and not isinstance(model, str) else (model,)


async def _sit(search: Search, watch: Watch | None, stop: asyncio.Event | None) -> Report:
    """Run one sitting, confirm its champion, and record how it ended, whatever happens."""
    if watch:
        search.watch = watch
    try:
        return await concluded(search, await seated(search, stop or asyncio.Event()))
    except BaseException as error:
        record_failure(search, error)
        raise
    finally:
        if aclose := getattr(search.proposer, "aclose", None):
            await aclose()


async def seated(search: Search, stop: asyncio.Event) -> str:
    """Run one sitting, the noise known before any times are compared; return how it ended, as ``Report.ended``."""
    await _know_noise(search)
    return await search.sit(stop)


async def concluded(search: Search, reason: str) -> Report:
    """Confirm the champion after a sitting, and record how that ended."""
    assert search.start and search.start.proposal and search.start.evaluation
    start = Member(search.start.proposal.candidate, search.start.evaluation)
    champion = await _confirmed(search, start)
    search.store.end_run(
        search.run.id,
        "stopped" if reason == "interrupted" else "finished",
        reason=reason,
        champion=champion.champion.candidate.id if champion else None,
    )
    return _report(search, reason, start, champion)


def record_failure(search: Search, error: BaseException) -> None:
    """Record that a sitting ended by an error, or was cancelled."""
    status: RunStatus = "failed" if isinstance(error, Exception) else "stopped"
    with suppress(StoreError):  # the error that ended the run says more than a second one
        search.store.end_run(search.run.id, status, reason=str(error) or type(error).__name__)


async def _confirmed(search: Search, start: Member) -> Confirmed | None:
    """Return the champion, measured a last time."""
    confirming = Confirming(task=search.task, evaluator=search.evaluator, store=search.store, run=search.run.id)
    if search.task.spec.goal.kind == "metric":
        return await confirming.best(start)
    floor = search.noise.floor if search.noise else DEFAULT_FLOOR
    return await confirming.fastest(start, reigning=search.throne.champion, floor=floor)


def _report(search: Search, reason: str, start: Member, champion: Confirmed | None) -> Report:
    store, run = search.store, search.run.id
    further = store.confirmations(run, start.candidate.id)
    return Report(
        run=store.run(run),
        ended=reason,
        start=champion.start if champion else start,
        champion=champion,
        start_heldout=further.get("heldout"),
        start_ood=further.get("ood"),
        spent=store.spent(run),
        statuses=store.statuses(run),
        noise=search.noise,
        duels=tuple(store.duels(run)),
        front=front_size(store, search.run),
    )


async def _know_noise(search: Search) -> None:
    """Know the noise before any times are compared: measure it by an A/A where it is not known of this machine.

    Raises ``SandboxUnavailable`` where the starting program could not be timed against its own copy.
    """
    spec = search.task.spec
    if search.noise or spec.goal.kind != "speedup" or spec.device == "gpu":
        return
    search.watch(search.progress(0))
    if noise := await search.evaluator.noise(search.task):
        search.store.add_noise(search.run.id, noise, machine())
        search.hold_against(noise)


def _config(options: RunOptions, task: Task) -> RunConfig:
    named = options.task if isinstance(options.task, str) else task.spec.name
    proposing = checked(options.proposing)
    return RunConfig(
        task=registry.absolute(named),
        task_name=task.spec.name,
        task_fingerprint=task.fingerprint,
        goal=task.spec.goal,
        strategy=options.strategy if isinstance(options.strategy, str) else _path(options.strategy),
        proposer=proposing.name,
        seed=options.seed,
        budget=options.budget or Budget(evaluations=task.spec.evaluations),
        workers=options.workers or len(os.sched_getaffinity(0)),
        sandbox=options.sandbox,
        level=least_level(options.sandbox, options.level),
        strategy_params=options.strategy_params,
        proposer_params=proposing.params(),
        objectives=chosen(options.objectives, task.spec),
    )


async def _started(task: Task, evaluator: CascadeEvaluator) -> Result:
    """Evaluate the starting program; a task that its own start does not pass, or that cannot be timed, is broken."""
    try:
        paces = await _paces(task, evaluator)
    except Failure as failure:
        raise _unfit(task, failure.status, failure.feedback) from failure
    if faults := [fault for pace in paces if (fault := pace.fault())]:
        raise TaskError(f"Task '{task.spec.name}': {faults[0]}.")
    evaluation = await evaluated(evaluator, task, task.start)
    if evaluation.status == "infra":
        raise SandboxUnavailable(evaluation.feedback)
    if evaluation.status != "ok":
        raise _unfit(task, evaluation.status, evaluation.feedback)
    proposal = Proposal(candidate=task.start, proposer="task", operator="start", parents=())
    return Result(brief=Brief(number=0, parents=(), seed=0), proposal=proposal, evaluation=evaluation)


async def _paces(task: Task, evaluator: CascadeEvaluator) -> list[Pace]:
    """Return how long the start takes; what fails by our own fault is tried again."""
    for _ in range(INFRA_TRIES - 1):
        with suppress(SandboxUnavailable):
            return await evaluator.paces(task)
    return await evaluator.paces(task)


def _unfit(task: Task, status: Status, feedback: str) -> TaskError:
    return TaskError(
        f"The starting program of task '{task.spec.name}' fails its own check ({status}), so the run does not start. "
        f"{feedback}"
    )


def _record(store: Store, run: Run, start: Result, strategy: Strategy) -> None:
    """Store the starting program's result, as far as a sitting that was killed has not done so."""
    assert start.proposal
    known = {pending.brief.number: pending for pending in store.pending(run.id)}.get(start.brief.number)
    if known is None:
        store.add_brief(run.id, start.brief, strategy.state())
    if known is None or known.proposal is None:
        store.add_proposal(run.id, start.brief.number, start.proposal)
    store.add_result(run.id, start)


def _renewed(config: RunConfig, budget: Budget | None, recording: Recording | None) -> Budget:
    if budget is None:
        return config.budget
    return recording.budget(budget) if recording else budget


def _strategy(
    chosen: str | type[Strategy], task: Task, config: RunConfig, *, recording: Recording | None = None
) -> Strategy:
    goal, seed, facts = task.spec.goal, config.seed, _facts_of(task.spec, config)
    strategy = opened(chosen, goal, seed=seed, params=config.strategy_params, facts=facts)
    proposing = recording.proposing if recording else proposing_of(config)
    return tuned(guided(strategy, proposing, goal=goal, seed=seed), proposing, goal=goal, seed=seed)


def _facts_of(spec: TaskSpec, config: RunConfig) -> dict[str, Any]:
    """Return what a strategy is given of its run, where it has parameters of these names."""
    return {
        "evaluations": config.budget.evaluations or spec.evaluations,
        "language": spec.language,
        "device": spec.device,
        "features": spec.features,
        "target": target_of(spec),
        "objectives": config.objectives,
    }


def _search(
    strategy: Strategy,
    evaluator: CascadeEvaluator,
    models: Mapping[str, Model],
    means: Means,
    *,
    recording: Recording | None = None,
) -> Search:
    proposing, order = proposing_of(means.run.config), Order()
    if recording:
        models, order = recording.models(means.store), recording.order(means.run.config.budget)
    return Search(
        run=means.run,
        task=means.task,
        strategy=strategy,
        ledger=means.ledger,
        proposer=recording.proposer(models, means) if recording else proposer_of(proposing, models, means),
        order=order,
        evaluator=evaluator,
        store=means.store,
        writer=means.writer,
    )


def _open(home: Path, closing: ExitStack) -> Store:
    from outpace.agent.store import open_store

    store = open_store(home)
    closing.callback(store.close)
    return store


def _path(thing: type) -> str:
    return f"{thing.__module__}:{thing.__qualname__}"
