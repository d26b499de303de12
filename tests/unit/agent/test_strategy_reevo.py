"""ReEvo: rounds of crossovers and mutations, who is paired, and what is remembered of what was said."""

from typing import Any

import pytest

from outpace.agent.proposal import Brief, Proposal, Result
from outpace.agent.strategies.contract import GOAL, carry_on, start, told
from outpace.agent.strategies.reevo import MOST_LONG, MOST_SHORT, Reevo
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate

ROUND = ["reevo_crossover"] * 10 + ["reevo_mutation"] * 5


def landed(
    score: float | None, program: str, *, number: int = 1, reflect: str | None = None, said: Any = None
) -> Result:
    proposal = Proposal(
        candidate=Candidate({"program.py": program}),
        proposer="t",
        operator="t",
        parents=(),
        detail={} if said is None else {"reflection": said},
    )
    brief = Brief(number=number, parents=(), seed=0, reflect=reflect)
    return Result(brief=brief, proposal=proposal, evaluation=Evaluation(status="ok", score=score))


def hint(said: Any, score: float = -1.0) -> Result:
    return landed(score, "hinted = 1\n", reflect="reevo_short", said=said)


def begun(*more: Result, **parameters: Any) -> Reevo:
    strategy = Reevo(GOAL, **({"initial": 0} | parameters))
    strategy.tell([landed(0.0, "start = 1\n", number=0), *more])
    return strategy


def mutation(strategy: Reevo, *, first: bool = True) -> Brief:
    """Return the next first mutation of a round, or the next other one."""
    last = ""
    for _ in range(60):
        (brief,) = strategy.ask(1)
        operator = brief.operator or ""
        if operator == "reevo_mutation" and (last != operator) == first:
            return brief
        last = operator
    raise AssertionError("a round has mutations")


def programs(strategy: Reevo, asks: int = 200) -> set[str]:
    briefs = [brief for brief in strategy.ask(asks) if brief.operator == "reevo_crossover"]
    return {member.candidate.program for brief in briefs for member in brief.parents}


def test_as_published_thirty_programs_come_first_and_then_rounds_of_ten_and_five() -> None:
    strategy = Reevo(GOAL)
    strategy.tell([start(), landed(1e9, "better = 1\n")])
    briefs = strategy.ask(60)
    assert [brief.operator for brief in briefs] == ["reevo_seed"] * 30 + 2 * ROUND
    for brief in briefs[:30]:
        assert [member.candidate for member in brief.parents] == [start().proposal.candidate]  # type: ignore[union-attr]
        assert (brief.edit_mode, brief.reflect) == ("whole", None)


def test_a_pair_differs_in_score_and_the_better_comes_first() -> None:
    same = [landed(5.0, f"same = {n}\n") for n in range(5)]
    strategy = begun(*same, landed(7.0, "best = 1\n"), mutation=0.0)
    for brief in strategy.ask(50):
        better, worse = brief.parents
        assert (better.evaluation.score or 0.0) > (worse.evaluation.score or 0.0)
        assert (brief.reflect, brief.edit_mode, brief.given) == ("reevo_short", "whole", {})


def test_without_two_scores_it_goes_on_varying_the_start() -> None:
    strategy = begun(landed(0.0, "same = 1\n"), mutation=0.0)
    assert {brief.operator for brief in strategy.ask(5)} == {"reevo_seed"}


def test_the_best_of_all_is_mutated_and_always_a_possible_parent() -> None:
    strategy = begun(landed(9.0, "best = 1\n"), size=2, mutation=0.5)
    strategy.tell([landed(float(n % 3), f"x = {n}\n") for n in range(40)])
    assert programs(strategy) == {"best = 1\n", "x = 37\n", "x = 38\n", "x = 39\n"}
    assert [member.candidate.program for member in mutation(strategy).parents] == ["best = 1\n"]


def test_the_first_programs_stay_until_the_first_round_is_over() -> None:
    first = [landed(float(n), f"first = {n}\n") for n in range(8)]
    strategy = begun(*first, size=2, initial=8, mutation=0.5)
    assert len(programs(strategy)) == 8
    strategy.tell([landed(0.5 + n, f"later = {n}\n") for n in range(4)])
    assert programs(strategy) == {"first = 7\n", "later = 1\n", "later = 2\n", "later = 3\n"}


def test_failures_let_nobody_out() -> None:
    strategy = begun(landed(1.0, "a = 1\n"), landed(2.0, "b = 1\n"), size=2, mutation=0.0)
    before = programs(strategy)
    for _ in range(5):
        strategy.tell([told(brief, status="crashed") for brief in strategy.ask(4)])
    assert programs(strategy) == before == {"a = 1\n", "b = 1\n"}


def test_one_long_reflection_a_round_joins_the_short_ones() -> None:
    strategy = begun(hint("  Close\n bins. "), hint("Square it."), hint("Square it."), size=2, mutation=1.0)
    first = mutation(strategy)
    assert first.reflect == "reevo_long"
    assert first.given == {"long": "", "short": ["Close bins.", "Square it."]}
    strategy.tell([landed(3.0, "c = 1\n", reflect="reevo_long", said="Close bins, by squares.")])
    other = mutation(strategy, first=False)
    assert other.reflect is None
    assert other.given["long"] == "Close bins, by squares."
    assert mutation(strategy).given == {"long": "Close bins, by squares.", "short": ["Close bins.", "Square it."]}


def test_without_anything_said_nothing_is_summed_up() -> None:
    """As where no model is asked."""
    strategy = begun(landed(1.0, "a = 1\n"), size=1, mutation=1.0)
    found = mutation(strategy)
    assert (found.reflect, found.given) == (None, {"long": "", "short": []})


def test_what_was_said_is_kept_short_and_not_for_ever() -> None:
    said = [hint(f"{n} " + "word " * 500) for n in range(20)]
    strategy = begun(*said, landed(1.0, "d = 1\n", reflect="reevo_long", said="w" * 5000), size=3, mutation=1.0)
    given = mutation(strategy).given
    assert [len(one) for one in given["short"]] == [MOST_SHORT] * 3
    assert [one[:3] for one in given["short"]] == ["17 ", "18 ", "19 "]
    assert given["long"] == "w" * (MOST_LONG - 1) + "…"


@pytest.mark.parametrize("said", [7, "", "  ", ["a"], None])
def test_answers_of_no_use_are_passed_over(said: Any) -> None:
    assert mutation(begun(hint(said), size=1, mutation=1.0)).given["short"] == []


def test_answers_to_questions_of_others_are_not_learnt() -> None:
    foreign = landed(1.0, "a = 1\n", reflect="another", said="Something else.")
    assert mutation(begun(foreign, size=1, mutation=1.0)).given == {"long": "", "short": []}


def test_its_state_and_what_it_hands_over_stay_small() -> None:
    strategy = Reevo(GOAL)
    strategy.tell([start()])
    for brief in carry_on(strategy, 300)[0]:
        assert len(str(dict(brief.given))) <= 10 * (MOST_SHORT + 8) + MOST_LONG + 64


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"size": 0}, "size must be a whole number of at least 1, got 0"),
        ({"initial": -1}, "initial must be a whole number of at least 0, got -1"),
        ({"mutation": 1.5}, "mutation must be a number from 0 to 1, got 1.5"),
        ({"mutation": "half"}, "mutation must be a number from 0 to 1, got 'half'"),
        ({"seed": -1}, "seed must be a whole number of at least 0"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        Reevo(GOAL, **parameters)


def test_a_broken_state_is_refused() -> None:
    with pytest.raises(UsageError, match="the stored state's 'asks' must be a whole number"):
        Reevo(GOAL).restore({"asks": "many"})
