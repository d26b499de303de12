"""Lines of work: going on from better and worse, and back to the best."""

from collections.abc import Mapping
from typing import Any

import pytest

from outpace.agent.arms import Arm
from outpace.agent.proposal import Brief, Proposal, Result
from outpace.agent.strategies.contract import GOAL, START, start, told
from outpace.agent.strategies.ensemble import Shares
from outpace.agent.strategies.guided import Guided
from outpace.agent.strategies.tuner import Tuner
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation, Status
from outpace.tasks.candidate import Candidate

BEST = 1e9


def landed(brief: Brief, program: str, score: float | None, *, detail: Mapping[str, Any] | None = None) -> Result:
    """Return what became of a brief; without a score the program is wrong."""
    status: Status = "wrong" if score is None else "ok"
    proposal = Proposal(
        candidate=Candidate({"program.py": program}), proposer="t", operator="t", parents=(), detail=detail or {}
    )
    return Result(brief=brief, proposal=proposal, evaluation=Evaluation(status=status, score=score))


def begun(**parameters: int) -> Tuner:
    strategy = Tuner(GOAL, **parameters)
    strategy.tell([start()])
    return strategy


def turn(strategy: Tuner, program: str, score: float | None, **detail: int) -> Brief:
    """Let the next brief give this program; return the brief."""
    (brief,) = strategy.ask(1)
    strategy.tell([landed(brief, program, score, detail=detail)])
    return brief


def at(strategy: Tuner) -> str:
    """Return the program that a line without a brief in flight goes on from."""
    (brief,) = strategy.ask(1)
    strategy.tell([told(brief, status="infra")])
    return brief.parents[0].candidate.program


def test_it_goes_on_from_its_latest_program_better_or_worse() -> None:
    strategy = begun()
    assert turn(strategy, "better\n", BEST).parents[0].candidate == START
    worse = turn(strategy, "worse\n", -BEST)
    assert (worse.parents[0].candidate.program, worse.operator, worse.inspirations) == ("better\n", None, ())
    wrong = turn(strategy, "wrong\n", None)
    assert wrong.parents[0].candidate.program == "worse\n"
    assert [member.candidate.program for member in wrong.inspirations] == ["better\n"]
    (mending,) = strategy.ask(1)
    assert (mending.parents[0].candidate.program, mending.operator) == ("wrong\n", "debug")


def test_it_returns_to_its_best_after_so_many_vain_changes() -> None:
    strategy = begun(patience=3)
    turn(strategy, "better\n", BEST)
    for number in range(2):
        turn(strategy, f"worse = {number}\n", -BEST)
    assert at(strategy) == "worse = 1\n"
    (brief,) = strategy.ask(1)
    strategy.tell([told(brief, status=None)])  # no program is a vain change too
    assert at(strategy) == "better\n"
    turn(strategy, "worse = 2\n", -BEST)
    assert at(strategy) == "worse = 2\n", "it has as much patience as before"


def test_our_own_faults_move_nothing_and_count_for_nothing() -> None:
    strategy = begun(patience=2)
    turn(strategy, "worse\n", -BEST)
    for _ in range(5):
        assert at(strategy) == "worse\n"


def test_each_line_has_one_brief_in_flight() -> None:
    strategy = begun(lines=3)
    briefs = strategy.ask(9)
    assert [brief.note for brief in briefs] == [{"line": 0}, {"line": 1}, {"line": 2}]
    assert strategy.ask(1) == []
    strategy.tell([landed(briefs[1], "second\n", -BEST)])
    (brief,) = strategy.ask(9)
    assert (brief.note, brief.parents[0].candidate.program) == ({"line": 1}, "second\n")


def test_a_line_without_tools_returns_to_its_own_best() -> None:
    strategy = begun(lines=2, patience=1)
    first, second = strategy.ask(2)
    strategy.tell([landed(first, "best\n", BEST), landed(second, "good\n", BEST / 2)])
    first, second = strategy.ask(2)
    strategy.tell([told(first, status=None), told(second, status=None)])
    assert [brief.parents[0].candidate.program for brief in strategy.ask(2)] == ["best\n", "good\n"]


def test_a_conversation_that_has_ended_begins_anew_from_the_best_of_the_run() -> None:
    strategy = begun(lines=2, patience=99)
    first, second = strategy.ask(2)
    strategy.tell(
        [landed(first, "best\n", BEST, detail={"left": 9}), landed(second, "worse\n", -1.0, detail={"left": 9})]
    )
    first, second = strategy.ask(2)
    assert second.parents[0].candidate.program == "worse\n"
    strategy.tell([told(second, status=None)])
    (anew,) = strategy.ask(1)
    assert (anew.note, anew.parents[0].candidate.program) == ({"line": 1}, "best\n")
    strategy.tell([landed(first, "last message\n", -2.0, detail={"left": 0})])
    (anew,) = strategy.ask(1)
    assert (anew.note, anew.parents[0].candidate.program) == ({"line": 0}, "best\n")


def test_what_others_have_found_is_where_a_conversation_begins_anew() -> None:
    strategy = begun()
    turn(strategy, "own\n", BEST, left=5)
    strategy.tell([landed(Brief(number=77, parents=(), seed=0, note={"line": "0"}), "theirs\n", 2 * BEST)])
    assert at(strategy) == "own\n"
    (brief,) = strategy.ask(1)
    strategy.tell([told(brief, status=None)])
    assert at(strategy) == "theirs\n"


def test_of_several_answers_to_one_ask_a_later_one_counts_only_if_it_is_better() -> None:
    strategy = Guided(Tuner(GOAL, patience=2), Shares([Arm(model="m")]), samples=4)
    strategy.tell([start()])
    briefs = strategy.ask(1)
    assert len(briefs) == 4
    assert strategy.ask(1) == []
    strategy.tell([landed(briefs[2], "first\n", -BEST)])
    strategy.tell([landed(briefs[0], "later\n", -BEST / 2)])
    again = strategy.ask(1)
    assert again[0].parents[0].candidate.program == "first\n"
    strategy.tell([landed(briefs[1], "better\n", BEST)])
    assert strategy.ask(1) == [], "the line is still busy"
    strategy.tell([landed(again[0], "worse\n", -1.0)])
    assert strategy.ask(1)[0].parents[0].candidate.program == "worse\n"


def test_a_state_may_be_older_than_the_results() -> None:
    """The state is stored with a brief; what was told after the last of them is told again before it is restored."""
    steady, resumed = begun(lines=4), Tuner(GOAL, lines=4)
    out = steady.ask(4)
    state = steady.state()
    late = [landed(out[2], "x = 1\n", BEST), landed(out[0], "x = 2\n", None)]
    steady.tell(late)
    resumed.tell([start(), *late])
    resumed.restore(state)
    assert resumed.ask(9) == steady.ask(9)
    assert resumed.state() == {"asks": 6, "turns": [2, 1, 2, 1]}


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"lines": 0}, "lines must be a whole number of at least 1, got 0"),
        ({"lines": 257}, "lines must be at most 256, got 257"),
        ({"lines": "2"}, "lines must be a whole number"),
        ({"patience": 0}, "patience must be a whole number of at least 1, got 0"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, int], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Tuner(GOAL, **parameters)


def test_a_broken_state_is_refused() -> None:
    with pytest.raises(UsageError, match="the stored state's 'turns' must be a whole number of at least 0, got 'x'"):
        begun().restore({"asks": 1, "turns": ["x"]})
