"""Problems of EoH: look-alikes of our own, from import to leaderboard, and what is refused."""

import json
import re
from pathlib import Path

import pytest

from outpace.errors import MissingPackage, OutpaceError, TaskError, UsageError
from outpace.tasks.candidate import BLOCK_START
from outpace.tasks.importers import eoh, source
from tests.unit.tasks.importers.originals import invoke, judged, laid, loaded

PROBLEM = '''
import json
import os
import sys

import numpy as np

sys.path.insert(0, os.path.dirname(__file__))
from eoh import BaseProblem
from packing.bins import opened


class Shelves(BaseProblem):
    template_program = """
def score(item: int, rooms: np.ndarray) -> np.ndarray:
    weight = 0.5
    return weight * rooms
"""
    task_description = "Choose the shelf for each book, so that few shelves are used."

    def __init__(self, width=10, timeout=7, n_processes=1):
        super().__init__(timeout=timeout, n_processes=n_processes)
        self.width = width
        with open(os.path.join(os.path.dirname(__file__), "books.json")) as file:
            self.books = json.load(file)

    def evaluate_program(self, program_str, callable_func):
        if "give up" in program_str:
            return None
        rooms = opened(len(self.books), self.width)
        for book in self.books:
            fitting = np.nonzero(rooms >= book)[0]
            rooms[fitting[np.argmax(callable_func(book, rooms[fitting]))]] -= book
        return int((rooms < self.width).sum()) / 1.0
'''
BINS = "import numpy as np\n\n\ndef opened(count, width):\n    return np.full(count, width)\n"
PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "eoh-llm4ad-funsearch.md"
BEST_FIT = f"# {BLOCK_START}\ndef score(item, rooms):\n    return np.negative(rooms)\n# EVOLVE-BLOCK-END\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def shelves(tmp_path: Path) -> Path:
    """Return a folder as a user of EoH has it: with a script that starts a run, and what earlier runs left."""
    files = {
        "prob.py": PROBLEM,
        "packing/__init__.py": "",
        "packing/bins.py": BINS,
        "packing/unused.py": "import gone\n",
        "books.json": json.dumps([6, 5, 4, 5, 3, 7]),
        "run_search.py": "from eoh import EoH, LLMConfig\n\nLLMConfig(api_key='sk-123')\n",
        "results/pops/population_generation_1.json": "[]",
    }
    return laid(tmp_path / "examples" / "shelves", files)


def problem(template: str, *, judge: str = "return callable_func()", more: str = "") -> str:
    return (
        f"from eoh import BaseProblem\n{more}\n\nclass P(BaseProblem):\n    template_program = {template!r}\n"
        f"    task_description = 'Do well.'\n\n    def evaluate_program(self, program_str, callable_func):\n"
        f"        {judge}\n"
    )


def test_the_objective_is_the_originals_and_lower_is_better(shelves: Path) -> None:
    task = loaded(f"eoh:{shelves}")
    assert (task.spec.goal.direction, task.spec.goal.self_reported, task.spec.name) == ("minimise", True, "shelves")
    assert task.spec.limits.wall_s == 37.0
    assert task.spec.requires == ("numpy",)
    assert "Choose the shelf" in task.spec.statement
    assert "def score(item: int, rooms: np.ndarray) -> np.ndarray" in task.spec.statement
    assert "lower is better" in task.spec.statement
    assert "import numpy as np" in task.start.program
    assert judged(task).score == 6.0
    assert judged(task, BEST_FIT).score == 3.0


def test_only_what_the_problem_imports_and_its_data_go_into_the_sandbox(shelves: Path) -> None:
    names = {name for name in eoh.files(source.parsed(f"eoh:{shelves}")) if name.startswith("support/task")}
    mine = {"prob.py", "packing/__init__.py", "packing/bins.py", "books.json", "eoh/__init__.py", "eoh/problem.py"}
    assert names == {f"support/task/{name}" for name in mine}


@pytest.mark.slow
def test_from_import_to_leaderboard(shelves: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    ran = invoke("run", f"eoh:{shelves}", "--evaluations", "5", "--sandbox", "process", "--home", home)
    assert ran.exit_code == 0, ran.output
    board = invoke("leaderboard", "--home", home)
    assert "shelves" in board.output and "self-reported" in board.output
    listed = invoke("task", "list", f"eoh:{shelves.parent}")
    assert f"eoh:{shelves}\n" in listed.output
    laid(shelves.parent / "gym", {"prob.py": problem("def f(): pass", more="import no_such_gym")})
    checked = invoke("task", "check", "--all", f"eoh:{shelves.parent}", "--sandbox", "process")
    assert checked.exit_code == 1
    assert "shelves: usable" in checked.output and "pip install no_such_gym" in checked.output
    assert "1 of 2 tasks usable" in checked.output
    assert invoke("task", "import", f"eoh:{shelves}", tmp_path / "own").exit_code == 0
    own = invoke("task", "check", tmp_path / "own", "--sandbox", "process")
    assert own.exit_code == 0, own.output


@pytest.mark.slow
def test_failures_have_no_score_and_say_why(shelves: Path) -> None:
    task = loaded(f"eoh:{shelves}")
    refused = judged(task, f"{BEST_FIT}# give up\n")
    assert (refused.status, refused.score) == ("wrong", None)
    assert "its objective is None, expected a finite number" in refused.feedback
    raised = judged(task, BEST_FIT.replace("np.negative(rooms)", "rooms[99]"))
    assert (raised.status, raised.score) == ("crashed", None)
    assert "IndexError" in raised.feedback and "program.py" in raised.feedback
    assert "program.py defines no 'score'" in judged(task, BEST_FIT.replace("score", "other")).feedback


@pytest.mark.slow
@pytest.mark.parametrize(
    ("template", "judge", "entry"),
    [
        ("class Walk:\n    def step(self):\n        return 4", "return callable_func().step()", "class Walk"),
        ("def helper():\n    return 4\n\n\ndef last():\n    return helper()", "return callable_func()", "def last()"),
        (
            "import math\n\n\ndef f() -> float:\n    return math.sqrt(16)",
            "return float('inf') if 'bad' in program_str else callable_func()",
            "def f() -> float",
        ),
    ],
)
def test_functions_several_functions_and_classes(tmp_path: Path, template: str, judge: str, entry: str) -> None:
    laid(tmp_path / "p", {"prob.py": problem(template, judge=judge)})
    task = loaded(f"eoh:{tmp_path / 'p'}")
    assert f"`{entry}`" in task.spec.statement
    assert judged(task).score == 4.0
    if "math" in template:
        assert judged(task, "def f():\n    return math.sqrt(9)\n").score == 3.0
        assert "objective is inf" in judged(task, "def f():\n    return 'bad'\n").feedback


@pytest.mark.slow
def test_arguments_go_to_the_class(shelves: Path) -> None:
    task = loaded(f'eoh:{shelves}?arguments={{"width": 30}}&wall_s=3')
    assert task.spec.cases[0].params == {"width": 30}
    assert task.spec.limits.wall_s == 3.0
    assert judged(task, BEST_FIT).score == 1.0


def test_several_classes_in_one_file_are_named_in_the_path(tmp_path: Path) -> None:
    text = problem("def f(): return 1")
    two = text + text[text.index("class P") :].replace("class P(BaseProblem)", "class Q(P)")
    laid(tmp_path / "a" / "two", {"prob.py": two})
    laid(tmp_path / "a" / "pair", {"one.py": text, "other.py": text, "note.py": "# class P(BaseProblem)\n"})
    laid(tmp_path / "a" / ".hidden", {"prob.py": text})
    expected = ["pair/one.py", "pair/other.py", "two/prob.py/P", "two/prob.py/Q"]
    assert eoh.tasks(tmp_path / "a") == expected
    assert eoh.tasks(tmp_path / "a" / "two" / "prob.py") == ["P", "Q"]
    assert eoh.tasks(tmp_path / "a" / "two" / "prob.py" / "Q") == [""]
    with pytest.raises(TaskError, match=r"holds 2 classes, expected one; name it in the path, one of: prob.py/P"):
        loaded(f"eoh:{tmp_path / 'a' / 'two'}")
    with pytest.raises(TaskError, match=r"has no class 'R'"):
        loaded(f"eoh:{tmp_path / 'a' / 'two' / 'prob.py' / 'R'}")


OLD = """
import types


class Old():
    def __init__(self):
        from prompts import GetPrompts
        self.prompts = GetPrompts()

    def evaluate(self, code_string):
        try:
            module = types.ModuleType("heuristic_module")
            exec(code_string, module.__dict__)
            return abs(module.guess(3) - 8)
        except Exception:
            return None
"""
PROMPTS = "class GetPrompts():\n" + "".join(
    f"    def get_{name}(self):\n        return {value!r}\n"
    for name, value in {
        "task": "Guess a number.",
        "func_name": "guess",
        "func_inputs": ["n"],
        "func_outputs": ["number"],
        "inout_inf": "Both are whole.",
        "other_inf": "No imports.",
    }.items()
)


@pytest.mark.slow
def test_the_first_layout_takes_its_first_program_from_an_option(tmp_path: Path) -> None:
    old = laid(tmp_path / "old", {"prob.py": OLD, "prompts.py": PROMPTS})
    assert eoh.tasks(tmp_path) == ["old"]
    with pytest.raises(TaskError, match=r"states no first program; write one with def guess\(n\) and give it with sta"):
        loaded(f"eoh:{old}")
    (tmp_path / "first.py").write_text("def guess(n):\n    return n + 1\n")
    task = loaded(f"eoh:{old}?start={tmp_path / 'first.py'}")
    assert "Guess a number." in task.spec.statement and "No imports." in task.spec.statement
    assert judged(task).score == 4.0
    assert judged(task, "def guess(n):\n    return 'x'\n").status == "wrong"


def refusal(text: str) -> str:
    with pytest.raises(OutpaceError) as caught:
        loaded(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_no_problem_is_refused_before_anything_runs(tmp_path: Path) -> None:
    laid(tmp_path / "plain", {"prob.py": "class P:\n    pass\n", "odd.py": "class P(BaseProblem:\n"})
    for path in ("plain", "plain/prob.py", "gone"):
        assert "class P(BaseProblem) with template_program" in refusal(f"eoh:{tmp_path / path}")
    with pytest.raises(TaskError, match="nothing there or below; expected a Python file with a problem of EoH"):
        eoh.tasks(tmp_path)
    laid(tmp_path / "p", {"prob.py": problem("def f(): pass", more="import odd"), "odd.py": "def f(:\n"})
    assert "odd.py:1: not valid Python" in refusal(f"eoh:{tmp_path / 'p'}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        (problem("", more=""), TaskError, "prob.py: P: template_program is empty; expected the text of a function"),
        (problem("x = 1"), TaskError, "template_program defines nothing"),
        (problem("def f(:"), TaskError, "template_program is not valid Python"),
        (problem("def f(): pass", more="import no_such_one"), MissingPackage, "pip install no_such_one"),
        (problem("def f(): pass", more="1 / 0"), TaskError, "P cannot be made: ZeroDivisionError: division by zero"),
        (problem("def f(): pass", more="from eoh import EoH"), TaskError, "cannot import name 'EoH' from 'eoh'"),
        (problem("def f(): pass", more="import eoh.llm"), TaskError, "our stand-in for EoH does not have"),
        (
            problem("def f(): pass", more="import urllib.request\nurllib.request.urlopen('http://example.org')"),
            TaskError,
            "wants the network, which the sandbox does not have",
        ),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_line(tmp_path: Path, text: str, kind: type, said: str) -> None:
    laid(tmp_path / "p", {"prob.py": text})
    with pytest.raises(kind):
        loaded(f"eoh:{tmp_path / 'p'}")
    assert said in refusal(f"eoh:{tmp_path / 'p'}")


@pytest.mark.parametrize("given", ["[1]", "{", '{"a": null}'])
def test_arguments_that_are_no_object_are_refused(shelves: Path, given: str) -> None:
    with pytest.raises(UsageError, match="expected a JSON object of numbers and texts"):
        loaded(f"eoh:{shelves}?arguments={given}")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "score"),
    [("prob", "", 780.0), ("evaluation", "", -159.68), ("staircase", "?inputs=[6,7]", 3.25)],
)
def test_the_examples_of_the_page_work(tmp_path: Path, name: str, options: str, score: float) -> None:
    (text,) = re.findall(rf"^```py\n# {name}\.py\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    laid(tmp_path / "page", {f"{name}.py": text})
    format_ = {"prob": "eoh", "evaluation": "llm4ad", "staircase": "funsearch"}[name]
    task = loaded(f"{format_}:{tmp_path / 'page' / name}.py{options}")
    assert judged(task).score == pytest.approx(score, abs=0.01)
