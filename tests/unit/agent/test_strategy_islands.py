"""Islands: where parents come from, what migrates, what is refused."""

import math
from dataclasses import replace
from typing import Any

import pytest

from outpace.agent.proposal import Brief, Proposal, Result
from outpace.agent.strategies.archive import Archive
from outpace.agent.strategies.contract import GOAL, START, carry_on, start, told
from outpace.agent.strategies.islands import Islands
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Feature, Goal


def landed(number: int, island: int, score: float, program: str, **metrics: float) -> Result:
    candidate = Candidate({"program.py": program})
    return Result(
        brief=Brief(number=number, parents=(), seed=0, note={"island": island}),
        proposal=Proposal(candidate=candidate, proposer="t", operator="t", parents=(START.id,)),
        evaluation=Evaluation(status="ok", score=score, metrics=metrics),
    )


def parents(strategy: Islands, island: int, *, islands: int) -> set[str]:
    briefs = strategy.ask(40 * islands)
    return {brief.parents[0].candidate.program for brief in briefs if brief.note["island"] == island}


def test_asks_go_around_the_islands() -> None:
    strategy = Islands(GOAL, islands=3)
    strategy.tell([start()])
    assert [brief.note["island"] for brief in strategy.ask(7)] == [0, 1, 2, 0, 1, 2, 0]


def test_without_exploration_each_island_improves_its_own_best_or_the_best_of_all() -> None:
    strategy = Islands(GOAL, islands=3, exploitation=1.0)
    strategy.tell([start(), landed(1, 0, 1e9, "best = 1\n"), landed(2, 1, 1e8, "good = 1\n")])
    assert parents(strategy, 0, islands=3) == {"best = 1\n"}
    assert parents(strategy, 1, islands=3) == {"good = 1\n", "best = 1\n"}
    assert parents(strategy, 2, islands=3) == {START.program, "best = 1\n"}


def test_exploration_takes_every_cell_of_the_island() -> None:
    strategy = Islands(GOAL, islands=2, exploitation=0.0)
    small, large = "a = 1\n", "a = 1\n" * 50
    strategy.tell([start(), landed(1, 0, 1e9, small), landed(2, 0, -1.0, large)])
    assert parents(strategy, 0, islands=2) == {START.program, small, large}
    assert parents(strategy, 1, islands=2) == {START.program}


def test_the_best_migrate_to_the_next_island_after_every_interval() -> None:
    strategy = Islands(GOAL, islands=3, exploitation=1.0, migration_interval=2, migrants=1)
    strategy.tell([start(), landed(1, 1, 1e8, "good = 1\n")])
    assert parents(strategy, 2, islands=3) == {START.program, "good = 1\n"}  # only as the best of all
    strategy.tell([landed(2, 0, 1e9, "best = 1\n")])
    assert parents(strategy, 2, islands=3) == {"good = 1\n", "best = 1\n"}
    assert parents(strategy, 1, islands=3) == {"best = 1\n"}


def test_migrants_of_one_moment_move_one_island_only() -> None:
    strategy = Islands(GOAL, islands=3, exploitation=0.0, migration_interval=1, migrants=1)
    strategy.tell([start(), landed(1, 0, 1e9, "best = 1\n")])
    assert "best = 1\n" in parents(strategy, 1, islands=3)
    assert "best = 1\n" not in parents(strategy, 2, islands=3)


def test_inspirations_are_the_bests_here_and_next_door_without_the_parent() -> None:
    strategy = Islands(GOAL, islands=2, exploitation=0.0)
    strategy.tell([start(), landed(1, 0, 1e8, "here = 1\n"), landed(2, 1, 1e9, "there = 1\n" * 9)])
    for brief in strategy.ask(60):
        programs = {member.candidate.program for member in brief.inspirations}
        parent = brief.parents[0].candidate.program
        assert parent not in programs
        if brief.note["island"] == 0 and parent == START.program:
            assert programs == {"here = 1\n", "there = 1\n" * 9}


def test_failed_candidates_are_never_parents() -> None:
    strategy = Islands(GOAL, islands=2, exploitation=0.0, migration_interval=5)
    strategy.tell([start()])
    for _ in range(10):
        strategy.tell([told(brief, status="wrong") for brief in strategy.ask(6)])
    for brief in strategy.ask(20):
        assert [member.candidate for member in (*brief.parents, *brief.inspirations)] == [START]
    for brief in carry_on(strategy, 100)[0]:
        assert {member.evaluation.status for member in (*brief.parents, *brief.inspirations)} == {"ok"}


def begun(strategy: Islands, *results: Result) -> Islands:
    strategy.tell([start(), *results])
    return strategy


SIZE = [{"metric": "size", "step": 10.0}]


def test_programs_within_a_step_of_each_other_share_a_cell() -> None:
    near, far = landed(2, 0, 3.0, "near = 1\n", size=110.0), landed(3, 0, 2.0, "far = 1\n", size=110.1)
    strategy = Islands(GOAL, islands=1, exploitation=0.0, features=SIZE)
    begun(strategy, landed(1, 0, 1.0, "first = 1\n", size=100.0), near, far)
    assert parents(strategy, 0, islands=1) == {START.program, "near = 1\n", "far = 1\n"}  # the start has no size


def test_with_one_cell_too_many_the_radius_doubles() -> None:
    """Sizes 0, 15, 40 and 100 are 4 cells of radius 10 for 3: with 20, the first takes in the second."""
    sizes = {"a = 1\n": 0.0, "b = 1\n": 15.0, "c = 1\n": 40.0, "d = 1\n": 100.0, "e = 1\n": 58.0}
    results = [landed(n, 0, -n, program, size=size) for n, (program, size) in enumerate(sizes.items(), 1)]
    for most, expected in ((4, "abcd"), (3, "acd"), (1, "a")):
        strategy = Islands(GOAL, islands=1, exploitation=0.0, features=SIZE, cells=most)
        programs = parents(begun(strategy, *results[:4]), 0, islands=1) - {START.program}
        assert programs == {f"{name} = 1\n" for name in expected}
    strategy = begun(Islands(GOAL, islands=1, exploitation=0.0, features=SIZE, cells=3), *results)
    assert "e = 1\n" not in parents(strategy, 0, islands=1)  # within 20 of c, which is better


def test_the_oldest_centre_takes_in_what_several_could() -> None:
    """Size 15 lies within 20 of 0 and of 30, which lie farther apart."""
    strategy = Islands(GOAL, islands=1, exploitation=0.0, features=SIZE, cells=2)
    sizes = {"a = 1\n": 0.0, "c = 1\n": 30.0, "b = 1\n": 15.0}
    begun(strategy, *(landed(n, 0, n, program, size=size) for n, (program, size) in enumerate(sizes.items(), 1)))
    assert parents(strategy, 0, islands=1) == {START.program, "b = 1\n", "c = 1\n"}


def test_the_better_one_stays_where_cells_become_one_on_every_island() -> None:
    here, there = landed(1, 0, 1.0, "a = 1\n", size=0.0), landed(2, 1, 1.0, "b = 1\n", size=15.0)
    strategy = begun(Islands(GOAL, islands=2, exploitation=0.0, features=SIZE, cells=2), here, there)
    strategy.tell([landed(3, 0, 2.0, "c = 1\n", size=16.0), landed(4, 0, 9.0, "d = 1\n", size=99.0)])
    assert parents(strategy, 0, islands=2) == {START.program, "c = 1\n", "d = 1\n"}
    assert parents(strategy, 1, islands=2) == {START.program, "b = 1\n"}
    strategy.tell([landed(5, 1, 5.0, "e = 1\n", size=3.0)])  # into the cell that a founded, where b now is
    assert parents(strategy, 1, islands=2) == {START.program, "e = 1\n"}


def test_what_was_stopped_early_displaces_nothing_that_was_measured_in_full() -> None:
    features = [Feature(metric="size", step=10.0), Feature(metric="depth", step=1.0)]
    strategy = Islands(GOAL, islands=1, exploitation=0.0, features=features)
    full, early = landed(1, 0, 1.0, "full = 1\n", size=50.0, depth=3.0), landed(2, 0, 9.0, "early = 1\n", size=50.0)
    broken = landed(3, 0, 8.0, "broken = 1\n", size=51.0, depth=math.nan)
    begun(strategy, full, early, broken)
    assert parents(strategy, 0, islands=1) == {START.program, "full = 1\n", "early = 1\n"}


def test_a_cell_of_the_default_spans_a_doubling_of_the_length() -> None:
    strategy = Islands(GOAL, islands=1, exploitation=0.0)
    long, longer, longest = ("a = 1\n" * times for times in (20, 38, 60))
    begun(strategy, *(landed(n, 0, float(n), program) for n, program in enumerate((long, longer, longest), 1)))
    assert parents(strategy, 0, islands=1) == {START.program, longer, longest}


def islands_asked(strategy: Islands) -> int:
    return len({brief.note["island"] for brief in strategy.ask(20)})


def test_without_a_new_best_an_island_is_settled_with_the_start_and_the_best_of_another() -> None:
    strategy = begun(Islands(GOAL, islands=2, exploitation=0.0, migrants=0, patience=3, most_islands=4))
    strategy.tell([landed(1, 0, 1e8, "good = 1\n" * 9), landed(2, 0, -1.0, "a\n"), landed(3, 1, -2.0, "b\n")])
    assert islands_asked(strategy) == 2
    strategy.tell([landed(4, 1, 1e9, "best = 1\n" * 9), landed(5, 0, -1.0, "c\n"), landed(6, 0, -1.0, "d\n")])
    assert islands_asked(strategy) == 2, "a new best ends the wait"
    strategy.tell([landed(7, 0, -1.0, "e\n")])
    assert islands_asked(strategy) == 3
    assert parents(strategy, 2, islands=3) in ({START.program, "good = 1\n" * 9}, {START.program, "best = 1\n" * 9})
    strategy.tell([landed(number, 0, -1.0, "f\n") for number in range(8, 30)])
    assert islands_asked(strategy) == 4


@pytest.mark.parametrize("seed", range(6))
def test_at_the_most_islands_that_of_the_worst_best_is_given_up(seed: int) -> None:
    strategy = Islands(GOAL, seed=seed, islands=3, exploitation=0.0, migrants=0, patience=2, most_islands=3)
    good = [landed(1, 0, 1e8, "good = 1\n" * 9), landed(2, 2, 1e9, "best = 1\n" * 9)]
    begun(strategy, *good, landed(3, 1, -1.0, "a\n"), landed(4, 1, -1.0, "b\n"))
    assert parents(strategy, 0, islands=3) == {START.program, "good = 1\n" * 9}
    assert parents(strategy, 2, islands=3) == {START.program, "best = 1\n" * 9}
    assert parents(strategy, 1, islands=3) in ({"good = 1\n" * 9}, {"best = 1\n" * 9})


@pytest.mark.parametrize("parameters", [{"patience": 0}, {"islands": 1, "most_islands": 1, "patience": 1}])
def test_it_may_be_left_at_its_islands(parameters: dict[str, Any]) -> None:
    strategy = begun(Islands(GOAL, **parameters))
    before = islands_asked(strategy)
    strategy.tell([landed(number, 0, -1.0, f"x = {number}\n") for number in range(1, 300)])
    assert islands_asked(strategy) == before


def test_results_that_others_asked_for_try_no_patience() -> None:
    strategy = begun(Islands(GOAL, islands=2, patience=2))
    strategy.tell([replace(one, brief=replace(one.brief, note={})) for one in [landed(3, 0, -1.0, "a\n")] * 9])
    assert islands_asked(strategy) == 2


def test_a_goal_to_minimise_takes_the_smallest() -> None:
    goal = Goal(kind="metric", name="gap", direction="minimise")
    strategy = Islands(goal, islands=1, exploitation=1.0)
    strategy.tell([start(), landed(1, 0, -1.0, "low = 1\n"), landed(2, 0, 1e9, "high = 1\n")])
    assert parents(strategy, 0, islands=1) == {"low = 1\n"}


def test_a_result_of_an_unknown_island_finds_a_home() -> None:
    strategy = Islands(GOAL, islands=2, exploitation=1.0)
    strategy.tell([start(), landed(3, 99, 1e9, "best = 1\n")])
    assert "best = 1\n" in parents(strategy, 1, islands=2)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"islands": 0}, "islands must be a whole number of at least 1, got 0"),
        ({"islands": 2.5}, "islands must be a whole number of at least 1, got 2.5"),
        ({"islands": True}, "islands must be a whole number"),
        ({"exploitation": 1.01}, "exploitation must be a number from 0 to 1, got 1.01"),
        ({"exploitation": float("nan")}, "exploitation must be a number from 0 to 1, got nan"),
        ({"exploitation": "0.5"}, "exploitation must be a number from 0 to 1, got '0.5'"),
        ({"migration_interval": 0}, "migration_interval must be a whole number of at least 1"),
        ({"migrants": -1}, "migrants must be a whole number of at least 0"),
        ({"cells": 0}, "cells must be a whole number of at least 1"),
        ({"patience": -1}, "patience must be a whole number of at least 0"),
        ({"most_islands": 0}, "most_islands must be a whole number of at least 1"),
        ({"features": [{"metric": "size", "step": 0}]}, "features must be a list such as .* got {'metric': 'size'"),
        ({"features": [{"metric": "size"}]}, "each with a step above 0; got {'metric': 'size'} in it"),
        ({"features": "size"}, "features must be a list such as .* got 'size' in it"),
        ({"features": 10}, "features must be a list such as .* got 10 in it"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Islands(GOAL, **parameters)


def test_a_broken_state_is_refused() -> None:
    with pytest.raises(UsageError, match="the stored state's 'asks' must be a whole number of at least 0, got 'many'"):
        Islands(GOAL).restore({"asks": "many"})


def test_an_empty_archive_has_no_best() -> None:
    archive = Archive()
    assert archive.best is None
    assert len(archive) == 0
    assert archive.leaders(3) == []
