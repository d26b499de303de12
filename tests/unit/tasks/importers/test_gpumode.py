"""Problems of GPU MODE: look-alikes of our own, from import to leaderboard, and what is refused."""

import ast
import json
from pathlib import Path

import pytest

import outpace
from outpace.agent.models.scripted import ScriptedModel
from outpace.errors import MissingPackage, OutpaceError, TaskError, UsageError, WrongAnswer
from outpace.tasks import folder
from outpace.tasks.importers import gpumode, source
from tests.unit.tasks.importers.originals import invoke, needs_torch

DESCRIPTION = """
files:
  - {"name": "submission.py", "source": "@SUBMISSION@"}
  - {"name": "task.py", "source": "task.py"}
  - {"name": "utils.py", "source": "../utils.py"}
  - {"name": "reference.py", "source": "reference.py"}
  - {"name": "eval.py", "source": "../eval.py"}
lang: "py"
description: |
  Scale a vector on the GPU.
config:
  main: "eval.py"
tests:
  - {"size": 100, "seed": 4}
  - {"size": 333, "seed": 5}
benchmarks:
  - {"size": 300000, "seed": 6}
  - {"size": 400000000, "seed": 7}
"""
KINDS = "from typing import TypedDict, TypeVar\nimport torch\ninput_t = output_t = TypeVar('t', bound=torch.Tensor)\n"
SHARED = '''import torch


def close(reference, tolerance=1e-5):
    """Return a checker of the newer kind."""

    def checked(data, output):
        expected = reference(data)
        if output.shape != expected.shape:
            return False, "another shape"
        far = (output - expected).abs() > tolerance + tolerance * expected.abs()
        return (not bool(far.any()), f"{int(far.sum())} are off" if bool(far.any()) else "")

    return checked
'''
REFERENCE = '''import torch
from task import input_t, output_t
from utils import close

FACTOR = 3.0


def ref_kernel(data: input_t) -> output_t:
    """Scale it."""
    values, output = data
    torch.cuda.synchronize()
    output[...] = torch.sqrt(values.double() * values.double()).float().cuda() * FACTOR
    return output


def generate_input(size: int, seed: int) -> input_t:
    gen = torch.Generator(device="cuda")
    gen.manual_seed(seed)
    values = torch.randn(size, device='cuda', dtype=torch.float32, generator=gen).contiguous()
    return values, torch.empty(size, device="cuda", dtype=torch.float32)


check_implementation = close(ref_kernel)

if __name__ == "__main__":
    print(ref_kernel(generate_input(4, 4)))
'''
SUBMISSION = """import torch
from task import input_t, output_t


def custom_kernel(data: input_t) -> output_t:
    values, output = data
    assert values.is_cuda
    torch.mul(values.to("cuda:0").abs(), 3.0, out=output)
    return output
"""
SLOW = SUBMISSION.replace(".abs()", ".double().abs().float()")
QUICK = """import torch


def custom_kernel(data):
    return torch.abs(data[0], out=data[1]).mul_(3.0)
"""
OLD = """
def check_implementation(data, output):
    expected = ref_kernel(data)
    return "" if torch.equal(output, expected) else "mismatch found"
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def scale(tmp_path: Path) -> Path:
    """Return a problem in a folder laid out as the checkout is."""
    place = tmp_path / "checkout" / "problems" / "first_set" / "scale_py"
    texts = {
        "task.yml": DESCRIPTION,
        "task.py": KINDS,
        "reference.py": REFERENCE,
        "submission.py": SUBMISSION,
        "../utils.py": SHARED,
        "../eval.py": "raise SystemExit('not ours')\n",
        "../../first_set.yaml": "problems:\n  - {directory: first_set/scale_py}\n",
        "../other_py/task.yml": "{}",
    }
    for name, text in texts.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    return place


def refused(place: Path, option: str = "") -> str:
    with pytest.raises(OutpaceError) as error:
        source.folder_of(f"gpumode:{place}{option}")
    return str(error.value).replace(f"{place}", "scale_py")


def edited(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_the_problems_of_a_checkout(scale: Path) -> None:
    root = scale.parents[2]
    assert gpumode.tasks(root) == ["problems/first_set/other_py", "problems/first_set/scale_py"]
    assert gpumode.tasks(scale.parent) == ["other_py", "scale_py"]
    assert gpumode.tasks(scale) == [""]
    with pytest.raises(TaskError, match=r"no task.yml in it or below; expected a problem's folder of GPU MODE"):
        gpumode.tasks(_empty(root))
    with pytest.raises(TaskError, match=r"gone: no such folder; expected a problem's folder"):
        gpumode.tasks(root / "gone")
    listed = invoke("task", "list", f"gpumode:{root}").stdout.splitlines()
    assert listed[0] == f"gpumode:{root}/problems/first_set/other_py" and listed[-1].startswith("2 tasks.")


def _empty(root: Path) -> Path:
    (root / "empty").mkdir()
    return root / "empty"


@pytest.mark.parametrize(
    ("file", "old", "new", "told"),
    [
        ("task.yml", 'lang: "py"', 'lang: "cu"', "scale_py/task.yml: lang is 'cu', expected 'py'"),
        ("task.yml", 'lang: "py"', "multi_gpu: true", "it needs several GPUs; not supported"),
        ("task.yml", 'lang: "py"', "lang: [", "scale_py/task.yml: not valid YAML: "),
        (
            "task.yml",
            "../utils.py",
            "../gone.py",
            "gone.py: no such file; expected the file that task.yml calls utils.py",
        ),
        (
            "task.yml",
            '{"name": "task.py", "source": "task.py"}',
            "4",
            "files: expected a list of {name: utils.py, source",
        ),
        ("task.yml", '"reference.py", "source"', '"referee.py", "source"', "files lists no reference.py"),
        ("task.yml", "benchmarks:\n  -", "benchmarks:\n  - 7\n  -", "benchmarks: expected a list of tables"),
        (
            "reference.py",
            "check_implementation =",
            "checked =",
            "defines no check_implementation; expected a problem's",
        ),
        ("reference.py", "size: int, seed", "rank: int, seed", "generate_input takes a rank: it needs several GPUs"),
        ("reference.py", "import torch", "import aiter, cutlass", "imports aiter and cutlass: it needs a GPU"),
        ("reference.py", "FACTOR = 3.0", "torch._scaled_mm  # nvfp4", "multiplies in 4-bit floats: it needs a GPU"),
        ("reference.py", "def ref_kernel(", "def ref_kernel", "reference.py:8: not valid Python"),
    ],
)
def test_what_cannot_be_imported(scale: Path, file: str, old: str, new: str, told: str) -> None:
    edited(scale / file, old, new)
    assert told in refused(scale)


def test_bad_places_options_and_packages(scale: Path) -> None:
    assert "holds no task.yml; expected a problem's folder of GPU MODE" in refused(scale.parent)
    assert "no such folder; expected a problem's folder" in refused(scale.parent / "gone")
    with pytest.raises(UsageError, match="'mb' of gpumode: got 'much', expected a whole number"):
        source.folder_of(f"gpumode:{scale}?mb=much")
    edited(scale / "reference.py", "import torch\n", "import torch\nimport not_installed_anywhere\n")
    with pytest.raises(
        MissingPackage, match=r"scale_py needs .*'not_installed_anywhere'.*; pip install .*not_installed"
    ):
        source.folder_of(f"gpumode:{scale}")


def test_programs_are_told_to_use_the_cpu() -> None:
    assert gpumode.on_cpu(SUBMISSION).count("cuda") == 0
    text = gpumode.on_cpu(REFERENCE)
    assert text.count('"cpu"') == 2 and text.count("'cpu'") == 1 and ".float().cpu() * FACTOR" in text
    assert "torch.cuda.synchronize()" in text  # a call that only waits passes


def test_a_program_made_of_the_reference() -> None:
    text = gpumode._of_reference(REFERENCE)
    names = [getattr(node, "name", None) for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    assert names == ["ref_kernel", "custom_kernel"]
    assert "FACTOR = 3.0" in text and "check_implementation" not in text and "__main__" not in text


@pytest.mark.parametrize(
    ("submission", "why"),
    [
        ("", "there is no submission.py"),
        ("def custom_kernel(", "submission.py is not valid Python"),
        ("import torch\n", "submission.py defines no custom_kernel"),
        (
            "import torch\ncustom_kernel = torch.compile(abs)\n",
            "submission.py uses torch.compile, which needs a compiler",
        ),
        ("import triton\ndef custom_kernel(data): return data\n", "submission.py imports triton"),
        (SUBMISSION, ""),
    ],
)
def test_whether_the_submission_can_be_the_start(submission: str, why: str) -> None:
    assert gpumode._unusable(submission, {"task", "utils"}).startswith(why)


def test_which_cases_are_timed() -> None:
    names = ["test_0", "test_1", "benchmark_0", "benchmark_1"]
    found: list[dict[str, float | str]] = [
        {"seconds": 1e-6},
        {"seconds": 1e-3},
        {"seconds": 0.2},
        {"left": "too large"},
    ]
    assert gpumode._cases(names, found) == {"test_0": (0, False), "test_1": (1, False), "benchmark_0": (2, True)}
    found[2] = {"left": "too large"}
    assert gpumode._cases(names, found) == {"test_0": (0, False), "test_1": (1, True)}


@needs_torch
def test_from_import_to_leaderboard(scale: Path, tmp_path: Path) -> None:
    (scale / "submission.py").write_text(SLOW)
    name = f"gpumode:{scale}?mb=16"
    shown = invoke("task", "show", name).stdout
    assert "scale (GPU MODE first_set; CPU: times are of this CPU, not of a GPU)" in shown
    assert "the program begins as the problem's own `submission.py`" in shown
    assert "- `benchmark_1` (size=400000000): its tensors take 3052 MB, the limit is mb=16" in shown
    written = tmp_path / "scale"
    assert invoke("task", "import", name, str(written)).exit_code == 0
    task = folder.load(written)
    assert {case.name: case.timed for case in task.spec.cases} == {
        "test_0": False,
        "test_1": False,
        "benchmark_0": True,
    }
    checked = invoke("task", "check", str(written))
    assert "no errors" in checked.stdout, checked.stdout
    home = tmp_path / "home"
    model = ScriptedModel([f"```python\n{QUICK}```"])
    outpace.evolve(name, model=model, home=home, budget=outpace.Budget(evaluations=2), edit_modes=("whole",))
    [entry] = json.loads(invoke("leaderboard", "--json", "--home", home).stdout)
    assert (entry["task"], entry["measurable"]) == ("gpumode_first_set_scale_py", True)
    assert entry["gain"] > 1.3


@needs_torch
@pytest.mark.parametrize("old", [False, True])
def test_both_conventions_of_the_checker(scale: Path, old: bool) -> None:
    if old:
        edited(scale / "reference.py", "check_implementation = close(ref_kernel)\n", OLD)
    task = folder.load(source.folder_of(f"gpumode:{scale}?mb=16"))
    problem = task.generate(task.spec.cases[0], 11)
    assert problem["data"][1] == {"torch.empty": ["torch.float32", [100]]}  # the driver allocates it
    answer = task.reference(problem)
    task.check(problem, answer)
    with pytest.raises(WrongAnswer, match="mismatch found" if old else "100 are off"):
        task.check(problem, answer + 1)
    with pytest.raises(WrongAnswer, match="expected float32"):
        task.check(problem, answer.astype("float64"))
    with pytest.raises(WrongAnswer, match="no tensor"):
        task.check(problem, {"torch.empty": ["torch.float32", [100]]})


@needs_torch
@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (
            "return output\n",
            "import time; return output + time.time_ns() % 997\n",
            "its reference fails its own check: ",
        ),
        ("return output\n", "return {1}\n", "it does not run on a CPU: "),
        ("values.double()", "torch.zeros(3).to('cuda:1')", "it does not run on a CPU: "),
        ("return values, torch", "return values, object(), torch", "it does not run on a CPU: "),
        ("FACTOR = 3.0", "FACTOR = 1 / 0", "reference.py cannot be imported: ZeroDivisionError"),
        ("size: int, seed", "length: int, seed", "it does not run on a CPU: TypeError"),
    ],
)
def test_references_that_cannot_be_used(scale: Path, old: str, new: str, told: str) -> None:
    edited(scale / "reference.py", old, new)
    assert told in refused(scale, "?mb=16")


@needs_torch
def test_sizes_that_cannot_be_timed_and_starts_that_fail(scale: Path) -> None:
    edited(scale / "task.yml", "300000,", "300000000,")
    edited(scale / "task.yml", '"size": 100,', '"size": 1,')
    edited(scale / "task.yml", '"size": 333,', '"size": 2,')
    edited(scale / "reference.py", "torch.sqrt(values.double() * values.double()).float().cuda() * FACTOR", "values")
    assert "is too fast to be timed: its reference takes " in refused(scale, "?mb=16")
    edited(scale / "task.yml", "300000000,", "300000,")
    edited(scale / "reference.py", "output[...] = values", "output[...] = values.abs() * FACTOR")
    edited(scale / "submission.py", "3.0, out", "4.0, out")
    text = (source.folder_of(f"gpumode:{scale}?mb=16") / "statement.md").read_text()
    assert "the program begins as `ref_kernel` of the problem, for 1 are off" in text
