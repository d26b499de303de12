"""The loop: ask, propose, evaluate, remember, tell.

Proposals, evaluations and storage are three pools of their own sizes: a slow model never idles an evaluation slot, and
the disk never waits in the event loop. Everything is stored before it is used, so a run can be killed at any moment and
resumed: at most the evaluations that were running are done again, and no answer is asked for twice.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

from outpace.agent.budget import Spent
from outpace.agent.champion import Throne
from outpace.agent.ledger import Claim, Ledger
from outpace.agent.order import Order
from outpace.agent.proposal import Brief, Member, Result
from outpace.agent.proposers.base import Proposer
from outpace.agent.store.base import Pending, Run, Store
from outpace.agent.strategies.base import Strategy
from outpace.agent.surprise import Examiner
from outpace.errors import ProposalError, SandboxUnavailable, Unserved
from outpace.evaluators.base import Evaluator, Noise
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal, Task

T = TypeVar("T")
INFRA_RESULTS = 5  # candidates in a row that nothing could be said of: the host is broken
BARREN_RESULTS = 200  # results in a row without a new candidate: the proposer has run dry
GRACE_S = 30.0  # how long a stopped run waits for what is in flight
LOOK_S = 0.5  # how often an idle loop looks at the stop sign and the clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A look at a run while it goes on; ``last`` is the result that has just come in.

    For speed-up tasks: ``noise`` as measured when the sitting began (None: not yet), ``champion`` who reigns (at first
    the start), ``duels`` how many were fought, ``challenger`` who fights now.
    """

    run: Run
    spent: Spent
    statuses: Mapping[str, int]
    in_flight: int
    start: Result | None
    best: Result | None
    last: Result | None
    noise: Noise | None = None
    champion: Member | None = None
    duels: int = 0
    challenger: str | None = None
    warnings: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Search:
    """One sitting of a run. Only the coordinator (``sit``) asks, tells and counts; the rest happens in flight."""

    run: Run
    task: Task
    strategy: Strategy
    proposer: Proposer
    evaluator: Evaluator
    store: Store
    ledger: Ledger
    writer: ThreadPoolExecutor  # the one thread that talks to the store; closed when the sitting ends
    watch: Callable[[Progress], None] = lambda _: None
    order: Order = field(default_factory=Order)
    noise: Noise | None = None  # of speed-up tasks
    start: Result | None = None
    best: Result | None = None
    statuses: dict[str, int] = field(default_factory=dict)
    _since: float = field(default_factory=time.monotonic)
    _told: int = 0
    _barren: int = 0
    _broken: int = 0
    _judging: dict[str, asyncio.Task[tuple[Member, bool]]] = field(default_factory=dict)  # by the shape of the program
    _slots: asyncio.Semaphore = field(init=False)
    _examiner: Examiner = field(init=False)
    throne: Throne = field(init=False)

    def __post_init__(self) -> None:
        """Set up who examines candidates and what they fight for."""
        judges: Any = {"task": self.task, "evaluator": self.evaluator}
        run, store = self.run.id, self.store
        self._examiner = Examiner(record=partial(self._stored, store.add_surprise, run), **judges)
        record = partial(self._stored, store.add_duel, run)
        self.throne = Throne(record=record, surprises=self._examiner.known, **judges)

    def hold_against(self, noise: Noise) -> None:
        """Know how small a gain can be claimed here, before anything is told."""
        self.noise, self.throne.floor = noise, noise.floor

    async def sit(self, stop: asyncio.Event) -> str:
        """Work until the budget ends, ``stop`` is set or nothing new comes; return which of these it was."""
        self._slots = asyncio.Semaphore(self.run.config.workers)
        flight: set[asyncio.Task[Result]] = set()
        try:
            flight |= {asyncio.create_task(self._serve(pending)) for pending in await self._stored(self._restore)}
            self.watch(self.progress(len(flight)))
            ended, deadline = None, float("inf")
            while True:
                if ended is None and (ended := "interrupted" if stop.is_set() else self._ended()):
                    deadline = time.monotonic() + GRACE_S
                    _withdraw(self.proposer)
                while not ended and self._room(len(flight)) and (briefs := self.strategy.ask(1)):
                    flight |= {asyncio.create_task(self._serve(one)) for one in await self._asked(briefs)}
                if not stop.is_set() and self.throne.begin():
                    self.watch(self.progress(len(flight)))
                late = time.monotonic() > deadline
                waiting: set[asyncio.Task[Any]] = set() if late else set(flight)
                if not (late and stop.is_set()):
                    waiting |= self.throne.flight
                due = self.order.due(self._told)
                if not (waiting or due) and (ended or not getattr(self.proposer, "patient", False)):
                    break
                done = await _first(waiting) if not due else set()
                landed, flight = flight & done, flight - done
                await self._land(landed, len(flight))
            return "interrupted" if stop.is_set() and self.throne.next() else ended or "stalled"
        finally:
            await self._leave(flight)

    async def _asked(self, briefs: Sequence[Brief]) -> list[Pending]:
        """Store briefs that were asked for (several where they share a request) before any of them is served."""
        asked = [replace(brief, told=self._told) for brief in briefs]
        for brief in asked:
            await self._stored(self.store.add_brief, self.run.id, brief, self.strategy.state())
            self.ledger.warnings += [said] if (said := self.order.asked(brief)) else []
        return [Pending(brief=brief) for brief in asked if self.order.serves(brief.number)]

    def _room(self, in_flight: int) -> int:
        """Return how many more briefs may be in flight: what the pools take, never more than the budget has left."""
        config = self.run.config
        left = config.budget.left(self.ledger.spent)
        bounds = [left[name] for name in ("evaluations", "model_calls") if name in left]
        room = max(0, int(min([config.workers + self.proposer.lookahead, *bounds])) - in_flight)
        return self.order.room(room, told=self._told)

    def _ended(self) -> str | None:
        """Return why the run is over, or None."""
        over = self.ledger.exhausted(wall_s=time.monotonic() - self._since)
        return self.order.ended(over or ("stalled" if self._barren >= BARREN_RESULTS else None), told=self._told)

    async def _serve(self, pending: Pending) -> Result:
        """Take one brief all the way to its result."""
        brief, proposal = pending.brief, pending.proposal
        if proposal is None:
            try:
                proposal = await self.proposer.propose(self.task, brief)
            except ProposalError as error:
                return Result(brief=brief, failure=str(error))
            await self._stored(self.store.add_proposal, self.run.id, brief.number, proposal)
        await self.order.turn(brief.number)
        shape = proposal.candidate.shape
        mine = shape not in self._judging
        if mine:
            self._judging[shape] = asyncio.create_task(self._judge(proposal.candidate))
        member, known = await self._judging[shape]
        proposal = replace(proposal, candidate=member.candidate)
        return Result(brief=brief, proposal=proposal, evaluation=member.evaluation, seen_before=known or not mine)

    async def _judge(self, candidate: Candidate) -> tuple[Member, bool]:
        """Return a candidate with its evaluation, and whether that was known from earlier in this run.

        Of a program that was evaluated before, written otherwise, it is the candidate of that time that is returned.
        """
        if known := await self._stored(self.store.known, self.run.id, candidate):
            return known, True
        async with self._slots, self.ledger.reserved(Claim(evaluations=1)) as entry:
            best, start = (one.evaluation if one else None for one in (self.best, self.start))
            found = await self._examiner.judge(candidate, best=best, start=start)
            if found.status != "infra":
                entry.cost = Spent(evaluations=1)
            return Member(candidate, found), False

    async def _land(self, done: set[asyncio.Task[Result]], in_flight: int) -> None:
        """Store and tell what has come in, oldest brief first; an error is raised after the rest is safe.

        What could not be served now (the budget is spent, say) has not come in: its brief stays open.
        """
        ended = [*done, *(duel for duel in self.throne.flight if duel.done())]
        errors = [error for task in ended if (error := task.exception()) and not isinstance(error, Unserved)]
        for result in self.order.in_turn([t.result() for t in done if not t.exception()], told=self._told):
            await self._stored(self.store.add_result, self.run.id, result)
            if result.proposal:
                self._judging.pop(result.proposal.candidate.shape, None)
            await self._clock()
            self._tell(result)
            self.watch(self.progress(in_flight, result))
            if self._broken >= INFRA_RESULTS and result.evaluation:
                errors.append(SandboxUnavailable(f"{INFRA_RESULTS} failures in a row: {result.evaluation.feedback}"))
        if errors:
            raise errors[0]
        if self.throne.land():
            self.watch(self.progress(in_flight))

    def _tell(self, result: Result) -> None:
        status = result.evaluation.status if result.evaluation else "failed"
        self._told += 1
        self.statuses[status] = self.statuses.get(status, 0) + 1
        new = result.evaluation is not None and not result.seen_before
        self._barren = 0 if new else self._barren + 1
        self._broken = self._broken + 1 if status == "infra" else 0
        self.start = self.start or result
        goal = self.task.spec.goal
        if _rank(result, goal) > _rank(self.best, goal):
            self.best = result
        self.throne.meet(result)
        self.strategy.tell([result])
        self.proposer.tell([result])

    def progress(self, in_flight: int, last: Result | None = None) -> Progress:
        """Return a look at the run."""
        return Progress(
            run=self.run,
            spent=self.ledger.spent,
            statuses=dict(self.statuses),
            in_flight=in_flight,
            start=self.start,
            best=self.best,
            last=last,
            noise=self.noise,
            champion=self.throne.champion,
            duels=self.throne.fought,
            challenger=self.throne.fighting,
            warnings=tuple(self.ledger.warnings),
        )

    def _restore(self) -> list[Pending]:
        """Fold what the store holds, and return the briefs that are still open."""
        for result in self.store.results(self.run.id):
            self._tell(result)
        for duel in self.store.duels(self.run.id):
            self.throne.hear(duel)
        self._examiner.known |= {one.candidate: one for one in self.store.surprises(self.run.id)}
        self.strategy.restore(self.store.state(self.run.id))
        pending = self.store.pending(self.run.id)
        self.order.follow(self._told, [one.brief.number for one in pending])
        return [one for one in pending if self.order.serves(one.brief.number)]

    async def _clock(self) -> None:
        """Store and book the time since the last look."""
        wall_s, self._since = time.monotonic() - self._since, time.monotonic()
        self.ledger.book(Spent(wall_s=wall_s))
        await self._stored(self.store.add_wall, self.run.id, wall_s)

    async def _stored(self, call: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.writer, call, *arguments)

    async def _leave(self, flight: set[asyncio.Task[Result]]) -> None:
        """Cancel what is still in flight (it stays pending in the store) and keep the clock."""
        tasks = [*flight, *self._judging.values(), *self.throne.flight]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        try:
            await self._clock()
        finally:
            self.writer.shutdown()


def _rank(result: Result | None, goal: Goal) -> float:
    rank = result.evaluation.rank(goal) if result and result.evaluation else None
    return float("-inf") if rank is None else rank


def _withdraw(proposer: Proposer) -> None:
    """Tell a proposer that waits for others that nothing more is wanted of them."""
    if withdraw := getattr(proposer, "withdraw", None):
        withdraw()


async def _first(waiting: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """Return what is done as soon as something is, or after ``LOOK_S``."""
    if not waiting:
        await asyncio.sleep(LOOK_S)
        return set()
    done, _ = await asyncio.wait(waiting, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
    return done
