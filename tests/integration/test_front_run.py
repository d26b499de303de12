"""A run with objectives, from its task's or the user's, through a sandbox, and on resume."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

import outpace
from outpace.agent.budget import Budget
from outpace.agent.evolve import resume_run
from outpace.agent.store import open_store
from outpace.errors import UnknownName, UsageError
from outpace.tasks.new import new
from outpace.tasks.spec import Objective

pytestmark = pytest.mark.slow

SHORT = Objective(metric="length", direction="minimise")
SMALL = Objective(metric="memory_mb", direction="minimise")


def test_a_run_keeps_its_objectives_over_sittings(tmp_path: Path) -> None:
    report = outpace.evolve(
        "circle_packing", budget=Budget(evaluations=8), workers=1, home=tmp_path, objectives=(SHORT, SMALL), seed=1
    )
    assert report.run.config.objectives == (SHORT, SMALL)
    again = asyncio.run(resume_run("last", home=tmp_path, budget=Budget(evaluations=14)))
    assert again.run.config.objectives == (SHORT, SMALL)
    store = open_store(tmp_path)
    found = store.front(again.run.id, again.run.config.objectives)
    assert again.front == len(found.members) >= 1
    assert found.unplaced == 0
    ranked = store.top(again.run.id, 99)
    assert found.members[0].evaluation.score == ranked[0].evaluation.score, "the best by score is in every front"
    assert min(one.evaluation.metrics["length"] for one in found.members) == min(
        one.evaluation.metrics["length"] for one in ranked
    )
    store.close()


def test_the_objectives_of_a_task_are_those_of_its_runs(tmp_path: Path) -> None:
    folder = new(tmp_path / "jobs")
    table = '\n[[objectives]]\nmetric = "late"\ndirection = "minimise"\n'
    (folder / "task.toml").write_text((folder / "task.toml").read_text() + table)
    run: dict[str, Any] = {"budget": Budget(evaluations=4), "workers": 1, "home": tmp_path / "home"}
    with pytest.raises(UsageError, match=r"\[\[objectives\]\] of task\.toml: Unknown objective 'late'"):
        outpace.evolve(str(folder), **run)
    method = "\n    def metrics(self, problem, output):\n        return {'late': float(len(output))}\n"
    (folder / "task.py").write_text((folder / "task.py").read_text() + method)
    report = outpace.evolve(str(folder), **run)
    assert [one.metric for one in report.run.config.objectives] == ["late"]
    assert report.front is not None
    other = outpace.evolve(str(folder), objectives=(SHORT,), **run)
    assert other.run.config.objectives == (SHORT,)
    with pytest.raises(UnknownName, match=r"Unknown objective 'lat'\. Did you mean 'late'\?"):
        outpace.evolve(str(folder), objectives=(Objective(metric="lat", direction="minimise"),), **run)
