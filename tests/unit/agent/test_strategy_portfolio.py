"""What is the portfolio's own: who is asked, what members are told, and what cannot be a portfolio."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from outpace.agent.proposal import Brief, Result
from outpace.agent.strategies.contract import GOAL, start, told
from outpace.agent.strategies.portfolio import Portfolio
from outpace.errors import UnknownName, UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.spec import Goal


class Listener:
    """A strategy that asks with a note of its own, and remembers what it is told."""

    def __init__(self, goal: Goal, *, seed: int = 0, evaluations: int = 0) -> None:
        self.evaluations = evaluations
        self.heard: list[Result] = []
        self.asks = 0

    def ask(self, n: int) -> list[Brief]:
        self.asks += n
        return [Brief(number=self.asks, parents=(), seed=1, note={"mine": self.asks}) for _ in range(n)]

    def tell(self, results: Sequence[Result]) -> None:
        self.heard += results

    def state(self) -> Mapping[str, Any]:
        return {"asks": self.asks}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.asks = state["asks"]


class Waiting(Listener):
    def ask(self, n: int) -> list[Brief]:
        return []


FIRST, SECOND = f"{__name__}:Listener", f"{__name__}:Waiting"


def scored(brief: Brief, score: float) -> Result:
    result = told(brief)
    return Result(brief=brief, proposal=result.proposal, evaluation=Evaluation(status="ok", score=score))


def asked(brief: Brief) -> str:
    return str(brief.note["member"])


def members(portfolio: Portfolio) -> dict[str, Listener]:
    found = {name: seat.strategy for name, seat in portfolio._seats.items()}
    return {name: one for name, one in found.items() if isinstance(one, Listener)}


def test_who_finds_new_bests_is_asked_more_and_nobody_is_forgotten() -> None:
    portfolio = Portfolio(GOAL, members="hill_climb,random")
    portfolio.tell([start()])
    best, counts = 1e9, Counter[str]()
    for _ in range(300):
        (brief,) = portfolio.ask(1)
        counts[asked(brief)] += 1
        best += 1
        portfolio.tell([scored(brief, best if asked(brief) == "random" else 0.0)])
    assert counts["random"] > 5 * counts["hill_climb"] > 0


def test_a_portfolio_changes_its_mind() -> None:
    portfolio = Portfolio(GOAL, members="hill_climb,random", window=40)
    portfolio.tell([start()])
    best, late = 1e9, Counter[str]()
    for step in range(200):
        (brief,) = portfolio.ask(1)
        best += 1
        lucky = "random" if step < 100 else "hill_climb"
        portfolio.tell([scored(brief, best if asked(brief) == lucky else 0.0)])
        late[asked(brief)] += step >= 150
    assert late["hill_climb"] > late["random"]


def test_asks_in_flight_spread_over_the_members() -> None:
    portfolio = Portfolio(GOAL, members="hill_climb,random,best_of_n,islands")
    portfolio.tell([start()])
    assert set(Counter(map(asked, portfolio.ask(16))).values()) == {4}


def test_a_member_hears_its_own_results_and_new_bests_only() -> None:
    portfolio = Portfolio(GOAL, members=f"{FIRST},random".split(","))
    portfolio.tell([start()])
    listener = members(portfolio)[FIRST]
    briefs = portfolio.ask(4)
    own = [brief for brief in briefs if asked(brief) == FIRST]
    others = [brief for brief in briefs if asked(brief) == "random"]
    portfolio.tell([told(own[0], status="wrong"), told(others[0], status="wrong"), scored(others[1], 1e12)])
    notes = [(result.brief.number, result.brief.note) for result in listener.heard]
    assert notes == [(0, {}), (own[0].number, {"mine": 1}), (others[1].number, {})]


def test_a_member_that_waits_leaves_its_turn_to_others() -> None:
    portfolio = Portfolio(GOAL, members=[SECOND, "random"])
    portfolio.tell([start()])
    assert {asked(brief) for brief in portfolio.ask(5)} == {"random"}
    nobody = Portfolio(GOAL, members=[SECOND, f"{__name__}:StillWaiting"])
    assert nobody.ask(3) == []


class StillWaiting(Waiting):
    pass


def test_members_get_parameters_and_the_facts_of_the_run() -> None:
    portfolio = Portfolio(GOAL, members={FIRST: {}, "random": {"pool": 7}}, facts={"evaluations": 77, "device": "gpu"})
    assert members(portfolio)[FIRST].evaluations == 77


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ("islands", "at least two strategies"),
        ("", "at least two strategies"),
        (7, "at least two strategies"),
        (["islands", "islands"], "must not repeat a name"),
        ("islands,portfolio", "must not hold a portfolio"),
        ({"islands": 3, "random": {}}, "at least two strategies"),
        ({"islands": {"pool": 3}, "random": {}}, "Strategy 'islands' does not take these parameters"),
    ],
)
def test_what_is_no_portfolio_is_said(given: Any, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        Portfolio(GOAL, members=given)


def test_an_unknown_member_is_named() -> None:
    with pytest.raises(UnknownName, match="'isles'"):
        Portfolio(GOAL, members="isles,random")
