"""EoH: whose turn it is, whom parents are drawn from, who survives."""

import random
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from outpace.agent.proposal import Brief, Member, Proposal, Result
from outpace.agent.strategies.contract import GOAL, carry_on, start, told
from outpace.agent.strategies.eoh import MOST_THOUGHT, Eoh
from outpace.agent.strategies.population import Entry, Population
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate


def landed(score: float | None, program: str, *, thought: str = "", number: int = 1) -> Result:
    return Result(
        brief=Brief(number=number, parents=(), seed=0),
        proposal=Proposal(
            candidate=Candidate({"program.py": program}), proposer="t", operator="t", parents=(), thought=thought
        ),
        evaluation=Evaluation(status="ok", score=score),
    )


def begun(*more: Result, **parameters: Any) -> Eoh:
    strategy = Eoh(GOAL, **({"initial": 0} | parameters))
    strategy.tell([landed(0.0, "start = 1\n", number=0), *more])
    return strategy


def seen(strategy: Eoh, asks: int = 60) -> set[str]:
    return {member.candidate.program for brief in strategy.ask(asks) for member in brief.parents}


def entry(number: int) -> Entry:
    return Entry(Member(Candidate({"program.py": f"x = {number}\n"}), Evaluation(status="ok", score=0.0)), -number)


def test_as_published_it_begins_with_twice_the_population_and_goes_around_four_operators() -> None:
    strategy = Eoh(GOAL)
    strategy.tell([start()])
    operators = [brief.operator for brief in strategy.ask(30)]
    assert operators == ["i1"] * 20 + ["e1", "e2", "m1", "m2"] * 2 + ["e1", "e2"]


@pytest.mark.parametrize("operators", ["m3, e1,e1", ["m3", "e1", "e1"], ("m3", "e1", "e1")])
def test_a_name_that_stands_twice_has_two_turns(operators: Any) -> None:
    strategy = begun(operators=operators)
    assert [brief.operator for brief in strategy.ask(6)] == ["m3", "e1", "e1"] * 2


def test_programs_that_are_written_anew_are_asked_for_whole() -> None:
    modes = {brief.operator: brief.edit_mode for brief in begun(operators="i1,e1,e2,m1,m2,m3").ask(6)}
    assert modes == {"i1": "whole", "e1": "whole", "e2": "whole", "m1": "diff", "m2": "diff", "m3": "diff"}


def test_a_program_from_the_statement_is_shown_the_start_alone() -> None:
    strategy = begun(landed(9.0, "better = 1\n"), size=1, operators="i1")
    for brief in strategy.ask(5):
        assert [member.candidate.program for member in brief.parents] == ["start = 1\n"]
        assert brief.given == {}


def test_two_operators_take_several_parents_and_three_take_one() -> None:
    strategy = begun(*[landed(float(n), f"x = {n}\n") for n in range(10)], parents=5, operators="e1,e2,m1,m2,m3")
    for brief in strategy.ask(40):
        assert len(brief.parents) == (5 if brief.operator in ("e1", "e2") else 1)


def test_rank_r_of_n_is_drawn_with_weight_one_over_r_plus_one_plus_n() -> None:
    """Worked by hand for three members: 1/4, 1/5 and 1/6, so 15, 12 and 10 of 37."""
    population = Population(3)
    for number in range(3):
        population.add(entry(number))
    population.survive()
    drawn = Counter(population.draw(1, random.Random(seed))[0].rank for seed in range(3700))
    for rank, expected in ((0, 1500), (-1, 1200), (-2, 1000)):
        assert drawn[rank] == pytest.approx(expected, abs=4 * expected**0.5)
    assert [len({one.rank for one in population.draw(n, random.Random(n))}) for n in (2, 3, 9)] == [2, 3, 3]


def test_children_are_parents_after_every_size_results_and_not_before() -> None:
    strategy = begun(landed(1.0, "a = 1\n"), landed(2.0, "b = 1\n"), size=3)
    assert seen(strategy) == {"start = 1\n"}
    strategy.tell([told(strategy.ask(1)[0], status="wrong")])
    assert seen(strategy) == {"start = 1\n", "a = 1\n", "b = 1\n"}


def test_the_best_survive_and_of_those_with_one_score_the_first() -> None:
    results = [landed(float(score), f"x{number} = {score}\n") for number, score in enumerate((5, 7, 5, 7, 3, 1))]
    assert seen(begun(*results, size=6)) == {"start = 1\n", "x0 = 5\n", "x1 = 7\n", "x4 = 3\n", "x5 = 1\n"}
    assert seen(begun(*results, size=2)) == {"x0 = 5\n", "x1 = 7\n"}


def test_programs_that_nobody_can_measure_are_no_duplicates_of_each_other() -> None:
    strategy = begun(landed(None, "a = 1\n"), landed(None, "b = 1\n"), landed(None, "a = 1\n"), size=3)
    assert seen(strategy) == {"start = 1\n", "a = 1\n", "b = 1\n"}


def test_thoughts_are_handed_over_beside_their_programs_and_cut() -> None:
    long = "An idea\n  over two lines. " * 100
    strategy = begun(landed(9.0, "a = 1\n", thought=long), size=1, operators="e1,m1")
    thoughts = [brief.given["thoughts"] for brief in strategy.ask(2)]
    short = long.replace("\n ", "")[: MOST_THOUGHT - 1] + "…"
    assert thoughts == [[short], [short]]
    both = begun(landed(9.0, "a = 1\n", thought="Mine."), size=2, operators="e2")
    both.tell([landed(8.0, "b = 1\n")])
    for brief in both.ask(9):
        thoughts_of = {"a = 1\n": "Mine.", "b = 1\n": ""}
        expected = [thoughts_of[member.candidate.program] for member in brief.parents]
        assert brief.given == {"thoughts": expected}


def test_its_memory_does_not_grow() -> None:
    strategy = Eoh(GOAL, size=4)
    strategy.tell([start()])
    carry_on(strategy, 300)
    held = {member.candidate.id for brief in strategy.ask(200) for member in brief.parents}
    assert len(held) <= 4 + 1  # and the start, for i1


def test_what_is_best_never_leaves() -> None:
    strategy = Eoh(GOAL, size=2, initial=0, operators="m1")
    strategy.tell([start()])
    bests = []
    for _ in range(40):
        brief = strategy.ask(1)[0]
        strategy.tell([told(brief)])
        bests.append(max(member.evaluation.score or 0.0 for one in strategy.ask(20) for member in one.parents))
    assert all(later >= earlier for earlier, later in pairwise(bests))


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"size": 0}, "size must be a whole number of at least 1, got 0"),
        ({"parents": 0}, "parents must be a whole number of at least 1, got 0"),
        ({"initial": -1}, "initial must be a whole number of at least 0, got -1"),
        ({"operators": "e1,e9"}, "operators must be names with commas between them, of i1, e1, .*; got 'e1,e9'"),
        ({"operators": ""}, "operators must be names"),
        ({"operators": []}, "operators must be names"),
        ({"operators": ["e1", 3]}, "operators must be names"),
        ({"operators": 7}, "operators must be names"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Eoh(GOAL, **parameters)


def test_a_broken_state_is_refused() -> None:
    with pytest.raises(UsageError, match="the stored state's 'asks' must be a whole number"):
        Eoh(GOAL).restore({"asks": -1})
