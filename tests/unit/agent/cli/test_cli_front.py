"""``outpace front``: what it prints, and what it refuses."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from outpace.agent.cli.front import objectives_of, table, words
from outpace.agent.cli.main import app
from outpace.agent.cli.report import record, stored
from outpace.agent.cli.report import words as last_words
from outpace.agent.store import open_store
from outpace.agent.store.base import Placed, Run, RunFront
from outpace.agent.store.contract import config, judged, land, program
from outpace.errors import UsageError
from outpace.evaluators.base import Evaluation
from outpace.tasks.spec import Goal, Objective

SHORT = Objective(metric="length", direction="minimise")


def test_objectives_are_metric_and_direction() -> None:
    assert objectives_of(["length:minimise", "case/1k:maximise"]) == (
        SHORT,
        Objective(metric="case/1k", direction="maximise"),
    )
    for given in ("length", "length:min", ":minimise", ""):
        with pytest.raises(UsageError, match="expected METRIC:minimise or METRIC:maximise"):
            objectives_of([given])


def test_the_table_tells_figures_origin_and_champion(make_run: Callable[[Goal], Run], speedup: Goal) -> None:
    judgement = Evaluation(status="ok", score=2.0, interval=(1.5, 2.5), metrics={"length": 120.0, "memory_mb": 45.0})
    members = tuple(
        Placed(candidate=candidate, evaluation=judgement, brief=brief, proposer="operators", operator="mutate")
        for candidate, brief in (("a" * 16, 7), ("b" * 16, 3))
    )
    run = replace(make_run(speedup), champion="b" * 16)
    found = RunFront(objectives=(SHORT,), members=members, ranked=9, unplaced=2, pruned=1)
    head, rows = table(run, found)
    assert head == ["candidate", "speed-up", "length", "made by", ""]
    assert rows[0] == ["a" * 16, "2x [1.5, 2.5]", "120", "operators, mutate (#7)", ""]
    assert rows[1][-1] == "champion"
    said = list(words(run, found, named_home=Path("/a b")))
    assert said[0] == ("Front of run r1: 2 programs, out of 9 with a score, by speed-up (maximise), length (minimise)")
    assert said[1:3] == [
        "Not placed: 2 programs of which not every objective is known.",
        "Left out where the front is crowded: 1 program.",
    ]
    assert said[3].endswith(f"outpace export {'a' * 16} -o DIR --home '/a b'"), "the champion has its own last words"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return a folder with one run: its start, a better and longer program, a shorter and worse one, a bad one."""
    store = open_store(tmp_path)
    run = store.add_run(config(objectives=(SHORT,)))
    for number, (score, length) in enumerate([(4.0, 50.0), (3.0, 80.0), (5.0, 20.0), (6.0, 90.0)]):
        metrics = {"case/1k": score, "length": length, "load": 0.5}
        land(store, run, program(f"x = {number}\n"), replace(judged(score), metrics=metrics))
    store.close()
    return tmp_path


def test_the_command_prints_the_front_of_a_run(home: Path) -> None:
    ids = [program(f"x = {number}\n").id for number in (1, 0, 2)]
    done = CliRunner().invoke(app, ["front", "last", "--home", str(home)])
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == ids
    assert lines[0].split() == ["candidate", "gap", "length", "made", "by"]
    told = json.loads(CliRunner().invoke(app, ["front", "last", "--home", str(home), "--json"]).output)
    assert [one["candidate"] for one in told["members"]] == ids
    assert told["members"][0]["objectives"] == {"length": 80.0}
    assert told["objectives"] == [{"metric": "length", "direction": "minimise"}]
    assert (told["ranked"], told["unplaced"], told["pruned"]) == (4, 0, 0)
    other = CliRunner().invoke(app, ["front", "last", "--home", str(home), "--objective", "length:maximise"])
    assert [line.split()[0] for line in other.output.splitlines()[1:3]] == [ids[0], program("x = 3\n").id]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["lenght:minimise"], "Unknown objective 'lenght'. Did you mean 'length'? Available: case/1k, length."),
        (["load:minimise"], "Unknown objective 'load'."),
        (["length:minimise", "length:maximise"], "--objective length was given twice"),
    ],
)
def test_what_the_command_refuses(home: Path, given: list[str], said: str) -> None:
    options = [word for one in given for word in ("--objective", one)]
    done = CliRunner().invoke(app, ["front", "last", "--home", str(home), *options])
    assert said in str(done.exception)


def test_a_run_without_objectives_says_what_there_is(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    run = store.add_run(config(objectives=()))
    done = CliRunner().invoke(app, ["front", run.id, "--home", str(tmp_path)])
    assert "its starting program is not judged" in str(done.exception)
    land(store, run, program("x = 0\n"), judged(1.0))
    done = CliRunner().invoke(app, ["front", run.id, "--home", str(tmp_path)])
    assert "has no objectives beside its score. Name some" in str(done.exception)
    assert "there are: case/1k, ops." in str(done.exception)
    unmeasured = store.add_run(config())
    land(store, unmeasured, program("x = 0\n"), Evaluation(status="ok"))
    done = CliRunner().invoke(app, ["front", "last", "--home", str(tmp_path)])
    assert "has no front: its programs were checked only" in str(done.exception)
    store.close()


def test_the_last_words_count_the_front(home: Path) -> None:
    store = open_store(home)
    report = stored(store, store.run("last"))
    said = list(last_words(report, home, named_home=None))
    assert f"Front: 3 programs (outpace front {report.run.id})" in said
    assert record(report, home)["front"] == 3
    assert record(report, home)["run"]["objectives"] == [{"metric": "length", "direction": "minimise"}]
    plain = store.add_run(config(objectives=()))
    land(store, plain, program("x = 0\n"), judged(1.0))
    report = stored(store, store.run(plain.id))
    assert report.front is None
    assert not [line for line in last_words(report, home, named_home=None) if line.startswith("Front")]
    store.close()
