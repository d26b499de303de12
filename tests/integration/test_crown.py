"""A real run on a small speed-up task: noise, duels, a champion that can be verified; and kill -9 in a duel."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

TASK_TOML = """\
name = "squares"
title = "Sum of squares, faster"
entry = "squares"
statement = "Return the sum of the squares as an int. It must be exact."
requires = ["numpy"]

[goal]
kind = "speedup"

[[cases]]
name = "20000"
params = { size = 20000 }

[[cases]]
name = "30000"
split = "heldout"
params = { size = 30000 }
"""
LOOP = """\
    total = 0
    for value in values:
        total += int(value) * int(value)
    return total
"""
PROGRAM = f"import numpy as np\n\n\n# EVOLVE-BLOCK-START\ndef squares(values):\n{LOOP}# EVOLVE-BLOCK-END\n"
TASK = """\
import numpy as np

from outpace.tasks import spec


class Task(spec.Task):
    def generate(self, case, seed):
        return {"values": np.random.default_rng(seed).integers(-1000, 1000, case.params["size"])}

    def reference(self, problem):
        return int(np.square(problem["values"]).sum())

    def check(self, problem, output):
        if type(output) is not int or output != self.reference(problem):
            raise spec.WrongAnswer("expected the exact sum, as an int")
"""
LISTED = "    return sum(value * value for value in values.tolist())\n"
DOTTED = "    return int(np.dot(values, values))\n"
WRONG = "    return int(np.dot(values, values)) + 1\n"


def edit(body: str) -> str:
    return f"<<<<<<< SEARCH\n{LOOP}=======\n{body}>>>>>>> REPLACE\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "squares"
    folder.mkdir()
    for name, text in (("task.toml", TASK_TOML), ("program.py", PROGRAM), ("task.py", TASK)):
        (folder / name).write_text(text)
    return folder


def outpace(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "outpace", "--home", str(home), *arguments]


def run(folder: Path, home: Path, bodies: Sequence[str]) -> list[str]:
    """Return the command of a run in which these bodies are proposed, one at a time."""
    script = folder.parent / "answers.jsonl"
    script.write_text("".join(json.dumps({"text": edit(body)}) + "\n" for body in bodies))
    options = ["--strategy", "hill_climb", "--workers", "1", "--evaluations", str(1 + len(bodies)), "--json"]
    return outpace(home, "run", str(folder), "--model", f"scripted:{script}", *options)


def rows(home: Path, query: str) -> list[Any]:
    with sqlite3.connect(f"file:{home / 'outpace.db'}?mode=ro", uri=True) as database:
        return database.execute(query).fetchall()


@pytest.mark.slow
def test_the_crown_is_won_in_duels_and_the_champion_can_be_verified(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = subprocess.run(run(folder, home, [LISTED, WRONG, DOTTED]), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert events[0]["noise"] is None, "the first look is before the A/A measurement"
    report = events[-1]
    assert report["noise"]["floor"] > 0
    assert report["statuses"] == {"ok": 3, "wrong": 1}
    assert [duel["outcome"] for duel in report["duels"]] == ["won", "won"]
    champion = report["champion"]["candidate"]
    assert report["duels"][1]["challenger"] == champion
    assert report["duels"][1]["champion"] == report["duels"][0]["challenger"]
    assert report["duels"][1]["evaluation"]["interval"][0] > 1 + report["noise"]["floor"]
    assert {report["confirmed"]["status"], report["heldout"]["status"]} == {"ok"}
    assert report["confirmed"]["machine"]["level"] <= "B"
    assert float(report["confirmed"]["machine"]["noise_floor"]) == pytest.approx(report["noise"]["floor"], abs=1e-4)

    verified = subprocess.run(outpace(home, "verify", champion), capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert verified.stdout.splitlines()[-1].startswith("holds: ")
    for part in (
        "wall clock",
        "CPU clock",
        "pairs of fresh processes",
        "noise floor",
        "level",
        "recorded on  the same",
    ):
        assert part in verified.stdout
    shown = subprocess.run(outpace(home, "show", champion), capture_output=True, text=True, check=True).stdout
    for part in ("duel", "won", "noise floor", "verified", "holds: "):
        assert part in shown

    wrong = rows(home, "select candidate from evaluations where status = 'wrong'")[0][0]
    refused = subprocess.run(outpace(home, "verify", wrong, "--json"), capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    evidence = json.loads(refused.stdout)
    assert evidence["verdict"].startswith("does not hold: wrong on fresh training inputs")
    assert rows(home, "select holds from verifications order by number") == [(1,), (0,)]

    (folder / "statement.md").write_text("Something else.\n")
    (folder / "task.toml").write_text(TASK_TOML.replace('statement = "Return', '# statement = "Return'))
    changed = subprocess.run(outpace(home, "verify", champion), capture_output=True, text=True, check=False)
    assert changed.returncode == 2
    assert "has changed since run" in changed.stderr


@pytest.mark.slow
def test_a_run_killed_in_a_duel_goes_on_and_fights_no_duel_twice(folder: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    command = run(folder, home, [LISTED, DOTTED])
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            event = json.loads(line)
            if event.get("challenger") and event["duels"] == 1:
                break
        os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert rows(home, "pragma integrity_check") == [("ok",)]
    before = rows(home, "select number, challenger, champion, evaluation, outcome from duels")
    assert len(before) == 1, "the second duel was going on"
    assert len(rows(home, "select number from noises")) == 1
    judged = rows(home, "select seq from results")

    resumed = subprocess.run(outpace(home, "resume", "last", "--json"), capture_output=True, text=True, check=False)
    assert resumed.returncode == 0, resumed.stderr
    after = rows(home, "select number, challenger, champion, evaluation, outcome from duels")
    assert after[:1] == before
    assert [row[1] for row in after[1:]] == [event["challenger"]]
    assert len(rows(home, "select number from noises")) == 1, "the noise of this machine was known"
    assert len(judged) <= len(rows(home, "select seq from results")) == 3
    report = json.loads(resumed.stdout.splitlines()[-1])
    assert report["champion"]["candidate"] == event["challenger"]
