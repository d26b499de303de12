"""The SQL store keeps the contract."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from outpace.agent.store.base import Store
from outpace.agent.store.contract import StoreContract
from outpace.agent.store.sql import open_store


class TestSQLite(StoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[Store]:
        with closing(open_store(tmp_path / "outpace.db")) as store:
            yield store
