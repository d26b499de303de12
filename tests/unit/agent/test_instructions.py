"""Instructions that evolve: what is chosen, what is learnt, what is forgotten."""

from collections import Counter
from dataclasses import replace

import pytest

from outpace.agent.models.base import Choice
from outpace.agent.prompts.render import DEFAULT_INSTRUCTION
from outpace.agent.proposal import Brief, Member, Proposal, Result, Sample
from outpace.agent.proposers.instructions import (
    FIRST_USES,
    INSTRUCTION,
    MOST,
    POOL,
    SHARE,
    WRITTEN,
    Instructions,
    cleaned,
)
from outpace.agent.strategies.chance import brief_seed
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal

GOAL = Goal(kind="metric", name="value", direction="maximise")
START = Member(Candidate({"program.py": "x = 0\n"}), Evaluation(status="ok", score=10.0))


def brief(number: int, **fields: object) -> Brief:
    given = {"number": number, "parents": (START,), "seed": brief_seed(0, number), **fields}
    return Brief(**given)  # type: ignore[arg-type]


def result(asked: Brief, text: str, score: float | None, *, written: bool = False, seen_before: bool = False) -> Result:
    evaluation = Evaluation(status="wrong" if score is None else "ok", score=score)
    detail = {INSTRUCTION: text} | ({WRITTEN: True} if written else {})
    candidate = Candidate({"program.py": f"x = {asked.number}\n"})
    proposal = Proposal(candidate=candidate, proposer="m", operator="diff", parents=(), detail=detail)
    return Result(brief=asked, proposal=proposal, evaluation=evaluation, seen_before=seen_before)


def seasoned(**values: float) -> Instructions:
    """Return a pool in which texts have been followed ten times each, with this share of gains."""
    pool = Instructions(GOAL)
    number = 0
    for text, share in values.items():
        for index in range(10):
            number += 1
            score = 12.0 if index < share * 10 else 9.0
            pool.tell([result(brief(number), "" if text == "default" else text, score, written=index == 0)])
    return pool


def test_without_outcomes_there_is_only_the_default() -> None:
    pool = Instructions(GOAL)
    chosen = [pool.chosen(brief(number)) for number in range(1, 200)]
    assert {(one.text, one.write) for one in chosen if one} == {("", False)}
    assert None not in chosen


def test_a_strategy_that_says_what_to_do_is_left_alone() -> None:
    pool = seasoned(default=0.1, sort=0.9)
    asked = brief(1, instruction="Combine both parents.")
    assert pool.chosen(asked) is None
    before = pool.pool()
    pool.tell([result(asked, "", 99.0)])
    assert pool.pool() == before


def test_a_written_instruction_joins_the_pool_with_its_first_outcome() -> None:
    pool = Instructions(GOAL)
    pool.tell([result(brief(1), "Sort first.", 11.0, written=True)])
    assert [(one.text, one.uses, one.gains, one.value) for one in pool.pool()] == [
        ("", 0, 0, 0.0),
        ("Sort first.", 1, 1, 1.0),
    ]
    pool.tell([result(brief(2), "Sort first.", None)])
    assert [(one.uses, one.gains, one.value) for one in pool.pool()] == [(0, 0, 0.0), (2, 1, 0.5)]


@pytest.mark.parametrize(
    ("score", "value"), [(10.0, 0.0), (9.0, 0.0), (None, 0.0), (10.5, 0.75), (11.0, 1.0), (1000.0, 1.0)]
)
def test_the_value_is_that_of_what_came_of_it(score: float | None, value: float) -> None:
    pool = Instructions(GOAL)
    pool.tell([result(brief(1), "", score)])
    assert pool.pool()[0].value == pytest.approx(value)


def test_a_gain_within_the_noise_is_none() -> None:
    pool = Instructions(Goal(kind="speedup", name="speed-up", direction="maximise"))
    parent = Member(START.candidate, Evaluation(status="ok", score=2.0, interval=(1.9, 2.1)))
    for number, interval in enumerate([(1.95, 2.3), (2.05, 2.3)], 1):
        one = result(brief(number, parents=(parent,)), "", 2.15)
        assert one.evaluation
        pool.tell([replace(one, evaluation=replace(one.evaluation, interval=interval))])
    assert (pool.pool()[0].uses, pool.pool()[0].gains) == (2, 1)


def test_our_own_faults_and_the_start_say_nothing_and_the_same_program_again_is_no_gain() -> None:
    pool = Instructions(GOAL)
    infra = replace(result(brief(1), "", None), evaluation=Evaluation(status="infra"))
    pool.tell([result(brief(0, parents=()), "", 10.0), infra])
    assert pool.pool()[0].uses == 0
    pool.tell([result(brief(2), "", 20.0, seen_before=True)])
    assert (pool.pool()[0].uses, pool.pool()[0].gains) == (1, 0)


def test_an_answer_of_no_use_counts_against_the_instruction_that_it_followed() -> None:
    """The result of such a brief has no proposal: what it followed is found again by its seed."""
    pool = seasoned(default=0.5, sort=0.5)
    told = 20
    before = {one.text: one.uses for one in pool.pool()}
    asked = next(
        one
        for number in range(100, 200)
        if (chosen := pool.chosen(one := brief(number, told=told))) and not chosen.write
    )
    chosen = pool.chosen(asked)
    assert chosen
    pool.tell([result(brief(1000 + n), "sort", 12.0) for n in range(30)])  # the pool has changed meanwhile
    uses = {one.text: one.uses for one in pool.pool()}
    pool.tell([Result(brief=asked, failure="no edit")])
    after = {one.text: one.uses for one in pool.pool()}
    assert {text for text in after if after[text] != uses[text]} == {chosen.text}
    assert before["sort"] == 10


def test_better_instructions_are_followed_more_often_and_none_is_given_up() -> None:
    pool = seasoned(default=0.3, sort=0.8, cache=0.1)
    followed = Counter(chosen.text for number in range(1, 2001) if (chosen := pool.chosen(brief(number))))
    assert followed["sort"] > 1700
    assert followed[""] > followed["cache"]
    assert followed[""] > 0


def test_new_instructions_are_asked_for_in_a_small_share_of_briefs() -> None:
    pool = seasoned(default=0.3)
    assert pool.pool()[0].uses >= FIRST_USES
    asked = sum(chosen.write for number in range(1, 4001) if (chosen := pool.chosen(brief(number))))
    assert asked / 4000 == pytest.approx(SHARE, rel=0.25)


def test_the_pool_is_bounded_and_the_least_gives_way() -> None:
    pool = Instructions(GOAL)
    for number in range(POOL):
        pool.tell([result(brief(number + 1), f"idea {number}", 10.0 + number, written=True)])
    pool.tell([result(brief(50), "one more", 11.0, written=True)])
    texts = [one.text for one in pool.pool()]
    assert len(texts) == POOL + 1
    assert texts[0] == "" and "one more" in texts and "idea 0" not in texts
    before = pool.pool()
    pool.tell([result(brief(51), "idea 0", 99.0)])  # it was in flight
    assert pool.pool() == before


def test_what_a_brief_gets_follows_from_its_seed_and_from_what_was_told() -> None:
    """Not from what has come in since, nor from an interruption: the fold over the results is all there is."""
    steady = seasoned(default=0.3, sort=0.5, cache=0.6)
    asked = [brief(number, told=30) for number in range(100, 400)]
    then = [steady.chosen(one) for one in asked]
    shown = steady.best(asked[0])
    steady.tell([result(brief(1000 + n), "sort", 12.0) for n in range(300)])
    resumed = seasoned(default=0.3, sort=0.5, cache=0.6)
    resumed.tell([result(brief(1000 + n), "sort", 12.0) for n in range(300)])
    for pool in (steady, resumed):
        assert [pool.chosen(one) for one in asked] == then
        assert pool.best(asked[0]) == shown
    assert [steady.chosen(replace(one, told=330)) for one in asked] != then


def test_briefs_that_share_a_request_share_the_instruction() -> None:
    pool = seasoned(default=0.5, sort=0.5)
    for first in range(100, 160, 3):
        chosen = {pool.chosen(brief(first + index, sample=Sample(first, index, 3, 7))) for index in range(3)}
        assert len(chosen) == 1


def test_whoever_writes_is_shown_the_best_first() -> None:
    shown = seasoned(default=0.3, sort=0.8, cache=0.1).best(brief(100))
    assert [one.text for one in shown] == ["sort", DEFAULT_INSTRUCTION, "cache"]
    assert Instructions(GOAL).best(brief(1)) == ()


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("Sort first.\n", "Sort first."),
        ('<think>Hm.</think>\n "Sort\n  first." ', "Sort first."),
        ("```\nSort first.\n```", "Sort first."),
        ("", None),
        ("x" * (MOST + 1), None),
    ],
)
def test_an_answer_becomes_an_instruction(answer: str, text: str | None) -> None:
    assert cleaned(Choice(answer)) == text
    assert cleaned(Choice(answer, "length")) is None
