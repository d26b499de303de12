"""AIDE: drafts, then debugging a failed leaf or improving the best."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from outpace.agent.proposal import Brief, Proposal, Result
from outpace.agent.strategies.aide import LEAVES, PLANS, Aide
from outpace.agent.strategies.contract import GOAL, START, start, told
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation, Status
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal


def landed(brief: Brief, program: str, *, score: float | None = None, status: Status = "ok") -> Result:
    parents = tuple(member.candidate.id for member in brief.parents)
    proposal = Proposal(
        candidate=Candidate({"program.py": program}), proposer="t", operator="t", parents=parents, thought="A  plan.\nX"
    )
    return Result(brief=brief, proposal=proposal, evaluation=Evaluation(status=status, score=score))


def begun(goal: Goal = GOAL, **parameters: float) -> Aide:
    """A strategy that knows the start and has had its drafts, none of which gave a program."""
    strategy = Aide(goal, **parameters)  # type: ignore[arg-type]
    strategy.tell([start()])
    if "drafts" not in parameters:
        strategy.tell([told(brief, status=None) for brief in strategy.ask(5)])
    return strategy


def failed(strategy: Aide, program: str) -> Brief:
    """Let the next improvement give a program that fails."""
    brief = next(one for one in strategy.ask(50) if one.operator == "improve")
    strategy.tell([landed(brief, program, status="wrong")])
    return brief


def of(briefs: Sequence[Brief], operator: str) -> list[Brief]:
    return [brief for brief in briefs if brief.operator == operator]


def test_the_defaults_are_those_of_the_publication() -> None:
    strategy, published = Aide(GOAL, seed=3), Aide(GOAL, seed=3, drafts=5, debug_share=0.5, debug_depth=3)
    for one in (strategy, published):
        one.tell([start()])
        one.tell([told(brief, status="wrong") for brief in one.ask(20)])
    assert strategy.ask(40) == published.ask(40)


def test_first_it_drafts_whole_programs_then_it_improves() -> None:
    strategy = Aide(GOAL)
    strategy.tell([start()])
    briefs = strategy.ask(8)
    assert [brief.operator for brief in briefs] == ["draft"] * 5 + ["improve"] * 3
    assert [brief.edit_mode for brief in briefs] == ["whole"] * 5 + ["diff"] * 3
    assert all(brief.parents[0].candidate == START for brief in briefs)


def test_a_draft_is_told_of_the_drafts_before() -> None:
    strategy = begun(drafts=100)
    for number, brief in enumerate(strategy.ask(PLANS + 3)):
        good = number % 2
        strategy.tell([landed(brief, f"x = {number}\n", score=1.5 if good else None, status="ok" if good else "wrong")])
    (brief,) = strategy.ask(1)
    assert list(brief.given["drafts"]) == ["A plan. X -> 1.5", "A plan. X -> wrong"] * (PLANS // 2)


def test_the_best_is_improved_greedily() -> None:
    strategy = begun(Goal(kind="metric", name="gap", direction="minimise"), debug_share=0.0)
    low, high = strategy.ask(2)
    strategy.tell([landed(low, "low = 1\n", score=-5.0), landed(high, "high = 1\n", score=1e9)])
    assert {brief.parents[0].candidate.program for brief in strategy.ask(30)} == {"low = 1\n"}


def test_a_share_of_the_asks_mends_failed_leaves_while_there_are_any() -> None:
    strategy = begun(seed=2)
    for number in range(LEAVES):
        strategy.tell([landed(Brief(number=900 + number, parents=(), seed=0), f"x = {number}\n", status="crashed")])
    mended = 0
    for _ in range(400):
        (brief,) = strategy.ask(1)
        mended += brief.operator == "debug"
        depth = {"depth": 0}  # of the same depth again, so that leaves never run out
        strategy.tell([landed(replace(brief, note={**brief.note, **depth}), f"y = {brief.seed}\n", status="crashed")])
    assert 170 <= mended <= 230


def test_a_leaf_goes_back_with_the_program_it_was_made_of_and_only_once_at_a_time() -> None:
    strategy = begun(debug_share=1.0)
    failed(strategy, "bad = 1\n")
    first, *rest = strategy.ask(20)
    assert first.operator == "debug"
    assert [member.candidate.program for member in first.parents] == ["bad = 1\n"]
    assert [member.candidate for member in first.inspirations] == [START]
    assert not of(rest, "debug"), "it is being mended"
    strategy.tell([told(first, status=None)])
    assert not of(strategy.ask(20), "debug"), "an answer without a program was its try"


def test_a_chain_of_failures_gets_three_tries() -> None:
    strategy = begun(debug_share=1.0)
    failed(strategy, "bad = 0\n")
    depths = []
    for number in range(1, 9):
        (brief,) = strategy.ask(1)
        if brief.operator != "debug":
            break
        assert brief.parents[0].candidate.program == f"bad = {number - 1}\n"
        assert [member.candidate for member in brief.inspirations] == [START]
        depths.append(brief.note["depth"])
        strategy.tell([landed(brief, f"bad = {number}\n", status="wrong")])
    assert depths == [1, 2, 3]


def test_what_was_mended_is_a_program_as_any_other() -> None:
    strategy = begun(debug_share=1.0)
    failed(strategy, "bad = 1\n")
    (brief,) = strategy.ask(1)
    strategy.tell([landed(brief, "mended = 1\n", score=1e9)])
    (after,) = strategy.ask(1)
    assert (after.operator, after.parents[0].candidate.program) == ("improve", "mended = 1\n")


def test_what_cannot_be_mended_or_was_met_before_is_no_leaf() -> None:
    strategy = begun(debug_share=1.0)
    broken, again = strategy.ask(2)
    strategy.tell([landed(broken, "x = 1\n", status="infra")])
    strategy.tell([replace(landed(again, "x = 2\n", status="wrong"), seen_before=True)])
    assert not of(strategy.ask(20), "debug")


def test_of_failed_leaves_the_latest_are_kept() -> None:
    strategy = begun(debug_share=1.0)
    for number in range(3 * LEAVES):
        strategy.tell([landed(Brief(number=900 + number, parents=(), seed=0), f"x = {number}\n", status="crashed")])
    mending = of(strategy.ask(5 * LEAVES), "debug")
    assert sorted(int(brief.parents[0].candidate.program[4:]) for brief in mending) == [*range(2 * LEAVES, 3 * LEAVES)]
    assert len(strategy.state()["taken"]) == LEAVES


def test_a_resumed_run_knows_what_is_being_mended() -> None:
    """The state is that of the last ask; results may have been told since."""
    steady, resumed = begun(debug_share=1.0), Aide(GOAL, debug_share=1.0)
    foreign = [landed(Brief(number=900 + n, parents=(), seed=0), f"x = {n}\n", status="crashed") for n in range(4)]
    steady.tell(foreign)
    out = steady.ask(3)
    state, late = steady.state(), landed(out[0], "y = 1\n", status="wrong")
    steady.tell([late])
    resumed.tell([start(), *foreign, late])
    resumed.restore(state)
    assert resumed.ask(9) == steady.ask(9)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"drafts": -1}, "drafts must be a whole number of at least 0, got -1"),
        ({"debug_share": 1.5}, "debug_share must be a number from 0 to 1, got 1.5"),
        ({"debug_depth": "3"}, "debug_depth must be a whole number of at least 0, got '3'"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, int], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Aide(GOAL, **parameters)
