"""SQLite as the store's database: the one place that knows its ways. Another database is another module like this.

What was committed lasts: write-ahead log with ``synchronous=FULL`` (https://sqlite.org/wal.html). Writes open with
``BEGIN IMMEDIATE``: a transaction that reads first and writes later fails at once, without waiting, when another
process has written in between.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event

from outpace.errors import StoreError

APPLICATION_ID = 0x4F555450  # "OUTP": tells our files from other programs' databases
Error = sqlite3.Error  # comes through where we speak to the driver ourselves
MAGIC = b"SQLite format 3\x00"
APPLICATION_ID_AT = 68  # offset in the file header, https://sqlite.org/fileformat2.html
WAL_LIMIT_BYTES = 64 * 2**20  # what a checkpoint leaves of the log after a burst

WORDS = {
    "is locked": "another process has kept it locked for {busy_s:g} s; try again when that one has ended",
    "database or disk is full": "the disk is full; make room, then resume. What was stored before is safe",
    "attempt to write a readonly database": "it may not be written; check the rights of the file and its folder",
    "unable to open database file": "it cannot be opened; check that the folder exists and may be written",
    "disk i/o error": "the disk failed or is full; check it, then resume. What was stored before is safe",
    "malformed": "the file is damaged; restore a copy, or save what can be read with: sqlite3 FILE .recover",
    "file is not a database": "the file is damaged or not a database; give another path with --home",
}


def make_engine(path: Path, busy_s: float) -> Engine:
    """Return an engine on the database at ``path``, made if missing; raises ``StoreError`` if it is no file of ours."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists() or path.stat().st_size == 0
        if not new:
            _recognise(path)
        _prepare(path, busy_s, new=new)
    except OSError as error:
        reason = error.strerror or error
        raise StoreError(f"Cannot open the store {path}: {reason}. Give a place that can be written.") from error
    except sqlite3.Error as error:
        raise StoreError(f"Cannot open the store {path}: {explain(error, busy_s)}.") from error
    engine = create_engine(URL.create("sqlite", database=str(path)), connect_args={"timeout": busy_s})
    event.listen(engine, "connect", _connect)
    event.listen(engine, "begin", _begin)
    return engine


def explain(error: BaseException, busy_s: float) -> str:
    """Return in our words what the database complains of."""
    said = str(error)
    for words, meaning in WORDS.items():
        if words in said.lower():
            return meaning.format(busy_s=busy_s)
    return f"the database says: {said}"


def _recognise(path: Path) -> None:
    """Look at the file's header only, so that a file of somebody else is not touched."""
    with path.open("rb") as file:
        header = file.read(100)
    if not header.startswith(MAGIC):
        raise StoreError(f"{path} is not a database. Expected a store of Outpace; give another path.")
    if int.from_bytes(header[APPLICATION_ID_AT : APPLICATION_ID_AT + 4], "big") != APPLICATION_ID:
        raise StoreError(f"{path} is a database of another program. Expected a store of Outpace; give another path.")


def _prepare(path: Path, busy_s: float, *, new: bool) -> None:
    """Mark a new file as ours before anything else is in it, then switch to the write-ahead log (which lasts)."""
    with closing(sqlite3.connect(path, timeout=busy_s, isolation_level=None)) as connection:
        if new:
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        mode = connection.execute("PRAGMA journal_mode = WAL").fetchone()[0]
    if mode != "wal":
        text = f"Cannot open the store {path}: this file system cannot hold a write-ahead log (got mode '{mode}')"
        raise StoreError(f"{text}; give a path on a local disk.")


def _connect(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we write BEGIN ourselves, see _begin
    for pragma in ("synchronous = FULL", "foreign_keys = ON", f"journal_size_limit = {WAL_LIMIT_BYTES}"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("outpace_writes")
    raw: Any = connection.connection.driver_connection
    raw.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
