"""The command as a process of its own: exit codes, one line for each error, never a traceback."""

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

MAIN = "from outpace.agent.cli.main import main; main()"


def outpace(*arguments: str | Path, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("OUTPACE")}
    return subprocess.run(
        [sys.executable, "-c", MAIN, *(str(argument) for argument in arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        env={**kept, **environment},
        stdin=subprocess.DEVNULL,
    )


def assert_one_line(done: subprocess.CompletedProcess[str], code: int, *parts: str) -> None:
    assert done.returncode == code, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("outpace: ")
    for part in parts:
        assert part in line


def test_unknown_task(tmp_path: Path) -> None:
    done = outpace("run", "edit_distanse", "--home", tmp_path / "home", cwd=tmp_path)
    assert_one_line(done, 2, "Unknown task 'edit_distanse'", "Did you mean 'edit_distance'?")


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    assert "Traceback" in outpace("--debug", "task", "show", "nothing", cwd=tmp_path).stderr
    done = outpace("task", "show", "nothing", cwd=tmp_path, OUTPACE_DEBUG="1")
    assert "Traceback" in done.stderr
    assert done.returncode == 2


def test_broken_task(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "task.toml").write_text("name = 3\n", encoding="utf-8")
    done = outpace("run", "./mine", "--home", tmp_path / "home", cwd=tmp_path)
    assert_one_line(done, 2, "mine/task.toml: ", "expected", "task check")


def test_home_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    assert_one_line(outpace("run", "nbody", "--home", tmp_path / "file" / "home", cwd=tmp_path), 1, "file/home")


@pytest.mark.parametrize("command", [("runs",), ("leaderboard",), ("show", "abcd"), ("resume", "last")])
def test_database_of_another_program(command: tuple[str, ...], tmp_path: Path) -> None:
    from outpace.agent.store import DATABASE

    with sqlite3.connect(tmp_path / DATABASE) as foreign:
        foreign.execute("create table songs (title text)")
    foreign.close()
    done = outpace(*command, "--home", tmp_path, cwd=tmp_path)
    assert_one_line(done, 1, DATABASE)


def test_file_that_is_no_database(tmp_path: Path) -> None:
    from outpace.agent.store import DATABASE

    (tmp_path / DATABASE).write_text("not a database at all, only text\n" * 100, encoding="utf-8")
    assert_one_line(outpace("runs", "--home", tmp_path, cwd=tmp_path), 1, DATABASE)


def test_wrong_usage(tmp_path: Path) -> None:
    for arguments in (["run"], ["run", "nbody", "--no-such-option"], ["nothing"], ["run", "nbody", "--seed", "x"]):
        done = outpace(*arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
        assert "Error: " in done.stderr


def test_nothing_to_do_shows_the_help(tmp_path: Path) -> None:
    done = outpace(cwd=tmp_path)
    assert "Usage: outpace" in done.stdout + done.stderr


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    command = f'"{sys.executable}" -c "{MAIN}" task show edit_distance | true; exit "${{PIPESTATUS[0]}}"'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.stderr == ""
    assert done.returncode in (0, 1)


def test_output_is_plain_where_it_is_no_terminal(tmp_path: Path) -> None:
    done = outpace("task", "list", cwd=tmp_path, FORCE_COLOR="1")
    assert "\x1b" not in done.stdout
