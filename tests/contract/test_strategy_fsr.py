"""The staged search keeps the contract."""

import pytest

from outpace.agent.strategies.contract import GOAL, Make, StrategyContract
from outpace.agent.strategies.fsr import Fsr


class TestFsr(StrategyContract):
    repairs = True

    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Fsr(GOAL, seed=seed)


class TestFsrOfSingles(StrategyContract):
    """Every result is a round, and every failure goes back for ever."""

    repairs = True

    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Fsr(GOAL, seed=seed, width=1, hints=40, mends=10**6, target="cuda")


class TestFsrThatNeverMends(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Fsr(GOAL, seed=seed, width=20, hints=0, mends=0, target="triton,numpy")
