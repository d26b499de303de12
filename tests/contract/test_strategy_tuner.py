"""Lines that go on and return keep the contract."""

import pytest

from outpace.agent.strategies.contract import GOAL, Make, StrategyContract
from outpace.agent.strategies.tuner import Tuner


class TestTuner(StrategyContract):
    repairs = True

    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Tuner(GOAL, seed=seed)


class TestTunerWithManyLines(StrategyContract):
    """More lines than are asked for at once, each back to its best after one vain change."""

    repairs = True

    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Tuner(GOAL, seed=seed, lines=40, patience=1)


class TestTunerThatNeverReturns(StrategyContract):
    repairs = True

    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Tuner(GOAL, seed=seed, lines=3, patience=10**6)
