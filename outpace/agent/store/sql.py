"""The store on an SQL database, by SQLAlchemy Core; SQLite today, see ``sqlite.py``."""

from pathlib import Path

from outpace.agent.store.base import Store
from outpace.agent.store.crowning import Crowning
from outpace.agent.store.ranking import Ranking
from outpace.errors import UsageError

SQLITE_URL = "sqlite:///"


class SQLStore(Crowning, Ranking):
    """Remembers runs in one database; see ``Store`` for what its methods promise.

    Safe for several processes and several threads at once.
    """


def open_store(place: str | Path, *, busy_s: float = 30.0) -> SQLStore:
    """Open the store at a path or a ``sqlite:///`` URL, made with its folder if it is missing.

    ``busy_s`` bounds how long a call waits for another process that writes. Close it after use.

    Raises:
        StoreError: the database cannot be opened, is another program's, damaged, or made by a newer Outpace.
        UsageError: a URL of a kind of database that is not supported.
    """
    text = str(place)
    if "://" in text and not text.startswith(SQLITE_URL):
        raise UsageError(
            f"Cannot open the store {text}: expected a path or {SQLITE_URL}PATH; other databases are not supported yet."
        )
    return SQLStore(Path(text.removeprefix(SQLITE_URL)), busy_s=busy_s)


def _conforms(store: SQLStore) -> Store:
    """Let the type checker hold the class against the contract."""
    return store
