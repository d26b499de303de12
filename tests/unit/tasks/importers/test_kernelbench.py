"""Problems of KernelBench: look-alikes of our own, from import to leaderboard, and what is refused."""

import ast
import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import outpace
from outpace.agent.models.scripted import ScriptedModel
from outpace.errors import MissingPackage, OutpaceError, TaskError, UsageError, WrongAnswer
from outpace.evaluators.base import Evaluation
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.sandbox.process import ProcessSandbox
from outpace.tasks import folder
from outpace.tasks.candidate import Candidate
from outpace.tasks.importers import kernelbench, source, survey
from outpace.tasks.spec import Task
from tests.unit.tasks.importers.originals import invoke, needs_torch

GATED = '''import torch
import torch.nn as nn

class Model(nn.Module):
    """
    A gated sum. Model is what a Model is.
    """
    def __init__(self, width, gain):
        super(Model, self).__init__()
        self.gate = nn.Linear(width, width)
        self.bias = nn.Parameter(torch.randn(width))
        self.gain = gain

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        total = torch.zeros_like(x)
        for _ in range(3):
            total = total + torch.sigmoid(self.gate(x)) * self.gain
        return total + self.bias

batch_size = 4096 * 4
width = 512
steps = 3

def get_inputs():
    return [torch.rand(batch_size, width)]

def get_init_inputs():
    return [width, 2.0]  # width, gain'''
BODY = """import torch

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def count(self):
        self.calls += 1
        return self.calls

    def forward(self, x, y=None):
        return {answer}

def get_inputs():
    return [{inputs}]

def get_init_inputs():
    return []
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a folder laid out as a checkout of KernelBench is."""
    levels = tmp_path / "checkout" / "KernelBench"
    names = ("level1/9_Sum.py", "level1/10_Gated_sum_.py", "level1/100_Other.py", "level2/1_Other.py")
    for name in (*names, "changelog/v0.txt", "level1/__init__.py"):
        (levels / name).parent.mkdir(parents=True, exist_ok=True)
        (levels / name).write_text(GATED)
    return levels.parent


def problem(
    place: Path, answer: str = "x + 1", inputs: str = "torch.rand(64, 64)", name: str = "level1/7_Odd.py"
) -> str:
    """Write a problem of one line; return it as Outpace is told of it."""
    (place / name).parent.mkdir(exist_ok=True)
    (place / name).write_text(BODY.format(answer=answer, inputs=inputs))
    return f"kernelbench:{place / name}"


def test_the_problems_of_a_checkout_in_their_order(checkout: Path) -> None:
    level1 = ["level1/9_Sum.py", "level1/10_Gated_sum_.py", "level1/100_Other.py"]
    assert kernelbench.tasks(checkout) == [f"KernelBench/{name}" for name in (*level1, "level2/1_Other.py")]
    assert kernelbench.tasks(checkout / "KernelBench") == [*level1, "level2/1_Other.py"]
    assert kernelbench.tasks(checkout / "KernelBench" / "level1") == [name.partition("/")[2] for name in level1]
    for one in ("KernelBench/level1/10_Gated_sum_.py", "KernelBench/level1/10", "level1/10", "level1/10_Gated_sum_.py"):
        assert kernelbench.tasks(checkout / one) == [""]
    listed = invoke("task", "list", f"kernelbench:{checkout}?mb=8").stdout.splitlines()
    assert listed[1] == f"kernelbench:{checkout}/KernelBench/level1/10_Gated_sum_.py?mb=8"
    assert listed[-1].startswith("4 tasks.")


def test_what_is_no_problem(tmp_path: Path, checkout: Path) -> None:
    def refused(text: str) -> str:
        with pytest.raises(OutpaceError) as error:
            source.folder_of(text)
        return str(error.value).replace(str(tmp_path), "")

    told = "expected a problem of KernelBench, such as level1/23_Softmax.py"
    assert refused(f"kernelbench:{checkout}/level1/11") == f"/checkout/KernelBench/level1: no file 11_*.py; {told}"
    assert refused(f"kernelbench:{tmp_path}/gone.py") == f"/gone.py: no such file; {told}"
    assert refused(f"kernelbench:{checkout}").startswith(f"/checkout: is a folder; {told} (outpace task list")
    with pytest.raises(TaskError, match="holds no problem; expected folders level1 to level4"):
        kernelbench.tasks(tmp_path)
    (tmp_path / "a.py").write_text("class Model: pass\ndef get_inputs(): return []\n")
    assert refused(f"kernelbench:{tmp_path}/a.py") == f"/a.py: defines no get_init_inputs; {told}"
    (tmp_path / "a.py").write_text("Model = get_inputs = get_init_inputs = 3\n")
    assert refused(f"kernelbench:{tmp_path}/a.py") == f"/a.py: Model is no class; {told}"
    (tmp_path / "a.py").write_text("class Model\n")
    assert refused(f"kernelbench:{tmp_path}/a.py").startswith("/a.py:1: not valid Python: ")
    (tmp_path / "a.py").write_text(f"from transformers import AutoModel\n{GATED}")
    assert "loads a model from Hugging Face" in refused(f"kernelbench:{tmp_path}/a.py")


def test_a_missing_package_is_named_with_what_installs_it(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(f"import not_installed_anywhere\n{GATED}")
    with pytest.raises(MissingPackage, match=r"a\.py needs .*'not_installed_anywhere'.*; pip install .*not_installed"):
        source.folder_of(f"kernelbench:{tmp_path}/a.py")


def test_wrong_options(checkout: Path) -> None:
    for option, told in (("mb=0", "'mb'"), ("gflop=x", "'gflop'"), ("shapes=tiny", "expected small or original")):
        with pytest.raises(UsageError, match=told):
            source.folder_of(f"kernelbench:{checkout}/level1/10?{option}")


def test_only_the_class_gets_another_name() -> None:
    text = kernelbench.renamed(GATED)
    ast.parse(text)
    assert "class ModelNew(nn.Module):" in text and "super(ModelNew, self)" in text
    assert "A gated sum. Model is what a Model is." in text
    assert text.replace("ModelNew", "Model") == GATED


@pytest.mark.parametrize(("seconds", "wall_s"), [(2e-5, 10.0), (0.25, 10.0), (0.26, 60.0), (3.0, 60.0)])
def test_the_limits_come_from_the_measured_time(seconds: float, wall_s: float) -> None:
    assert survey.timing(seconds, "it", smaller="mb=16") == {"wall_s": wall_s, "cpu_s": 60 * wall_s}


def test_what_cannot_be_timed_is_said() -> None:
    with pytest.raises(TaskError, match=r"it is too fast to be timed: its reference takes 3.0 us a call"):
        survey.timing(3e-6, "it", smaller="mb=16")
    with pytest.raises(TaskError, match=r"it is too slow to be timed: its reference takes 7.2 s .* or less; mb=16"):
        survey.timing(7.2, "it", smaller="mb=16")


def test_the_statement_says_what_was_changed_and_that_it_is_a_cpu() -> None:
    found = {"changes": [["batch_size", 4096, 16]], "inputs": ["float32 (16, 8)"], "answer": "float32 (16, 8)"}
    text = kernelbench.statement(Path("level2/3_Gated.py"), found)
    assert text.startswith("# 3_Gated (KernelBench level 2, problem 3)\n")
    assert "**CPU: times are of this CPU, not of a GPU.**" in text
    assert "- `batch_size`: 16 instead of 4096" in text and "small twin" in text
    assert "The shapes are those of the problem's file." in kernelbench.statement(Path("a.py"), found | {"changes": []})


@needs_torch
def test_from_import_to_leaderboard(checkout: Path, tmp_path: Path) -> None:
    name = f"kernelbench:{checkout}/level1/10?mb=2"
    shown = invoke("task", "show", name).stdout
    assert "Gated sum (KernelBench level 1, problem 10; small twin, CPU: times are of this CPU, not of a GPU)" in shown
    assert "- `batch_size`: 128 instead of 16384" in shown
    written = tmp_path / "gated"
    assert invoke("task", "import", name, str(written)).exit_code == 0
    checked = invoke("task", "check", str(written))
    assert checked.exit_code == 0 and "no errors" in checked.stdout, checked.stdout
    home, once = tmp_path / "home", GATED.replace("Model", "ModelNew").replace("range(3)", "range(1)")
    model = ScriptedModel([f"```python\n{once.replace('* self.gain', '* self.gain * 3')}\n```"])
    outpace.evolve(name, model=model, home=home, budget=outpace.Budget(evaluations=2), edit_modes=("whole",))
    [entry] = json.loads(invoke("leaderboard", "--json", "--home", home).stdout)
    assert (entry["task"], entry["measurable"]) == ("kernelbench_level1_10_Gated_sum", True)
    assert entry["gain"] > 1.3
    assert not entry["goal"]["self_reported"]


@needs_torch
def test_only_the_originals_answer_is_accepted(checkout: Path) -> None:
    task = folder.load(source.folder_of(f"kernelbench:{checkout}/level1/10?mb=2"))
    problem = task.generate(task.spec.cases[0], 7)
    answer = task.reference(problem)
    task.check(problem, answer * 1.00005)
    broken = answer.copy()
    broken[3, 4] = float("nan")
    wrong = {
        "65536 of 65536 numbers are off by more than 0.0001": answer * 0,
        "1 of 65536 numbers are off|holds NaN": broken,
        "the answer is float64 (128, 512), expected float32 (128, 512)": answer.astype("float64"),
        "the answer is float32 (512, 128), expected": answer.T.copy(),
        "the answer is ['list', 'float32 (128, 512)'], expected": [answer],
        "the answer is no tensor (a bytes is neither": b"",
        "the answer is NoneType, expected": None,
    }
    for told, given in wrong.items():
        with pytest.raises(WrongAnswer) as error:
            task.check(problem, given)
        assert any(part in str(error.value) for part in told.split("|")), (told, str(error.value))


@needs_torch
def test_what_a_candidate_may_do_and_what_not(checkout: Path) -> None:
    task = folder.load(source.folder_of(f"kernelbench:{checkout}/level1/10?mb=2"))

    def judged(change: Callable[[str], str]) -> Evaluation:
        candidate = Candidate({"program.py": change(task.start.program)})
        return asyncio.run(CascadeEvaluator(ProcessSandbox()).evaluate(task, candidate))

    once = judged(
        lambda text: text.replace("for _ in range(3):", "for _ in range(1):").replace(
            "* self.gain", "* (3 * self.gain)"
        )
    )
    assert once.status == "ok" and once.score is not None, once.feedback
    changed = judged(lambda text: text.replace("return total", "x.zero_(); return total"))
    assert changed.status == "refused" and "input" in changed.feedback
    gate, bias = "self.gate = nn.Linear(width, width)", "self.bias = nn.Parameter(torch.randn(width))"
    other = judged(lambda text: text.replace(gate, "@").replace(bias, gate).replace("@", bias))
    assert other.status == "wrong"  # made in another order, the parameters get other numbers


@needs_torch
@pytest.mark.parametrize(
    ("answer", "inputs", "told"),
    [
        ("x * 0", "torch.rand(64, 64)", "its answer is one number everywhere"),
        ("torch.softmax(x * 1e-9, 1).mean(0)", "torch.rand(64, 64)", "its answer is one number everywhere"),
        ("torch.arange(64.0) + x.mean() * 0", "torch.rand(64, 64)", "its answer is the same for other inputs"),
        ("x + self.count()", "torch.rand(64, 64)", "it keeps a state between calls"),
        ("x / 0", "torch.rand(64, 64)", "its answer holds NaN or infinity"),
        ("len(x)", "torch.rand(64, 64)", "its answer holds no tensor: int"),
        ("x @ x", "torch.rand(64, 65)", "it does not run on a CPU: RuntimeError"),
        ("x.cuda()", "torch.rand(64, 64)", "it does not run on a CPU: "),
        ("x + 1", "torch.rand(64, 64) + __import__('time').time_ns() % 997", "two different inputs for one seed"),
        ("x + 1", "torch.rand(1024, 65536)", "a call takes 512 MB"),
        ("x + 1", "torch.rand(4)", "is too fast to be timed"),
    ],
)
def test_what_no_candidate_could_be_judged_by(tmp_path: Path, answer: str, inputs: str, told: str) -> None:
    (tmp_path / "7_Odd.py").write_text(BODY.format(answer=answer, inputs=inputs))
    with pytest.raises(TaskError, match=told) as error:
        source.folder_of(f"kernelbench:{tmp_path}/7_Odd.py")
    assert str(error.value).startswith(f"{tmp_path}/7_Odd.py") and "\n" not in str(error.value)


@needs_torch
def test_whole_numbers_and_half_precision_cross_as_they_are(tmp_path: Path) -> None:
    half = problem(tmp_path, "x.bfloat16() * 2 + y.unsqueeze(1)", "torch.rand(512, 512), torch.randint(0, 9, (512,))")
    task = folder.load(source.folder_of(half))
    given = dict(task.generate(task.spec.cases[0], 3))
    assert given["inputs"][1].dtype == "int64" and given["inputs"][0].dtype == "float32"
    answer = task.reference(given)
    assert list(answer) == ["torch.bfloat16"] and answer["torch.bfloat16"].dtype == "int16"
    task.check(given, answer)
    largest = problem(tmp_path, "torch.argmax(x, dim=1)", "torch.rand(128, 4096)", "level1/8_Largest.py")
    task = folder.load(source.folder_of(largest))
    given = dict(task.generate(task.spec.cases[0], 3))
    assert task.spec.answer.dtype == "int64"
    with pytest.raises(OutpaceError, match="numbers differ"):
        task.check(given, task.reference(given) * 0)


@needs_torch
def test_the_same_problem_is_the_same_folder_the_next_time(checkout: Path, cache: Path) -> None:
    name = f"kernelbench:{checkout}/level1/10?mb=2"
    assert source.folder_of(name) == source.folder_of(name)
    [kept] = (cache / "outpace" / "surveys").glob("*.json")
    facts: dict[str, Any] = json.loads(kept.read_text())
    assert facts["refused"] is None and facts["seconds"] > 0
    assert isinstance(folder.load(source.folder_of(name)), Task)
