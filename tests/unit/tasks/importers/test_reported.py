"""The word of another tool's evaluator: taken as it is, cut to size, and no more than a number and words."""

import ast
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from outpace.errors import WrongAnswer
from outpace.tasks.candidate import Candidate
from outpace.tasks.importers import languages, writing
from outpace.tasks.importers.inside import told
from outpace.tasks.importers.reported import ReportedTask
from outpace.tasks.spec import Case, Goal, TaskSpec

GOAL = Goal(kind="metric", name="score", direction="maximise", self_reported=True)
CASE = Case(name="only", params={"suffix": ".py"})


@pytest.fixture
def task() -> ReportedTask:
    spec = TaskSpec(name="told", title="Told", statement="Tell.", entry="", goal=GOAL, cases=(CASE,))
    return ReportedTask(spec, Candidate({"program.py": ""}))


@pytest.fixture
def beside(tmp_path: Path) -> Callable[[str], str]:
    """Run a script beside ``told`` as it lies in a sandbox, in a process of its own, and give what it prints."""
    (tmp_path / "support").mkdir()
    shutil.copy(writing.INSIDE / "told.py", tmp_path / "support")

    def ran(script: str) -> str:
        environment = {"PYTHONPATH": str(tmp_path / "support"), "TMPDIR": str(tmp_path)}
        done = subprocess.run(
            [sys.executable, "-c", f"import os, told\n{script}"],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.stdout + done.stderr

    return ran


def test_a_report_is_a_number_figures_and_words() -> None:
    found = told.report("2.5", {"a": 1, "b": True, "c": "word", "d": math.inf}, text="x" * 9000)
    assert found == {"score": 2.5, "metrics": {"a": 1.0}, "text": "x" * told.MOST_CHARS}
    assert told.report(True)["score"] is None
    assert told.report(1, {"\ud800": 1}, text="\udcff.")["text"] == "?."
    assert told.number([1, 2]) is None and told.number("nan") is None
    assert told.prose({"a": b"bytes\xff", "b": " ", "c": "y" * 20}, most=10) == f"a: bytes\ufffd\nc: {'y' * 10} …"


def test_problems_are_the_parameters_of_their_cases(task: ReportedTask) -> None:
    assert task.generate(CASE, 1) == task.generate(CASE, 2) == {"params": {"suffix": ".py"}}


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        (None, "report is not"),
        ({"score": 1.0, "metrics": {}}, "report is not"),
        ({"score": None, "metrics": {}, "text": "too slow"}, "refuses the program: too slow"),
        ({"score": None, "metrics": {}, "text": ""}, "it does not say why"),
        ({"score": math.inf, "metrics": {}, "text": ""}, "no finite number"),
        ({"score": "1", "metrics": {}, "text": ""}, "no finite number"),
    ],
)
def test_what_is_no_report_is_refused(task: ReportedTask, output: Any, reason: str) -> None:
    with pytest.raises(WrongAnswer, match=reason):
        task.check({}, output)


def test_figures_and_words_are_passed_on(task: ReportedTask) -> None:
    output = {"score": 2, "metrics": {f"m{at}": at / 3 for at in range(60)}, "text": "go on"}
    task.check({}, output)
    assert task.score({}, output) == 2.0
    said = task.remarks({}, output).splitlines()
    assert said[1] == "m1: 0.333333" and said[-1] == "go on" and len(said) == 41


STARTED = """
import subprocess, sys
def work():
    started = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    return told.report(started.pid, text=str(told.prepare()))
print(told.alone(work))
"""


def test_an_evaluation_alone_leaves_nothing_behind(beside: Callable[[str], str], tmp_path: Path) -> None:
    found = ast.literal_eval(beside(STARTED))
    assert not Path("/proc", str(int(found["score"]))).exists()
    assert found["text"] == str(tmp_path / "support")


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("os._exit(4)", "ended with exit code 4 before it had answered"),
        ("os.kill(os.getpid(), 9)", "killed by signal 9 (more memory or CPU time than the task allows)"),
        ("{'score': object()}", "ended with exit code 0 before it had answered"),
    ],
)
def test_an_evaluator_that_fails_says_how(beside: Callable[[str], str], work: str, reason: str) -> None:
    said = beside(f"told.alone(lambda: {work})")
    assert "told.EvaluatorFailed: " in said and reason in said


LAID_OUT = """
found = told.laid_out()
open("data/input.txt", "w").write("changed")
print([os.getcwd(), str(found), os.environ["PYTHONPATH"].split(":")[:2], os.readlink(found.parent / "bin" / "python")])
"""


def test_the_tasks_own_files_are_laid_out_to_be_written_to(beside: Callable[[str], str], tmp_path: Path) -> None:
    source = tmp_path / "support" / "task" / "data"
    source.mkdir(parents=True)
    (source / "input.txt").write_text("here")
    (source / "input.txt").chmod(0o444)
    current, found, paths, python = ast.literal_eval(beside(LAID_OUT))
    assert current == found != str(source.parent)
    assert paths == [found, str(tmp_path / "support")]
    assert python == sys.executable
    assert (source / "input.txt").read_text() == "here"
    assert Path(found, "data", "input.txt").read_text() == "changed"


@pytest.mark.parametrize(
    ("suffix", "first"),
    [
        (".rs", "// EVOLVE-BLOCK-START\n"),
        (".jl", "# language: julia\n# EVOLVE-BLOCK-START\n"),
        (".wl", "(* EVOLVE-BLOCK-START *)\n"),
    ],
)
def test_programs_of_other_languages_are_marked_in_their_comments(suffix: str, first: str) -> None:
    path = Path(f"initial{suffix}")
    text = languages.marked("one\n", languages.language_of(path), path)
    assert text.startswith(f"{first}one\n")
    assert languages.marked(text, languages.language_of(path), path) == text


def test_a_shell_script_keeps_its_first_line_first() -> None:
    path = Path("initial.sh")
    text = languages.marked("#!/bin/sh\necho\n", languages.language_of(path), path)
    assert text.startswith("#!/bin/sh\n# language: bash\n# EVOLVE-BLOCK-START\necho\n")
    assert languages.marked(text, languages.language_of(path), path) == text


def test_what_looks_like_python_in_another_language_is_not_the_same_program() -> None:
    path = Path("initial.r")
    one, other = (languages.marked(text, languages.language_of(path), path) for text in ("x <- 5\n", "x < -5\n"))
    assert Candidate({"program.py": one}).shape != Candidate({"program.py": other}).shape
