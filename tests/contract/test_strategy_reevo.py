"""``Reevo`` keeps the contract."""

import pytest

from outpace.agent.strategies.contract import GOAL, Make, StrategyContract
from outpace.agent.strategies.reevo import Reevo


class TestReevo(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Reevo(GOAL, seed=seed)


class TestHastyReevo(StrategyContract):
    """Crossover from the first ask on, in rounds of one crossover and one mutation."""

    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Reevo(GOAL, seed=seed, size=1, initial=0, mutation=1.0)


class TestReevoWithoutMutation(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Reevo(GOAL, seed=seed, size=4, initial=7, mutation=0.0)
