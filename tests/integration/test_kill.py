"""kill -9 at random moments, then resume: nothing finished is lost, nothing stored is asked for again."""

import contextlib
import itertools
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from outpace.plugins import available
from outpace.tasks.registry import find

KILLS = 10
TASK_TOML = """\
name = "distance"
title = "Come close to a line"
entry = "solve"
evaluations = 300
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


def outpace(home: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "outpace", "--home", str(home), *arguments]


def rows(home: Path, query: str) -> Sequence[Any]:
    with sqlite3.connect(f"file:{home / 'outpace.db'}?mode=ro", uri=True) as database:
        return database.execute(query).fetchall()


def wait_for_results(home: Path, known: int) -> None:
    """Return when the store holds more results than are known (or after half a minute)."""
    for _ in range(600):
        if (home / "outpace.db").exists():
            with contextlib.suppress(sqlite3.OperationalError):  # the tables are being made
                if rows(home, "select count(*) from results")[0][0] > known:
                    return
        time.sleep(0.05)


@pytest.mark.slow
def test_ten_kills_lose_nothing(tmp_path: Path) -> None:
    folder, home = tmp_path / "distance", tmp_path / "home"
    folder.mkdir()
    for name, text in (("task.toml", TASK_TOML), ("program.py", PROGRAM), ("task.py", TASK)):
        (folder / name).write_text(text)
    chance = random.Random(20)
    command = outpace(home, "run", str(folder), "--seed", "3", "--workers", "2")
    before: set[tuple[Any, ...]] = set()
    in_the_middle = 0
    for number in range(KILLS):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
        if number % 5 == 0:
            time.sleep(1.5 * chance.random())  # anywhere in its start
        else:
            wait_for_results(home, len(before))
            time.sleep(0.5 * chance.random())
        still_running = process.poll() is None
        if still_running:
            os.kill(process.pid, signal.SIGKILL)
        _, stderr = process.communicate()
        assert still_running or process.returncode == 0, stderr.decode()
        try:
            if not rows(home, "select id from runs"):
                continue
        except sqlite3.OperationalError:  # killed before there was a store
            continue
        command = outpace(home, "resume", "last")
        assert rows(home, "pragma integrity_check") == [("ok",)]
        now = set(rows(home, "select brief, candidate, evaluation from results"))
        assert before <= now, "a finished evaluation was lost"
        in_the_middle += before < now and still_running
        before = now
    assert in_the_middle >= 6, "too few of the kills met a run at work to say anything"
    finished = subprocess.run(command, capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert rows(home, "select count(*) from runs") == [(1,)]
    assert before <= set(rows(home, "select brief, candidate, evaluation from results"))
    evaluated = [
        r[0] for r in rows(home, "select candidate from results where candidate is not null and not seen_before")
    ]
    assert len(evaluated) == len(set(evaluated)) == 300, "every candidate is judged once"
    listing = subprocess.run(outpace(home, "runs", "--json"), capture_output=True, text=True, check=True)
    (run,) = json.loads(listing.stdout)
    assert run["status"] == "finished"


def answered(home: Path) -> set[tuple[int, int]]:
    """Return seed and turn of every request whose answer is stored."""
    seeds = {number: json.loads(data)["seed"] for number, data in rows(home, "select number, data from briefs")}
    keys = [row[0].split("/") for row in rows(home, "select key from completions")]
    return {(seeds[int(brief)], int(turn)) for brief, turn in keys}


@pytest.mark.slow
def test_kills_ask_for_no_stored_answer_again(model_server: Any, tmp_path: Path) -> None:
    radii = itertools.count(1)

    def answer(messages: list[dict[str, str]]) -> str:
        line = re.findall(r"^RINGS = .*$", "\n".join(m["content"] for m in messages), re.MULTILINE)[0]
        ring = 0.4 + 0.0005 * next(radii)
        wanted = line if next(radii) % 3 else "RINGS = no such line"
        better = f"RINGS = [(0.04, 0.0, 0.0), (0.32, 0.2, 0.05), (0.64, {ring:.4f}, 0.02)]"
        return f"<<<<<<< SEARCH\n{wanted}\n=======\n{better}\n>>>>>>> REPLACE\n"

    model_server.answers, model_server.delay_s = answer, 0.05
    home, chance = tmp_path / "home", random.Random(5)
    environment = {**os.environ, "OPENAI_API_KEY": "sk-test"}
    endpoint = ["--model", "openai:scripted", "--base-url", model_server.base_url]
    command = outpace(home, "run", "circle_packing", *endpoint, "--evaluations", "40", "--workers", "1")
    kept: set[tuple[int, int]] = set()
    for _ in range(4):
        before = len(model_server.requests)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        model_server.arrived.clear()
        if model_server.arrived.wait(30):
            time.sleep(chance.random())
        process.kill()
        process.wait()
        again = {turn_of(seen) for seen in model_server.requests[before:]} & kept
        assert not again, "an answer that was stored has been asked for again"
        kept = answered(home)
        command = outpace(home, "resume", "last")
    before = len(model_server.requests)
    finished = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert finished.returncode == 0, finished.stderr
    assert not {turn_of(seen) for seen in model_server.requests[before:]} & kept
    assert len(kept) > 5


def turn_of(seen: Any) -> tuple[int, int]:
    return seen.body["seed"], sum(message["role"] == "assistant" for message in seen.body["messages"])


def script(path: Path) -> Path:
    """Write a script with a new program in every answer; what is asked in words gets one of them too."""
    before, _, rest = find("online_bin_packing").start.program.partition("    return ")
    after = rest.partition("\n")[2]
    values = [f"-((bins - item) ** {1 + number % 3}) + {0.1 * number:.1f} * (bins < 2 * item)" for number in range(60)]
    texts = [f"Number {n}.\n\n```python\n{before}    return {value}\n{after}```\n" for n, value in enumerate(values)]
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("proposer", ["operators", "scripted"])
@pytest.mark.parametrize("strategy", [name for name in available("strategy") if ":" not in name])
def test_every_strategy_goes_on_after_a_kill(strategy: str, proposer: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    model = ["--model", f"scripted:{script(tmp_path / 'answers.jsonl')}", "--edit", "whole"]
    options = ["--strategy", strategy, "--evaluations", "12", "--workers", "2", *(model * (proposer == "scripted"))]
    command = outpace(home, "run", "online_bin_packing", *options)
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)
    wait_for_results(home, 4)
    process.kill()
    _, stderr = process.communicate()
    assert process.returncode == -signal.SIGKILL, stderr.decode()
    before = set(rows(home, "select brief, candidate, evaluation from results"))
    finished = subprocess.run(outpace(home, "resume", "last"), capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
    assert before <= set(rows(home, "select brief, candidate, evaluation from results"))
    evaluated = rows(home, "select candidate from results where candidate is not null and not seen_before")
    assert len(evaluated) == len(set(evaluated)) == 12
    worked = rows(home, "select count(*) from evaluations where status = 'ok'")[0][0]
    assert worked > 6, "most programs of these proposers work, so a strategy that gets none going is at fault"
