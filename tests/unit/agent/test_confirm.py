"""Who wins when the best are judged again where the search never looked."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from outpace.agent.budget import Budget
from outpace.agent.confirm import Confirmed, Confirming
from outpace.agent.proposal import Brief, Member, Proposal, Result
from outpace.agent.store import open_store
from outpace.agent.store.base import RunConfig, Store
from outpace.evaluators.base import Evaluation, Noise
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Split, Task, TaskSpec

Values = Mapping[str, float | None]
METRIC = Goal(kind="metric", name="value", direction="maximise")
FLOOR = 0.03
SPEEDUP = Goal(kind="speedup", name="speed-up", direction="maximise", unit="x")


def program(name: str) -> Candidate:
    return Candidate({"program.py": f"# {name}\n"})


def name_of(candidate: Candidate) -> str:
    return candidate.program[2:-1]


class Judge:
    """Gives each program the value it has for a kind of evaluation; None is a crash."""

    def __init__(self, goal: Goal, *, fresh: Values, heldout: Values) -> None:
        self.goal, self.values = goal, {"train": fresh, "heldout": heldout, "ood": heldout}
        self.calls: list[tuple[str, Split, bool]] = []

    async def evaluate(
        self, task: Task, candidate: Candidate, *, split: Split = "train", fresh: bool = False
    ) -> Evaluation:
        self.calls.append((name_of(candidate), split, fresh))
        return judged(self.goal, self.values[split].get(name_of(candidate), 1.0))

    async def duel(
        self, task: Task, challenger: Candidate, champion: Candidate, *, split: Split = "train"
    ) -> Evaluation:
        raise AssertionError("duels are over when the champion is confirmed")

    async def noise(self, task: Task) -> Noise | None:
        return None


def judged(goal: Goal, value: float | None) -> Evaluation:
    if value is None:
        return Evaluation(status="crashed", feedback="boom")
    interval = (value * 0.9, value * 1.1) if goal.kind == "speedup" else None
    return Evaluation(status="ok", score=value, interval=interval)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = open_store(tmp_path)
    yield store
    store.close()


def settle(
    store: Store, goal: Goal, found: Values, judge: Judge, *, reigning: str = "start"
) -> tuple[Confirmed | None, str]:
    """Store a run that found these values, and confirm its champion; ``reigning`` won the duels of a speed-up run."""
    task = Task(
        TaskSpec(
            name="t",
            title="",
            statement="",
            entry="f",
            goal=goal,
            cases=(Case(name="c"), Case(name="h", split="heldout")),
        ),
        program("start"),
    )
    run = store.add_run(
        RunConfig(
            task="t",
            task_name="t",
            task_fingerprint="f",
            goal=goal,
            strategy="s",
            proposer="p",
            seed=0,
            budget=Budget(evaluations=9),
            workers=1,
            sandbox="none",
        )
    )
    for number, (name, value) in enumerate({"start": 1.0, **found}.items()):
        proposal = Proposal(candidate=program(name), proposer="p", operator="o", parents=())
        brief = Brief(number=number, parents=(), seed=0)
        store.add_brief(run.id, brief, {})
        store.add_proposal(run.id, number, proposal)
        store.add_result(run.id, Result(brief=brief, proposal=proposal, evaluation=judged(goal, value)))
    start = Member(task.start, judged(goal, 1.0))
    confirming = Confirming(task=task, evaluator=judge, store=store, run=run.id)
    if goal.kind == "metric":
        return asyncio.run(confirming.best(start)), run.id
    champion = Member(program(reigning), judged(goal, {"start": 1.0, **found}[reigning]))
    return asyncio.run(confirming.fastest(start, reigning=champion, floor=FLOOR)), run.id


def test_a_metric_that_was_luck_on_the_training_instances_loses(store: Store) -> None:
    judge = Judge(METRIC, fresh={"start": 1, "lucky": 2, "sound": 4}, heldout={})
    found, run = settle(store, METRIC, {"lucky": 9, "sound": 5}, judge)
    assert found is not None
    assert name_of(found.champion.candidate) == "sound"
    assert (found.train.score, found.champion.evaluation.score) == (4, 5)
    assert found.start.evaluation.score == 1
    assert ("sound", "train", True) in judge.calls
    assert store.confirmations(run, found.champion.candidate.id)["train"].score == 4


def test_the_champion_of_the_duels_is_measured_a_last_time_and_nobody_else(store: Store) -> None:
    judge = Judge(SPEEDUP, fresh={"lucky": 1.2, "sound": 3}, heldout={"sound": 3.5})
    found, run = settle(store, SPEEDUP, {"lucky": 8, "sound": 4}, judge, reigning="sound")
    assert found is not None
    assert name_of(found.champion.candidate) == "sound"
    assert found.train.interval == pytest.approx((2.7, 3.3))
    assert judge.calls == [("sound", "train", True), ("sound", "heldout", True)], (
        "several pairs of fresh processes each"
    )
    assert set(store.confirmations(run, program("sound").id)) == {"train", "heldout"}


def test_where_the_champion_fails_the_next_of_the_search_is_measured(store: Store) -> None:
    judge = Judge(SPEEDUP, fresh={"lucky": 1.0, "sound": 3, "slow": 2}, heldout={"sound": 3.5})
    found, run = settle(store, SPEEDUP, {"lucky": 8, "sound": 4, "slow": 2}, judge, reigning="lucky")
    assert found is not None
    assert name_of(found.champion.candidate) == "sound"
    assert ("slow", "train", True) not in judge.calls
    assert store.confirmations(run, program("lucky").id)["train"].score == 1.0


def test_a_run_whose_duels_were_cut_short_still_has_contenders(store: Store) -> None:
    judge = Judge(SPEEDUP, fresh={"sound": 3}, heldout={"sound": 3})
    found, _ = settle(store, SPEEDUP, {"sound": 4}, judge)
    assert found is not None and name_of(found.champion.candidate) == "sound"


@pytest.mark.parametrize("again", [1.0, 1.1, 1.13, 0.8, None])
def test_a_speed_up_within_the_noise_is_no_gain(store: Store, again: float | None) -> None:
    judge = Judge(SPEEDUP, fresh={"lucky": again}, heldout={"lucky": 2})
    assert settle(store, SPEEDUP, {"lucky": 1.6}, judge, reigning="lucky")[0] is None


def test_a_lower_bound_just_above_the_noise_is_a_gain(store: Store) -> None:
    judge = Judge(SPEEDUP, fresh={"found": 1.15}, heldout={"found": 1.15})  # at least 1.035, the floor is 1.03
    assert settle(store, SPEEDUP, {"found": 1.6}, judge, reigning="found")[0] is not None


@pytest.mark.parametrize("unseen", [1.0, 0.5, None])
def test_a_speed_up_that_is_none_on_held_out_cases_is_no_gain(store: Store, unseen: float | None) -> None:
    judge = Judge(SPEEDUP, fresh={"brittle": 3}, heldout={"brittle": unseen})
    assert settle(store, SPEEDUP, {"brittle": 3}, judge, reigning="brittle")[0] is None


def test_a_champion_must_hold_on_held_out_cases(store: Store) -> None:
    judge = Judge(METRIC, fresh={"start": 1, "brittle": 5, "sound": 3}, heldout={"brittle": None})
    found, run = settle(store, METRIC, {"brittle": 5, "sound": 4}, judge)
    assert found is not None
    assert name_of(found.champion.candidate) == "sound"
    assert store.confirmations(run, program("brittle").id)["heldout"].status == "crashed"


def test_nothing_better_than_the_start_on_the_same_fresh_inputs_is_no_champion(store: Store) -> None:
    judge = Judge(METRIC, fresh={"start": 3, "found": 2.5}, heldout={})
    assert settle(store, METRIC, {"found": 2}, judge)[0] is None


def test_what_the_search_found_to_be_no_better_than_the_start_is_not_judged_again(store: Store) -> None:
    judge = Judge(METRIC, fresh={"start": 1, "worse": 9}, heldout={})
    assert settle(store, METRIC, {"worse": 0.5, "equal": 1.0}, judge)[0] is None
    assert judge.calls == []


def test_a_metric_worked_out_by_an_earlier_sitting_serves_again(store: Store) -> None:
    judge = Judge(METRIC, fresh={"start": 1, "found": 2}, heldout={})
    _, run = settle(store, METRIC, {"found": 2}, judge)
    asked = len(judge.calls)
    task = Task(
        TaskSpec(name="t", title="", statement="", entry="f", goal=METRIC, cases=(Case(name="c"),)), program("start")
    )
    confirming = Confirming(task=task, evaluator=judge, store=store, run=run)
    found = asyncio.run(confirming.best(Member(task.start, judged(METRIC, 1.0))))
    assert found is not None
    assert len(judge.calls) == asked
