"""Islands: where parents come from, what migrates, what is refused."""

import pytest

from outpace.agent.proposal import Brief, Proposal, Result
from outpace.agent.strategies.archive import Archive
from outpace.agent.strategies.contract import GOAL, START, carry_on, start, told
from outpace.agent.strategies.islands import Islands
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal


def landed(number: int, island: int, score: float, program: str) -> Result:
    candidate = Candidate({"program.py": program})
    return Result(
        brief=Brief(number=number, parents=(), seed=0, note={"island": island}),
        proposal=Proposal(candidate=candidate, proposer="t", operator="t", parents=(START.id,)),
        evaluation=Evaluation(status="ok", score=score),
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
        ({"seed": -1}, "seed must be a whole number of at least 0"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, int], said: str) -> None:
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
