"""Tasks of OpenEvolve: from a folder of theirs to a score, a leaderboard, and a folder of one's own."""

import importlib.util
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import outpace
from outpace.agent.models.scripted import ScriptedModel
from outpace.agent.prompts.render import render
from outpace.agent.proposal import Brief
from outpace.errors import TaskError, UsageError
from outpace.tasks import folder
from outpace.tasks.importers import openevolve, source, writing
from tests.unit.tasks.importers.originals import judged, laid, loaded, printed

PROGRAM = """import math

# EVOLVE-BLOCK-START
def discs():
    return [(0.25, 0.25, 0.2), (0.75, 0.75, 0.2)]
# EVOLVE-BLOCK-END


def pack():
    return discs()
"""
BETTER = PROGRAM.replace("0.2)", "0.25)")
FALSE = PROGRAM.replace("def discs", "import sys\nsys.modules['evaluation_module'].area = lambda _: 99.0\ndef discs")
EVALUATOR = '''"""Discs in the unit square that do not overlap: the score is the sum of their radii."""
import importlib.util
import math
from pathlib import Path

from limits import SIDE
from openevolve.evaluation_result import EvaluationResult


def area(discs):
    return sum(radius for _, _, radius in discs)


def evaluate(program_path):
    spec = importlib.util.spec_from_file_location("candidate", program_path)
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    discs = program.pack()
    for at, (x, y, radius) in enumerate(discs):
        if not radius <= min(x, y, SIDE - x, SIDE - y):
            return {"combined_score": 0.0, "error": f"disc {at} leaves the square"}
        for other in discs[:at]:
            assert math.dist((x, y), other[:2]) >= radius + other[2], f"disc {at} overlaps"
    Path("seen.txt").write_text("written where the evaluator lies")
    return EvaluationResult(
        metrics={"combined_score": area(discs), "discs": len(discs), "note": "fine"},
        artifacts={"corners": b"two are free", "here": str(Path(__file__).with_name("seen.txt").exists())},
    )
'''
CONFIG = """max_iterations: 12
llm: {api_key: "a secret", models: []}
prompt:
  system_message: Pack discs tightly.
  num_top_programs: 3
evaluator:
  timeout: 20
  cascade_evaluation: false
"""
SHELL = "# EVOLVE-BLOCK-START\necho one\n# EVOLVE-BLOCK-END\n"
COUNTER = """import subprocess

def evaluate(program_path):
    assert program_path.endswith(".sh")
    said = subprocess.run(["sh", program_path], capture_output=True, text=True, timeout=10)
    return {"words": len(said.stdout.split()), "complexity": 50.0}
"""


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    """A checkout with one task."""
    files = {"initial_program.py": PROGRAM, "evaluator.py": EVALUATOR, "config.yaml": CONFIG, "limits.py": "SIDE = 1\n"}
    return laid(tmp_path / "checkout" / "discs", files)


@pytest.fixture
def shell(tmp_path: Path) -> Path:
    """A task whose program is a shell script."""
    return laid(tmp_path / "shell", {"initial_program.sh": SHELL, "evaluator.py": COUNTER})


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The driver as a module, for its parts."""
    monkeypatch.syspath_prepend(writing.INSIDE)
    spec = importlib.util.spec_from_file_location("openevolve_driver", writing.INSIDE / "openevolve" / "driver.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_matters_of_the_settings_is_mapped_and_the_rest_is_told(discs: Path) -> None:
    task = loaded(f"openevolve:{discs}")
    assert task.spec.evaluations == 12
    assert task.spec.limits.wall_s == 20
    assert task.spec.goal.self_reported and task.spec.goal.direction == "maximise"
    assert "Pack discs tightly." in task.spec.statement
    assert task.start.program == PROGRAM
    assert task.spec.requires == ()
    assert task.spec.sources[1:] == (
        "config.yaml, used: max_iterations, prompt.system_message, evaluator.timeout, evaluator.cascade_evaluation",
        "config.yaml, not used: llm; prompt: num_top_programs",
    )
    assert "a secret" not in (task.folder or discs).joinpath("task.toml").read_text()
    assert loaded(f"openevolve:{discs}?wall_s=7&memory_mb=512&threads=2").spec.limits.wall_s == 7


def test_a_program_without_markers_is_one_block(discs: Path) -> None:
    (discs / "initial_program.py").write_text("def pack():\n    return []\n")
    assert (
        loaded(f"openevolve:{discs}").start.program
        == "# EVOLVE-BLOCK-START\ndef pack():\n    return []\n# EVOLVE-BLOCK-END\n"
    )


def test_the_evaluators_word_goes_through(discs: Path) -> None:
    task = loaded(f"openevolve:{discs}")
    found = judged(task)
    assert (found.status, found.score) == ("ok", 0.4)
    assert found.feedback.splitlines() == [
        "Case 'evaluation': 0.4",
        "| combined_score: 0.4",
        "| discs: 2",
        "| note: fine",
        "| corners: two are free",
        "| here: True",
    ]
    outside = judged(task, PROGRAM.replace("0.2)", "0.3)"))
    assert (outside.status, outside.score) == ("wrong", None)
    assert "the task's evaluator refuses the program: error: disc 0 leaves the square" in outside.feedback
    overlap = judged(task, PROGRAM.replace("0.75, 0.75", "0.3, 0.3"))
    assert (overlap.status, overlap.score) == ("crashed", None)
    assert "AssertionError: disc 1 overlaps" in overlap.feedback
    assert "EvaluatorFailed: task/evaluator.py, line 23, in evaluate: assert math" in overlap.feedback


COMPANY = """import multiprocessing
import pickle
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def put(queue, value):
    queue.put(value)


def evaluate(program_path):
    with tempfile.NamedTemporaryFile(suffix=".pkl") as file:
        script = "import pickle, sys, openevolve.evaluation_result, numpy; sys.path.insert(0, sys.argv[2])\\n"
        script += "import candidate; pickle.dump(candidate.pack(), open(sys.argv[1], 'wb'))"
        place = Path(tempfile.mkdtemp())
        (place / "candidate.py").write_text(Path(program_path).read_text())
        subprocess.run([sys.executable, "-c", script, file.name, str(place)], check=True)
        discs = pickle.load(file)
    queue = multiprocessing.Queue()
    child = multiprocessing.Process(target=put, args=(queue, len(discs)))
    child.start()
    count = queue.get(timeout=20)
    child.join()
    with ThreadPoolExecutor() as pool:
        radius = pool.submit(sum, [disc[2] for disc in discs]).result(timeout=20)
    by_name = subprocess.run(["python", "-c", "print(6)"], capture_output=True, text=True, check=True).stdout
    return {"radius": radius, "count": count, "six": int(by_name), "timeout": False, "odd": float("nan")}
"""


@pytest.mark.slow
@pytest.mark.parametrize("sandbox", ["process", "zygote", "bubblewrap"])
def test_evaluators_start_processes_and_threads(discs: Path, sandbox: str) -> None:
    (discs / "evaluator.py").write_text(COMPANY)
    found = judged(loaded(f"openevolve:{discs}"), sandbox=sandbox)
    assert found.status == "ok" and found.score == pytest.approx((0.4 + 2 + 6) / 3), found.feedback
    assert "| odd: nan" in found.feedback


ENDING = """import os, subprocess, sys, threading, time
from pathlib import Path

def evaluate(program_path):
    started = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    Path({log!r}).write_text(f"{{os.getpid()}} {{started.pid}}")
    threading.Thread(target=time.sleep, args=(1000,)).start()
    {last}
"""


@pytest.mark.parametrize(
    ("last", "status"),
    [
        ("return {'x': 1.5}", "ok"),
        pytest.param("os._exit(3)", "crashed", marks=pytest.mark.slow),
        pytest.param("os.abort()", "crashed", marks=pytest.mark.slow),
        pytest.param("time.sleep(1000)", "timeout", marks=pytest.mark.slow),
    ],
)
def test_nothing_outlives_an_evaluation(discs: Path, tmp_path: Path, last: str, status: str) -> None:
    log = tmp_path / "started"
    (discs / "evaluator.py").write_text(ENDING.format(log=str(log), last=last))
    found = judged(loaded(f"openevolve:{discs}{'?wall_s=2' if status == 'timeout' else ''}"))
    assert found.status == status, found.feedback
    deadline = time.monotonic() + 20  # whoever takes in an orphan reaps it when it likes
    while left := [pid for pid in log.read_text().split() if Path("/proc", pid).exists()]:
        assert time.monotonic() < deadline, left
        time.sleep(0.02)


@pytest.mark.parametrize(
    ("metrics", "score", "reason"),
    [
        ({"combined_score": 0.5, "x": 9}, 0.5, ""),
        ({"a": 1, "b": 2.0, "flag": True, "text": "9", "nan": float("nan")}, 1.5, ""),
        ({"a": 1, "depth": 50}, 1.0, ""),
        ({"depth": 50}, 50.0, ""),
        ({"a": 4, "error": 0.0}, 4.0, ""),
        ({"error": 0.0, "timeout": True}, None, "the evaluator says|no figure"),
        ({"a": 0, "timeout": True}, None, "took too long"),
        ({"combined_score": float("nan")}, None, "combined_score is nan"),
        ({"combined_score": "lost"}, None, "combined_score is lost"),
        ({"combined_score": 0, "error": "no entry"}, None, "no entry"),
        ({"combined_score": 0.7, "error": "a warning"}, 0.7, ""),
        ({}, None, "no figure"),
    ],
)
def test_the_score_is_theirs(driver: ModuleType, metrics: dict[str, Any], score: float | None, reason: str) -> None:
    found, said = driver.fitness(metrics, ["depth"])
    assert found == score
    assert any(part in said for part in reason.split("|"))
    assert bool(said) == (score is None)


def test_stages_go_on_above_their_thresholds_and_later_ones_win(driver: ModuleType) -> None:
    def stage(**metrics: Any) -> Callable[[str], Any]:
        return lambda _: metrics

    first = stage(combined_score=0.6, quick=1.0, error="once")
    second = stage(combined_score=0.7, timeout=False)
    third = stage(combined_score=0.8)
    assert driver.staged([first, second, third], "", [0.5, 0.65])[0] == {
        **{"combined_score": 0.8, "quick": 1.0, "timeout": False}
    }
    metrics, artifacts = driver.staged([first, second, third], "", [0.5, 0.75])
    assert metrics["combined_score"] == 0.7
    assert artifacts == {"stages": "stopped after 2 of 3: 0.7, 0.75 needed to go on"}
    assert driver.staged([first, second], "", [0.65])[0]["combined_score"] == 0.6
    assert driver.staged([first, second, third], "", [0.5])[0]["combined_score"] == 0.7
    assert driver.staged([first], "", [0.5])[1] == {}
    with pytest.raises(TypeError, match="returned a list, expected a dict of metrics"):
        driver.taken([1])


def test_the_settings_decide_on_stages(discs: Path) -> None:
    text = "def evaluate(path):\n    return {'x': 1}\n"
    stages = "def evaluate_stage1(path):\n    return {'x': 2}\ndef evaluate_stage2(path):\n    return {'x': 3}\n"
    (discs / "evaluator.py").write_text(text + stages)
    assert "thresholds" not in loaded(f"openevolve:{discs}").spec.cases[0].params
    (discs / "config.yaml").write_text("evaluator: {cascade_thresholds: [1, 2], timeout: 5}\n")
    task = loaded(f"openevolve:{discs}")
    assert task.spec.cases[0].params["thresholds"] == [1.0, 2.0]
    assert task.spec.limits.wall_s == 10, "each stage has the time"
    assert judged(task).score == 3.0
    (discs / "evaluator.py").write_text(text)
    assert judged(loaded(f"openevolve:{discs}")).score == 1.0


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("evaluator.py", None), r"evaluator\.py: no such file; expected the evaluator of OpenEvolve"),
        (("evaluator.py", "def grade(path): pass"), r"evaluator\.py: defines no evaluate\(program_path\)"),
        (("evaluator.py", "def evaluate(:"), r"evaluator\.py:1: not valid Python"),
        (("evaluator.py", "import openai\ndef evaluate(p): pass"), "imports openai; no evaluator in a sandbox has a"),
        (("evaluator.py", "import openevolve.llm\ndef evaluate(p): pass"), r"imports openevolve\.llm; Outpace stands"),
        (("initial_program.py", None), r"initial_program\.py: no such file; expected the program that a run"),
        (("initial_program.py", "# EVOLVE-BLOCK-START\nx = 1\n"), "EVOLVE-BLOCK-START without a EVOLVE-BLOCK-END"),
        (("initial_program.py", " \n"), "is empty; expected a program to begin with"),
        (("config.yaml", "a: [1"), r"config\.yaml:\d+: not valid YAML"),
        (("config.yaml", "- 1"), r"config\.yaml: holds a list, expected keys and values"),
        (("config.yaml", "evaluator: {timeout: -1}"), r"evaluator\.timeout: got -1, expected a number above 0"),
        (("config.yaml", "evaluator: 5"), "evaluator: got 5, expected a table"),
        (("config.yaml", "max_iterations: many"), "max_iterations: got 'many', expected a whole number from 1 on"),
        (("config.yaml", "prompt: {include_artifacts: 3}"), "include_artifacts: got 3, expected true or false"),
        (("config.yaml", "database: {feature_dimensions: x}"), "feature_dimensions: got 'x', expected a list of texts"),
        (("config.yaml", "prompt: {system_message: 4}"), "system_message: got 4, expected a text"),
    ],
)
def test_what_is_no_such_task_gets_one_clear_line(discs: Path, change: tuple[str, str | None], reason: str) -> None:
    name, text = change
    (discs / name).unlink() if text is None else (discs / name).write_text(text)
    with pytest.raises(TaskError, match=reason) as caught:
        loaded(f"openevolve:{discs}")
    assert "\n" not in str(caught.value)


def test_thresholds_of_nothing_and_programs_of_several_suffixes(discs: Path, shell: Path) -> None:
    evaluator = EVALUATOR + "\n\ndef evaluate_stage1(path):\n    return evaluate(path)\n"
    (discs / "evaluator.py").write_text(evaluator)
    (discs / "config.yaml").write_text("evaluator: {cascade_thresholds: []}")
    with pytest.raises(TaskError, match=r"cascade_thresholds: got \[\], expected a list of numbers, one at least"):
        loaded(f"openevolve:{discs}")
    (shell / "initial_program.rs").write_text("fn main() {}")
    with pytest.raises(TaskError, match=r"several programs to begin with: .*choose one by \?program=NAME"):
        loaded(f"openevolve:{shell}")
    assert loaded(f"openevolve:{shell}?program=initial_program.rs").spec.language == "rust"
    (shell / "initial_program.abc").write_text("x")
    with pytest.raises(TaskError, match=r"the suffix '\.abc' tells no language that is known; known: \.py, "):
        loaded(f"openevolve:{shell}?program=initial_program.abc")


def test_folders_without_tasks(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"no evaluator\.py in it or below; expected a folder with initial_program\.py"):
        openevolve.tasks(tmp_path)
    with pytest.raises(TaskError, match="no such folder; expected a folder with"):
        openevolve.tasks(tmp_path / "nothing")


def test_another_language_is_carried_through_and_operators_say_no(shell: Path, tmp_path: Path) -> None:
    task = loaded(f"openevolve:{shell}")
    assert (task.spec.language, task.spec.entry) == ("bash", "")
    assert judged(task).score == 1.0
    with pytest.raises(UsageError, match=r"operators change Python only, and task 'shell' is written in bash\. Name a"):
        outpace.evolve(f"openevolve:{shell}", sandbox="process", home=tmp_path / "home")


def test_prompts_say_who_judges_and_in_which_language(shell: Path) -> None:
    brief = Brief(number=1, parents=(), seed=0, edit_mode="whole")
    system = render(loaded(f"openevolve:{shell}"), brief)[0].content
    assert "The task's own evaluator works it out." in system and "The judge computes" not in system
    assert "- What the task's evaluator calls keeps its name" in system
    assert "```bash\nthe whole program\n```" in system
    assert "It is written in bash; `evaluator.py` gets it as a file `*.sh`." in system


@pytest.mark.slow
def test_a_model_improves_a_program_in_another_language(shell: Path, tmp_path: Path) -> None:
    program = "# language: bash\n# EVOLVE-BLOCK-START\necho one two\n# EVOLVE-BLOCK-END\n"
    model = ScriptedModel([f"Two words.\n\n```bash\n{program}```\n"])
    budget = outpace.Budget(evaluations=2)
    report = outpace.evolve(
        f"openevolve:{shell}", model=model, sandbox="process", home=tmp_path / "home", budget=budget
    )
    assert report.champion is not None and report.champion.train.score == 2.0


@pytest.mark.slow
def test_listed_checked_and_written(discs: Path, tmp_path: Path) -> None:
    lost = {"evaluator.py": "import lost_module\ndef evaluate(path): pass\n", "initial_program.py": PROGRAM}
    laid(discs.parent / "lost", lost)
    checkout = f"openevolve:{discs.parent}"
    assert printed("task", "list", checkout).splitlines()[:2] == [f"{checkout}/discs", f"{checkout}/lost"]
    said = printed("task", "check", "--all", checkout, "--sandbox", "process", code=1)
    assert f"{checkout}/discs: usable\n" in said
    assert "lost: not usable: requires: the module 'lost_module' is not installed here; pip install lost_module" in said
    place = tmp_path / "mine"
    assert "config.yaml, not used: llm" in printed("task", "import", f"{checkout}/discs", place)
    assert "no errors" in printed("task", "check", place, "--sandbox", "process")
    shown = printed("task", "show", f"{checkout}/discs")
    assert "maximise score, self-reported" in shown and f"Run it: outpace run {checkout}/discs" in shown


def filled_in(place: Path) -> None:
    """Do by hand what ``task.py`` of an imported task says."""
    (place / "driver.py").unlink()
    facts = (place / "task.toml").read_text()
    facts = facts.replace("self_reported = true\n", "").replace("params", "# params")
    (place / "task.toml").write_text(
        'entry = "pack"\n' + facts[: facts.index("[[cases]]")] + "[[cases]]\nname = 'all'\n"
    )
    (place / "task.py").write_text(TRUSTED)


TRUSTED = '''"""Discs in the unit square."""
import math

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer


class Task(spec.Task):
    """Checks discs and adds up their radii."""

    def generate(self, case: Case, seed: int) -> Problem:
        return {}

    def check(self, problem: Problem, output: Output) -> None:
        if not (isinstance(output, list) and all(isinstance(disc, tuple) and len(disc) == 3 for disc in output)):
            raise WrongAnswer("expected a list of (x, y, radius)")
        for at, (x, y, radius) in enumerate(output):
            if not 0 <= radius <= min(x, y, 1 - x, 1 - y):
                raise WrongAnswer(f"disc {at} leaves the square")
            if not all(math.dist((x, y), other[:2]) >= radius + other[2] for other in output[:at]):
                raise WrongAnswer(f"disc {at} overlaps")

    def score(self, problem: Problem, output: Output) -> float:
        return sum(radius for _, _, radius in output)
'''


def test_a_false_score_counts_until_the_trusted_parts_are_filled_in(discs: Path, tmp_path: Path) -> None:
    task = loaded(f"openevolve:{discs}")
    assert judged(task, FALSE).score == 99.0, "that is what the mark is for"
    place = tmp_path / "mine"
    source.written(f"openevolve:{discs}", place)
    filled_in(place)
    mine = folder.load(place)
    assert not mine.spec.goal.self_reported
    assert judged(mine).score == 0.4
    assert judged(mine, BETTER).score == 0.5
    assert (judged(mine, FALSE).status, judged(mine, FALSE).score) == ("crashed", None)
    assert "no errors" in printed("task", "check", place, "--sandbox", "process")


@pytest.mark.slow
def test_from_import_to_leaderboard_the_mark_stays(discs: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    model = ScriptedModel([f"```python\n{FALSE}```"])
    name = f"openevolve:{discs}"
    budget = outpace.Budget(evaluations=2)
    report = outpace.evolve(name, model=model, sandbox="process", home=home, budget=budget, edit_modes=("whole",))
    assert report.champion is not None and report.champion.train.score == 99.0
    champion = report.champion.champion.candidate.id
    board = printed("leaderboard", "--home", home)
    assert "99 (self-reported)" in board and "nothing here has checked it" in board
    [entry] = json.loads(printed("leaderboard", "--json", "--home", home))
    assert entry["goal"]["self_reported"] is True
    assert "99 (self-reported)" in printed("show", champion, "--home", home)
    assert json.loads(printed("runs", "--json", "--home", home))[0]["goal"]["self_reported"] is True
    printed("export", champion, "-o", tmp_path / "out", "--home", home)
    assert "99 (self-reported)" in (tmp_path / "out" / "README.md").read_text()
    assert json.loads(printed("show", champion, "--json", "--home", home))["run"]["goal"]["self_reported"] is True


@pytest.mark.slow
def test_a_run_of_operators_in_the_default_sandbox(discs: Path, tmp_path: Path) -> None:
    said = printed("run", f"openevolve:{discs}", "--evaluations", "4", "--home", tmp_path / "home", "--seed", "1")
    assert "self-reported" in said
    assert os.environ["XDG_CACHE_HOME"].startswith(str(tmp_path)) and "openevolve" not in sys.modules
