"""``Eoh`` keeps the contract."""

import pytest

from outpace.agent.strategies.contract import GOAL, Make, StrategyContract
from outpace.agent.strategies.eoh import Eoh


class TestEoh(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Eoh(GOAL, seed=seed)


class TestCrowdedEoh(StrategyContract):
    """More parents than members, survival at every third result, no program from the statement at first."""

    @pytest.fixture
    def make(self) -> Make:
        operators = ["e1", "m3", "i1", "e2", "e2"]
        return lambda seed: Eoh(GOAL, seed=seed, size=3, parents=9, operators=operators, initial=0)


class TestLonelyEoh(StrategyContract):
    """One member, which never leaves but for a better one."""

    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Eoh(GOAL, seed=seed, size=1, parents=1, initial=1)
