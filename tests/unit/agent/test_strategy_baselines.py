"""What is particular to the two baselines of every comparison."""

import random
from collections import Counter

import pytest

from outpace.agent.proposal import Brief, Result
from outpace.agent.strategies.best_of_n import BestOfN
from outpace.agent.strategies.contract import GOAL, START, carry_on, start, told
from outpace.agent.strategies.random_walk import RandomWalk
from outpace.errors import UsageError
from outpace.tasks.candidate import Candidate


def test_best_of_n_never_leaves_the_start() -> None:
    strategy = BestOfN(GOAL, seed=1)
    strategy.tell([start()])
    briefs, _ = carry_on(strategy, 50)
    assert {brief.parents[0].candidate.id for brief in briefs} == {START.id}
    assert not any(brief.inspirations for brief in briefs)


def stranger(number: int) -> Result:
    brief = Brief(number=number, parents=(), seed=number)
    return told(brief, candidate=Candidate({"program.py": f"value = {number}\n"}))


def test_the_pool_is_an_even_sample_of_all_that_works() -> None:
    """Of 200 programs each stands in a pool of 20 in a tenth of all walks, the first as often as the last."""
    kept = Counter[str]()
    for seed in range(400):
        walk = RandomWalk(GOAL, seed=seed, pool=20)
        walk.tell([stranger(number) for number in range(1, 201)])
        kept.update(member.candidate.program for member in walk._pool)
    counts = [kept[f"value = {number}\n"] for number in range(1, 201)]
    assert sum(counts) == 400 * 20
    tenths = [sum(counts[first : first + 20]) for first in range(0, 200, 20)]
    assert all(700 <= tenth <= 900 for tenth in tenths), tenths  # 800 expected, standard deviation 27


def test_every_program_of_the_pool_becomes_a_parent_as_often() -> None:
    walk = RandomWalk(GOAL, seed=3)
    walk.tell([stranger(number) for number in range(1, 11)])
    drawn = Counter(brief.parents[0].candidate.id for brief in walk.ask(2000))
    assert len(drawn) == 10
    assert all(150 <= count <= 250 for count in drawn.values())


def test_duplicates_and_failures_do_not_enter_the_pool() -> None:
    walk = RandomWalk(GOAL, seed=3)
    walk.tell([start(), told(Brief(number=1, parents=(), seed=5), status="wrong")])
    again = stranger(2)
    walk.tell(
        [again, Result(brief=again.brief, proposal=again.proposal, evaluation=again.evaluation, seen_before=True)]
    )
    assert len(walk._pool) == 2


@pytest.mark.parametrize("pool", [0, -1, 1.5, True])
def test_a_pool_that_holds_nothing_is_refused(pool: int) -> None:
    with pytest.raises(UsageError, match="pool must be a whole number of at least 1"):
        RandomWalk(GOAL, pool=pool)


def test_the_walk_does_not_look_at_scores() -> None:
    walk, chance = RandomWalk(GOAL, seed=8), random.Random(1)
    walk.tell([stranger(number) for number in chance.sample(range(1, 101), 100)])
    ranks = sorted(member.evaluation.score or 0.0 for member in walk._pool)
    drawn = sorted(brief.parents[0].evaluation.score or 0.0 for brief in walk.ask(3000))
    assert abs(drawn[1500] - ranks[50]) < 0.1 * (ranks[-1] - ranks[0])
