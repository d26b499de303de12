"""A recorded run as a score: in what order it is followed, what may differ from it, and what it answers."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from outpace.agent.budget import Budget
from outpace.agent.evolve import RunOptions
from outpace.agent.models.base import Completion, Message, Sampling
from outpace.agent.models.open import open_model
from outpace.agent.models.replay import ReplayModel
from outpace.agent.order import Order, RecordedOrder, Turn
from outpace.agent.proposal import Brief, Member, ModelUsage, Proposal, Result
from outpace.agent.proposing import Proposing
from outpace.agent.replay import Again, AsItCost, Recording, recording_of, replayed
from outpace.agent.store import open_store
from outpace.agent.store.base import Run, RunConfig, Store
from outpace.errors import ProposalError, TaskError, UnknownName, UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Task, TaskSpec

GOAL = Goal(kind="metric", name="value", direction="maximise")


def program(value: int) -> Candidate:
    return Candidate({"program.py": f"VALUE = {value}\n"})


def member(value: int) -> Member:
    return Member(program(value), Evaluation(status="ok", score=float(value)))


def brief(number: int, parent: int = 0, *, told: int | None = None) -> Brief:
    return Brief(number=number, parents=(member(parent),), seed=number, told=told)


def proposal(value: int, **more: Any) -> Proposal:
    return Proposal(candidate=program(value), proposer="test", operator="change", parents=(), **more)


def result(number: int, value: int, *, seen_before: bool = False, **more: Any) -> Result:
    found = Evaluation(status="ok", score=float(value))
    return Result(brief=brief(number, **more), proposal=proposal(value), evaluation=found, seen_before=seen_before)


def task(value: int = 0, name: str = "number") -> Task:
    spec = TaskSpec(name=name, title="A number", statement="", entry="VALUE", goal=GOAL, cases=(Case(name="c"),))
    return Task(spec, program(value))


def config(**more: Any) -> RunConfig:
    plain: dict[str, Any] = {
        "task": "number",
        "task_name": "number",
        "task_fingerprint": task().fingerprint,
        "goal": GOAL,
        "strategy": "islands",
        "proposer": "openai:small",
        "seed": 7,
        "budget": Budget(evaluations=9),
        "workers": 3,
        "sandbox": "zygote",
        "strategy_params": {"islands": 2},
        "proposer_params": {"models": ["openai:small"], "samples": 4, "base_url": "http://127.0.0.1:9/v1"},
    }
    return RunConfig(**plain | more)


# Asked: 1, 2 and 3 at first; 4 when 2 was told. Told: the start, 2, 1, 4 (which 1 had evaluated already); 3 never was.
TURNS = {
    0: Turn(told=0, candidate=program(0).id),
    1: Turn(told=1, parents=(program(0).id,), candidate=program(1).id),
    2: Turn(told=1, parents=(program(0).id,), candidate=program(2).id),
    3: Turn(told=1, parents=(program(0).id,)),
    4: Turn(told=2, parents=(program(2).id,), candidate=program(1).id, after=1),
}
RESULTS = [0, 2, 1, 4]


def order() -> RecordedOrder:
    found = RecordedOrder("R", TURNS, RESULTS)
    found.follow(1, [])
    return found


def numbers(order: Order, landed: list[Result], told: int) -> list[int]:
    return [one.brief.number for one in order.in_turn(landed, told=told)]


def test_without_a_recording_everything_goes_as_it_comes() -> None:
    free = Order()
    assert free.room(5, told=3) == 5
    assert free.serves(77) and not free.due(3) and free.ended(None, told=3) is None
    assert free.ended("tokens", told=3) == "tokens"
    assert numbers(free, [result(3, 3), result(1, 1)], told=1) == [1, 3]


def test_briefs_are_asked_for_when_as_many_results_are_told_as_then() -> None:
    found = order()
    assert found.room(99, told=1) == 3, "what the pools of this machine take does not matter"
    for number in (1, 2, 3):
        assert found.asked(brief(number)) == ""
    assert found.room(99, told=1) == 0
    assert found.room(0, told=2) == 1


def test_results_are_told_in_the_recorded_order_and_after_what_was_asked_before_them() -> None:
    found = order()
    found.asked(brief(1))
    assert numbers(found, [result(2, 2)], told=1) == [], "2 and 3 have not been asked for yet"
    found.asked(brief(3))
    assert found.due(1)
    assert numbers(found, [result(1, 1)], told=1) == [2], "4 was asked for before 1 was told"
    assert not found.due(2)
    found.asked(brief(4, parent=2))
    assert numbers(found, [result(4, 1)], told=2) == [1, 4]
    assert found.ended(None, told=4) == "replayed"
    assert found.ended("evaluations", told=4) == "evaluations"


def test_the_budget_does_not_end_it_before_the_recording_does_but_time_may() -> None:
    assert order().ended("evaluations", told=3) is None
    assert order().ended("stalled", told=3) is None
    assert order().ended("wall_s", told=3) == "wall_s"


def test_what_the_recording_has_no_result_of_is_not_served() -> None:
    assert [number for number in TURNS if order().serves(number)] == [0, 1, 2, 4]


def test_whose_evaluation_it_was_is_as_recorded_whoever_comes_first() -> None:
    async def run() -> list[str]:
        found, judged = order(), []

        async def judge(number: int) -> None:
            await found.turn(number)
            judged.append(f"{number}")

        late = asyncio.create_task(judge(4))
        await asyncio.sleep(0)
        assert judged == []
        await judge(1)
        await late
        return judged

    assert asyncio.run(run()) == ["1", "4"]
    found = order()
    for number in (1, 2, 3):
        found.asked(brief(number))
    landed = [result(2, 2), result(1, 1, seen_before=True), result(4, 1)]
    told = list(found.in_turn(landed, told=1))
    found.asked(brief(4, parent=2))
    told += found.in_turn([], told=2)
    assert [(one.brief.number, one.seen_before) for one in told] == [(2, False), (1, False), (4, True)]


def test_another_candidate_than_the_recorded_one_is_told_as_it_is() -> None:
    found = order()
    for number in (1, 2, 3):
        found.asked(brief(number))
    (told,) = found.in_turn([result(2, 9, seen_before=True)], told=1)
    assert told.seen_before


def test_it_is_said_once_that_a_brief_starts_from_another_program() -> None:
    found = order()
    assert found.asked(brief(1)) == ""
    assert "Brief 2 starts from another program than in run R" in found.asked(brief(2, parent=5))
    assert found.asked(brief(3, parent=5)) == ""


def test_a_later_sitting_goes_on_where_the_earlier_one_stopped() -> None:
    found = RecordedOrder("R", TURNS, RESULTS)
    found.follow(2, [1, 3])
    assert found.room(0, told=2) == 1, "4 is asked for next"
    assert not found.due(2)
    asyncio.run(asyncio.wait_for(found.turn(2), 1))


def test_the_name_of_a_replay() -> None:
    assert replayed(Proposing(models=("openai:small",))) is None
    assert replayed(Proposing(models=("replay:last",))) == "last"
    with pytest.raises(UsageError, match="stands alone"):
        replayed(Proposing(models=("openai:small", "replay:last")))
    with pytest.raises(UsageError, match="half a name"):
        replayed(Proposing(models=("replay:",)))
    with pytest.raises(UsageError, match="outpace run TASK --model replay:last"):
        open_model("replay:last")


def recording(**more: Any) -> Recording:
    run = Run(id="R", config=config(**more), created="")
    proposing = Proposing(models=("openai:small",), samples=4, base_url="http://127.0.0.1:9/v1")
    return Recording(run=run, proposing=proposing, turns=TURNS, results=RESULTS, proposed={}, costs={})


def settings(found: Recording | None = None, **given: Any) -> dict[str, Any]:
    proposing = Proposing(models=("replay:R",), **given.pop("proposing", {}))
    options = RunOptions(task=task(), proposing=proposing, **given)
    return (found or recording()).settings(options, RunOptions(task=task()))


def test_a_replay_takes_everything_of_the_run() -> None:
    assert settings() == {
        "strategy": "islands",
        "strategy_params": {"islands": 2},
        "seed": 7,
        "objectives": (),
        "proposing": Proposing(models=("replay:R",)),
        "budget": Budget(evaluations=3),
        "sandbox": "zygote",
        "level": "B",
    }
    same: dict[str, Any] = {"seed": 7, "strategy_params": {"islands": 2}, "proposing": {"samples": 4}}
    assert settings(**same) == settings()
    assert settings(sandbox="process")["sandbox"] == "process"
    assert settings(sandbox="process")["level"] is None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"seed": 8}, "was made with seed 7 and cannot be repeated with 8"),
        ({"strategy": "hill_climb"}, "made with strategy 'islands' and cannot be repeated with 'hill_climb'"),
        ({"strategy_params": {"islands": 3}}, "strategy_params"),
        ({"proposing": {"samples": 2}}, "made with samples 4 and cannot be repeated with 2"),
        ({"proposing": {"repair": False}}, "made with repair True and cannot be repeated with False"),
        ({"proposing": {"sampling": Sampling(temperature=0.5)}}, "sampling as by default"),
        ({"proposing": {"base_url": "http://127.0.0.1:8/v1"}}, "base_url"),
        ({"budget": Budget(evaluations=4)}, "Run R holds 3 evaluations, so a replay cannot make 4"),
        ({"budget": Budget(model_calls=4)}, "bound it by --evaluations or --minutes"),
        ({"budget": Budget(tokens=4)}, "bound it by --evaluations or --minutes"),
        ({"budget": Budget(usd=4)}, "bound it by --evaluations or --minutes"),
    ],
)
def test_what_contradicts_the_run_is_refused_in_one_line(given: Mapping[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        settings(**given)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_smaller_budget_is_a_shorter_replay() -> None:
    found = recording()
    bounds = found.budget(Budget(evaluations=2, wall_s=60))
    assert bounds == Budget(evaluations=2, wall_s=60)
    shorter = found.order(bounds)
    assert [number for number in TURNS if shorter.serves(number)] == [0, 2]
    assert found.budget(Budget(wall_s=60)) == Budget(evaluations=3, wall_s=60)


def test_a_shorter_replay_judges_what_a_later_brief_had_judged_then() -> None:
    """Told: the start, then 4, whose evaluation was that of 1, then 1: the replay ends between the two."""
    found = recording()
    late = Recording(run=found.run, proposing=found.proposing, turns=TURNS, results=[0, 4, 1], proposed={}, costs={})
    shorter = late.order(Budget(evaluations=2))
    assert [number for number in TURNS if shorter.serves(number)] == [0, 1, 4], "that is one evaluation, not two"
    alone = RecordedOrder("R", TURNS, [0, 4])
    alone.follow(1, [1, 2, 3, 4])
    asyncio.run(asyncio.wait_for(alone.turn(4), 1))
    (told,) = alone.in_turn([result(4, 1)], told=1)
    assert not told.seen_before


def test_another_task_is_refused() -> None:
    recording().check(task())
    with pytest.raises(TaskError, match="Run R is of task 'number', not of 'other'"):
        recording().check(task(name="other"))
    with pytest.raises(TaskError, match="Task 'number' has changed since run R"):
        recording().check(task(5))


def stored(store: Store, *, told: int | None = 1, **more: Any) -> Run:
    """Store a run of a start, a candidate, a failure, the candidate again and a brief that stayed open."""
    run = store.add_run(config(**more))
    usage = ModelUsage(calls=1, output_tokens=5, cost_usd=0.25)
    for number, made in enumerate((0, 1, None, 1)):
        asked = brief(number, told=told) if number else Brief(number=0, parents=(), seed=0)
        store.add_brief(run.id, asked, {"asks": number})
        if made is None:
            store.add_result(run.id, Result(brief=asked, failure="No edit in it."))
            continue
        found = proposal(made, usage=usage, latency_s=1.5)
        store.add_proposal(run.id, number, found)
        evaluation = Evaluation(status="ok", score=float(made))
        store.add_result(run.id, Result(brief=asked, proposal=found, evaluation=evaluation, seen_before=number == 3))
    store.add_brief(run.id, brief(4, told=told), {"asks": 4})
    return run


def test_a_stored_run_is_read(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    found = recording_of(store, stored(store).id)
    start, parents = program(0).id, (program(0).id,)
    assert found.results == [0, 1, 2, 3]
    assert found.turns == {
        0: Turn(told=0, candidate=start),
        1: Turn(told=1, parents=parents, candidate=program(1).id),
        2: Turn(told=1, parents=parents),
        3: Turn(told=1, parents=parents, candidate=program(1).id, after=1),
        4: Turn(told=1, parents=parents),
    }
    assert found.budget(None) == Budget(evaluations=2)
    assert found.costs[1] == (ModelUsage(calls=1, output_tokens=5, cost_usd=0.25), 1.5)
    assert list(found.models(store)) == ["openai:small"]
    assert found.proposed == {}
    store.close()


def test_the_replay_of_a_replay_goes_back_to_who_proposed(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    first = stored(store)
    second = stored(store, proposer=f"replay:{first.id}", proposer_params={"models": [f"replay:{first.id}"]})
    found = recording_of(store, second.id)
    assert found.run.id == second.id
    assert found.proposing.names == ("openai:small",)
    store.close()


def test_an_older_run_and_an_unknown_one_are_refused(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    older = stored(store, told=None)
    with pytest.raises(UsageError, match="recorded by an older version"):
        recording_of(store, older.id)
    with pytest.raises(UnknownName, match="Unknown run 'nonesuch'"):
        recording_of(store, "nonesuch")
    store.close()


def test_where_no_model_was_asked_the_proposals_come_again(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    found = recording_of(store, stored(store, proposer="outside", proposer_params={"proposer": "outside"}).id)
    again = Again("replay:R", found.proposed)
    assert found.models(store) == {}
    assert asyncio.run(again.propose(task(), brief(1))).candidate == program(1)
    with pytest.raises(ProposalError, match=r"^No edit in it\.$"):
        asyncio.run(again.propose(task(), brief(2)))
    store.close()


def test_proposals_tell_what_they_cost_then() -> None:
    usage = ModelUsage(calls=1, cost_usd=0.5)
    free = Again("inner", {1: proposal(1), 2: proposal(2)})
    repeated = AsItCost(free, {1: (usage, 2.0)})
    first, second = (asyncio.run(repeated.propose(task(), brief(number))) for number in (1, 2))
    assert (first.usage, first.latency_s) == (usage, 2.0)
    assert second.usage == ModelUsage()


def test_the_model_answers_by_key_and_costs_nothing() -> None:
    kept = Completion(text="yes", model="small", usage=ModelUsage(calls=1, output_tokens=5, cost_usd=0.25))

    async def recall(key: str) -> Completion | None:
        return kept if key == "3/0" else None

    async def ask(key: str) -> Completion:
        return await ReplayModel("R", recall).complete([Message("user", "whatever")], key=key)

    answer = asyncio.run(ask("3/0"))
    assert (answer.text, answer.usage) == ("yes", ModelUsage(calls=1, output_tokens=5, cost_usd=0.0))
    with pytest.raises(ProposalError, match="Run R has no answer to request 4/0"):
        asyncio.run(ask("4/0"))
