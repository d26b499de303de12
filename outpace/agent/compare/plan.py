"""What is compared: tasks, entrants, seeds, budget, who proposes; checked before anything runs."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from outpace.agent.budget import Budget
from outpace.agent.compare.draws import drawn
from outpace.agent.conditions import opened_sandbox
from outpace.agent.evolve import RunOptions, rehearsed
from outpace.agent.models.base import Sampling
from outpace.agent.models.replay import REPLAY
from outpace.agent.proposing import OUTSIDE, Proposing, checked, opened_models
from outpace.agent.store.base import Run, RunConfig
from outpace.errors import UsageError
from outpace.plugins import DEFAULT_SANDBOX, load
from outpace.sandbox.base import Level
from outpace.tasks import registry

FORMAT = 1
Key = tuple[str, str, int]
YARDSTICKS = ("random", "best_of_n")
"""The strategies that are in every comparison."""
_PARAMETERS = re.compile(r":(?=[A-Za-z_]\w*=)")
_NEXT = re.compile(r",(?=[A-Za-z_]\w*=)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """A strategy with a setting of its parameters; ``draw`` 0 is the setting as named, the others were drawn."""

    strategy: str
    params: Mapping[str, Any] = field(default_factory=dict)
    draw: int = 0
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def family(self) -> str:
        """The strategy as it was named, parameters included: all draws have the same."""
        given = ",".join(f"{key}={written(value)}" for key, value in self.params.items())
        return f"{self.strategy}:{given}" if given else self.strategy

    @property
    def label(self) -> str:
        """What tables call it."""
        return f"{self.family} #{self.draw}" if self.draw else self.family

    @property
    def strategy_params(self) -> dict[str, Any]:
        """The parameters of its runs."""
        return {**self.params, **self.settings}


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A task of a comparison: as it was named, by its own name, in its state (``fingerprint``), its start by id.

    ``heldout``: whether it has cases that the search never sees.
    """

    task: str
    name: str
    fingerprint: str
    start: str
    heldout: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One run of a comparison."""

    task: Compared
    entrant: Entrant
    seed: int

    @property
    def key(self) -> Key:
        """What tells it from all others: the task, the entrant, the seed."""
        return self.task.name, self.entrant.label, self.seed

    def made(self, run: Run) -> bool:
        """Tell whether a run of the comparison's own store is that of this cell."""
        config = run.config
        mine = (self.task.task, self.entrant.strategy, self.entrant.strategy_params, self.seed)
        return mine == (config.task, config.strategy, dict(config.strategy_params), config.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Everything that defines a comparison. ``budget`` None: each task's own number of evaluations.

    ``added`` are the yardsticks that nobody named, ``draws`` how many settings of its parameters each strategy was to
    have, the one as named among them; ``machine`` and ``version`` (of Outpace) are those that it began with.
    """

    tasks: tuple[Compared, ...]
    entrants: tuple[Entrant, ...]
    seeds: tuple[int, ...]
    budget: Budget | None
    proposer: str
    proposer_params: Mapping[str, Any]
    workers: int
    sandbox: str
    level: Level
    draws: int = 1
    added: tuple[str, ...] = ()
    version: str = ""
    machine: Mapping[str, str] = field(default_factory=dict)

    def cells(self) -> Iterator[Cell]:
        """Yield the cells in the order in which they run: seed by seed, so that what is there is always comparable.

        Within a seed every task sees the entrants begin at another one, so that none is always the first.
        """
        block = 0
        for seed in self.seeds:
            for task in self.tasks:
                turn = block % len(self.entrants)
                for entrant in (*self.entrants[turn:], *self.entrants[:turn]):
                    yield Cell(task=task, entrant=entrant, seed=seed)
                block += 1

    def options(self, cell: Cell) -> RunOptions:
        """Return the options of a cell's run."""
        named: Any = {key: tuple(value) if isinstance(value, list) else value for key, value in self._proposing()}
        return RunOptions(
            task=cell.task.task,
            strategy=cell.entrant.strategy,
            strategy_params=cell.entrant.strategy_params,
            proposing=Proposing(**named, sampling=Sampling(**self.proposer_params.get("sampling", {}))),
            seed=cell.seed,
            budget=self.budget,
            workers=self.workers,
            sandbox=self.sandbox,
            level=self.level,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        budget = self.budget.as_dict() if self.budget else None
        return {"format": FORMAT, **asdict(replace(self, budget=None)), "budget": budget}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "Plan":
        """Make a plan of what ``as_dict`` returned; raises ``UsageError`` for another format."""
        if plain.get("format") != FORMAT:
            raise UsageError(f"This comparison has format {plain.get('format')!r}; this version reads format {FORMAT}.")
        told: dict[str, Any] = {key: value for key, value in plain.items() if key != "format"}
        told |= {name: tuple(told[name]) for name in ("seeds", "added")}
        told["tasks"] = tuple(Compared(**one) for one in plain["tasks"])
        told["entrants"] = tuple(Entrant(**one) for one in plain["entrants"])
        told["budget"] = Budget.from_dict(plain["budget"]) if plain["budget"] else None
        return cls(**told)

    def differs(self, other: "Plan") -> list[str]:
        """Return in what another plan differs; where and with which version it was made does not count."""
        apart = ("version", "machine", "added")
        mine, theirs = self.as_dict(), other.as_dict()
        return [name for name in mine if name not in apart and mine[name] != theirs[name]]

    def _proposing(self) -> Iterator[tuple[str, Any]]:
        return ((key, value) for key, value in self.proposer_params.items() if key != "sampling")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a user asks to compare; ``strategies`` as on the command line: ``NAME`` or ``NAME:KEY=VALUE,KEY=VALUE``.

    ``seeds`` are that many, from ``first_seed`` on.
    """

    tasks: Sequence[str]
    strategies: Sequence[str]
    seeds: int = 5
    first_seed: int = 0
    draws: int = 1
    budget: Budget | None = None
    proposing: Proposing = field(default_factory=Proposing)
    workers: int | None = None
    sandbox: str = DEFAULT_SANDBOX
    level: Level | None = None


def planned(wanted: Wanted) -> Plan:
    """Return the plan of what is wanted: every task loaded, every strategy made, the sandbox tried once.

    Raises ``UsageError`` (and its kinds) and ``SandboxUnavailable`` for what would stop a run before its start.
    """
    proposing = _comparable(wanted)
    named = [entrant_of(text) for text in wanted.strategies]
    added = [name for name in YARDSTICKS if name not in [one.family for one in named]]
    entrants = _entrants([*named, *(Entrant(strategy=name) for name in added)], wanted)
    configs = {
        (name, entrant.label): rehearsed(_options(name, entrant, wanted, proposing))
        for name in wanted.tasks
        for entrant in entrants
    }
    first = next(iter(configs.values()))
    tasks = _compared([(name, configs[name, entrants[0].label]) for name in wanted.tasks])
    for one in tasks:
        with opened_sandbox(first.sandbox, first.level, registry.find(one.task)):
            pass  # it holds here, and has what the task needs
    return Plan(
        tasks=tasks,
        entrants=entrants,
        seeds=tuple(range(wanted.first_seed, wanted.first_seed + wanted.seeds)),
        budget=wanted.budget,
        proposer=first.proposer,
        proposer_params=first.proposer_params,
        workers=first.workers,
        sandbox=first.sandbox,
        level=first.level,
        draws=wanted.draws,
        added=tuple(added),
    )


def entrant_of(text: str) -> Entrant:
    """Return the entrant of ``NAME`` or ``NAME:KEY=VALUE,…``; a value that reads as JSON is that, others are text."""
    parts = _PARAMETERS.split(text, maxsplit=1)
    given = _NEXT.split(parts[1]) if len(parts) == 2 else []
    pairs = [one.partition("=") for one in given]
    if len({key for key, _, _ in pairs}) < len(pairs):
        raise UsageError(f"--strategy '{text}': a parameter is given twice.")
    return Entrant(strategy=parts[0], params={key: _read(value) for key, _, value in pairs})


def written(value: Any) -> str:
    """Return the value of a parameter as a user would write it."""
    return value if isinstance(value, str) else json.dumps(value)


def _read(value: str) -> Any:
    try:
        return json.loads(value)
    except ValueError:
        return value


def _comparable(wanted: Wanted) -> Proposing:
    """Return who proposes; raises ``UsageError`` for what is no comparison."""
    if not wanted.tasks:
        raise UsageError("Nothing to compare on: name at least one task, such as online_bin_packing.")
    if not wanted.strategies:
        raise UsageError("Nothing to compare: name at least one strategy, such as --strategy islands.")
    for name, value in (("--seeds", wanted.seeds), ("--draws", wanted.draws)):
        if value < 1:
            raise UsageError(f"{name} must be at least 1, got {value}.")
    if twice := [one for index, one in enumerate(wanted.tasks) if one in wanted.tasks[:index]]:
        raise UsageError(f"Task '{twice[0]}' is named twice. Name it once; more runs come of more --seeds.")
    if any(name.startswith(REPLAY) for name in wanted.proposing.names):
        raise UsageError(
            "A replay repeats one run, its strategy and its seed included, so there is nothing to compare: name a "
            "model that answers (a script, say: scripted:PATH), or none."
        )
    if wanted.proposing.kind == OUTSIDE:
        raise UsageError("Programs from outside wait for whoever makes them: a comparison needs a model, or none.")
    opened_models(wanted.proposing)
    return checked(wanted.proposing)


def _entrants(named: Sequence[Entrant], wanted: Wanted) -> tuple[Entrant, ...]:
    """Return all entrants: each strategy as named, then with the settings drawn for it."""
    found: list[Entrant] = []
    for one in named:
        if one.family in [other.family for other in found]:
            raise UsageError(f"Strategy '{one.family}' is named twice. Name it once; more runs come of more --seeds.")
        ranges = getattr(load("strategy", one.strategy), "RANGES", {})
        settings = drawn(one.strategy, ranges, wanted.draws - 1, seed=wanted.first_seed, fixed=one.params)
        found += [one, *(replace(one, draw=number, settings=each) for number, each in enumerate(settings, 1))]
    return tuple(found)


def _options(task: str, entrant: Entrant, wanted: Wanted, proposing: Proposing) -> RunOptions:
    return RunOptions(
        task=task,
        strategy=entrant.strategy,
        strategy_params=entrant.strategy_params,
        proposing=proposing,
        budget=wanted.budget,
        seed=wanted.first_seed,
        workers=wanted.workers,
        sandbox=wanted.sandbox,
        level=wanted.level,
    )


def _compared(tasks: Sequence[tuple[str, RunConfig]]) -> tuple[Compared, ...]:
    found: dict[str, Compared] = {}
    for given, config in tasks:
        name = config.task_name
        if name in found:
            raise UsageError(f"Two tasks are called '{name}': {found[name].task} and {config.task}. Leave one out.")
        known = registry.find(given)
        found[name] = Compared(
            task=config.task,
            name=name,
            fingerprint=config.task_fingerprint,
            start=known.start.id,
            heldout=bool(known.spec.split("heldout")),
        )
    return tuple(found.values())
