"""The score that each bundled metric task states for its starting program is the one that the judge finds."""

import asyncio
import math

import pytest
from typer.testing import CliRunner

from outpace.agent.cli.main import app
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.sandbox.process import ProcessSandbox
from outpace.tasks import registry

QUICK = {"circle_packing", "matrix_multiplication_tensors"}
METRIC = [spec.name for spec in registry.specs() if spec.goal.kind == "metric"]
WIDTH = 120


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in METRIC]
)
def test_the_stated_start_is_what_the_judge_finds(name: str) -> None:
    task = registry.find(name)
    sandbox = ProcessSandbox()
    try:
        found = asyncio.run(CascadeEvaluator(sandbox).evaluate(task, task.start))
    finally:
        sandbox.close()
    assert found.score is not None, found.feedback
    assert task.spec.goal.start is not None
    assert task.spec.goal.start == pytest.approx(found.score, rel=1e-5)


def test_the_list_shows_goal_start_and_best_known_by_family() -> None:
    listed = CliRunner().invoke(app, ["task", "list"]).output.splitlines()
    assert max(map(len, listed)) <= WIDTH
    families = sorted({spec.family for spec in registry.specs()})
    assert [line for line in listed if line in families] == families
    rows = {line.split()[0]: " ".join(line.split()) for line in listed if line.startswith("  ")}
    assert rows.keys() == {spec.name for spec in registry.specs()}
    assert rows["circle_packing"].startswith("circle_packing max sum_of_radii 1.985 2.636 26 circles")
    assert rows["nbody"].startswith("nbody speed-up 1x - Gravity")


def test_a_start_lies_behind_the_best_known_value() -> None:
    for spec in registry.specs():
        goal = spec.goal
        if goal.start is not None and goal.best_known is not None:
            assert math.isfinite(goal.start) and goal.rank(goal.start) < goal.rank(goal.best_known), spec.name
