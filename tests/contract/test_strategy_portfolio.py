"""The portfolio keeps the contract, whatever its members are."""

import pytest

from outpace.agent.strategies.contract import GOAL, Make, StrategyContract
from outpace.agent.strategies.portfolio import Portfolio


class TestPortfolio(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Portfolio(GOAL, seed=seed, members="hill_climb,islands,random,best_of_n")


class TestCurious(StrategyContract):
    """A short memory and much curiosity: the members change all the time."""

    @pytest.fixture
    def make(self) -> Make:
        members = {"random": {"pool": 3}, "islands": {"islands": 2}}
        return lambda seed: Portfolio(GOAL, seed=seed, members=members, window=5, exploration=1.0)
