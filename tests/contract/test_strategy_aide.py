"""Drafting, debugging and improving keeps the contract."""

import pytest

from outpace.agent.strategies.aide import Aide
from outpace.agent.strategies.contract import GOAL, Make, StrategyContract


class TestAide(StrategyContract):
    repairs = True

    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Aide(GOAL, seed=seed)


class TestAideThatMendsAlways(StrategyContract):
    """No drafts, and every failure goes back as long as it takes."""

    repairs = True

    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Aide(GOAL, seed=seed, drafts=0, debug_share=1.0, debug_depth=50)


class TestAideThatNeverMends(StrategyContract):
    """Drafts for most of the test, and no failed program is a parent."""

    @pytest.fixture
    def make(self) -> Make:
        return lambda seed: Aide(GOAL, seed=seed, drafts=70, debug_depth=0)
