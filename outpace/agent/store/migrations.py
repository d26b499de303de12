"""Numbered migrations: a new database gets today's tables at once, an older one is brought up step by step."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from sqlalchemy import Connection, func, insert, inspect, select, text, update

from outpace.agent.store.codec import decode, encode
from outpace.agent.store.schema import (
    VERSION,
    duels,
    metadata,
    noises,
    programs,
    runs,
    schema_version,
    surprises,
    verifications,
)
from outpace.errors import StoreError

Migration = Callable[[Connection], None]


def _judge(connection: Connection) -> None:
    """Add what the judge records: noise, duels, second measurements, verifications; levels of runs.

    Older runs asked for no level, but for a sandbox by name: they go on at what that gave them, namespaces and a filter
    of system calls without Landlock (C), or limits only (D).
    """
    for table in (noises, duels, surprises, verifications):
        table.create(connection)
    for number, plain in connection.execute(select(runs.c.number, runs.c.config)).all():
        config = decode(plain)
        config["level"] = "D" if config["sandbox"] == "process" else "C"
        connection.execute(update(runs).where(runs.c.number == number).values(config=encode(config, what="config")))


def _shapes(connection: Connection) -> None:
    """Add the shapes of programs; those that are here already get theirs when they are proposed again."""
    connection.execute(text("ALTER TABLE programs ADD COLUMN shape VARCHAR(16)"))
    for index in programs.indexes:
        index.create(connection)


MIGRATIONS: Mapping[int, Migration] = {2: _judge, 3: _shapes}
"""Version → what makes it out of the version before; each in one transaction, never changed once released."""


def version_of(connection: Connection) -> int | None:
    """Return the version of a database, None for one without any tables of ours."""
    if not inspect(connection).has_table(schema_version.name):
        return None
    found: int | None = connection.execute(select(func.max(schema_version.c.version))).scalar()
    return found


def migrate(
    connection: Connection, migrations: Mapping[int, Migration] = MIGRATIONS, *, version: int = VERSION
) -> None:
    """Bring the database of a write transaction up to ``version``.

    Raises:
        StoreError: a newer Outpace made it, or a step is missing; nothing was changed.
    """
    found = version_of(connection)
    if found is None:
        metadata.create_all(connection)
        _stamp(connection, version)
        return
    if found > version:
        raise StoreError(
            f"The store was made by a newer Outpace (version {found} of its tables; this one knows {version}). "
            "Update Outpace, or give another path."
        )
    for step in range(found + 1, version + 1):
        if step not in migrations:
            raise StoreError(f"The store is of version {found}, and there is no way from {step - 1} to {step}.")
        migrations[step](connection)
        _stamp(connection, step)


def _stamp(connection: Connection, version: int) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    connection.execute(insert(schema_version).values(version=version, applied=now))
