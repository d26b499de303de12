"""The kernels family without a GPU: what is right and what is not, under Triton's interpreter and on guard pages.

What needs torch and triton is marked ``triton``; ``.ci/run`` runs it with the packages of the environment that it makes
for vLLM, and sets OUTPACE_TEST_TRITON=required, so that it is not skipped there.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from outpace.agent.budget import Budget
from outpace.agent.cli.main import app
from outpace.agent.evolve import RunOptions, evolve, open_run
from outpace.agent.models.scripted import ScriptedModel
from outpace.agent.store import open_store
from outpace.errors import TaskError, UsageError, WrongAnswer
from outpace.evaluators import device
from outpace.evaluators.base import Evaluation
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.plugins import load
from outpace.tasks import answer, registry
from outpace.tasks.candidate import Candidate
from outpace.tasks.check import check
from outpace.tasks.folder import GUARDED
from outpace.tasks.inside.guarded import Guarded
from outpace.tasks.plain import same
from outpace.tasks.spec import Case, Split, Task

TASKS = ("layernorm_triton", "softmax_triton")
SPLITS: tuple[Split, ...] = ("train", "heldout", "ood")
HAVE = find_spec("torch") is not None and find_spec("triton") is not None
REQUIRED = os.environ.get("OUTPACE_TEST_TRITON") == "required"
needs_triton = pytest.mark.skipif(not (HAVE or REQUIRED), reason="needs torch and triton: pip install torch triton")


def case_of(task: Task, name: str) -> Case:
    return next(case for case in task.spec.cases if case.name == name)


def refusal(task: Task, problem: Any, given: Any) -> str:
    with pytest.raises(WrongAnswer) as caught:
        task.check(problem, given)
    return str(caught.value)


# What the checkers accept


@pytest.mark.parametrize("name", TASKS)
def test_the_reference_passes_and_problems_follow_from_their_seed(name: str) -> None:
    task = registry.find(name)
    assert task.spec.device == "gpu" and task.spec.family == "kernels"
    for case in task.spec.cases:
        for seed in range(5 if case.instances > 1 else 1):
            problem = task.generate(case, seed)
            assert same(dict(problem), dict(task.generate(case, seed)))
            found = task.reference(problem)
            assert answer.fault(task.spec.answer, problem, found) is None
            task.check(problem, found)


@pytest.mark.parametrize("name", TASKS)
def test_every_split_has_cases_for_the_interpreter_and_train_has_one_for_a_gpu(name: str) -> None:
    spec = registry.find(name).spec
    assert all(device.untimed(spec, split) for split in SPLITS)
    assert any(case.timed for case in spec.split("train"))
    kinds = {case.params["dtype"] for case in device.untimed(spec, "train")}
    assert kinds == {"float32", "float16"}


def test_softmax_by_hand() -> None:
    task = registry.find("softmax_triton")
    problem = {"x": np.array([[0.0, np.log(3.0)], [7.0, 7.0]], np.float32), "pad": 0}
    task.check(problem, np.array([[0.25, 0.75], [0.5, 0.5]], np.float32))
    assert "y[0, 0] is 0.25009" in refusal(task, problem, np.array([[0.2501, 0.75], [0.5, 0.5]], np.float32))
    assert "expected an array of float32" in refusal(task, problem, np.array([[0.25, 0.75], [0.5, 0.5]]))


def test_softmax_in_half_precision_or_without_the_largest_number_is_refused() -> None:
    task = registry.find("softmax_triton")
    problem = task.generate(case_of(task, "half_about_700"), 3)
    x = problem["x"]
    with np.errstate(all="ignore"):
        powers = np.exp(x - x.max(axis=1, keepdims=True))
        half = powers / powers.sum(axis=1, keepdims=True, dtype=np.float16)
        assert "numbers are off" in refusal(task, problem, half)
        bare = np.exp(x.astype(np.float32))
        bare /= bare.sum(axis=1, keepdims=True)
        assert "is nan" in refusal(task, problem, bare.astype(np.float16))


def test_layernorm_by_hand() -> None:
    task = registry.find("layernorm_triton")
    x, zero = np.array([[1.0, 3.0]], np.float32), np.zeros((1, 2), np.float32)
    weight, bias = np.array([1.0, 2.0], np.float32), np.ones(2, np.float32)
    problem = {"x": x, "residual": zero, "weight": weight, "bias": bias, "pad": 0}
    right = np.array([[1 - 1 / np.sqrt(1 + 1e-5), 1 + 2 / np.sqrt(1 + 1e-5)]], np.float32)
    task.check(problem, (x, right))
    assert "y[0, 1] is 3.0009" in refusal(task, problem, (x, np.array([[right[0, 0], 3.0009]], np.float32)))
    assert "total[0, 0] is 1.0009" in refusal(task, problem, (x + np.float32(9e-4), right))
    assert refusal(task, problem, x) == "expected two arrays: total and y"


def test_layernorm_by_the_mean_of_squares_or_of_the_rounded_sum_is_refused() -> None:
    task = registry.find("layernorm_triton")
    problem = task.generate(case_of(task, "about_1000"), 3)
    total = problem["x"] + problem["residual"]
    mean = total.mean(axis=1, keepdims=True)
    with np.errstate(all="ignore"):
        spread = np.maximum((total * total).mean(axis=1, keepdims=True) - mean * mean, 0)
    y = (total - mean) / np.sqrt(spread + np.float32(1e-5)) * problem["weight"] + problem["bias"]
    assert refusal(task, problem, (total, y)).startswith("y[")
    problem = task.generate(case_of(task, "half_about_700"), 3)
    rounded = {**problem, "x": problem["x"] + problem["residual"], "residual": 0 * problem["residual"]}
    assert refusal(task, problem, task.reference(rounded)).startswith("y[")


# Guard pages


@pytest.mark.parametrize("end", [True, False])
@pytest.mark.parametrize("shape", [(5,), (3, 7), (1, 1), (2, 3, 4), (4, 1024)])
def test_an_array_between_guard_pages(shape: tuple[int, ...], end: bool) -> None:
    laid = Guarded(shape, np.float32, pad=2, end=end)
    assert laid.array.shape == shape and np.isnan(laid.array).all()
    assert laid.array.strides[-1] == 4 and (len(shape) == 1 or laid.array.strides[-2] == 4 * (shape[-1] + 2))
    laid.array[...] = np.arange(laid.array.size).reshape(shape)
    assert laid.intact()
    assert laid.array.reshape(-1).tolist() == list(range(laid.array.size))


def test_what_is_written_beside_an_array_is_seen() -> None:
    for place in (-2, 6):  # before it, and in the gap between its rows
        laid = Guarded((2, 3), np.float32, pad=1, end=True)
        beside = np.lib.stride_tricks.as_strided(laid.array[0:1, 0:1], (1, 1))
        np.frombuffer(laid._pages, np.uint8)[beside.ctypes.data - address(laid) + 2 * place] = 7
        assert not laid.intact()


def address(laid: Guarded) -> int:
    return int(np.frombuffer(laid._pages, np.uint8).ctypes.data)


@pytest.mark.parametrize(("end", "step"), [(True, 12), (False, -1)])
def test_a_step_out_of_an_array_kills(end: bool, step: int) -> None:
    text = (
        f"import ctypes, runpy; laid = runpy.run_path({str(GUARDED)!r})['Guarded']((3,), 'f4', end={end}); "
        f"print('there', flush=True); ctypes.string_at(laid.array.ctypes.data + {step}, 1)"
    )
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert done.stdout == "there\n" and done.returncode == -signal.SIGSEGV


# What a run without a GPU is told


def test_a_run_that_nothing_can_time_is_refused_in_one_line(tmp_path: Path) -> None:
    spec = registry.find("softmax_triton").spec
    with pytest.raises(UsageError) as caught:
        device.must_be_timed(spec, unmeasured=False, gpu=None)
    said = str(caught.value)
    assert "\n" not in said and said.startswith("Task 'softmax_triton' is timed on a GPU, and there is none here")
    assert "outpace task check" in said and "--unmeasured" in said and "outpace tell" in said
    with pytest.raises(UsageError, match=r"one here \(/dev/nvidia0\), but this version of Outpace cannot time"):
        device.must_be_timed(spec, unmeasured=False, gpu="/dev/nvidia0")
    device.must_be_timed(spec, unmeasured=True, gpu=None)
    done = CliRunner().invoke(app, ["run", "softmax_triton", "--home", str(tmp_path / "home")])
    assert isinstance(done.exception, UsageError) and "is timed on a GPU" in str(done.exception)
    assert not (tmp_path / "home").exists()  # refused before anything was made


def test_a_task_of_the_cpu_is_measured() -> None:
    spec = registry.find("gemm").spec
    device.must_be_timed(spec, unmeasured=False, gpu=None)
    with pytest.raises(UsageError, match="--unmeasured is for tasks of a GPU; 'gemm' is measured on the CPU"):
        device.must_be_timed(spec, unmeasured=True, gpu=None)


def test_a_gpu_is_found_by_its_device(tmp_path: Path) -> None:
    assert device.found(tmp_path) is None
    (tmp_path / "kfd").touch()
    assert device.found(tmp_path) == str(tmp_path / "kfd")


def test_a_split_without_a_case_to_check() -> None:
    spec = registry.find("softmax_triton").spec
    timed = replace(spec, cases=tuple(case for case in spec.cases if case.timed))
    with pytest.raises(TaskError, match="all cases of the split 'heldout' are timed; without a GPU"):
        device.untimed(timed, "heldout")


def test_what_check_says_of_a_task_for_a_gpu(speedup: Path, edit: Callable[[Path, str, str], int]) -> None:
    edit(speedup / "task.toml", "[goal]", 'device = "gpu"\n[goal]')
    said = "without a GPU only those with timed = false are checked, so there must be one"
    assert f"all heldout cases are timed; {said}" in " ".join(map(str, check(speedup)))
    edit(speedup / "task.toml", 'device = "gpu"', 'device = "tpu"')
    assert "device: got 'tpu', expected 'cpu' or 'gpu'" in str(check(speedup)[0])


def test_a_metric_is_not_for_a_gpu(metric: Path, edit: Callable[[Path, str, str], int]) -> None:
    edit(metric / "task.toml", "[goal]", 'device = "gpu"\n[goal]')
    assert "device: got 'gpu' beside goal.kind = 'metric'" in str(check(metric)[0])


@pytest.mark.skipif(HAVE, reason="torch and triton are here")
def test_a_missing_package_is_named_with_the_line_that_installs_it(tmp_path: Path) -> None:
    folder = registry.place("softmax_triton")
    assert folder is not None
    shutil.copytree(folder, tmp_path / "softmax")
    facts = (folder / "task.toml").read_text().split("[[cases]]")
    (tmp_path / "softmax" / "task.toml").write_text("[[cases]]".join(facts[:2]))
    done = CliRunner().invoke(app, ["task", "check", str(tmp_path / "softmax")])
    assert done.exit_code == 1
    assert "requires: the module 'torch' is not installed here; pip install torch" in done.output
    assert "requires: the module 'triton' is not installed here; pip install triton" in done.output


# With torch and triton, under the interpreter

AFTER_STORE = "tl.store(y + begin + offsets, tl.exp(part - highest) / total, mask=inside)"
LAUNCH = "softmax_kernel[(rows,)](x, y, columns, x.stride(0), y.stride(0), BLOCK=BLOCK)"
CHEATS: dict[str, tuple[str, str, str, str]] = {
    "a store past the end": (AFTER_STORE, AFTER_STORE.replace(", mask=inside", ""), "crashed", "SIGSEGV"),
    "a load past the end": ("other=0.0", "other=0.0 * tl.load(x + begin + offsets)", "crashed", "SIGSEGV"),
    "a load before the begin": (
        "    y += row * y_stride\n",
        "    y += row * y_stride\n    tl.load(x - 1)\n",
        "crashed",
        "SIGSEGV",
    ),
    "a store into the gap between rows": (
        "inside = begin + offsets < columns\n        part = tl.load(x + begin + offsets, mask=inside, other=0.0)",
        "inside = begin + offsets < columns + (tl.program_id(0) == 0).to(tl.int32)\n"
        "        part = tl.load(x + begin + offsets, mask=inside, other=0.0)",
        "crashed",
        "something was written beside the tensor 'y'",
    ),
    "rows left out": ("[(rows,)]", "[(max(1, rows - 1),)]", "wrong", "nan"),
    "numbers that are not right": (
        "part - highest) / total",
        "part - highest) / (total + 1e-3)",
        "wrong",
        "numbers are off",
    ),
    "an input that is changed": (LAUNCH, f"{LAUNCH}\n    x[0, 0] = 0.5", "crashed", "the input 'x' was changed"),
    "an answer that is returned": (LAUNCH, f"{LAUNCH}\n    return y", "crashed", "it must write into its outputs"),
    "an answer by chance": (
        LAUNCH,
        f"{LAUNCH}\n    y[0, 0] *= 1 + 1e-5 * torch.rand(())",
        "crashed",
        "two calls with the same inputs left different numbers in 'y'",
    ),
    "an autotuner": (
        "@triton.jit",
        "@triton.autotune([triton.Config({}, num_warps=n) for n in (4, 8)], key=[])\n@triton.jit",
        "crashed",
        "0 active drivers",
    ),
}


@pytest.fixture(scope="module")
def evaluator() -> Iterator[CascadeEvaluator]:
    sandbox = load("sandbox", "zygote")()
    yield CascadeEvaluator(sandbox)
    sandbox.close()


def unmeasured(found: Evaluation) -> bool:
    goal = registry.find("softmax_triton").spec.goal
    return found.unmeasured and found.rank(goal) is None and found.machine["gpu"] == "not measured on a GPU"


@pytest.mark.slow
@pytest.mark.triton
@needs_triton
@pytest.mark.parametrize("name", TASKS)
def test_the_start_is_right_and_has_no_score(name: str, evaluator: CascadeEvaluator) -> None:
    task = registry.find(name)
    for split in SPLITS:
        found = asyncio.run(evaluator.evaluate(task, task.start, split=split))
        assert unmeasured(found), found.feedback
        assert [stage.name for stage in found.stages] == ["load", "smoke", "check"] and not found.measurements
    assert asyncio.run(evaluator.noise(task)) is None
    assert unmeasured(asyncio.run(evaluator.duel(task, task.start, task.start)))


@pytest.mark.slow
@pytest.mark.triton
@needs_triton
@pytest.mark.parametrize("what", CHEATS)
def test_what_is_not_right_is_caught(what: str, evaluator: CascadeEvaluator) -> None:
    task = registry.find("softmax_triton")
    old, new, status, words = CHEATS[what]
    assert task.start.program.count(old) >= 1, old
    program = task.start.program.replace(old, new)
    found = asyncio.run(evaluator.evaluate(task, Candidate({"program.py": program})))
    assert found.status == status and found.score is None
    assert words in found.feedback


@pytest.mark.slow
@pytest.mark.triton
@needs_triton
@pytest.mark.parametrize("name", TASKS)
def test_task_check_by_name(name: str) -> None:
    done = CliRunner().invoke(app, ["task", "check", name])
    assert done.output == f"{name}: no errors. Next: outpace run {name} --unmeasured\n"


@pytest.mark.slow
@pytest.mark.triton
@needs_triton
def test_a_run_that_only_checks(tmp_path: Path) -> None:
    good = "<<<<<<< SEARCH\nBLOCK = 1024\n=======\nBLOCK = 2048\n>>>>>>> REPLACE\n"
    bad = good.replace("2048", "1000")
    model = ScriptedModel([good, bad])
    options: dict[str, Any] = {"unmeasured": True, "budget": Budget(evaluations=3), "workers": 1, "repair": False}
    report = evolve("softmax_triton", model=model, home=tmp_path, **options)
    assert report.champion is None and report.noise is None and report.duels == ()
    assert dict(report.statuses) == {"ok": 2, "crashed": 1}
    with closing(open_store(tmp_path)) as store:
        assert store.top(report.run.id, 9) == [] and store.history(report.run.id) == [] and store.leaderboard() == []
        right = [
            result for result in store.results(report.run.id) if result.evaluation and result.evaluation.unmeasured
        ]
    assert len(right) == 2 and right[1].proposal is not None

    def said(*words: str) -> str:
        return str(CliRunner().invoke(app, [*words, "--home", str(tmp_path)]).output)

    assert "No champion, for nothing has a score: not measured on a GPU." in said("report", report.run.id)
    assert said("leaderboard").startswith("No champions")
    candidate = right[1].proposal.candidate.id
    assert "right, not measured" in said("show", candidate)


@pytest.mark.slow
@pytest.mark.triton
@needs_triton
def test_one_program_is_judged_by_tell(tmp_path: Path) -> None:
    options = RunOptions(task="softmax_triton", proposing=outside(), unmeasured=True)
    run = asyncio.run(open_run(options, home=tmp_path))
    program = tmp_path / "mine.py"
    program.write_text(registry.find("softmax_triton").start.program.replace("BLOCK = 1024", "BLOCK = 512"))

    def said(*words: str) -> str:
        return str(CliRunner().invoke(app, [*words, "--home", str(tmp_path)]).output)

    assert "It is a program for a GPU. There is none to time it on" in said("ask", run.id)
    told = said("tell", run.id, str(program))
    assert "is ok" in told and "There is no score: not measured on a GPU." in told


def outside() -> Any:
    from outpace.agent.proposing import Proposing

    return Proposing(proposer="outside")
