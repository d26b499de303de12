"""The crown: who challenges, who wins, what is stored, and what a killed run does with it."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from outpace.agent.budget import Budget
from outpace.agent.ledger import Ledger
from outpace.agent.proposal import Brief, Proposal, Result
from outpace.agent.search import Progress, Search
from outpace.agent.store import open_store
from outpace.agent.store.base import Run, RunConfig, Store
from outpace.agent.surprise import surprising
from outpace.errors import TaskError
from outpace.evaluators.base import Evaluation, Noise
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Split, Task, TaskSpec

GOAL = Goal(kind="speedup", name="speed-up", direction="maximise", unit="x")
NOISE = Noise(clock="wall", floor=0.02, wall=0.01, cpu=0.01, pairs=24)
SPREAD = 0.01
Pair = tuple[str, str]


def program(name: str) -> Candidate:
    return Candidate({"program.py": f"{name = }\n"})


def name_of(candidate: Candidate) -> str:
    return candidate.program.split("'")[1]


def times(value: float) -> Evaluation:
    return Evaluation(status="ok", score=value, interval=(value * (1 - SPREAD), value * (1 + SPREAD)))


TASK = Task(
    TaskSpec(name="speed", title="", statement="", entry="f", goal=GOAL, cases=(Case(name="c"),)), program("start")
)


class Judge:
    """Gives each program the speed-up that the search sees, and lets the true speeds decide duels."""

    def __init__(self, seen: Mapping[str, float], true: Mapping[str, float] | None = None) -> None:
        self.seen, self.true = {"start": 1.0, **seen}, {"start": 1.0, **seen, **(true or {})}
        self.duels: list[Pair] = []
        self.verdicts: dict[Pair, list[Evaluation]] = {}
        self.again: dict[str, Evaluation] = {}
        self.fresh: list[str] = []
        self.judged: list[str] = []
        self.latency_s = 0.0
        self.running = self.most = 0

    async def evaluate(
        self, task: Task, candidate: Candidate, *, split: Split = "train", fresh: bool = False
    ) -> Evaluation:
        name = name_of(candidate)
        (self.fresh if fresh else self.judged).append(name)
        return self.again.get(name, times(self.true[name])) if fresh else times(self.seen[name])

    async def duel(
        self, task: Task, challenger: Candidate, champion: Candidate, *, split: Split = "train"
    ) -> Evaluation:
        pair = name_of(challenger), name_of(champion)
        self.duels.append(pair)
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(self.latency_s)
        finally:
            self.running -= 1
        if self.verdicts.get(pair):
            return self.verdicts[pair].pop(0)
        return times(self.true[pair[0]] / self.true[pair[1]])

    async def noise(self, task: Task) -> Noise | None:
        return NOISE


class Propose:
    """Proposes the programs of a list, one after the other."""

    name, lookahead = "test", 0

    def __init__(self, names: Sequence[str], *, latency_s: float = 0.0) -> None:
        self.names, self.latency_s = names, latency_s
        self.asked = 0

    async def propose(self, task: Task, brief: Brief) -> Proposal:
        self.asked += 1
        await asyncio.sleep(self.latency_s)
        return Proposal(candidate=program(self.names[brief.number - 1]), proposer="test", operator="change", parents=())

    def tell(self, results: Sequence[Result]) -> None:
        """Learn nothing."""


class Ask:
    """Asks for one thing after the other."""

    def __init__(self, goal: Goal, *, seed: int = 0) -> None:
        self.asked = 0

    def ask(self, n: int) -> list[Brief]:
        self.asked += n
        return [Brief(number=self.asked - n + 1 + i, parents=(), seed=0) for i in range(n)]

    def tell(self, results: Sequence[Result]) -> None:
        """Learn nothing."""

    def state(self) -> Mapping[str, Any]:
        return {"asked": self.asked}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.asked = state.get("asked", 0)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path)
    yield store
    store.close()


def begin(store: Store, evaluations: int, *, workers: int = 1) -> Run:
    """Start a run with ``evaluations`` to spend; the starting program's own is on top."""
    run = store.add_run(
        RunConfig(
            task="speed",
            task_name="speed",
            task_fingerprint="f",
            goal=GOAL,
            strategy="ask",
            proposer="test",
            seed=0,
            budget=Budget(evaluations=evaluations + 1),
            workers=workers,
            sandbox="none",
        )
    )
    proposal = Proposal(candidate=TASK.start, proposer="task", operator="start", parents=())
    start = Result(brief=Brief(number=0, parents=(), seed=0), proposal=proposal, evaluation=times(1.0))
    store.add_brief(run.id, start.brief, {})
    store.add_proposal(run.id, 0, proposal)
    store.add_result(run.id, start)
    return run


def search(store: Store, run: Run, names: Sequence[str], judge: Judge, **more: Any) -> Search:
    found = Search(
        run=run,
        task=TASK,
        strategy=Ask(GOAL),
        proposer=more.pop("proposer", None) or Propose(names),
        evaluator=judge,
        store=store,
        ledger=Ledger(run.config.budget, store.spent(run.id)),
        writer=ThreadPoolExecutor(1),
        **more,
    )
    found.hold_against(NOISE)
    return found


def sit(store: Store, names: Sequence[str], judge: Judge, **more: Any) -> Search:
    """Run a search over programs of these names to its end."""
    found = search(store, begin(store, len(names), workers=more.pop("workers", 1)), names, judge, **more)
    assert asyncio.run(found.sit(asyncio.Event())) == "evaluations"
    return found


def champion(found: Search) -> str:
    assert found.throne.champion
    return name_of(found.throne.champion.candidate)


def outcomes(store: Store) -> list[tuple[str, str, str]]:
    """Return the stored duels by the names of the programs."""
    run = store.run("last").id
    return [
        (name_of(store.candidate(one.challenger)), name_of(store.candidate(one.champion)), one.outcome)
        for one in store.duels(run)
    ]


def test_the_crown_changes_hands_in_duels_and_the_start_reigns_first(store: Store) -> None:
    found = sit(store, ["a", "b"], Judge({"a": 1.5, "b": 1.8}))
    assert champion(found) == "b"
    assert outcomes(store) == [("a", "start", "won"), ("b", "a", "won")]
    assert store.duels(found.run.id)[1].evaluation.score == pytest.approx(1.2)


def test_a_lucky_figure_does_not_take_the_crown(store: Store) -> None:
    """In the search it seemed to be faster than the champion; against the champion it is not."""
    found = sit(store, ["a", "lucky"], Judge({"a": 1.5, "lucky": 1.8}, true={"lucky": 1.45}))
    assert champion(found) == "a"
    assert outcomes(store)[-1] == ("lucky", "a", "lost")


def test_a_champion_that_was_lucky_in_the_search_keeps_nobody_off(store: Store) -> None:
    """What it is challenged by is what its duel has shown, not the best of many draws."""
    found = sit(store, ["lucky", "better"], Judge({"lucky": 1.9, "better": 1.6}, true={"lucky": 1.4}))
    assert outcomes(store) == [("lucky", "start", "won"), ("better", "lucky", "won")]
    assert found.throne.figure == pytest.approx(1.6)


@pytest.mark.parametrize(("ratio", "expected"), [(1.025, "a"), (1.035, "b")])
def test_a_duel_is_won_above_the_noise_only(store: Store, ratio: float, expected: str) -> None:
    """The lower bound has to lie above 1.02, the interval is one per cent wide on either side."""
    found = sit(store, ["a", "b"], Judge({"a": 1.5, "b": 1.8}, true={"b": 1.5 * ratio}))
    assert champion(found) == expected


def test_who_does_not_reach_the_champions_figure_or_the_floor_does_not_fight(store: Store) -> None:
    judge = Judge({"within noise": 1.025, "a": 1.5, "slower": 1.4, "equal": 1.5, "failed": 1.6})
    judge.seen["failed"] = 0.0
    found = sit(store, ["within noise", "a", "slower", "equal"], judge)
    assert judge.duels == [("a", "start")]
    assert champion(found) == "a"


def test_nobody_fights_twice(store: Store) -> None:
    judge = Judge({"a": 1.5, "lucky": 1.9, "b": 1.7}, true={"lucky": 1.4})
    sit(store, ["a", "lucky", "b"], judge)
    assert judge.duels == [("a", "start"), ("lucky", "a"), ("b", "a")]


def test_a_challenger_that_fails_in_the_duel_has_lost_with_the_evidence_kept(store: Store) -> None:
    judge = Judge({"a": 1.5, "b": 1.8})
    judge.verdicts["b", "a"] = [Evaluation(status="wrong", feedback="expected 3, got 4")]
    found = sit(store, ["a", "b"], judge)
    assert champion(found) == "a"
    (last,) = store.duels(found.run.id)[1:]
    assert (last.outcome, last.evaluation.status, last.evaluation.feedback) == ("lost", "wrong", "expected 3, got 4")


def test_our_own_faults_are_tried_again_and_leave_no_record(store: Store) -> None:
    judge, infra = Judge({"a": 1.5, "b": 1.8}), Evaluation(status="infra", feedback="no room")
    judge.verdicts["a", "start"] = [infra]
    judge.verdicts["b", "a"] = [infra] * 3
    found = sit(store, ["a", "b"], judge)
    assert judge.duels == [("a", "start")] * 2 + [("b", "a")] * 3
    assert champion(found) == "a"
    assert outcomes(store) == [("a", "start", "won")]


@pytest.mark.parametrize("fails_again", [True, False])
def test_a_champion_that_fails_on_fresh_inputs_is_deposed(store: Store, *, fails_again: bool) -> None:
    judge = Judge({"a": 1.5, "b": 1.8})
    judge.verdicts["b", "a"] = [Evaluation(status="infra", metrics={"champion_failed": 1.0})]
    if fails_again:
        judge.again["a"] = Evaluation(status="wrong", feedback="expected 3")
    found = sit(store, ["a", "b"], judge)
    assert champion(found) == "b"
    void = [("b", "a", "void"), ("b", "start", "won")] if fails_again else [("b", "a", "won")]
    assert outcomes(store) == [("a", "start", "won"), *void]


def test_the_best_challenger_fights_first_and_one_at_a_time(store: Store) -> None:
    """While the first duel goes on, three better ones come in; the best of them leaves nothing for the others."""
    judge = Judge({"a": 1.5, "b": 1.8, "c": 1.9, "d": 1.7})
    judge.latency_s = 0.2
    found = sit(store, ["a", "b", "c", "d"], judge, workers=4)
    assert champion(found) == "c"
    assert judge.most == 1
    assert judge.duels[1:] == ([("c", judge.duels[0][0])] if judge.duels[0][0] != "c" else [])


def test_a_duel_keeps_nobody_waiting_for_answers(store: Store) -> None:
    judge = Judge({name: 1.5 if name == "a" else 1.0 for name in "abcdef"})
    judge.latency_s, at_work = 0.5, []

    def watch(progress: Progress) -> None:
        if progress.challenger and progress.last and progress.last.evaluation:
            at_work.append(progress.spent.evaluations)

    sit(store, list("abcdef"), judge, watch=watch)
    assert len(at_work) >= 4, "results were told while the duel went on"


def test_progress_tells_of_the_crown(store: Store) -> None:
    seen: list[Progress] = []
    found = sit(store, ["a", "b"], Judge({"a": 1.5, "b": 1.8}), watch=seen.append)
    assert seen[0].noise == NOISE
    assert seen[0].champion and seen[0].champion.candidate == TASK.start
    assert (seen[-1].duels, seen[-1].challenger) == (2, None)
    assert seen[-1].champion == found.throne.champion


def test_an_error_of_the_task_in_a_duel_ends_the_run(store: Store) -> None:
    judge = Judge({"a": 1.5})

    async def broken(*_: object, **__: object) -> Evaluation:
        raise TaskError("generate failed")

    judge.duel = broken  # type: ignore[method-assign]
    with pytest.raises(TaskError, match="generate failed"):
        sit(store, ["a"], judge)


class Killed(BaseException):
    pass


def test_a_run_killed_in_a_duel_fights_it_and_no_other_again(store: Store) -> None:
    names = ["a", "b", "c"]
    first = Judge({"a": 1.5, "b": 1.8, "c": 1.4})
    run = begin(store, len(names))

    async def killed(task: Task, challenger: Candidate, champion: Candidate, *, split: Split = "train") -> Evaluation:
        if name_of(challenger) == "b":
            raise Killed
        return times(1.5)

    first.duel = killed  # type: ignore[method-assign]
    with suppress(Killed):
        asyncio.run(search(store, run, names, first).sit(asyncio.Event()))
    assert outcomes(store) == [("a", "start", "won")]
    second = Judge({"a": 1.5, "b": 1.8, "c": 1.4})
    found = search(store, run, names, second)
    asyncio.run(found.sit(asyncio.Event()))
    assert second.duels == [("b", "a")]
    assert champion(found) == "b"
    third = Judge({})
    again = search(store, run, names, third)
    asyncio.run(again.sit(asyncio.Event()))
    assert (third.duels, third.judged) == ([], [])
    assert champion(again) == "b"


def test_the_stop_sign_begins_no_duel(store: Store) -> None:
    async def stopped() -> str:
        stop = asyncio.Event()
        judge = Judge({"a": 1.5, "b": 1.8})
        run = begin(store, 2)
        found = search(store, run, ["a", "b"], judge, watch=lambda look: stop.set() if look.last else None)
        return await found.sit(stop)

    assert asyncio.run(stopped()) == "interrupted"
    assert outcomes(store) == []


def test_a_member_keeps_its_place_in_the_fold(store: Store) -> None:
    """Results that were told after a duel do not change what it decided."""
    names = ["a", "b", "c"]
    judge = Judge({"a": 1.5, "b": 1.8, "c": 1.79}, true={"c": 1.9})
    whole = sit(store, names, judge)
    assert champion(whole) == "b", "the figure of c was not above that of b"
    again = search(store, whole.run, names, Judge({}))
    asyncio.run(again.sit(asyncio.Event()))
    assert champion(again) == "b"
    assert again.throne.fought == whole.throne.fought == 2


def test_a_metric_task_has_no_duels(store: Store) -> None:
    judge = Judge({"a": 1.5, "b": 1.8})
    run = begin(store, 2)
    found = search(store, run, ["a", "b"], judge)
    found.throne.floor = None
    asyncio.run(found.sit(asyncio.Event()))
    assert judge.duels == []


def surprised(store: Store, judge: Judge, names: Sequence[str] = ("a", "jump")) -> Search:
    return sit(store, list(names), judge)


def test_a_jump_far_above_the_field_is_measured_again_before_it_counts(store: Store) -> None:
    judge = Judge({"a": 1.5, "jump": 9.0})
    found = surprised(store, judge)
    assert judge.fresh == ["jump"]
    (surprise,) = store.surprises(found.run.id)
    assert (surprise.candidate, surprise.counts) == (program("jump").id, "first")
    assert champion(found) == "jump"


def test_a_second_measurement_against_the_start_is_the_duel_with_the_start(store: Store) -> None:
    judge = Judge({"jump": 9.0, "b": 10.0})
    found = surprised(store, judge, ["jump", "b"])
    assert judge.duels == [("b", "jump")]
    assert outcomes(store) == [("jump", "start", "won"), ("b", "jump", "won")]
    assert store.duels(found.run.id)[0].evaluation == store.surprises(found.run.id)[0].second


def test_where_two_measurements_disagree_the_lower_counts(store: Store) -> None:
    judge = Judge({"a": 1.5, "jump": 9.0}, true={"jump": 1.2})
    found = surprised(store, judge)
    (surprise,) = store.surprises(found.run.id)
    assert surprise.counts == "second"
    assert surprise.first.score == 9.0
    known = store.evaluation(found.run.id, program("jump").id)
    assert known and known.score == 1.2
    assert champion(found) == "a"
    assert found.best and found.best.proposal and found.best.proposal.candidate == program("a")


def test_a_jump_that_fails_the_second_time_is_refused_with_the_evidence(store: Store) -> None:
    judge = Judge({"a": 1.5, "jump": 9.0})
    judge.again["jump"] = Evaluation(status="wrong", feedback="expected 3, got 4")
    found = surprised(store, judge)
    known = store.evaluation(found.run.id, program("jump").id)
    assert known and (known.status, known.score) == ("refused", None)
    assert "9" in known.feedback and "(wrong): expected 3, got 4" in known.feedback
    assert found.statuses == {"ok": 2, "refused": 1}
    assert champion(found) == "a"


def test_a_second_measurement_that_fails_by_our_own_fault_says_nothing(store: Store) -> None:
    judge = Judge({"a": 1.5, "jump": 9.0})
    judge.again["jump"] = Evaluation(status="infra", feedback="no room")
    run = begin(store, 1)
    found = search(store, run, ["jump"], judge)
    store_of = asyncio.run(_one(found))
    assert store_of == "infra"
    assert store.surprises(run.id) == []


async def _one(found: Search) -> str:
    """Judge the candidate that jumps, and return the status."""
    start = times(1.0)
    evaluation = await found._examiner.judge(program("jump"), best=start, start=start)
    found.writer.shutdown()
    return evaluation.status


def test_a_surprise_that_was_measured_twice_is_not_measured_again_after_a_kill(store: Store) -> None:
    judge = Judge({"jump": 9.0}, true={"jump": 5.0})
    run = begin(store, 1)

    class Full(Exception):
        pass

    killing = search(store, run, ["jump"], judge)

    def add_result(*_: object) -> None:
        raise Full

    class Cut:
        """The store of a sitting that dies between the second measurement and the result."""

        def __getattr__(self, name: str) -> Any:
            return add_result if name == "add_result" else getattr(store, name)

    killing.store = Cut()
    with pytest.raises(Full):
        asyncio.run(killing.sit(asyncio.Event()))
    assert (judge.judged, judge.fresh) == (["jump"], ["jump"])
    asyncio.run(search(store, run, ["jump"], judge).sit(asyncio.Event()))
    assert (judge.judged, judge.fresh) == (["jump"], ["jump"])
    known = store.evaluation(run.id, program("jump").id)
    assert known and known.score == 5.0


def test_steps_that_double_are_no_surprise(store: Store) -> None:
    judge = Judge({"a": 1.9, "b": 3.7, "c": 7.2})
    surprised(store, judge, ["a", "b", "c"])
    assert judge.fresh == []


def metric(score: float) -> Evaluation:
    return Evaluation(status="ok", score=score)


@pytest.mark.parametrize(
    ("best", "found", "expected"), [(4.4, 1.0, False), (4.3, 4.25, False), (4.3, 4.0, True), (1.0, 0.9, False)]
)
def test_a_metric_jumps_when_its_gain_over_the_start_more_than_doubles(
    best: float, found: float, *, expected: bool
) -> None:
    """The start has a gap of 4.4; the first gain of all is no jump, for there is nothing to compare it with."""
    goal = replace(GOAL, kind="metric", direction="minimise")
    assert surprising(goal, metric(found), best=metric(best), start=metric(4.4)) is expected
