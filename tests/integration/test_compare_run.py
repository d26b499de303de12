"""A whole comparison from the command line: killed, interrupted, gone on with, and reported again."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
TASK_TOML = """\
name = "distance"
title = "Come close to a line"
entry = "solve"
statement = "Come close to the line 3 x - 2."

[goal]
kind = "metric"
name = "distance"
direction = "minimise"

[[cases]]
name = "line"
instances = 3

[[cases]]
name = "line-heldout"
split = "heldout"
seed = 50
"""
PROGRAM = "# EVOLVE-BLOCK-START\ndef solve(x):\n    return 0.5 * x + 1.0\n# EVOLVE-BLOCK-END\n"
TASK = """\
from outpace.tasks import spec


class Task(spec.Task):
    def generate(self, case, seed):
        return {"x": float(seed % 7)}

    def check(self, problem, output):
        if not isinstance(output, float):
            raise spec.WrongAnswer("expected a float")

    def score(self, problem, output):
        return abs(output - (3.0 * problem["x"] - 2.0))
"""


@pytest.fixture
def task(tmp_path: Path) -> Path:
    folder = tmp_path / "distance"
    folder.mkdir()
    (folder / "task.toml").write_text(TASK_TOML)
    (folder / "program.py").write_text(PROGRAM)
    (folder / "task.py").write_text(TASK)
    return folder


def compare(*arguments: str | Path, **more: Any) -> subprocess.Popen[str]:
    line = [sys.executable, "-W", "error", "-m", "outpace", "compare", *map(str, arguments)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def results(folder: Path) -> int:
    try:
        with sqlite3.connect(f"file:{folder / 'store' / 'outpace.db'}?mode=ro", uri=True) as database:
            return int(database.execute("select count(*) from results").fetchone()[0])
    except sqlite3.OperationalError:  # not there yet
        return 0


def wait_for_results(folder: Path, count: int) -> None:
    for _ in range(1200):
        if results(folder) >= count:
            return
        time.sleep(0.05)


def test_a_comparison_goes_on_after_kill_and_interruption_and_reports_the_same_again(
    task: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "compared"
    options = ("--strategy", "hill_climb", "--seeds", "2", "--evaluations", "8", "--workers", "1", "--no-plot")
    begun = compare(task, *options, "-o", folder)
    wait_for_results(folder, 12)  # in the second run
    begun.kill()
    begun.communicate()
    interrupted = compare("-o", folder, "--no-plot")
    wait_for_results(folder, 28)
    os.kill(interrupted.pid, signal.SIGINT)
    _, said = interrupted.communicate(timeout=60)
    assert interrupted.returncode == 130, said
    assert "Stopping: waiting for what is being evaluated" in said
    finished = compare(task, *options, "-o", folder, "--json")
    told, said = finished.communicate(timeout=120)
    assert finished.returncode == 0, said
    record = json.loads(told.splitlines()[-1])
    runs = [run for one in record["tasks"][0]["strategies"] for run in one["runs"]]
    assert (record["done"], record["cells"], len({run["run"] for run in runs})) == (6, 6, 6)
    assert all(run["evaluations"] == 8 for run in runs)
    with sqlite3.connect(folder / "store" / "outpace.db") as database:
        assert database.execute("select count(*) from runs").fetchone()[0] == 6, "no run was begun twice"
    report = (folder / "report.md").read_bytes()
    again = compare("--report", "-o", folder, "--no-plot")
    table, said = again.communicate(timeout=60)
    assert again.returncode == 0, said
    assert "Over all tasks" in table
    assert (folder / "report.md").read_bytes() == report


def test_models_are_compared_at_equal_tokens(model_server: Any, tmp_path: Path) -> None:
    widths = iter(range(1, 1000))

    def answer(messages: list[dict[str, str]]) -> str:
        program = f"RADIUS = {0.0001 * next(widths):.4f}\n"
        return f"Another constant.\n\n```python\n{program}```\n"

    model_server.answers = answer
    folder = tmp_path / "compared"
    environment = {**os.environ, "OPENAI_API_KEY": "sk-test-of-a-comparison"}
    asked = ("--model", "openai:scripted", "--base-url", model_server.base_url, "--no-repair", "--edit", "whole")
    bounds = ("--tokens", "600", "--evaluations", "50", "--seeds", "1", "--in-flight", "1", "--max-tokens", "100")
    done = compare("circle_packing", "--strategy", "islands", *asked, *bounds, "-o", folder, env=environment)
    _, said = done.communicate(timeout=120)
    assert done.returncode == 0, said
    record = json.loads((folder / "report.json").read_text())
    for line in record["tasks"][0]["strategies"]:
        (run,) = line["runs"]
        assert run["ended"] == "tokens"
        assert 600 <= run["tokens"] <= 720
        assert line["by_tokens"]["spent"][-1] == run["tokens"]
    assert "ended at" in (folder / "report.md").read_text()
    assert "sk-test" not in (folder / "plan.json").read_text()
