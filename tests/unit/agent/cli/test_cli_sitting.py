"""Whole runs through the command line: an own task, answers from a script, and what the other commands make of it."""

import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from outpace.agent.cli.main import app
from outpace.errors import TaskError, UnknownName, UsageError
from outpace.tasks.new import new

MAIN = "from outpace.agent.cli.main import main; main()"
START_LINE = "    return -due_dates\n"
BETTER = "    return weights / durations\n"


def edit(line: str, thought: str = "") -> str:
    return f"{thought}\n<<<<<<< SEARCH\n{START_LINE}=======\n{line}>>>>>>> REPLACE\n"


def write_script(path: Path, answers: Sequence[str]) -> str:
    path.write_text("".join(json.dumps({"text": answer}) + "\n" for answer in answers), encoding="utf-8")
    return f"scripted:{path}"


def arguments(folder: Path, model: str, *more: str) -> list[str]:
    """Return a run on the task in ``folder`` that isolates nothing: its candidates are the test's own."""
    home = str(folder.parent / "home")
    common = ["--strategy", "hill_climb", "--sandbox", "process", "--workers", "1", "--home", home]
    return ["run", str(folder), "--model", model, *common, *more]


def invoke(*given: str | Path) -> Result:
    return CliRunner().invoke(app, [str(one) for one in given])


def read(*given: str | Path) -> Any:
    """Return what a command prints with ``--json``."""
    result = invoke(*given, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return new(tmp_path_factory.mktemp("work") / "jobs_in_order")


@pytest.fixture(scope="module")
def home(folder: Path) -> Path:
    return folder.parent / "home"


@pytest.fixture(scope="module")
def lines(folder: Path) -> list[dict[str, Any]]:
    """Make one run with a better, a crashing and an unusable answer, and return its JSON lines."""
    hostile = "I \x1b[31mpaint\x1b[0m [bold]this[/bold] | red"
    answers = [edit(BETTER, hostile), edit("    return due_dates.no_such\n"), *["no edit at all"] * 8]
    model = write_script(folder.parent / "three.jsonl", answers)
    result = invoke(*arguments(folder, model, "--model-calls", "4", "--json"))
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture(scope="module")
def champion(lines: list[dict[str, Any]]) -> str:
    found = lines[-1]["champion"]["candidate"]
    assert isinstance(found, str)
    return found


def test_the_last_line_is_the_report(lines: list[dict[str, Any]], home: Path) -> None:
    report = lines[-1]
    assert [line["event"] for line in lines[:-1]] == ["progress"] * (len(lines) - 1)
    assert len(lines) > 1
    assert (report["event"], report["ended"], report["home"]) == ("report", "model_calls", str(home))
    assert report["champion"]["evaluation"]["score"] < report["start"]["evaluation"]["score"]
    assert report["heldout"]["score"] < report["start_heldout"]["score"]
    assert report["statuses"]["crashed"] == 1
    assert report["statuses"]["failed"] >= 1


def test_the_run_is_listed(lines: list[dict[str, Any]], champion: str, home: Path) -> None:
    (run,) = read("runs", "--home", home)
    assert (run["id"], run["status"], run["champion"]) == (lines[-1]["run"]["id"], "finished", champion)
    assert run["spent"]["model_calls"] >= 4
    assert champion in invoke("runs", "--home", home).output
    assert read("runs", "no_such_task", "--home", home) == []


def test_the_leaderboard_shows_score_heldout_gain_and_machine(champion: str, home: Path) -> None:
    (entry,) = read("leaderboard", "--home", home)
    assert entry["champion"] == champion
    assert entry["heldout"]["score"] is not None
    assert entry["gain"] > 0
    assert entry["machine"]["cpu"]
    shown = invoke("leaderboard", "jobs_in_order", "--home", home).output
    assert "% better" in shown
    assert champion in shown


def test_show_tells_figures_lineage_and_program(champion: str, home: Path) -> None:
    shown = invoke("show", champion[:6], "--home", home).output
    for part in ("held-out", "better", "Lineage", "start", "EVOLVE-BLOCK-START", BETTER.strip()):
        assert part in shown
    dossier = read("show", champion, "--home", home)
    assert [step["operator"] for step in dossier["lineage"]][-1] == "start"
    assert "\x1b[31m" in dossier["lineage"][0]["thought"]
    assert BETTER in dossier["files"]["program.py"]


def test_nothing_that_a_model_wrote_reaches_the_terminal_raw(champion: str, home: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    commands = (
        ["runs"],
        ["leaderboard"],
        ["show", champion],
        ["diff", "start", champion],
        ["export", champion, "-o", out],
    )
    for command in commands:
        assert "\x1b" not in invoke(*command, "--home", home).output
    assert "\x1b" not in (out / "README.md").read_text(encoding="utf-8")


def test_diff_with_the_start_both_ways(champion: str, home: Path) -> None:
    there = invoke("diff", "start", champion, "--home", home).output
    back = invoke("diff", champion, "start", "--home", home).output
    assert f"-{START_LINE}+{BETTER}" in there
    assert f"-{BETTER}+{START_LINE}" in back
    assert read("diff", "start", champion, "--home", home)["diff"] == there
    assert isinstance(invoke("diff", "start", "start", "--home", home).exception, UsageError)


def test_export_writes_program_and_evidence(champion: str, home: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "out"
    assert invoke("export", champion, "-o", out, "--home", home).exit_code == 0
    assert BETTER in (out / "program.py").read_text(encoding="utf-8")
    readme = (out / "README.md").read_text(encoding="utf-8")
    for part in (champion, "held-out", "Lineage", "seed 0", "cpu"):
        assert part in readme


def test_export_keeps_off_what_is_there(champion: str, home: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    refused = invoke("export", champion, "-o", tmp_path, "--home", home)
    assert isinstance(refused.exception, UsageError)
    assert "not empty" in str(refused.exception)
    assert not (tmp_path / "program.py").exists()
    in_the_way = invoke("export", champion, "-o", tmp_path / "mine.txt", "--home", home)
    assert "it is a file" in str(in_the_way.exception)
    assert invoke("export", champion, "-o", tmp_path, "--force", "--home", home).exit_code == 0
    assert (tmp_path / "mine.txt").read_text(encoding="utf-8") == "mine"


def test_verify_works_the_values_out_again(champion: str, home: Path, folder: Path) -> None:
    evidence = read("verify", champion, "--home", home)
    assert evidence["holds"] is True
    assert evidence["verdict"].startswith("holds: ")
    assert evidence["evaluations"]["heldout"]["score"] == evidence["recorded"]["heldout"]["score"]
    assert (evidence["noise"], evidence["containment"]["level"], evidence["sandbox"]) == (None, "D", "process")
    shown = invoke("show", champion, "--home", home).output
    assert evidence["verdict"] in shown
    refused = invoke("verify", champion, "--level", "A", "--home", home)
    assert "reaches level D here, level A was asked for" in str(refused.exception)
    statement = folder / "statement.md"
    text = statement.read_text(encoding="utf-8")
    try:
        statement.write_text(text + "\nSomething else.\n", encoding="utf-8")
        changed = invoke("verify", champion, "--home", home)
    finally:
        statement.write_text(text, encoding="utf-8")
    assert isinstance(changed.exception, TaskError)
    assert "has changed since run" in str(changed.exception)


def test_an_unknown_candidate_or_run_is_refused(champion: str, home: Path) -> None:
    for command in (["show", "ffff0000"], ["diff", champion, "ffff0000"], ["resume", "19990101-0000-xyz"]):
        assert isinstance(invoke(*command, "--home", home).exception, UnknownName)


def test_check_tries_the_starting_program(folder: Path, tmp_path: Path) -> None:
    assert invoke("task", "check", folder, "--sandbox", "process").exit_code == 0
    broken = new(tmp_path / "broken_start")
    program = broken / "program.py"
    text = program.read_text(encoding="utf-8").replace("return np.array(done)", "return np.array(done[1:])")
    program.write_text(text, encoding="utf-8")
    result = invoke("task", "check", broken, "--sandbox", "process")
    assert result.exit_code == 1
    assert "fails its own check (wrong)" in result.output
    assert str(program) in result.output


def test_a_start_that_fails_its_own_check_is_not_run(tmp_path: Path) -> None:
    broken = new(tmp_path / "broken_start")
    program = broken / "program.py"
    text = program.read_text(encoding="utf-8").replace("return np.array(done)", "return np.array(done[1:])")
    program.write_text(text, encoding="utf-8")
    model = write_script(tmp_path / "script.jsonl", [edit(BETTER)])
    result = invoke(*arguments(broken, model))
    assert result.exception is not None
    assert "fails its own check" in str(result.exception)
    assert "on case '40_jobs'" in str(result.exception).lower()
    assert read("runs", "--home", tmp_path / "home") == []


@pytest.fixture
def long_run(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Start a run in a process of its own that would take minutes, and wait until it has found something."""
    folder = new(tmp_path / "jobs_in_order")
    answers = [edit(f"    return {number} * weights / durations\n") for number in range(1, 2000)]
    model = write_script(tmp_path / "long.jsonl", answers)
    command = [sys.executable, "-c", MAIN, *arguments(folder, model, "--evaluations", "2000")]
    environment = {**os.environ, "TERM": "dumb"}
    with subprocess.Popen(
        command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "better than the start" in line:
                break
        yield process
        process.kill()


def test_the_first_ctrl_c_stops_cleanly_and_resume_goes_on(long_run: subprocess.Popen[str], tmp_path: Path) -> None:
    home = tmp_path / "home"
    long_run.send_signal(signal.SIGINT)
    said, progress = long_run.communicate(timeout=60)
    assert long_run.returncode == 130
    assert "Stopping: " in progress
    assert "Traceback" not in progress
    assert "it was interrupted" in said
    assert "Champion" in said
    (run,) = read("runs", "--home", home)
    assert f"outpace resume {run['id']}" in said
    assert run["status"] == "stopped"
    resumed = invoke("resume", "last", "--model-calls", str(run["spent"]["model_calls"] + 3), "--home", home)
    assert resumed.exit_code == 0, resumed.output
    assert "all model calls of the budget are made" in resumed.output
    (after,) = read("runs", "--home", home)
    assert after["status"] == "finished"
    assert after["spent"]["evaluations"] >= run["spent"]["evaluations"]


def test_the_second_ctrl_c_kills_at_once(long_run: subprocess.Popen[str], tmp_path: Path) -> None:
    assert long_run.stderr is not None
    long_run.send_signal(signal.SIGINT)
    for line in long_run.stderr:
        if line.startswith("Stopping"):
            break
    long_run.send_signal(signal.SIGINT)
    said, progress = long_run.communicate(timeout=60)
    assert long_run.returncode == 130
    assert said == ""
    assert "Traceback" not in progress
    (run,) = read("runs", "--home", tmp_path / "home")
    assert run["status"] == "stopped"
    assert f"outpace resume {run['id']}" in progress


def test_a_model_that_fails_ends_the_run_in_one_line_and_keeps_what_was_found(tmp_path: Path) -> None:
    folder = new(tmp_path / "jobs_in_order")
    answers = [edit(f"    return {number} * weights / durations\n") for number in range(1, 13)]
    model = write_script(tmp_path / "short.jsonl", answers)
    command = [sys.executable, "-c", MAIN, *arguments(folder, model, "--evaluations", "50", "--in-flight", "2")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("outpace: scripted:")
    (run,) = read("runs", "--home", tmp_path / "home")
    assert run["status"] == "failed"
    assert run["spent"]["evaluations"] > 1
    assert f"outpace resume {run['id']}" in done.stderr


def test_on_a_terminal_the_run_is_a_live_table_that_leaves_the_cursor_as_it_was(folder: Path, tmp_path: Path) -> None:
    model = write_script(tmp_path / "two.jsonl", [edit(BETTER), *[edit("    return weights\n")] * 8])
    ours, theirs = pty.openpty()
    command = [sys.executable, "-c", MAIN, *arguments(folder, model, "--evaluations", "2", "--home", str(tmp_path))]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100"}
    with subprocess.Popen(command, text=True, env=environment, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the terminal is gone: the process has ended
            while chunk := os.read(ours, 4096):
                shown += chunk
        said = process.communicate(timeout=60)[0]
    os.close(ours)
    assert process.returncode == 0
    assert b"evaluations" in shown
    assert b"% better" in shown
    assert shown.rindex(b"\x1b[?25h") > shown.rindex(b"\x1b[?25l")
    assert "Champion" in said
    assert "\x1b" not in said
