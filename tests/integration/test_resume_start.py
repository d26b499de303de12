"""A run that was killed before its starting program was stored goes on like any other."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

import outpace
from outpace.agent.budget import Budget
from outpace.agent.evolve import resume_run
from outpace.agent.proposal import Brief, Proposal
from outpace.agent.store import open_store
from outpace.agent.store.base import RunConfig
from outpace.tasks import registry


@pytest.mark.parametrize("stored", ["the run", "its first brief", "its first proposal"])
def test_resume_begins_where_the_beginning_broke_off(stored: str, tmp_path: Path) -> None:
    task = registry.find("circle_packing")
    store = open_store(tmp_path)
    run = store.add_run(
        RunConfig(
            task="circle_packing",
            task_name="circle_packing",
            task_fingerprint=task.fingerprint,
            goal=task.spec.goal,
            strategy="hill_climb",
            proposer="operators",
            seed=1,
            budget=Budget(evaluations=4),
            workers=1,
            sandbox="bubblewrap",
        )
    )
    if stored != "the run":
        store.add_brief(run.id, Brief(number=0, parents=(), seed=0), {})
    if stored == "its first proposal":
        start = Proposal(candidate=task.start, proposer="task", operator="start", parents=())
        store.add_proposal(run.id, 0, start)
    store.close()
    report = asyncio.run(resume_run("last", home=tmp_path))
    assert report.ended == "evaluations"
    assert report.spent.evaluations == 4
    assert report.start.candidate == task.start


def test_a_run_of_the_first_version_of_the_store_goes_on(tmp_path: Path) -> None:
    """It asked for no level: it goes on at the one that its sandbox gave it then."""
    report = outpace.evolve(
        "circle_packing", budget=outpace.Budget(evaluations=3), workers=1, sandbox="bubblewrap", home=tmp_path
    )
    assert report.run.config.level == "B"
    with closing(sqlite3.connect(tmp_path / "outpace.db")) as raw, raw:
        for table in ("noises", "duels", "surprises", "verifications"):
            raw.execute(f"DROP TABLE {table}")
        for (index,) in raw.execute(
            "SELECT name FROM sqlite_master WHERE sql LIKE 'CREATE INDEX%programs%shape%'"
        ).fetchall():
            raw.execute(f"DROP INDEX {index}")
        raw.execute("ALTER TABLE programs DROP COLUMN shape")
        raw.execute("UPDATE runs SET config = json_remove(config, '$.level')")
        raw.execute("UPDATE schema_version SET version = 1")
    again = asyncio.run(resume_run("last", home=tmp_path, budget=outpace.Budget(evaluations=6)))
    assert again.spent.evaluations == 6
    assert again.run.config.level == "C"
