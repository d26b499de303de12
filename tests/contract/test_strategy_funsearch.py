"""FunSearch keeps the contract."""

import pytest

from outpace.agent.strategies.contract import GOAL, Make, StrategyContract
from outpace.agent.strategies.funsearch import FunSearch
from outpace.tasks.spec import Goal

SPEEDUP = Goal(kind="speedup", name="speedup", direction="maximise")


class TestFunSearch(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: FunSearch(GOAL, seed=seed)


class TestRestlessFunSearch(StrategyContract):
    """Resets at nearly every result, four versions in a prompt, and a temperature that falls all the time."""

    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: FunSearch(
            GOAL, seed=seed, islands=3, functions_per_prompt=4, temperature=5.0, temperature_period=7, reset_interval=2
        )


class TestOneColdIsland(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: FunSearch(
            GOAL, seed=seed, islands=1, functions_per_prompt=1, temperature=1e-9, reset_interval=0
        )


class TestFunSearchOfSpeedups(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: FunSearch(SPEEDUP, seed=seed, islands=2)
