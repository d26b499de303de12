"""The loop: order, budget, duplicates, failures, interruption and resumption, with a real store."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from outpace.agent.budget import Budget
from outpace.agent.ledger import Ledger
from outpace.agent.proposal import Brief, Member, Proposal, Result
from outpace.agent.search import Progress, Search
from outpace.agent.store import open_store
from outpace.agent.store.base import Pending, Run, RunConfig, Store
from outpace.errors import ModelPermanent, ProposalError, SandboxUnavailable
from outpace.evaluators.base import Evaluation, Noise
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Split, Task, TaskSpec

GOAL = Goal(kind="metric", name="value", direction="maximise")


def program(value: int) -> Candidate:
    return Candidate({"program.py": f"VALUE = {value}\n"})


def value_of(candidate: Candidate) -> int:
    return int(candidate.program.split("=")[1].split("#")[0])


class Climb:
    """Asks for the best so far; the smallest strategy there is."""

    def __init__(self, goal: Goal, *, seed: int = 0) -> None:
        self.goal, self.asked = goal, 0
        self.best: Member | None = None
        self.told: list[Result] = []

    def ask(self, n: int) -> list[Brief]:
        if self.best is None:
            return []
        briefs = [Brief(number=self.asked + i + 1, parents=(self.best,), seed=self.asked + i) for i in range(n)]
        self.asked += len(briefs)
        return briefs

    def tell(self, results: Sequence[Result]) -> None:
        for result in results:
            self.told.append(result)
            if result.proposal and result.evaluation and result.evaluation.rank(self.goal) is not None:
                member = Member(result.proposal.candidate, result.evaluation)
                if self.best is None or member.evaluation.rank(self.goal) > self.best.evaluation.rank(self.goal):  # type: ignore[operator]
                    self.best = member

    def state(self) -> Mapping[str, Any]:
        return {"asked": self.asked}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.asked = state.get("asked", 0)


class Propose:
    """Makes a candidate with ``change(brief)``; counts how often it was asked."""

    name = "test"

    def __init__(self, change: Callable[[Brief], int], *, lookahead: int = 0, latency_s: float = 0.0) -> None:
        self.change, self.lookahead, self.latency_s = change, lookahead, latency_s
        self.asked: list[int] = []
        self.told: list[Result] = []

    async def propose(self, task: Task, brief: Brief) -> Proposal:
        self.asked.append(brief.number)
        await asyncio.sleep(self.latency_s)
        return Proposal(
            candidate=program(self.change(brief)),
            proposer=self.name,
            operator="change",
            parents=tuple(p.candidate.id for p in brief.parents),
        )

    def tell(self, results: Sequence[Result]) -> None:
        self.told.extend(results)


class Judge:
    """Scores a program by its number; counts evaluations and how many ran at once."""

    def __init__(self, verdict: Callable[[Candidate], Evaluation] | None = None, *, latency_s: float = 0.0) -> None:
        self.verdict = verdict or (lambda candidate: Evaluation(status="ok", score=float(value_of(candidate))))
        self.latency_s = latency_s
        self.seen: list[int] = []
        self.fresh: list[int] = []
        self.running = self.most = 0

    async def evaluate(
        self, task: Task, candidate: Candidate, *, split: Split = "train", fresh: bool = False
    ) -> Evaluation:
        (self.fresh if fresh else self.seen).append(value_of(candidate))
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(self.latency_s)
        self.running -= 1
        return self.verdict(candidate)

    async def duel(
        self, task: Task, challenger: Candidate, champion: Candidate, *, split: Split = "train"
    ) -> Evaluation:
        raise AssertionError("a metric task has no duels")

    async def noise(self, task: Task) -> Noise | None:
        return None


TASK = Task(
    TaskSpec(name="number", title="A number", statement="", entry="VALUE", goal=GOAL, cases=(Case(name="c"),)),
    program(0),
)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path)
    yield store
    store.close()


def begin(store: Store, *, workers: int = 1, evaluations: int, **budget: float) -> Run:
    """Start a run with ``evaluations`` to spend; the starting program's own is on top."""
    run = store.add_run(
        RunConfig(
            task="number",
            task_name="number",
            task_fingerprint=TASK.fingerprint,
            goal=GOAL,
            strategy="climb",
            proposer="test",
            seed=0,
            budget=Budget(evaluations=evaluations + 1, **budget),  # type: ignore[arg-type]
            workers=workers,
            sandbox="none",
        )
    )
    start = Result(
        brief=Brief(number=0, parents=(), seed=0),
        proposal=Proposal(candidate=TASK.start, proposer="task", operator="start", parents=()),
        evaluation=Evaluation(status="ok", score=0.0),
    )
    assert start.proposal
    store.add_brief(run.id, start.brief, {})
    store.add_proposal(run.id, 0, start.proposal)
    store.add_result(run.id, start)
    return run


def searching(store: Store, run: Run, proposer: Propose, judge: Judge, **more: Any) -> Search:
    return Search(
        run=run,
        task=TASK,
        strategy=Climb(GOAL),
        proposer=proposer,
        evaluator=judge,
        store=store,
        ledger=Ledger(run.config.budget, store.spent(run.id)),
        writer=ThreadPoolExecutor(1),
        **more,
    )


def sit(store: Store, run: Run, proposer: Propose, judge: Judge, **more: Any) -> tuple[str, Search]:
    search = searching(store, run, proposer, judge, **more)
    return asyncio.run(search.sit(asyncio.Event())), search


def up(brief: Brief) -> int:
    return value_of(brief.parents[0].candidate) + 1


def test_one_worker_goes_strictly_in_turn_and_spends_exactly_its_evaluations(store: Store) -> None:
    run, judge = begin(store, evaluations=7), Judge()
    ended, search = sit(store, run, Propose(up), judge)
    assert ended == "evaluations"
    assert judge.seen == [1, 2, 3, 4, 5, 6, 7]
    assert store.spent(run.id).evaluations == 7 + 1
    assert search.best and search.best.evaluation and search.best.evaluation.score == 7


@pytest.mark.parametrize("workers", [2, 5])
def test_more_workers_overlap_but_never_overspend(store: Store, workers: int) -> None:
    run, judge = begin(store, workers=workers, evaluations=11), Judge(latency_s=0.2)
    sit(store, run, Propose(lambda brief: brief.number, lookahead=4), judge)
    assert len(judge.seen) == 11
    assert judge.most == workers


def test_a_slow_proposer_keeps_the_evaluation_slot_busy(store: Store) -> None:
    """With 8 in flight the 24 answers need 3 rounds of waiting, not 24."""
    run, judge = begin(store, evaluations=24), Judge()
    proposer = Propose(lambda brief: brief.number, lookahead=7, latency_s=0.1)
    at_once = []

    def watch(progress: Progress) -> None:
        at_once.append(progress.in_flight)

    sit(store, run, proposer, judge, watch=watch)
    assert len(judge.seen) == 24
    assert max(at_once) >= 7


def test_a_candidate_seen_before_is_not_evaluated_again_and_costs_nothing(store: Store) -> None:
    run, judge = begin(store, evaluations=3), Judge()
    proposer = Propose(lambda brief: 1 + brief.number // 4)
    sit(store, run, proposer, judge)
    assert judge.seen == [1, 2, 3]
    assert proposer.asked == list(range(1, 9))
    assert [result.seen_before for result in proposer.told[1:]] == [False, True, True, False, True, True, True, False]


def test_the_same_candidate_twice_in_flight_is_evaluated_once(store: Store) -> None:
    run, judge = begin(store, workers=4, evaluations=4), Judge(latency_s=0.05)
    proposer = Propose(lambda brief: 1 if brief.number <= 4 else brief.number)
    sit(store, run, proposer, judge)
    assert judge.seen.count(1) == 1
    assert len(judge.seen) == 4


class Rewrite(Propose):
    """Writes the number that is asked for, each time with another comment."""

    async def propose(self, task: Task, brief: Brief) -> Proposal:
        proposal = await super().propose(task, brief)
        (value,) = proposal.candidate.files.values()
        return replace(proposal, candidate=Candidate({"program.py": f"# try {brief.number}\n{value}"}))


def test_the_same_program_written_otherwise_is_not_evaluated_again(store: Store) -> None:
    """Its result tells of the candidate that was evaluated; what was proposed stays in the store as it was."""
    run, judge = begin(store, evaluations=3), Judge()
    proposer = Rewrite(lambda brief: 1 + brief.number // 4)
    _, search = sit(store, run, proposer, judge)
    assert judge.seen == [1, 2, 3]
    assert proposer.asked == list(range(1, 9))
    told = proposer.told[1:]
    assert [result.seen_before for result in told] == [False, True, True, False, True, True, True, False]
    first = [
        Candidate({"program.py": f"# try {number}\nVALUE = {value}\n"}) for number, value in ((1, 1), (4, 2), (8, 3))
    ]
    candidates = [result.proposal.candidate for result in told if result.proposal]
    assert candidates == [first[0]] * 3 + [first[1]] * 4 + [first[2]]
    assert list(store.results(run.id))[1:] == told
    assert [member.candidate for member in store.top(run.id, 9)] == [*reversed(first), TASK.start]
    assert store.candidate(Candidate({"program.py": "# try 2\nVALUE = 1\n"}).id).program.startswith("# try 2")
    assert store.spent(run.id).evaluations == 3 + 1
    assert search.best and search.best.proposal and search.best.proposal.candidate == first[2]


def test_two_ways_to_write_a_program_at_once_are_evaluated_once(store: Store) -> None:
    run, judge = begin(store, workers=4, evaluations=4), Judge(latency_s=0.05)
    proposer = Rewrite(lambda brief: 1 if brief.number <= 4 else brief.number)
    sit(store, run, proposer, judge)
    assert judge.seen.count(1) == 1
    assert len(judge.seen) == 4
    ones = {r.proposal.candidate for r in proposer.told[1:] if r.proposal and value_of(r.proposal.candidate) == 1}
    assert len(ones) == 1
    assert sum(result.seen_before for result in proposer.told) == 3


def test_comments_on_the_start_are_no_new_program(store: Store) -> None:
    run, judge = begin(store, evaluations=1), Judge()
    proposer = Rewrite(lambda brief: brief.number // 3)
    sit(store, run, proposer, judge)
    assert judge.seen == [1]
    assert [r.proposal.candidate.id for r in proposer.told[1:3] if r.proposal] == [TASK.start.id] * 2


def test_a_stored_proposal_that_became_known_meanwhile_is_served_by_what_is_known(store: Store) -> None:
    """Both were in flight when the sitting ended; the store holds the proposal as it was written."""
    run = begin(store, evaluations=1)
    start = Member(TASK.start, Evaluation(status="ok", score=0.0))
    for number, text in ((1, "VALUE = 7\n"), (2, "VALUE = 7  # again\n")):
        brief = Brief(number=number, parents=(start,), seed=5)
        store.add_brief(run.id, brief, {"asked": number})
        candidate = Candidate({"program.py": text})
        proposal = Proposal(candidate=candidate, proposer="test", operator="x", parents=(TASK.start.id,))
        store.add_proposal(run.id, number, proposal)
    proposer, judge = Propose(up), Judge()
    sit(store, run, proposer, judge)
    assert (proposer.asked, judge.seen) == ([], [7])
    assert [result.seen_before for result in store.results(run.id)] == [False, False, True]


def test_a_failed_proposal_is_told_with_its_reason_and_the_run_goes_on(store: Store) -> None:
    def change(brief: Brief) -> int:
        if brief.number % 2:
            raise ProposalError("nothing applies")
        return brief.number

    run, judge, proposer = begin(store, evaluations=3), Judge(), Propose(change)
    _, search = sit(store, run, proposer, judge)
    assert judge.seen == [2, 4, 6]
    assert [r.failure for r in proposer.told[1:]] == ["nothing applies", None] * 3
    assert search.statuses == {"ok": 4, "failed": 3}


def test_a_failed_candidate_has_no_score_and_never_leads(store: Store) -> None:
    def verdict(candidate: Candidate) -> Evaluation:
        if value_of(candidate) == 2:
            return Evaluation(status="crashed", feedback="boom")
        return Evaluation(status="ok", score=-float(value_of(candidate)))

    run = begin(store, evaluations=3)
    _, search = sit(store, run, Propose(lambda brief: brief.number), Judge(verdict))
    assert search.best is search.start
    assert search.statuses == {"ok": 3, "crashed": 1}
    assert [member.evaluation.score for member in store.top(run.id, 9)] == [0, -1, -3]


def test_a_proposer_that_has_run_dry_ends_the_run(store: Store) -> None:
    ended, _ = sit(store, begin(store, evaluations=5), Propose(lambda brief: 1), Judge())
    assert ended == "stalled"


def test_a_permanent_model_error_stops_the_run_and_keeps_what_is_stored(store: Store) -> None:
    def change(brief: Brief) -> int:
        if brief.number == 3:
            raise ModelPermanent("bad key")
        return brief.number

    run = begin(store, evaluations=9)
    with pytest.raises(ModelPermanent, match="bad key"):
        sit(store, run, Propose(change), Judge())
    assert store.spent(run.id).evaluations == 2 + 1
    proposer, judge = Propose(lambda brief: brief.number), Judge()
    sit(store, run, proposer, judge)
    assert judge.seen == [3, 4, 5, 6, 7, 8, 9]
    assert proposer.asked[0] == 3, "the brief that was open is served first"


def test_our_own_faults_are_tried_again_and_never_scored(store: Store) -> None:
    def verdict(candidate: Candidate) -> Evaluation:
        if value_of(candidate) == 1 and judge.seen.count(1) < 3:
            return Evaluation(status="infra", feedback="no room")
        return Evaluation(status="ok", score=1.0)

    judge = Judge(verdict)
    run = begin(store, evaluations=2)
    _, search = sit(store, run, Propose(lambda brief: brief.number), judge)
    assert judge.seen == [1, 1, 1, 2]
    assert search.statuses == {"ok": 3}


def test_a_host_that_cannot_evaluate_anything_ends_the_run(store: Store) -> None:
    run = begin(store, evaluations=50)
    with pytest.raises(SandboxUnavailable, match="no room"):
        sit(store, run, Propose(lambda b: b.number), Judge(lambda _: Evaluation(status="infra", feedback="no room")))
    assert store.spent(run.id).evaluations == 0 + 1
    assert len(store.top(run.id, 9)) == 1


def test_a_stored_proposal_is_not_asked_for_again(store: Store) -> None:
    run = begin(store, evaluations=1)
    brief = Brief(number=1, parents=(Member(TASK.start, Evaluation(status="ok", score=0.0)),), seed=5)
    store.add_brief(run.id, brief, {"asked": 1})
    store.add_proposal(
        run.id, 1, Proposal(candidate=program(42), proposer="test", operator="x", parents=(TASK.start.id,))
    )
    proposer, judge = Propose(up), Judge()
    assert [pending.proposal is not None for pending in store.pending(run.id)] == [True]
    sit(store, run, proposer, judge)
    assert proposer.asked == []
    assert judge.seen == [42]


def test_the_stop_sign_lets_what_is_in_flight_finish(store: Store) -> None:
    run = begin(store, workers=3, evaluations=100)
    judge = Judge(latency_s=0.05)

    async def interrupted() -> str:
        stop = asyncio.Event()
        proposer = Propose(lambda brief: brief.number)
        search = searching(store, run, proposer, judge)
        asyncio.get_running_loop().call_later(0.2, stop.set)
        return await search.sit(stop)

    assert asyncio.run(interrupted()) == "interrupted"
    assert store.spent(run.id).evaluations == len(judge.seen) + 1 < 100
    assert store.pending(run.id) == []


def test_an_interrupted_run_goes_on_as_if_it_had_not_been(store: Store) -> None:
    whole, parts = begin(store, evaluations=12), begin(store, evaluations=12)
    at_once = Judge()
    sit(store, whole, Propose(up), at_once)
    first = Judge()

    class Killed(Exception):
        pass

    def watch(progress: Progress) -> None:
        if progress.spent.evaluations == 5 + 1:
            raise Killed

    with pytest.raises(Killed):
        sit(store, parts, Propose(up), first, watch=watch)
    second = Judge()
    sit(store, parts, Propose(up), second)
    assert first.seen + second.seen == at_once.seen


def test_wall_time_adds_up_over_sittings(store: Store) -> None:
    run = begin(store, wall_s=0.3, evaluations=10_000)
    ended, _ = sit(store, run, Propose(lambda brief: brief.number), Judge(latency_s=0.02))
    assert ended == "wall_s"
    spent = store.spent(run.id).wall_s
    assert spent >= 0.3
    assert sit(store, run, Propose(lambda brief: brief.number), Judge())[0] == "wall_s"
    assert store.spent(run.id).wall_s >= spent


def test_pending_without_a_proposal_is_served_from_its_stored_brief(store: Store) -> None:
    run = begin(store, evaluations=1)
    brief = Brief(
        number=1, parents=(Member(TASK.start, Evaluation(status="ok", score=0.0)),), seed=77, note={"island": 2}
    )
    store.add_brief(run.id, brief, {"asked": 1})
    (pending,) = store.pending(run.id)
    assert isinstance(pending, Pending)
    assert (pending.brief.seed, dict(pending.brief.note)) == (77, {"island": 2})
    assert pending.brief.parents[0].candidate.program == TASK.start.program
    judge = Judge()
    sit(store, run, Propose(lambda b: b.seed), judge)
    assert judge.seen == [77]
