"""Transactions on the store's database, with every error of the database in our own words."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

from sqlalchemy import Connection, select
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from outpace.agent.store import sqlite
from outpace.agent.store.codec import decode
from outpace.agent.store.migrations import migrate, version_of
from outpace.agent.store.records import config_from
from outpace.agent.store.schema import VERSION, runs
from outpace.errors import StoreError, UnknownName
from outpace.tasks.spec import Goal


class Database:
    """Base of the store's parts: one engine, read and write transactions, and what every part looks up."""

    def __init__(self, path: Path, *, busy_s: float = 30.0) -> None:
        """Open the database at ``path`` and bring its tables up to date; ``busy_s`` bounds the wait for writers."""
        self.path, self.busy_s = path.absolute(), busy_s
        self._closed, self._writing = False, Lock()
        self._known: dict[str, tuple[int, Goal]] = {}
        self._engine = sqlite.make_engine(self.path, busy_s)
        self._writer = self._engine.execution_options(outpace_writes=True)
        try:
            with self._read() as connection:
                current = version_of(connection) == VERSION
            if not current:
                with self._write("its tables") as connection:
                    migrate(connection)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the database."""
        self._closed = True
        self._engine.dispose()

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        """Open a short read transaction: one consistent look."""
        with self._explained("read"), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def _write(self, what: str) -> Iterator[Connection]:
        """Open a transaction that records ``what``: on disk when the block has ended, undone if the block raises."""
        with self._writing, self._explained(f"record {what} in"), self._writer.begin() as connection:
            yield connection  # threads of ours wait for the lock, which wakes them at once; the database's wait polls

    @contextmanager
    def _explained(self, doing: str) -> Iterator[None]:
        if self._closed:
            raise StoreError(f"Cannot {doing} the store {self.path}: it was closed.")
        try:
            yield
        except IntegrityError as error:
            reason = f"it is recorded already, or speaks of something that is not ({error.orig})"
            raise StoreError(f"Cannot {doing} the store {self.path}: {reason}.") from error
        except (SQLAlchemyError, sqlite.Error) as error:
            reason = sqlite.explain(getattr(error, "orig", None) or error, self.busy_s)
            raise StoreError(f"Cannot {doing} the store {self.path}: {reason}.") from error

    def _run(self, connection: Connection, run: str) -> tuple[int, Goal]:
        """Return number and goal of a run, by its whole id."""
        if run not in self._known:
            query = select(runs.c.number, runs.c.config).where(runs.c.id == run)
            row = connection.execute(query).one_or_none()
            if row is None:
                newest = select(runs.c.id).order_by(runs.c.number.desc()).limit(10)
                raise UnknownName("run", run, connection.execute(newest).scalars())
            self._known[run] = (row.number, config_from(decode(row.config)).goal)
        return self._known[run]
