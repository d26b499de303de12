"""The runs of a store: begun, found, ended, and held by one process at a time."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from sqlalchemy import Connection, Select, func, insert, select

from outpace.agent.store.base import Run, RunConfig, RunStatus
from outpace.agent.store.codec import decode
from outpace.agent.store.database import Database
from outpace.agent.store.holding import hold, is_held
from outpace.agent.store.records import config_from, config_to
from outpace.agent.store.schema import ends, runs, tallies
from outpace.errors import StoreError, UnknownName, UsageError

LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # without those that are mistaken for one another
TRIES = 50


class Runs(Database):
    """What is known of runs as wholes."""

    def add_run(self, config: RunConfig) -> Run:
        """Begin a run."""
        plain, now = config_to(config), datetime.now(UTC)
        with self._write("a new run") as connection:
            run = _free_id(connection, now)
            row = {"id": run, "created": now.isoformat(timespec="seconds"), "task": config.task_name, "config": plain}
            number = connection.execute(insert(runs).returning(runs.c.number).values(row)).scalar_one()
            connection.execute(insert(tallies).values(run=number))
        return Run(id=run, config=config, created=row["created"])

    def end_run(self, run: str, status: RunStatus, *, reason: str = "", champion: str | None = None) -> None:
        """Record how a sitting of a run ended (appended; the last one counts)."""
        row = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "status": status, "reason": reason}
        with self._write(f"the end of run {run}") as connection:
            number, _ = self._run(connection, run)
            connection.execute(insert(ends).values(run=number, champion=champion, **row))

    def run(self, run: str) -> Run:
        """Return a run by id or unambiguous prefix, ``last`` for the newest; raises ``UnknownName``."""
        query = _query().order_by(runs.c.number.desc())
        with self._read() as connection:
            if run == "last":
                found = _runs(connection, query.limit(1))
            else:
                found = _runs(connection, query.where(runs.c.id == run))
                found = found or _runs(connection, query.where(runs.c.id.startswith(run, autoescape=True)).limit(6))
            if not found or not run:
                newest = _runs(connection, query.limit(10))
                raise UnknownName("run", run, [one.id for one in newest])
        if len(found) > 1:
            names = ", ".join(one.id for one in found[:5]) + (", …" if len(found) > 5 else "")
            raise UsageError(f"Run '{run}' is ambiguous: {names}. Give more of it, or 'last' for the newest.")
        return found[0]

    def runs(self, *, task: str | None = None) -> list[Run]:
        """Return all runs, newest first, of one task if named."""
        query = _query().order_by(runs.c.number.desc())
        with self._read() as connection:
            return _runs(connection, query if task is None else query.where(runs.c.task == task))

    @contextmanager
    def hold(self, run: str, *, wait_s: float = 0.0) -> Iterator[None]:
        """Be the one process that carries the run on, until the block or the process ends, however it ends.

        Another process that holds it is waited for, as long as ``wait_s``.

        Raises:
            StoreError: another process holds it.
            UnknownName: there is no such run (its whole id is expected).
        """
        with self._read() as connection:
            self._run(connection, run)
        with hold(self.path, run, wait_s=wait_s):
            yield

    def is_held(self, run: str) -> bool:
        """Return whether a living process carries the run on now."""
        return is_held(self.path, run)


def run_of(connection: Connection, number: int) -> Run:
    """Return the run of this number."""
    return _runs(connection, _query().where(runs.c.number == number))[0]


def _query() -> Select[tuple[str, str, str, str, str, str]]:
    """Return the query for runs with their last ends."""
    last = select(ends.c.run, func.max(ends.c.number).label("number")).group_by(ends.c.run).subquery()
    columns = (runs.c.id, runs.c.created, runs.c.config, ends.c.status, ends.c.reason, ends.c.champion)
    joined = runs.outerjoin(last, last.c.run == runs.c.number).outerjoin(ends, ends.c.number == last.c.number)
    return select(*columns).select_from(joined)


def _runs(connection: Connection, query: Select[tuple[str, str, str, str, str, str]]) -> list[Run]:
    return [
        Run(
            id=row.id,
            config=config_from(decode(row.config)),
            created=row.created,
            status=row.status or "running",
            reason=row.reason or "",
            champion=row.champion,
        )
        for row in connection.execute(query)
    ]


def _free_id(connection: Connection, now: datetime) -> str:
    """Return an id that no run of this store has: the minute (UTC) and three letters of chance."""
    for _ in range(TRIES):
        run = f"{now:%Y%m%d-%H%M}-{''.join(secrets.choice(LETTERS) for _ in range(3))}"
        if connection.execute(select(runs.c.number).where(runs.c.id == run)).first() is None:
            return run
    raise StoreError(f"Cannot name a new run: {TRIES} names of {now:%Y%m%d-%H%M} were taken. Try again in a minute.")
