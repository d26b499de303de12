"""Evaluations of LLM4AD: look-alikes of our own, from import to leaderboard, and what is refused."""

import ast
import importlib
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from outpace.errors import OutpaceError, TaskError, UsageError
from outpace.tasks.importers import llm4ad
from outpace.tasks.importers.writing import INSIDE
from tests.unit.tasks.importers.originals import invoke, judged, laid, loaded

TEMPLATE = '''template_program = """
import numpy as np


def share(demand: float, stock: np.ndarray) -> np.ndarray:
    return stock * 0.5
"""
task_description = "Share the stock among those who ask."
'''
EVALUATION = """
from __future__ import annotations

from typing import Any

import numpy as np

from llm4ad.base import Evaluation
from llm4ad.task.optimization.sharing.template import template_program, task_description
from llm4ad.task.optimization.shared import demands
from .plots import unused

__all__ = ["SharingEvaluation"]


class SharingEvaluation(Evaluation):
    def __init__(self, timeout_seconds=8, n_instances=3, **kwargs):
        super().__init__(
            template_program=template_program,
            task_description=task_description,
            use_numba_accelerate=False,
            timeout_seconds=timeout_seconds,
        )
        self.stocks = demands(n_instances)

    def evaluate_program(self, program_str: str, callable_func: callable) -> Any | None:
        left = [float(np.sum(stock - callable_func(1.0, stock))) for stock in self.stocks]
        return None if min(left) < 0 else -np.mean(left)
"""
FILES = {
    "llm4ad/__init__.py": "raise RuntimeError('the whole package')\n",
    "llm4ad/base/__init__.py": "raise RuntimeError('the original')\n",
    "llm4ad/task/__init__.py": "raise RuntimeError('all tasks')\n",
    "llm4ad/task/optimization/shared.py": "import numpy\n\n\ndef demands(count):\n    return numpy.ones((count, 4))\n",
    "llm4ad/task/optimization/sharing/__init__.py": "from .evaluation import *\n",
    "llm4ad/task/optimization/sharing/evaluation.py": EVALUATION,
    "llm4ad/task/optimization/sharing/plots.py": "def unused():\n    import matplotlib.pyplot as plt\n",
    "llm4ad/task/optimization/sharing/template.py": TEMPLATE,
    "llm4ad/task/optimization/sharing/paras.yaml": "n_instances: 3\n",
}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    return laid(tmp_path / "checkout", FILES)


def own(judge: str, *, settings: str = "", template: str = "def f(x):\n    return x / 0.5\n") -> str:
    return (
        f"from llm4ad.base import Evaluation\n\n\nclass Own(Evaluation):\n    def __init__(self):\n"
        f"        super().__init__({template!r}, 'Do well.'{settings})\n\n"
        f"    def evaluate_program(self, program_str, callable_func):\n        {judge}\n"
    )


def test_an_evaluation_of_a_checkout_keeps_its_score_and_its_sign(checkout: Path) -> None:
    task = loaded(f"llm4ad:{checkout}/llm4ad/task/optimization/sharing")
    assert (task.spec.goal.direction, task.spec.goal.self_reported, task.spec.name) == ("maximise", True, "sharing")
    assert task.spec.limits.wall_s == 38.0
    assert task.spec.requires == ("numpy",)
    for part in ("Share the stock", "`def share(demand: float, stock: np.ndarray) -> np.ndarray`", "higher is better"):
        assert part in task.spec.statement
    assert judged(task).score == -2.0
    assert sorted(name for name in task.support if name.startswith("task/llm4ad/task")) == [
        "task/llm4ad/task/optimization/shared.py",
        "task/llm4ad/task/optimization/sharing/__init__.py",
        "task/llm4ad/task/optimization/sharing/evaluation.py",
        "task/llm4ad/task/optimization/sharing/paras.yaml",
        "task/llm4ad/task/optimization/sharing/plots.py",
        "task/llm4ad/task/optimization/sharing/template.py",
    ]


@pytest.mark.slow
def test_from_import_to_leaderboard(checkout: Path, tmp_path: Path) -> None:
    given, home = f"llm4ad:{checkout}/llm4ad/task/optimization/sharing", tmp_path / "home"
    ran = invoke("run", given, "--evaluations", "5", "--sandbox", "process", "--home", home)
    assert ran.exit_code == 0, ran.output
    board = invoke("leaderboard", "--home", home)
    assert "sharing" in board.output and "self-reported" in board.output
    assert f"{given}\n" in invoke("task", "list", f"llm4ad:{checkout}").output
    checked = invoke("task", "check", "--all", f"llm4ad:{checkout}", "--sandbox", "process")
    assert checked.exit_code == 0 and "1 of 1 task usable" in checked.output
    assert invoke("task", "import", given, tmp_path / "own").exit_code == 0
    mine = invoke("task", "check", tmp_path / "own", "--sandbox", "process")
    assert mine.exit_code == 0, mine.output


@pytest.mark.slow
def test_failures_have_no_score_and_say_why(checkout: Path) -> None:
    task = loaded(f'llm4ad:{checkout}/llm4ad/task/optimization/sharing?arguments={{"n_instances": 2}}')
    refused = judged(task, "def share(demand, stock):\n    return stock * 2\n")
    assert (refused.status, refused.score) == ("wrong", None)
    assert "its score is None, expected a finite number" in refused.feedback
    raised = judged(task, "def share(demand, stock):\n    return stock.nothing\n")
    assert raised.status == "crashed" and "AttributeError" in raised.feedback and "program.py" in raised.feedback
    assert "its score is nan" in judged(task, "def share(demand, stock):\n    return stock * float('nan')\n").feedback


@pytest.mark.slow
def test_of_several_scores_one_is_searched_for_and_all_are_shown(tmp_path: Path) -> None:
    laid(tmp_path / "two", {"evaluation.py": own("return [callable_func(1), -3.0]")})
    first, second = loaded(f"llm4ad:{tmp_path / 'two'}"), loaded(f"llm4ad:{tmp_path / 'two'}?objective=2")
    found = judged(first)
    assert found.score == 2.0
    assert "objective_1: 2" in found.feedback and "objective_2: -3" in found.feedback
    assert judged(second).score == -3.0
    assert "Of several scores number 2 counts" in second.spec.statement
    third = judged(loaded(f"llm4ad:{tmp_path / 'two'}?objective=3"))
    assert "it has 2 objectives, and number 3 is asked for" in third.feedback
    with pytest.raises(UsageError, match="expected a whole number from 1 on"):
        loaded(f"llm4ad:{tmp_path / 'two'}?objective=0")


@pytest.mark.slow
def test_a_folder_of_ones_own_may_import_its_neighbours_either_way(tmp_path: Path) -> None:
    text = own("return float(level()) + height()", settings=", timeout_seconds=3").replace(
        "\n\n\nclass", "\nfrom near import level\nfrom .beside import height\n\n\nclass", 1
    )
    files = {"evaluation.py": text, "near.py": "def level():\n    return 3\n", "beside.py": "from near import level\n"}
    files["beside.py"] += "\n\ndef height():\n    return level() + 1\n"
    task = loaded(f"llm4ad:{laid(tmp_path / 'own', files)}")
    assert judged(task).score == 7.0
    assert task.spec.limits.wall_s == 33.0


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    for place in (INSIDE, INSIDE / "classes"):
        monkeypatch.syspath_prepend(str(place))
    return importlib.import_module("outpace.tasks.importers.inside.llm4ad.driver")


def settings(**given: object) -> SimpleNamespace:
    base = {"use_numba_accelerate": False, "use_protected_div": False, "protected_div_delta": 1e-5, "random_seed": None}
    return SimpleNamespace(**{**base, **given})


def test_a_program_is_changed_as_the_evaluation_wants(driver: ModuleType) -> None:
    text = "import numpy as np\n\n\ndef f(a, b):\n    return a / (b / 2) + np.random.rand()\n"
    wanted = settings(use_protected_div=True, protected_div_delta=0.5, random_seed=3, use_numba_accelerate=True)
    made = ast.unparse(driver.changed(ast.parse(text), wanted, "f"))
    assert made.count(".jit(nopython=True)") == 2
    assert made.index("np.random.seed(3)") < made.index("return")
    assert "_protected_div(a, _protected_div(b, 2))" in made
    assert ast.unparse(driver.changed(ast.parse(text), settings(), "f")) == ast.unparse(ast.parse(text))


@pytest.mark.slow
def test_protected_divisions_and_seeds_are_kept(tmp_path: Path) -> None:
    template = "import numpy as np\n\n\ndef f(x):\n    return np.random.rand() + x / 0.5\n"
    kept = own(
        "return callable_func(1) - callable_func(0)",
        settings=", use_protected_div=True, protected_div_delta=0.5, random_seed=7",
        template=template,
    )
    task = loaded(f"llm4ad:{laid(tmp_path / 'kept', {'evaluation.py': kept})}")
    assert judged(task).score == pytest.approx(1.0)  # 1 / (0.5 + 0.5), and twice the same random number
    plain = own("return len(program_str) if callable_func is None else 0", settings=", exec_code=False")
    assert judged(loaded(f"llm4ad:{laid(tmp_path / 'plain', {'evaluation.py': plain})}")).score


def refusal(text: str) -> str:
    with pytest.raises(OutpaceError) as caught:
        loaded(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_what_is_no_evaluation_is_refused(tmp_path: Path) -> None:
    laid(tmp_path / "plain", {"evaluation.py": "class E:\n    pass\n"})
    for path in ("plain", "plain/evaluation.py", "gone"):
        assert "class E(Evaluation) with evaluate_program" in refusal(f"llm4ad:{tmp_path / path}")
    with pytest.raises(TaskError, match="nothing there or below; expected a Python file with an evaluation of LLM4AD"):
        llm4ad.tasks(tmp_path)


@pytest.mark.slow
def test_what_cannot_be_made_is_refused_in_one_line(tmp_path: Path) -> None:
    for name, more, said in (
        ("search", "from llm4ad.tools.llm import HttpsApi", "our stand-in for LLM4AD does not have"),
        ("names", "from llm4ad.base import LLM", "cannot import name 'LLM' from 'llm4ad.base'"),
        ("package", "import no_such_one", "pip install no_such_one"),
    ):
        laid(tmp_path / name, {"evaluation.py": f"{more}\n{own('return 1.0')}"})
        assert said in refusal(f"llm4ad:{tmp_path / name}")
    if find_spec("huggingface_hub") is None:
        laid(tmp_path / "hub", {"evaluation.py": f"import huggingface_hub\n{own('return 1.0')}"})
        assert "which the sandbox has no network for" in refusal(f"llm4ad:{tmp_path / 'hub'}")
    laid(tmp_path / "empty", {"evaluation.py": own("return 1.0", template="")})
    assert "template_program is empty" in refusal(f"llm4ad:{tmp_path / 'empty'}")
