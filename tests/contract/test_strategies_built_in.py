"""The built-in strategies keep the contract."""

import pytest

from outpace.agent.strategies.best_of_n import BestOfN
from outpace.agent.strategies.contract import GOAL, Make, StrategyContract
from outpace.agent.strategies.hill_climb import HillClimb
from outpace.agent.strategies.islands import Islands
from outpace.agent.strategies.random_walk import RandomWalk


class TestIslands(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Islands(GOAL, seed=seed)


class TestBusyIslands(StrategyContract):
    """Migration at nearly every result, and a single cell's worth of islands."""

    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Islands(GOAL, seed=seed, islands=7, exploitation=0.1, migration_interval=3, migrants=5)


class TestOneIsland(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Islands(GOAL, seed=seed, islands=1, exploitation=1.0, migrants=0)


class TestHillClimb(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: HillClimb(GOAL, seed=seed)


class TestBestOfN(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: BestOfN(GOAL, seed=seed)


class TestRandomWalk(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: RandomWalk(GOAL, seed=seed)


class TestShortOfMemory(StrategyContract):
    """A pool that hardly holds anything is drawn into and out of all the time."""

    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: RandomWalk(GOAL, seed=seed, pool=2)
