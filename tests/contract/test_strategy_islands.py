"""Islands keep the contract with features of a task, few cells, and islands settled anew."""

import pytest

from outpace.agent.strategies.contract import GOAL, Make, StrategyContract
from outpace.agent.strategies.islands import Islands
from outpace.tasks.spec import Feature

FEATURES = (Feature(metric="length", step=9.0), Feature(metric="case/a", step=0.5))


class TestIslandsOfFeatures(StrategyContract):
    """Hardly any cells, so that they are made one all the time."""

    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Islands(GOAL, seed=seed, features=FEATURES, cells=3)


class TestIslandsWithoutFigures(StrategyContract):
    """No evaluation has the figure that the task has chosen."""

    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Islands(GOAL, seed=seed, features=[{"metric": "nowhere", "step": 1}], exploitation=0.0)


class TestRestlessIslands(StrategyContract):
    """A new island at nearly every result, then one given up at as many."""

    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Islands(GOAL, seed=seed, islands=1, patience=2, most_islands=5)


class TestIslandsAtTheirMost(StrategyContract):
    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Islands(GOAL, seed=seed, islands=2, patience=1, most_islands=1, migration_interval=7)


class TestOneIslandForEver(StrategyContract):
    """Nobody is there to settle it anew."""

    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Islands(GOAL, seed=seed, islands=1, most_islands=1, patience=1)
