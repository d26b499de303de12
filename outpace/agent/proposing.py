"""Who proposes: from what a user chose, or a stored run says, to a proposer and the strategy around it."""

import asyncio
from collections.abc import Awaitable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outpace.agent.arms import Arm, arms_of, share_of
from outpace.agent.ledger import Ledger
from outpace.agent.models.base import FREE, Completion, Model, Sampling
from outpace.agent.models.paid import PaidModel
from outpace.agent.models.recorded import RecordedModel
from outpace.agent.proposal import EditMode, Member
from outpace.agent.proposers.base import Proposer
from outpace.agent.proposers.desk import Desk
from outpace.agent.store.base import Run, RunConfig, Store
from outpace.agent.strategies.base import Strategy
from outpace.agent.strategies.parameters import share
from outpace.errors import UsageError
from outpace.sandbox.base import Sandbox
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal, Task

if TYPE_CHECKING:
    from outpace.agent.prompts.facts import Facts
    from outpace.agent.prompts.templates import Templates
    from outpace.agent.proposers.model import Aids
    from outpace.agent.proposers.tuner.telling import Setting
    from outpace.agent.strategies.ensemble import Chooser

OPERATORS, OUTSIDE, EDITOR, TUNER = "operators", "outside", "editor", "tuner"
ANSWER_TOKENS = 16_384
"""What an answer may take where tokens or dollars are bounded: without an end, one could take all that is left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposing:
    """Who proposes, and how.

    ``models`` are names as on the command line (``openai:NAME``, ``openai:NAME=0.8`` with its share of the briefs) or
    models themselves; without any, rewriting operators propose. ``proposer`` is ``editor`` (a model answers each brief
    with an edit), ``tuner`` (a model works on a program with tools) or ``outside`` (whoever asks for briefs and submits
    programs); None follows from the models. ``operators`` are the rewriting operators to choose from (default: all).

    ``sampling`` holds for all models; ``temperatures``, ``efforts`` and ``edit_modes`` make an arm of each combination.
    ``ensemble`` is how arms are chosen: ``shares``, ``bandit``, or ``stagnation`` (``stagnation=40`` with its
    patience). ``samples`` answers are asked for in one request. With ``repair`` a program that fails goes back once
    with its error. A share ``profile`` of the prompts holds a profile of the parent. While good programs declare
    parameters, a share ``tunables`` of the briefs tunes these without a model (editor and operators). ``in_flight`` is
    how many answers are waited for at a time. A tuner's conversation has at most ``messages`` of the model, and sends
    at most about ``window`` tokens. ``prompts`` is a folder whose templates replace ours; with ``meta_prompting`` the
    instructions evolve too. ``vllm_python`` is the interpreter that has vLLM.
    """

    models: tuple[str | Model, ...] = ()
    proposer: str | None = None
    operators: tuple[str, ...] = ()
    base_url: str | None = None
    sampling: Sampling = FREE
    temperatures: tuple[float, ...] = ()
    efforts: tuple[str, ...] = ()
    edit_modes: tuple[EditMode, ...] = ()
    ensemble: str = "shares"
    samples: int = 1
    repair: bool = True
    profile: float = 0.0
    tunables: float = 0.25
    in_flight: int | None = None
    messages: int | None = None
    window: int | None = None
    prompts: str | None = None
    meta_prompting: bool = False
    vllm_python: str | None = None

    @property
    def kind(self) -> str:
        """``operators``, ``outside``, ``editor`` or ``tuner``."""
        return self.proposer or (EDITOR if self.models else OPERATORS)

    @property
    def name(self) -> str:
        """What lists and reports call it."""
        names = "+".join(self.names)
        return {EDITOR: names, TUNER: f"{TUNER}:{names}"}.get(self.kind, self.kind)

    @property
    def names(self) -> tuple[str, ...]:
        """The models as they are named, shares included."""
        return tuple(one if isinstance(one, str) else one.name for one in self.models)

    def params(self) -> dict[str, Any]:
        """Return what a resumed run needs to know, as small JSON values: all that is not as by default."""
        default = Proposing()
        plain = {one.name: getattr(self, one.name) for one in fields(self)}
        chosen = {name: value for name, value in plain.items() if value != getattr(default, name)}
        sampling = {name: value for name, value in asdict(self.sampling).items() if value != getattr(FREE, name)}
        if sampling:
            chosen["sampling"] = sampling
        if self.models:
            chosen["models"] = list(self.names)
        return {name: list(value) if isinstance(value, tuple) else value for name, value in chosen.items()}

    def arms(self) -> list[Arm]:
        """Return the arms among which briefs are given out."""
        settings: dict[str, Any] = {name: getattr(self, name) for name in ("temperatures", "efforts", "edit_modes")}
        return arms_of(self.names, sampling=self.sampling, **settings)


def checked(proposing: Proposing) -> Proposing:
    """Return it; raises ``UsageError`` for what does not go together."""
    kind, default = proposing.kind, Proposing()
    if kind in (EDITOR, TUNER) and not proposing.models:
        raise UsageError(f"The {kind} needs a model: name one with --model, such as openai:NAME.")
    if kind in (OPERATORS, OUTSIDE):
        own = ("proposer", "models", "operators", "tunables") if kind == OPERATORS else ("proposer", "models")
        theirs = [one.name for one in fields(proposing) if one.name not in own]
        if unfit := [name for name in theirs if getattr(proposing, name) != getattr(default, name)]:
            what = "Programs from outside come from no model" if kind == OUTSIDE else "There is no model to ask"
            raise UsageError(
                f"{what}: leave {', '.join(unfit)} out" + (", or name a model." if kind != OUTSIDE else ".")
            )
    if proposing.sampling.seed is not None or proposing.sampling.schema is not None or proposing.sampling.n != 1:
        raise UsageError("The run itself chooses seed, schema and n for each request: leave them out of the sampling.")
    if proposing.samples < 1:
        raise UsageError(f"samples must be at least 1, got {proposing.samples}.")
    _check_operators(proposing.operators)
    others = {EDITOR: ("messages", "window"), TUNER: ("samples", "profile", "meta_prompting", "tunables")}.get(kind, ())
    others += ("operators",) if kind in (EDITOR, TUNER) else ()
    if unfit := [name for name in others if getattr(proposing, name) != getattr(default, name)]:
        raise UsageError(f"The {kind} has no use for {', '.join(unfit)}: leave that out, or choose the other proposer.")
    share("tunables", proposing.tunables)
    if kind == TUNER and proposing.sampling.logprobs:
        raise UsageError("The tuner has no use for logprobs: leave that out, or choose the other proposer.")
    if proposing.vllm_python and not any(name.startswith("vllm:") for name in proposing.names):
        raise UsageError("vllm_python is for models that are named vllm:MODEL, and none is: leave it out.")
    if kind in (EDITOR, TUNER):
        _chooser(proposing, Goal(kind="metric", name="value", direction="maximise"))
    if proposing.prompts is not None:
        proposing = replace(proposing, prompts=str(Path(proposing.prompts).expanduser().resolve()))
    return proposing


def _check_operators(names: tuple[str, ...]) -> None:
    from outpace.agent.proposers.operators.proposer import OPERATORS as KNOWN

    if unknown := sorted({*names} - {*KNOWN}):
        raise UsageError(f"--operator: unknown operator '{unknown[0]}'. Available: {', '.join(KNOWN)}.")


def proposing_of(config: RunConfig) -> Proposing:
    """Return who proposes in a stored run."""
    plain = dict(config.proposer_params)
    sampling = Sampling(**plain.pop("sampling", {}))
    if "models" not in plain and config.proposer not in (OPERATORS, OUTSIDE):
        plain["models"] = [config.proposer]  # written before a run could have several
    if config.proposer == OUTSIDE:
        plain["proposer"] = OUTSIDE
    named: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in plain.items()}
    return Proposing(**named, sampling=sampling)


def opened_models(proposing: Proposing) -> dict[str, Model]:
    """Return the models by the names that arms have for them; nothing is asked yet.

    Raises ``UsageError`` for a name that leads nowhere.
    """
    from outpace.agent.models.open import open_model

    found: dict[str, Model] = {}
    for one in proposing.models:
        if isinstance(one, str):
            name, _ = share_of(one)
            found[name] = open_model(name, base_url=proposing.base_url, vllm_python=proposing.vllm_python)
        else:
            found[one.name] = one
    return found


def guided(strategy: Strategy, proposing: Proposing, *, goal: Goal, seed: int) -> Strategy:
    """Return the strategy with what asking models needs around it: repairs, samples, the choice of arms.

    A tuner mends its own programs and takes one answer at a time, so its briefs only get an arm.
    """
    if proposing.kind not in (EDITOR, TUNER):
        return strategy
    from outpace.agent.strategies.guided import Guided

    repair = proposing.repair and proposing.kind == EDITOR and not getattr(strategy, "repairs", False)
    return Guided(
        strategy,
        _chooser(proposing, goal),
        seed=seed,
        samples=proposing.samples,
        repair=repair,
        profile=proposing.profile if proposing.kind == EDITOR else 0.0,
    )


def tuned(strategy: Strategy, proposing: Proposing, *, goal: Goal, seed: int) -> Strategy:
    """Return the strategy with the tuning of what programs declare around it, where that is wanted."""
    if not _tunes(proposing):
        return strategy
    from outpace.agent.strategies.tuned import Tuned

    return Tuned(strategy, goal, seed=seed, share=proposing.tunables)


def _tunes(proposing: Proposing) -> bool:
    return proposing.tunables > 0 and proposing.kind in (EDITOR, OPERATORS)


def _chooser(proposing: Proposing, goal: Goal) -> "Chooser":
    from outpace.agent.strategies.ensemble import chooser

    return chooser(proposing.ensemble, proposing.arms(), goal)


class Means:
    """What a proposer of a run can draw on in one sitting: its ledger, and the one thread that talks to the store."""

    def __init__(self, *, run: Run, task: Task, store: Store, sandbox: Sandbox) -> None:
        """Open the account of the run."""
        self.run, self.task, self.store, self.sandbox = run, task, store, sandbox
        self.ledger = Ledger(run.config.budget, store.spent(run.id))
        self.writer = ThreadPoolExecutor(1, thread_name_prefix="outpace-store")


def proposer_of(proposing: Proposing, models: Mapping[str, Model], means: Means) -> Proposer:
    """Return who proposes in this sitting; answers are paid from the ledger, and stored before they are used."""
    proposer = _alone(proposing, models, means)
    if not _tunes(proposing):
        return proposer
    from outpace.agent.proposers.tunables import Tunables

    return Tunables(proposer)


def _alone(proposing: Proposing, models: Mapping[str, Model], means: Means) -> Proposer:
    """Return who proposes what a strategy has not worked out itself."""
    if proposing.kind == OUTSIDE:
        pending = means.store.pending(means.run.id)
        open_before = [one.brief.number for one in pending if one.proposal is None]
        return Desk(means.task, workers=means.run.config.workers, known=open_before)
    if proposing.kind == OPERATORS:
        from outpace.agent.proposers.operators.proposer import OperatorsProposer

        return OperatorsProposer(seed=means.run.config.seed, allowed=proposing.operators)
    recorded = {name: _recorded(PaidModel(model, means.ledger), means) for name, model in models.items()}
    arms = [replace(arm, sampling=_bounded(arm.sampling, means.run.config)) for arm in proposing.arms()]
    if proposing.kind == TUNER:
        from outpace.agent.proposers.tuner.proposer import TunerProposer

        return TunerProposer(recorded, arms, _setting(proposing, means))
    from outpace.agent.proposers.model import IN_FLIGHT, ModelProposer

    return ModelProposer(recorded, arms, lookahead=proposing.in_flight or IN_FLIGHT, aids=_aids(proposing, means))


def prompts_of(proposing: Proposing, task: Task) -> "Templates | None":
    """Return the templates of prompts that a run uses, tried out; None where nothing is asked.

    Raises ``UsageError`` for a folder that is not there, a file of an unknown name, a template that does not work, and
    for operators where the program is not written in Python.
    """
    if proposing.kind == OPERATORS:
        if task.spec.language != "python":
            raise UsageError(
                f"The rewriting operators change Python only, and task '{task.spec.name}' is written in "
                f"{task.spec.language}. Name a model with --model, or --model outside."
            )
        return None
    from outpace.agent.prompts.render import rehearse
    from outpace.agent.prompts.templates import templates_of

    templates = templates_of(task, proposing.prompts)
    rehearse(task, templates)
    if proposing.kind == TUNER:
        from outpace.agent.prompts.tuner import rehearse_tuner

        rehearse_tuner(task, templates)
    return templates


def _facts(means: Means) -> "Facts":
    from outpace.agent.prompts.facts import facts_of

    return facts_of(means.task.spec.requires, here=means.run.config.sandbox != "docker")


def _setting(proposing: Proposing, means: Means) -> "Setting":
    """Return what a tuner works with in this sitting."""
    from outpace.agent.proposers.tuner.telling import MESSAGES, WINDOW_TOKENS, Setting

    return Setting(
        sandbox=means.sandbox,
        ledger=means.ledger,
        goal=means.task.spec.goal,
        messages=proposing.messages or MESSAGES,
        window_tokens=proposing.window or WINDOW_TOKENS,
        lookahead=proposing.in_flight or 0,
        templates=prompts_of(proposing, means.task),
        facts=_facts(means),
    )


def _aids(proposing: Proposing, means: Means) -> "Aids":
    """Return what helps to ask well in this sitting."""
    from outpace.agent.proposers.instructions import Instructions
    from outpace.agent.proposers.model import Aids
    from outpace.evaluators.profile import profile

    task, run = means.task, means.run

    async def known(candidate: Candidate, before: int | None) -> Member | None:
        look = partial(means.store.known, run.id, candidate, before=before)
        return await asyncio.get_running_loop().run_in_executor(means.writer, look)

    async def observe(candidate: Candidate) -> str:
        return await profile(means.sandbox, task, candidate)

    return Aids(
        templates=prompts_of(proposing, task),
        facts=replace(_facts(means), tunables=_tunes(proposing)),
        known=known,
        profile=observe,
        instructions=Instructions(task.spec.goal) if proposing.meta_prompting else None,
    )


def _recorded(model: Model, means: Means) -> Model:
    def recall(key: str) -> Awaitable[Completion | None]:
        return asyncio.get_running_loop().run_in_executor(means.writer, means.store.completion, means.run.id, key)

    def record(key: str, completion: Completion) -> Awaitable[None]:
        add = means.store.add_completion
        return asyncio.get_running_loop().run_in_executor(means.writer, add, means.run.id, key, completion)

    return RecordedModel(model, recall, record)


def _bounded(sampling: Sampling, config: RunConfig) -> Sampling:
    """Give an answer an end where a bound of the budget needs to know it."""
    bounded = config.budget.tokens is not None or config.budget.usd is not None
    return replace(sampling, max_tokens=ANSWER_TOKENS) if bounded and sampling.max_tokens is None else sampling
