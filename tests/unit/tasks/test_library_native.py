"""The native family: what g++ makes of the starting programs is right, and wrong answers are refused."""

import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from outpace.errors import WrongAnswer
from outpace.tasks import answer, registry
from outpace.tasks.candidate import blocks
from outpace.tasks.plain import same
from outpace.tasks.spec import Case, Task

TASKS = ("gemm", "histogram", "sha256", "sorting")
Entry = Callable[..., Any]
needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++ (Debian: build-essential)")


def case_of(task: Task, name: str) -> Case:
    return next(case for case in task.spec.cases if case.name == name)


def timed(name: str) -> tuple[Task, dict[str, Any]]:
    """Return a task with a problem of its first timed case."""
    task = registry.find(name)
    return task, dict(task.generate(next(case for case in task.spec.cases if case.timed), 7))


def refusal(task: Task, problem: Any, given: Any) -> str:
    with pytest.raises(WrongAnswer) as caught:
        task.check(problem, given)
    return str(caught.value)


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, namespace: Callable[[str | None], dict[str, Any]]) -> Any:
    """Compile a program by the command of its task, and give its entry."""

    def built(task: Task, program: str) -> Entry:
        (tmp_path / "program.py").write_text(program)
        made = subprocess.run(task.spec.build, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert made.returncode == 0, made.stderr
        monkeypatch.setenv("OUTPACE_BUILD", str(tmp_path))
        entry: Entry = namespace(program)[task.spec.entry]
        return entry

    return built


@pytest.mark.parametrize("name", TASKS)
def test_one_block_and_it_is_in_cpp(name: str) -> None:
    task = registry.find(name)
    (block,) = blocks(task.start.program)
    assert 'extern "C" void' in block.text and "import" not in block.text
    assert task.spec.build[:3] == ("g++", "-std=c++17", "-O2")
    assert all(flag in registry.find(name).spec.statement for flag in ("-std=c++17", "-O2", "-march=native"))


@needs_compiler
@pytest.mark.parametrize("name", TASKS)
def test_the_start_passes(name: str, build: Callable[[Task, str], Entry]) -> None:
    task = registry.find(name)
    entry = build(task, task.start.program)
    for case in task.spec.cases:
        for seed in range(12 if not case.timed else 1):
            problem = task.generate(case, case.seed + seed)
            assert same(dict(problem), dict(task.generate(case, case.seed + seed)))
            before = {key: value.copy() for key, value in problem.items()}
            for value in problem.values():
                value.flags.writeable = False
            for found in (task.reference(problem), entry(**problem)):
                assert answer.fault(task.spec.answer, problem, found) is None
                task.check(problem, found)
            assert all(np.array_equal(before[key], problem[key]) for key in problem)


@pytest.mark.skipif(sys.platform != "linux", reason="shared libraries of Linux")
@needs_compiler
def test_single_precision_in_cpp_is_refused(build: Callable[[Task, str], Entry]) -> None:
    task, problem = timed("gemm")
    text = task.start.program.replace("double total = 0.0;", "float total = 0.0f;")
    assert text != task.start.program
    assert "expected" in refusal(task, problem, build(task, text)(**problem))


def test_products_that_are_nearly_right_are_refused() -> None:
    task, problem = timed("gemm")
    a, b = problem["a"], problem["b"]
    right = task.reference(problem)
    task.check(problem, a[:, ::-1] @ b[::-1])  # summed the other way round
    task.check(problem, right * (1 + 1e-15))
    assert "c[" in refusal(task, problem, (a.astype(np.float32) @ b.astype(np.float32)).astype(np.float64))
    wrong = right.copy()
    wrong[-1, -1] = 0.0
    assert "c[" in refusal(task, problem, wrong)
    wrong[-1, -1] = math.nan
    assert "c[" in refusal(task, problem, wrong)
    assert "expected a float64 array of shape" in refusal(task, problem, right.T)
    assert "expected a float64 array of shape" in refusal(task, problem, right.astype(np.float32))


def test_a_product_by_hand() -> None:
    task = registry.find("gemm")
    problem = {"a": np.array([[1.0, 2.0], [3.0, 4.0]]), "b": np.array([[5.0], [6.0]])}
    task.check(problem, np.array([[17.0], [39.0]]))


def test_lists_that_are_not_quite_sorted() -> None:
    task = registry.find("sorting")
    problem = task.generate(case_of(task, "100000_keys"), 7)
    right = np.array(sorted(problem["keys"].tolist()))
    task.check(problem, right)
    swapped = right.copy()
    swapped[[5, 6]] = swapped[[6, 5]]
    assert refusal(task, problem, swapped).startswith("key 5 is")
    doubled = right.copy()
    doubled[9] = doubled[8]  # in order, and no longer the same keys
    assert refusal(task, problem, doubled).startswith("key 9 is")
    assert refusal(task, problem, np.array(right.astype(np.float64).astype(np.int64)))  # sorted as float64
    assert refusal(task, problem, right.view(np.uint64)).startswith("expected an int64 array")
    unsigned = np.sort(problem["keys"].view(np.uint64)).view(np.int64)
    assert refusal(task, problem, unsigned).startswith("key 0 is")
    assert refusal(task, problem, problem["keys"]).startswith("key 0 is")


def test_counts_by_hand_and_by_numpy() -> None:
    task = registry.find("histogram")
    problem = {"values": np.array([0.0, 1.0, 1.5, 4.0, 4.1, -0.1]), "edges": np.array([0.0, 1.0, 4.0])}
    task.check(problem, np.array([1, 3]))
    assert refusal(task, problem, np.array([2, 2])) == "bin 0 has 1 values, got 2"
    for case in task.spec.cases:
        for seed in range(5 if not case.timed else 1):
            drawn = task.generate(case, seed)
            assert np.array_equal(task.reference(drawn), np.histogram(drawn["values"], drawn["edges"])[0])


def test_rounded_edges_and_values_give_wrong_counts() -> None:
    task, problem = timed("histogram")
    single = {key: value.astype(np.float32).astype(np.float64) for key, value in problem.items()}
    assert "values, got" in refusal(task, problem, task.reference(single))
    right = task.reference(problem)
    upper = {**problem, "values": np.nextafter(problem["values"], -9.0)}  # as if bins held their upper edges
    assert "values, got" in refusal(task, problem, task.reference(upper))
    assert right.min() > 0 and 0.9 < right.sum() / len(problem["values"]) < 1.0
    assert refusal(task, problem, right.astype(np.float64)).startswith("expected an int64 array")


def test_digests_of_the_standard_and_wrong_ones() -> None:
    task = registry.find("sha256")
    problem = {"data": np.frombuffer(b"abc", dtype=np.uint8), "offsets": np.array([0, 0, 3])}
    known = (
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    )
    right = np.frombuffer(bytes.fromhex(known), dtype=np.uint8).reshape(2, 32)
    task.check(problem, right)
    bit = right.copy()
    bit[1, 31] ^= 1
    assert refusal(task, problem, bit) == "the digest of message 1 (3 bytes) is wrong; 1 in all are"
    assert refusal(task, problem, right[::-1]).endswith("2 in all are")
    assert refusal(task, problem, right[:1]).startswith("expected a uint8 array of shape (2, 32)")
    words = right.reshape(2, 8, 4)[:, :, ::-1].reshape(2, 32)  # the other byte order
    assert refusal(task, problem, words).endswith("2 in all are")


@needs_compiler
def test_a_forgotten_block_of_padding_is_found(build: Callable[[Task, str], Entry]) -> None:
    """Only messages whose last block has 56 to 63 bytes need a second one."""
    task = registry.find("sha256")
    text = task.start.program.replace("rest < 56 ? 64 : 128", "rest < 60 ? 64 : 128")
    assert text != task.start.program
    entry, case = build(task, text), case_of(task, "edges")
    assert "is wrong" in refusal(task, task.generate(case, 0), entry(**task.generate(case, 0)))
