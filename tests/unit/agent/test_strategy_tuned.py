"""What is particular to tuning: who gets the asks, who hears of samples, and how sessions come and go."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from outpace.agent.arms import Arm
from outpace.agent.proposal import Brief, Proposal, Result
from outpace.agent.strategies.base import Strategy
from outpace.agent.strategies.contract import GOAL, START, carry_on, start, told
from outpace.agent.strategies.ensemble import Shares
from outpace.agent.strategies.guided import Guided
from outpace.agent.strategies.hill_climb import HillClimb
from outpace.agent.strategies.islands import Islands
from outpace.agent.strategies.tuned import FIELD, OPEN, Tuned
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal
from outpace.tasks.tunables import declared

BLOCK = "BLOCK = 16  # tunable: 16, 32, 64\n"
MANY = "N = 10  # tunable: 1 .. 1000\n"


class Noting(HillClimb):
    """Hill climbing that keeps what it was told, and marks its briefs."""

    def __init__(self, goal: Goal = GOAL, *, seed: int = 0) -> None:
        super().__init__(goal, seed=seed)
        self.heard: list[Result] = []

    def ask(self, n: int) -> list[Brief]:
        return [replace(brief, note={"mine": brief.number}) for brief in super().ask(n)]

    def tell(self, results: Sequence[Result]) -> None:
        self.heard += results
        super().tell(results)


def program(text: str) -> Candidate:
    return Candidate({"program.py": text})


def judged(brief: Brief, candidate: Candidate, score: float | None, *, seen_before: bool = False) -> Result:
    found = Evaluation(status="wrong") if score is None else Evaluation(status="ok", score=score)
    proposal = Proposal(candidate=candidate, proposer="test", operator=brief.operator or "change", parents=())
    return Result(brief=brief, proposal=proposal, evaluation=found, seen_before=seen_before)


def begun(text: str = BLOCK, score: float = 1.0, **more: Any) -> tuple[Tuned, Noting]:
    inner = Noting()
    strategy = Tuned(inner, GOAL, **more)
    strategy.tell([judged(Brief(number=0, parents=(), seed=0), program(text), score)])
    return strategy, inner


def sampled(brief: Brief) -> Candidate:
    return declared(brief.parents[0].candidate).write(brief.given["values"])


def guided(samples: int) -> Strategy:
    arms = Shares([Arm(model="a"), Arm(model="b")])
    return Guided(Islands(GOAL, seed=3), arms, seed=3, samples=samples)


@pytest.mark.parametrize("make", [lambda: Islands(GOAL, seed=3), lambda: guided(1), lambda: guided(3)])
def test_where_nothing_is_declared_all_is_as_without_it(make: Callable[[], Strategy]) -> None:
    plain, tuned = make(), Tuned(make(), GOAL, seed=3)
    for strategy in (plain, tuned):
        strategy.tell([start()])
    for step in range(80):
        briefs = plain.ask(1 + step % 3)
        assert tuned.ask(1 + step % 3) == briefs
        results = [told(brief, status="wrong" if brief.number % 5 == 0 else "ok") for brief in briefs]
        plain.tell(results)
        tuned.tell(results)


def test_a_share_of_the_asks_tunes_and_numbers_rise() -> None:
    strategy, _ = begun(MANY)
    briefs, seeds = [], set[int]()
    for _ in range(40):
        (brief,) = strategy.ask(1)
        briefs.append(brief)
        seeds.add(brief.seed)
        strategy.tell([judged(brief, sampled(brief) if brief.given else program("x = 1\n"), 0.5)])
    assert [brief.number for brief in briefs] == list(range(1, 41))
    assert [brief.number for brief in briefs if brief.operator == "tunables"] == list(range(5, 41, 4))
    assert len(seeds) == 40, "each has its own chance"
    tuning = briefs[4]
    assert tuning.parents[0].candidate == program(MANY)
    assert tuning.instruction == f"N = {tuning.given['values']['N']}" and tuning.model_hint is None


def test_every_one_of_a_few_combinations_is_tried_once_and_then_none() -> None:
    strategy, _ = begun("BLOCK = 16  # tunable: 16, 32, 64\nFAST = True  # tunable: True, False\n", share=1.0)
    (first, *briefs) = strategy.ask(10)
    assert first.operator is None, "nothing is owed before the first ask"
    tried = [(brief.given["values"]["BLOCK"], brief.given["values"]["FAST"]) for brief in briefs if brief.given]
    assert len(tried) == len({*tried}) == 5 and (16, True) not in tried
    assert [brief.operator for brief in briefs[5:]] == [None] * 4, "what is out holds nobody up"
    strategy.tell([judged(brief, sampled(brief), 0.5) for brief in briefs if brief.given])
    assert strategy.state()["tuned"] == {}
    strategy.tell([judged(first, program("BLOCK = 64  # tunable: 16, 32, 64\n"), 2.0)])
    assert len(strategy.state()["tuned"]) == 1, "another template"


def test_the_inner_strategy_hears_of_what_is_better_under_the_note_of_the_template() -> None:
    strategy, inner = begun("x = 1\n", share=1.0)
    (brief,) = strategy.ask(1)
    strategy.tell([judged(brief, program(BLOCK), 2.0)])
    first, second = strategy.ask(2)
    before = len(inner.heard)
    strategy.tell([judged(first, sampled(first), 1.9)])
    strategy.tell([judged(first, sampled(first), None), Result(brief=first, failure="nothing")])
    assert len(inner.heard) == before, "nothing of what is worse or fails, so nobody mends it"
    strategy.tell([judged(second, sampled(second), 3.0)])
    (heard,) = inner.heard[before:]
    assert heard.brief.note == {"mine": 1} == brief.note
    assert heard.proposal and heard.proposal.candidate == sampled(second)
    assert strategy.ask(1)[0].parents[0].candidate == sampled(second), "the hill climbs on from there"


def test_a_better_sample_that_was_known_or_comes_late_is_dealt_with() -> None:
    strategy, inner = begun(BLOCK, share=1.0)
    _, first, second = strategy.ask(3)
    strategy.tell([judged(first, sampled(first), 5.0, seen_before=True)])
    assert len(inner.heard) == 1, "whoever proposed it first was told of"
    strategy.tell([judged(second, sampled(second), 6.0)])
    assert strategy.state()["tuned"] == {} and len(inner.heard) == 2
    late = replace(second, number=77)
    strategy.tell([judged(late, sampled(late), 5.5)])
    assert len(inner.heard) == 2
    strategy.tell([judged(late, sampled(late), 7.0)])
    assert len(inner.heard) == 3


def test_no_arm_and_no_repair_and_requests_stay_together() -> None:
    strategy = Tuned(guided(3), GOAL, seed=3)
    strategy.tell([judged(Brief(number=0, parents=(), seed=0), program(MANY), 1.0)])
    numbers: list[int] = []
    for _ in range(30):
        briefs = strategy.ask(1)
        numbers += [brief.number for brief in briefs]
        if briefs[0].operator == "tunables":
            assert len(briefs) == 1 and briefs[0].sample is None and briefs[0].model_hint is None
        elif briefs[0].sample:
            firsts = {brief.sample.first for brief in briefs if brief.sample}
            assert firsts == {briefs[0].number} and len(briefs) == 3
        else:
            assert briefs[0].operator == "repair"
            assert not briefs[0].parents[0].candidate.program.startswith("N = "), "a sample is given up"
        ok = briefs[0].operator != "tunables"
        failing = [judged(one, sampled(one) if one.given else program(f"x = {one.number}\n"), None) for one in briefs]
        strategy.tell(failing if numbers[-1] % 2 or not ok else [told(one) for one in briefs])
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_few_sessions_at_a_time_the_best_first() -> None:
    strategy, _ = begun("x = 1\n", share=1.0)
    for rank in range(6):
        (brief,) = strategy.ask(1) if rank == 0 else [replace(Brief(number=50 + rank, parents=(), seed=0))]
        strategy.tell([judged(brief, program(f"{MANY}rank = {rank}\n"), float(rank))])
    assert len(strategy.state()["tuned"]) == OPEN
    briefs = strategy.ask(24)
    parents = [brief.parents[0].candidate.program[-2] for brief in briefs]
    assert sorted({*parents}) == ["0", "1", "2"], "those that came first have a session; the others wait"
    assert parents[:8] == ["2"] * 8, "the best of them has its turn first, with as many as may be out"


def test_a_template_far_behind_is_tuned_no_more() -> None:
    strategy, _ = begun(MANY, score=1.0)
    assert len(strategy.state()["tuned"]) == 1
    foreign = Brief(number=99, parents=(), seed=0)
    strategy.tell([judged(foreign, program(f"x = {number}\n"), 2.0) for number in range(FIELD - 1)])
    assert len(strategy.state()["tuned"]) == 1
    strategy.tell([judged(foreign, program("x = 'one more'\n"), 2.0)])
    assert strategy.state()["tuned"] == {}


def test_what_is_not_measured_is_not_tuned() -> None:
    strategy = Tuned(HillClimb(GOAL), GOAL)
    unmeasured = replace(judged(Brief(number=0, parents=(), seed=0), program(MANY), 1.0))
    strategy.tell([replace(unmeasured, evaluation=Evaluation(status="ok"))])
    assert strategy.state()["tuned"] == {} and strategy.ask(1)


def test_the_values_of_a_model_count_as_those_of_a_sample() -> None:
    strategy, inner = begun(BLOCK, share=1.0)
    brief, other, last = strategy.ask(3)
    asked = {one.given["values"]["BLOCK"] for one in (other, last)}
    assert asked == {32, 64}
    for value in asked:
        strategy.tell([judged(brief, program(BLOCK.replace("16", str(value), 1)), 1.5)])
    assert strategy.state()["tuned"] == {}, "nothing is left to try"
    assert len(inner.heard) == 3


def test_a_run_from_before_goes_on() -> None:
    plain = guided(1)
    plain.tell([start()])
    results = [start(), *carry_on(plain, 30)[1]]
    tuned = Tuned(guided(1), GOAL, seed=3)
    tuned.tell(results)
    tuned.restore(dict(plain.state()))
    assert tuned.ask(5) == plain.ask(5)


def test_a_kernel_in_c_is_tuned_by_its_pessimistic_speed() -> None:
    goal = Goal(kind="speedup", name="speedup", direction="maximise")
    text = "#define TILE 16  // tunable: 8, 16, 32, 64\nconstexpr int UNROLL = 1;  // tunable: 1, 2, 4, 8\n"
    speed = {8: 1.0, 16: 1.1, 32: 1.6, 64: 1.2}
    strategy = Tuned(HillClimb(goal), goal, share=1.0)
    begin = judged(Brief(number=0, parents=(), seed=0), program(text), 1.0)
    strategy.tell([begin])
    for _ in range(18):
        (brief,) = strategy.ask(1)
        if not brief.given:
            continue
        values = brief.given["values"]
        low = speed[values["TILE"]] * (1.3 if values["UNROLL"] == 4 else 1.0)
        found = Evaluation(status="ok", score=3.0 - low, interval=(low, 4.0))
        strategy.tell([replace(judged(brief, sampled(brief), 1.0), evaluation=found)])
    best = strategy.ask(1)[0].parents[0].candidate.program
    assert best.startswith("#define TILE 32 ") and "UNROLL = 4;" in best


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan"), True])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match="tunables must be a number from 0 to 1"):
        Tuned(HillClimb(GOAL), GOAL, share=share)


def test_the_start_of_the_contract_declares_nothing() -> None:
    assert declared(START).tunables == ()
