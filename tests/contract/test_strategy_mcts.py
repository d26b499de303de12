"""Monte Carlo tree search keeps the contract, by default and at its extremes."""

import pytest

from outpace.agent.strategies.contract import GOAL, Make, StrategyContract
from outpace.agent.strategies.mcts import Mcts


class TestMcts(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Mcts(GOAL, seed=seed)


class TestByProbability(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Mcts(GOAL, seed=seed, selection="p_ucb")


class TestGreedyAndNeverWider(StrategyContract):
    """The budget is used up at once, so that nothing is explored, and no node grows beyond its first expansion."""

    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Mcts(GOAL, seed=seed, evaluations=1, exploration=0.0, alpha=0.0)


class TestAsWideAsCanBe(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Mcts(GOAL, seed=seed, evaluations=10**6, exploration=100.0, alpha=1.0)
