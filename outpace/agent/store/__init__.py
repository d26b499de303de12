"""The store remembers every brief, answer, candidate and evaluation of every run; it only ever appends."""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outpace.agent.store.sql import SQLStore

DATABASE = "outpace.db"
"""Name of the database in the folder of the state."""


def open_store(home: Path, *, busy_s: float = 30.0) -> "SQLStore":
    """Open the store in the folder ``home``, made if it is missing; close it after use.

    Raises as ``outpace.agent.store.sql.open_store``, which is imported here: reading a store's types needs no database.
    """
    from outpace.agent.store import sql

    return sql.open_store(home / DATABASE, busy_s=busy_s)
