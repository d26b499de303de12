"""What task folders have for tasks of other tools: files beside the program, no entry, a score as it is told."""

import asyncio
from pathlib import Path

import pytest

from outpace.errors import TaskError
from outpace.evaluators.base import Evaluation
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.sandbox.process import ProcessSandbox
from outpace.tasks import folder
from outpace.tasks.candidate import Candidate
from outpace.tasks.importers import writing
from outpace.tasks.spec import Task

GOAL = {"kind": "metric", "name": "words", "direction": "maximise", "self_reported": True}
FACTS = {"name": "words", "title": "Print words", "statement": "Print many words.", "goal": GOAL}
TRUSTED = '"""Words."""\nfrom outpace.tasks.importers.reported import ReportedTask as Task\n'
DRIVER = """import subprocess
import sys
from pathlib import Path

from told import prepare, report


def run(path, params):
    here = prepare()
    said = subprocess.run([sys.executable, path], capture_output=True, text=True)
    if said.returncode:
        return report(None, text=said.stderr)
    allowed = (here / "allowed.txt").read_text().split()
    words = [word for word in said.stdout.split() if word in allowed]
    return report(params["factor"] * len(words), {"all": len(said.stdout.split()), "odd": "x"}, text="fine: \\x1b[31m")
"""
START = "# EVOLVE-BLOCK-START\nprint('one two six')\n# EVOLVE-BLOCK-END\n"


@pytest.fixture
def words(tmp_path: Path) -> Path:
    files = {"program.py": START, "task.py": TRUSTED, "driver.py": DRIVER, "support/allowed.txt": "one two three"}
    facts = writing.facts(FACTS, [{"name": "only", "params": {"factor": 2}}])
    told = {f"support/{name}": content for name, content in writing.inside("told.py").items()}
    for name, content in {**writing.utf8(files), "task.toml": facts, **told}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    return tmp_path


def judged(task: Task, program: str) -> Evaluation:
    return asyncio.run(CascadeEvaluator(ProcessSandbox()).evaluate(task, Candidate({"program.py": program})))


def test_the_evaluators_word_is_taken_and_known_for_what_it_is(words: Path) -> None:
    task = folder.load(words)
    assert task.spec.entry == "" and task.spec.goal.self_reported
    assert task.support["allowed.txt"] == b"one two three"
    found = judged(task, START)
    assert (found.status, found.score) == ("ok", 4.0)
    assert found.feedback == "Case 'only': 4\n| all: 3\n| fine: \ufffd[31m"
    failed = judged(task, "raise SystemExit('no words')")
    assert failed.status == "wrong" and "the task's evaluator refuses the program: no words" in failed.feedback


def test_files_beside_the_program_belong_to_the_task(words: Path) -> None:
    before = folder.load(words)
    (words / "support" / "allowed.txt").write_text("one")
    (words / "support" / "__pycache__").mkdir()
    (words / "support" / "__pycache__" / "told.pyc").write_text("")
    after = folder.load(words)
    assert after.fingerprint != before.fingerprint
    assert judged(after, START).score == 2.0
    assert sorted(after.support) == ["allowed.txt", "told.py"]


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("4", "report is not"),
        ("{'score': 1}", "report is not"),
        ("{'score': True, 'metrics': {}, 'text': ''}", "no finite number"),
        ("{'score': float('nan'), 'metrics': {}, 'text': ''}", "not a finite number"),
        ("{'score': None, 'metrics': {}, 'text': 7}", "it does not say why"),
    ],
)
def test_what_is_no_report_is_no_score(words: Path, said: str, refused: str) -> None:
    (words / "driver.py").write_text(f"def run(path, params):\n    return {said}\n")
    found = judged(folder.load(words), START)
    assert (found.status, found.score) == ("wrong", None)
    assert refused in found.feedback


def test_metrics_of_any_kind_do_no_harm(words: Path) -> None:
    (words / "driver.py").write_text("def run(path, params):\n    return {'score': 1, 'metrics': [], 'text': []}\n")
    found = judged(folder.load(words), START)
    assert (found.status, found.feedback) == ("ok", "Case 'only': 1")


def test_without_an_entry_there_must_be_a_driver(words: Path) -> None:
    (words / "driver.py").unlink()
    with pytest.raises(TaskError, match=r"task\.toml:.* entry: missing; expected the name of the function"):
        folder.load(words)


def test_no_program_tells_its_own_time(words: Path) -> None:
    goal = {"kind": "speedup", "self_reported": True}
    (words / "task.toml").write_bytes(writing.facts({**FACTS, "goal": goal}, [{"name": "only"}]))
    with pytest.raises(TaskError, match=r"goal\.self_reported: got true, expected a metric"):
        folder.load(words)
