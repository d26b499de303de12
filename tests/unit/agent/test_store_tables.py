"""The tables: how they are looked up, how they are brought up to date, and that another database could hold them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, create_engine, event, inspect, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from outpace.agent.models.base import Completion
from outpace.agent.proposal import Brief, Member
from outpace.agent.store import recording, sqlite
from outpace.agent.store.base import Duel
from outpace.agent.store.contract import NOISE, config, judged, land, program, propose
from outpace.agent.store.migrations import migrate, version_of
from outpace.agent.store.schema import VERSION, metadata
from outpace.agent.store.sql import SQLStore, open_store
from outpace.errors import StoreError

VERSION_1 = Path(__file__).parent / "golden" / "store_version_1.sql"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SQLStore]:
    with closing(open_store(tmp_path / "outpace.db")) as store:
        yield store


def test_no_step_of_a_search_scans_a_table_or_sorts(store: SQLStore) -> None:
    """Whatever the search calls for one candidate looks up by an index, so the millionth costs what the first did."""
    run = store.add_run(config())
    start = land(store, run, program("x = 0\n"), judged(1.0))
    assert start.evaluation is not None
    seen: list[tuple[str, Any]] = []

    @event.listens_for(store._engine, "before_cursor_execute")
    def _note(_conn: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        seen.append((statement, parameters))

    land(store, run, program("x = 1\n"), judged(0.5), parents=[Member(program("x = 0\n"), start.evaluation)])
    store.add_completion(run.id, "1/0", Completion(text="a", model="m"))
    store.completion(run.id, "1/0")
    store.add_wall(run.id, 1.0)
    store.add_confirmation(run.id, program("x = 1\n").id, "train", judged(0.5))
    found = {"evaluation": judged(1.5), "outcome": "won"}
    store.add_duel(run.id, Duel(challenger=program("x = 1\n").id, champion=program("x = 0\n").id, **found))  # type: ignore[arg-type]
    store.add_noise(run.id, NOISE, {"cpu": "x86"})
    for look in (store.duels, store.surprises, store.noise):
        look(run.id)
    store.verifications(run.id, program("x = 1\n").id)
    for count in (store.spent, store.state, store.statuses, store.history):
        count(run.id)
    store.top(run.id, 5)
    store.evaluation(run.id, program("x = 1\n").id)
    store.known(run.id, program("x = 1  # one\n"), before=2)
    store.confirmations(run.id, program("x = 1\n").id)
    store.candidate(program("x = 1\n").id)
    event.remove(store._engine, "before_cursor_execute", _note)

    assert len(seen) > 25
    for statement, parameters in seen:
        with store._read() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
        steps = [row[3] for row in plan]
        assert not [step for step in steps if step.startswith("SCAN") and "CONSTANT" not in step], (statement, steps)
        assert not [step for step in steps if "TEMP B-TREE" in step], (statement, steps)


def test_programs_and_machines_are_kept_once(store: SQLStore) -> None:
    run, again = store.add_run(config()), store.add_run(config())
    for where in (run, again):
        for number in range(5):
            land(store, where, program(f"x = {number}\n"), judged(1.0))
    with store._read() as connection:
        counts = {name: connection.scalar(text(f"SELECT count(*) FROM {name}")) for name in ("programs", "texts")}
    assert counts == {"programs": 5, "texts": 7}  # five programs, the notes beside each, one machine


def test_a_text_of_an_undone_transaction_is_stored_when_it_comes_again(store: SQLStore) -> None:
    run, candidate = store.add_run(config()), program("x = 1\n" * 2)
    proposal = propose(store, run, Brief(number=0, parents=(), seed=0), program("x = 0\n"))
    for _ in range(2):
        with pytest.raises(StoreError):  # brief 0 has its proposal: the new program goes with the transaction
            store.add_proposal(run.id, 0, type(proposal)(candidate=candidate, proposer="p", operator="o", parents=()))
    propose(store, run, Brief(number=1, parents=(), seed=0), candidate)
    assert [one.proposal.candidate for one in store.pending(run.id) if one.proposal] == [program("x = 0\n"), candidate]


def test_a_store_reopened_holds_the_same(tmp_path: Path) -> None:
    with closing(open_store(tmp_path / "outpace.db")) as store:
        run = store.add_run(config())
        told = [land(store, run, program("x = 0\n"), judged(1.0))]
        assert told[0].evaluation is not None
        start = Member(program("x = 0\n"), told[0].evaluation)
        told += [land(store, run, program(f"x = {number}\n"), judged(2.0), parents=[start]) for number in range(1, 5)]
    with closing(open_store(tmp_path / "outpace.db")) as store:
        assert list(store.results(run.id)) == told
        assert store.run("last") == run
        assert store.state(run.id) == {"asks": 4}


def test_an_older_store_is_brought_up_step_by_step(store: SQLStore) -> None:
    done: list[int] = []

    def step(number: int) -> Any:
        def change(connection: Connection) -> None:
            connection.execute(text(f"CREATE TABLE step_{number} (x INTEGER)"))
            done.append(number)

        return change

    with store._write("a test") as connection:
        migrate(connection, {4: step(4), 5: step(5)}, version=5)
        assert version_of(connection) == 5
    assert done == [4, 5]
    with store._write("a test") as connection:
        migrate(connection, {4: step(4), 5: step(5)}, version=5)
    assert done == [4, 5]


@pytest.fixture
def old_store(tmp_path: Path) -> Path:
    """Return the path of a store that version 0.1.0 made: one run in bubblewrap, one in limits only."""
    path = tmp_path / "outpace.db"
    with closing(sqlite3.connect(path)) as raw:
        raw.executescript(VERSION_1.read_text(encoding="utf-8"))
        raw.execute(f"PRAGMA application_id = {sqlite.APPLICATION_ID}")
    return path


def test_a_store_of_the_first_version_holds_what_it_held(old_store: Path) -> None:
    """Its runs, results and champions; each run at the level that its sandbox gave it then."""
    with closing(open_store(old_store)) as store:
        second, first = store.runs()
        assert (first.config.sandbox, first.config.level) == ("bubblewrap", "C")
        assert (second.config.sandbox, second.config.level) == ("process", "D")
        assert [result.brief.number for result in store.results(first.id)] == list(
            range(len(list(store.results(first.id))))
        )
        assert store.spent(first.id).evaluations == 12
        (entry,) = [entry for entry in store.leaderboard() if entry.run.id == first.id]
        assert entry.heldout is not None and entry.heldout.status == "ok"
        assert store.noise(first.id) is None
        later = (store.duels(first.id), store.surprises(first.id), store.verifications(first.id, entry.candidate))
        assert later == ([], [], [])
        store.add_noise(first.id, NOISE, {"cpu": "x86"})
    with closing(open_store(old_store)) as store:
        assert store.noise(first.id) == (NOISE, {"cpu": "x86"})
        with store._read() as connection:
            assert version_of(connection) == VERSION


def test_an_older_store_has_the_tables_of_a_new_one(old_store: Path, tmp_path: Path) -> None:
    for path in (old_store, tmp_path / "new.db"):
        open_store(path).close()
    old, new = (structure(path) for path in (old_store, tmp_path / "new.db"))
    assert old == new


def structure(path: Path) -> dict[str, Any]:
    """Return the tables and indexes of a database: a column that was added later stands elsewhere in their text."""
    engine = create_engine(f"sqlite:///{path}")
    try:
        found = inspect(engine)
        return {
            name: (
                [{**column, "type": str(column["type"])} for column in found.get_columns(name)],
                found.get_pk_constraint(name),
                sorted(map(str, found.get_foreign_keys(name))),
                sorted(map(str, found.get_indexes(name))),
                sorted(map(str, found.get_unique_constraints(name))),
            )
            for name in found.get_table_names()
        }
    finally:
        engine.dispose()


def test_programs_of_an_older_store_get_their_shape_when_they_come_again(old_store: Path) -> None:
    with closing(open_store(old_store)) as store:
        first = store.runs()[-1]
        (best, *_) = store.top(first.id, 1)
        again = best.candidate.with_program(best.candidate.program + "# the same\n")
        assert store.known(first.id, best.candidate) == best
        assert store.known(first.id, again) is None
        run = store.add_run(config())
        land(store, run, best.candidate, judged(1.0))
        assert store.known(first.id, again) == best
        assert store.known(run.id, again) == Member(best.candidate, judged(1.0))
        assert store.candidate(best.candidate.id) == best.candidate


def test_a_step_that_fails_leaves_the_store_as_it_was(store: SQLStore) -> None:
    def broken(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE half (x INTEGER)"))
        connection.execute(text("CREATE NONSENSE"))

    with pytest.raises(StoreError, match="NONSENSE"), store._write("a test") as connection:
        migrate(connection, {VERSION + 1: broken}, version=VERSION + 1)
    with pytest.raises(StoreError, match="no way from 3 to 4"), store._write("a test") as connection:
        migrate(connection, {}, version=4)
    with store._read() as connection:
        assert version_of(connection) == VERSION
        assert connection.scalar(text("SELECT count(*) FROM sqlite_master WHERE name = 'half'")) == 0


def test_durability_is_what_we_say(store: SQLStore) -> None:
    with store._read() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}


def test_tables_and_statements_are_postgresql_too() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in metadata.sorted_tables:
        assert str(CreateTable(table).compile(dialect=dialect))
        for index in table.indexes:
            assert str(CreateIndex(index).compile(dialect=dialect))
    written = (recording.KEEP_TEXT, recording.KEEP_PROGRAM, recording.CARRY, recording.COUNT)
    for statement in (recording.STANDING, recording.MEMBERS_AMONG, *written):
        assert str(statement.compile(dialect=dialect))
