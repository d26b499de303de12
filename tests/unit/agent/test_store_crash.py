"""What was acknowledged survives a kill at any moment, and several processes share one database."""

import random
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest

from outpace.agent.models.base import Completion
from outpace.agent.store.contract import config, refusal
from outpace.agent.store.sql import SQLStore, open_store
from outpace.errors import StoreError

WRITER = """
import sys
from itertools import count
from outpace.agent.models.base import Completion
from outpace.agent.proposal import Brief, Proposal, Result
from outpace.agent.store.contract import judged, program, propose
from outpace.agent.store.sql import open_store

store, steps = open_store(sys.argv[1]), int(sys.argv[3])
run = store.run(sys.argv[2])
first = sum(store.statuses(run.id).values())
left = {pending.brief.number: pending for pending in store.pending(run.id)}
for number in range(first, first + steps) if steps else count(first):
    brief, candidate = Brief(number=number, parents=(), seed=number), program(f"x = {number}")
    key, known = f"{number}/{sys.argv[2]}", left.get(number)
    if known and known.proposal:
        proposal = known.proposal
    elif known:
        proposal = Proposal(candidate=candidate, proposer="p", operator="o", parents=())
        store.add_proposal(run.id, number, proposal)
    else:
        proposal = propose(store, run, brief, candidate)
    print("proposal", number, flush=True)
    if store.completion(run.id, key) is None:
        store.add_completion(run.id, key, Completion(text=f"answer {number}", model="m"))
    print("completion", number, flush=True)
    store.add_result(run.id, Result(brief=brief, proposal=proposal, evaluation=judged(float(number))))
    print("result", number, flush=True)
store.close()
"""


def writer(path: Path, run: str, steps: int = 0) -> "subprocess.Popen[str]":
    command = [sys.executable, "-c", WRITER, str(path), run, str(steps)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def killed_after(lines: int, path: Path, run: str) -> set[tuple[str, int]]:
    """Let a process write, kill it while it goes on, and return all that it had acknowledged as (what, brief)."""
    with writer(path, run) as process:
        assert process.stdout is not None
        try:
            said = list(islice(process.stdout, lines))
        finally:
            process.kill()
        said += process.stdout
    assert process.returncode == -signal.SIGKILL
    return {(kind, int(number)) for kind, number in map(str.split, said)}


def hold_against(store: SQLStore, run: str, acknowledged: set[tuple[str, int]]) -> None:
    """Find everything that was acknowledged, and counters that agree with it."""
    told = [result.brief.number for result in store.results(run)]
    found = {("result", number) for number in told} | {("proposal", number) for number in told}
    found |= {("proposal", one.brief.number) for one in store.pending(run) if one.proposal}
    for number in [number for kind, number in acknowledged if kind == "completion"]:
        assert store.completion(run, f"{number}/{run}") == Completion(text=f"answer {number}", model="m")
        found.add(("completion", number))
    assert acknowledged <= found
    assert told == list(range(len(told)))
    assert store.spent(run).evaluations == len(told)
    assert store.statuses(run) == ({"ok": len(told)} if told else {})


def test_everything_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    path, chance = tmp_path / "outpace.db", random.Random(4)
    with closing(open_store(path)) as store:
        run = store.add_run(config()).id
    acknowledged: set[tuple[str, int]] = set()
    for _ in range(5):
        acknowledged |= killed_after(chance.randrange(1, 120), path, run)
        with closing(open_store(path)) as store:
            hold_against(store, run, acknowledged)
    assert len(acknowledged) > 200
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []


def test_two_processes_write_their_runs_at_once(tmp_path: Path) -> None:
    path = tmp_path / "outpace.db"
    with closing(open_store(path)) as store:
        runs = [store.add_run(config()).id for _ in range(2)]
    both = [writer(path, run, steps=60) for run in runs]
    try:
        for process in both:
            process.communicate()
            assert process.returncode == 0
    finally:
        for process in both:
            process.kill()
            process.wait()
    with closing(open_store(path)) as store:
        for run in runs:
            assert [result.brief.number for result in store.results(run)] == list(range(60))
            assert store.spent(run).evaluations == 60
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("SELECT count(*) FROM programs").fetchone() == (60,)  # the same programs, kept once
        assert raw.execute("SELECT count(*) FROM texts").fetchone() == (62,)  # and the notes, and the machine


def test_two_processes_may_make_the_store_at_once(tmp_path: Path) -> None:
    code = "import sys; from outpace.agent.store.sql import open_store; open_store(sys.argv[1]).close()"
    many = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "new" / "outpace.db")]) for _ in range(3)]
    assert [process.wait() for process in many] == [0, 0, 0]


HOLDER = """
import sys
from outpace.agent.store.sql import open_store
store = open_store(sys.argv[1])
with store.hold(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
store.close()
"""


@pytest.mark.parametrize("ending", ["killed", "ended"])
def test_a_run_is_held_until_its_process_is_gone(tmp_path: Path, ending: str) -> None:
    path = tmp_path / "outpace.db"
    with closing(open_store(path)) as store:
        run = store.add_run(config()).id
        command = [sys.executable, "-c", HOLDER, str(path), run]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None and process.stdin is not None
            assert process.stdout.readline() == "held\n"
            assert store.is_held(run)
            said = refusal(lambda: store.hold(run).__enter__(), StoreError)
            assert f"Run {run} is being run by another process (process {process.pid})" in said
            if ending == "killed":
                process.kill()
            else:
                process.stdin.close()
        assert not store.is_held(run)
        with store.hold(run):
            assert store.is_held(run)
    assert not list(tmp_path.glob("*.lock"))
