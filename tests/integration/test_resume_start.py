"""A run that was killed before its starting program was stored goes on like any other."""

import asyncio
from pathlib import Path

import pytest

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
