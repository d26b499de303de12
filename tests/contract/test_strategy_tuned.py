"""Tuning around any strategy keeps the contract, whether programs declare something or not."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from outpace.agent.proposal import Brief, Member, Result
from outpace.agent.strategies.base import Strategy
from outpace.agent.strategies.contract import GOAL, Make, StrategyContract
from outpace.agent.strategies.hill_climb import HillClimb
from outpace.agent.strategies.islands import Islands
from outpace.agent.strategies.tuned import Tuned

DECLARATIONS = (
    "N = 3  # tunable: 1 .. 9\n",
    "N = 3  # tunable: 1 .. 2\n",
    "SIZE = 32  # tunable: 16, 32, 64\nRATE = 0.5  # tunable: 0.01 .. 1.0 log\nFAST = True  # tunable: True, False\n",
)


class Declaring:
    """A strategy whose programs all declare something behind the back of the contract, which knows them without."""

    def __init__(self, inner: Strategy) -> None:
        self._inner = inner
        self._plain: dict[str, Member] = {}

    def ask(self, n: int) -> list[Brief]:
        return [self._undone(brief) for brief in self._inner.ask(n)]

    def tell(self, results: Sequence[Result]) -> None:
        self._inner.tell([self._done(result) for result in results])

    def state(self) -> Mapping[str, Any]:
        return self._inner.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        self._inner.restore(state)

    def _done(self, result: Result) -> Result:
        if result.proposal is None or result.evaluation is None:
            return result
        plain = result.proposal.candidate
        more = DECLARATIONS[len(plain.program) % len(DECLARATIONS)]
        candidate = plain.with_program(plain.program + more)
        self._plain[candidate.id] = Member(plain, result.evaluation)
        return replace(result, proposal=replace(result.proposal, candidate=candidate))

    def _undone(self, brief: Brief) -> Brief:
        parents = tuple(self._plain[one.candidate.id] for one in brief.parents)
        inspirations = tuple(self._plain[one.candidate.id] for one in brief.inspirations)
        return replace(brief, parents=parents, inspirations=inspirations)


class TestAroundIslands(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Declaring(Tuned(Islands(GOAL, seed=seed), GOAL, seed=seed))


class TestAroundHillClimb(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Declaring(Tuned(HillClimb(GOAL, seed=seed), GOAL, seed=seed))


@pytest.mark.slow
class TestTunesAllItCan(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Declaring(Tuned(HillClimb(GOAL, seed=seed), GOAL, seed=seed, share=1.0))


class TestNothingIsDeclared(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Tuned(Islands(GOAL, seed=seed), GOAL, seed=seed)
