"""The process of its own for the trusted half of an imported task."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from outpace.errors import TaskError, WrongAnswer
from outpace.evaluators import hop
from outpace.tasks import folder
from outpace.tasks.deadline import Passed
from outpace.tasks.importers.aside import Aside

HOSTED = """
import os, sys, time
import neighbour

print("chatter on stdout")

def double(value):
    return value * 2

def pid():
    return os.getpid()

def env(name):
    return os.environ.get(name)

def fail(text):
    raise neighbour.Sad(text)

def leave():
    print("last words", flush=True)
    os._exit(3)

def hang():
    while True:
        time.sleep(1)

def odd():
    return {1, 2}
"""


@pytest.fixture
def aside(tmp_path: Path) -> Iterator[Aside]:
    (tmp_path / "hosted.py").write_text(HOSTED)
    (tmp_path / "neighbour.py").write_text("class Sad(Exception): pass\n")
    aside = Aside(tmp_path / "hosted.py")
    yield aside
    aside.close()


def test_it_answers_in_a_process_of_its_own_whatever_it_prints(aside: Aside) -> None:
    assert aside.ask("double", [1.5, (2,)]) == [1.5, (2,), 1.5, (2,)]
    assert np.array_equal(aside.ask("double", np.arange(300_000.0)), 2 * np.arange(300_000.0))
    assert aside.ask("pid") == aside.ask("pid") != os.getpid()
    assert aside.ask("env", "OMP_NUM_THREADS") == "1"


def test_what_it_raises_is_a_fault_of_the_task_and_it_lives_on(aside: Aside) -> None:
    first = aside.ask("pid")
    with pytest.raises(TaskError, match=r"hosted.py: fail failed: Sad: no luck \(hosted.py, line 17\)"):
        aside.ask("fail", "no luck")
    with pytest.raises(TaskError, match=r"odd failed: .*set"):
        aside.ask("odd")
    with pytest.raises(TaskError, match=r"double failed: .*object"):
        aside.ask("double", object())
    assert aside.ask("pid") == first


def test_after_it_has_died_it_is_started_anew(aside: Aside) -> None:
    first = aside.ask("pid")
    with pytest.raises(TaskError, match=r"ended in leave: it hung up; it printed: .*last words"):
        aside.ask("leave")
    assert aside.ask("pid") != first


def test_a_call_without_end_is_ended_from_outside(aside: Aside) -> None:
    first = aside.ask("pid")
    guarded = hop._Guarded(aside.ask)
    ended: list[BaseException] = []

    def call() -> None:
        try:
            guarded.run("hang")
        except Passed as passed:
            ended.append(passed)

    thread = threading.Thread(target=call)
    thread.start()
    time.sleep(0.2)
    guarded.end()
    thread.join(30)
    assert len(ended) == 1
    assert not Path(f"/proc/{first}").exists()
    assert aside.ask("double", 2) == 4


def test_it_ends_with_the_judge_even_in_the_middle_of_a_call(aside: Aside) -> None:
    program = (
        "import sys, threading, time, os, signal\nfrom pathlib import Path\n"
        "from outpace.tasks.importers.aside import Aside\n"
        "aside = Aside(Path(sys.argv[1]))\nprint(aside.ask('pid'), flush=True)\n"
        "threading.Thread(target=aside.ask, args=('hang',), daemon=True).start()\ntime.sleep(0.3)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    found = subprocess.run([sys.executable, "-c", program, str(aside.path)], stdout=subprocess.PIPE, check=False)
    pid = int(found.stdout)
    for _ in range(100):
        if _gone(pid):
            return
        time.sleep(0.1)
    pytest.fail(f"the process {pid} goes on without its judge")


def _gone(pid: int) -> bool:
    try:
        return "aside" not in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return True


def test_it_ends_with_whoever_has_it(tmp_path: Path) -> None:
    (tmp_path / "hosted.py").write_text("import os\n\ndef pid():\n    return os.getpid()\n")
    aside = Aside(tmp_path / "hosted.py")
    pid = aside.ask("pid")
    del aside
    assert _gone(pid)


def test_a_file_that_cannot_be_imported_says_so_each_time(tmp_path: Path) -> None:
    (tmp_path / "hosted.py").write_text("import no_such_package_at_all\n")
    aside = Aside(tmp_path / "hosted.py")
    for _ in range(2):
        with pytest.raises(TaskError, match="No module named 'no_such_package_at_all'"):
            aside.ask("double", 1)


TOML = """name = "halves"
title = "Halve a number"
statement = "Halve it."
entry = "halve"

[goal]
kind = "metric"
name = "value"
direction = "maximise"

[[cases]]
name = "only"
params = { size = 3 }
"""
TRUSTED = '''"""Halves."""
from outpace.tasks.importers.aside import HostedTask as Task
'''
HALVES = """
def generate(params, seed):
    return {"number": float(params["size"] + seed)}

def reference(problem):
    return problem["number"] / 2

def check(problem, output):
    return None if output == reference(problem) else f"expected {reference(problem)}"

def score(problem, output):
    return output
"""


def test_a_hosted_task_asks_its_functions(tmp_path: Path) -> None:
    program = "# EVOLVE-BLOCK-START\ndef halve(number):\n    return number / 2\n# EVOLVE-BLOCK-END\n"
    files = {"task.toml": TOML, "task.py": TRUSTED, "hosted.py": HALVES, "program.py": program}
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    task = folder.load(tmp_path)
    problem = task.generate(task.spec.cases[0], 4)
    assert problem == {"number": 7.0}
    assert task.reference(problem) == 3.5
    assert task.score(problem, 3.5) == 3.5
    task.check(problem, 3.5)
    with pytest.raises(WrongAnswer, match=r"expected 3\.5"):
        task.check(problem, 4.0)
