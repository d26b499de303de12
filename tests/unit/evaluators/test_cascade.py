"""What the judge says of right, wrong, slow, broken and hostile programs."""

import asyncio
import math
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import pytest

from outpace.errors import TaskError
from outpace.evaluators.base import Evaluation, Noise
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.evaluators.timing import Pairing
from outpace.limits import Limits
from outpace.sandbox.base import Job, Sandbox
from outpace.sandbox.process import ProcessSandbox
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Output, Problem, Split, Task, TaskSpec, WrongAnswer

QUICK = Pairing(least=3, most=5)


class SumOfSquares(Task):
    """Answer: the sum of the squares of 0..n-1 plus a secret offset."""

    def generate(self, case: Case, seed: int) -> Problem:
        if case.params.get("broken"):
            raise KeyError("size")
        if case.params.get("odd"):
            return {"n": {1, 2}}
        return {"n": int(case.params["n"]), "offset": seed % 997}

    def check(self, problem: Problem, output: Output) -> None:
        if output + 0 != sum(i * i for i in range(problem["n"])) + problem["offset"]:
            raise WrongAnswer(f"expected the sum for n={problem['n']}")

    def score(self, problem: Problem, output: Output) -> float:
        return float(output) if problem["n"] != 13 else math.nan


def task(kind: str = "metric", program: str = "", *, n: int = 5, **limits: Any) -> Task:
    goal = (
        Goal(kind="metric", name="sum", direction="maximise")
        if kind == "metric"
        else Goal(kind="speedup", name="speed-up", direction="maximise", unit="x")
    )
    spec = TaskSpec(
        name="squares",
        title="Squares",
        statement="",
        entry="solve",
        goal=goal,
        cases=(
            Case(name="small", seed=3, instances=2, params={"n": n}),
            Case(name="other", seed=9, params={"n": n + 1}),
            Case(name="unseen", split="heldout", seed=70, params={"n": n + 2}),
        ),
        limits=Limits(**{"wall_s": 5.0, **limits}),
    )
    return SumOfSquares(spec, Candidate({"program.py": program or SLOW}))


SLOW = """
def solve(n, offset):
    total = 0
    for i in range(n):
        total += i * i
    return total + offset
"""
FAST = "def solve(n, offset):\n    return (n - 1) * n * (2 * n - 1) // 6 + offset\n"


def judge(about: Task, program: str, *, split: Split = "train") -> Evaluation:
    evaluator = CascadeEvaluator(ProcessSandbox(), pairing=QUICK)
    return asyncio.run(evaluator.evaluate(about, Candidate({"program.py": program}), split=split))


def test_a_metric_is_the_mean_over_cases_of_the_mean_over_instances() -> None:
    found = judge(task(), FAST)
    assert found.status == "ok", found.feedback
    instances = {"instance/small/1": 30 + 3.0, "instance/small/2": 30 + 4.0}
    further = {name: found.metrics[name] for name in ("length", "memory_mb", "cpu_s")}
    assert found.metrics == {"case/small": 30 + 3.5, "case/other": 55 + 9} | instances | further
    assert found.score == pytest.approx((33.5 + 64) / 2)
    assert found.interval is None
    assert [stage.name for stage in found.stages] == ["load", "smoke", "check"]
    assert found.machine["sandbox"] == "process"
    assert "Case 'small': 33.5" in found.feedback


def test_heldout_cases_are_another_split() -> None:
    found = judge(task(), FAST, split="heldout")
    assert {name: value for name, value in found.metrics.items() if "/" in name} == {"case/unseen": 91 + 70}


@pytest.mark.parametrize(
    ("program", "status", "stage", "words"),
    [
        ("def solve(n, offset):\n    return 7\n", "wrong", "smoke", "expected the sum for n=5"),
        ("def solve(n, offset):\n    return None\n", "wrong", "smoke", "the checker could not read it (TypeError"),
        ("def solve(n, offset):\n    return 1 / 0\n", "crashed", "smoke", "ZeroDivisionError"),
        ("def solve(n):\n    return 1\n", "crashed", "smoke", "unexpected keyword argument"),
        ("def solve(n, offset):\n    raise SystemExit(0)\n", "crashed", "smoke", "SystemExit"),
        ("import os\ndef solve(n, offset):\n    os._exit(0)\n", "crashed", "smoke", "ended its process"),
        ("def solve(n, offset)\n", "crashed", "load", "SyntaxError"),
        ("def other(n, offset):\n    return 1\n", "crashed", "load", "solve"),
        ("import nothing_of_this_name\n", "crashed", "load", "ModuleNotFoundError"),
        ("def solve(n, offset):\n    while True: pass\n", "timeout", "smoke", "did not answer in time"),
        ("def solve(n, offset):\n    print('hint', n)\n    return 7\n", "wrong", "smoke", "hint 5"),
    ],
)
def test_a_failure_has_a_status_a_stage_words_and_no_score(program: str, status: str, stage: str, words: str) -> None:
    found = judge(task(wall_s=1.0), program)
    assert found.status == status, found.feedback
    assert words in found.feedback
    assert (found.score, found.interval, found.rank(task().spec.goal)) == (None, None, None)
    assert found.stages[-1].name == stage
    assert not found.stages[-1].passed


def test_a_program_that_is_right_at_first_and_wrong_later_is_wrong() -> None:
    program = "calls = 0\ndef solve(n, offset):\n    global calls\n    calls += 1\n    return %s if calls < 3 else 0\n"
    found = judge(task(), program % "(n - 1) * n * (2 * n - 1) // 6 + offset")
    assert found.status == "wrong"
    assert [stage.name for stage in found.stages] == ["load", "smoke", "check"]


def test_answers_of_timed_calls_are_checked_too() -> None:
    program = "calls = 0\ndef solve(n, offset):\n    global calls\n    calls += 1\n    return %s if calls < 6 else 0\n"
    found = judge(task("speedup"), program % "(n - 1) * n * (2 * n - 1) // 6 + offset")
    assert found.status == "wrong"
    assert [stage.name for stage in found.stages] == ["load", "smoke", "check", "measure"]


def test_a_score_that_is_no_number_is_no_score() -> None:
    found = judge(task(n=13), FAST)
    assert (found.status, found.score) == ("wrong", None)
    assert "not a finite number" in found.feedback


def test_a_task_that_stumbles_over_an_accepted_answer_gives_no_score() -> None:
    class Stumbling(SumOfSquares):
        def score(self, problem: Problem, output: Output) -> float:
            return 10**400 + int(output)  # no float holds it

    broken = task()
    found = judge(Stumbling(broken.spec, broken.start), FAST)
    assert (found.status, found.score) == ("wrong", None)
    assert "accepted, but it cannot be scored (OverflowError" in found.feedback


def test_a_faster_program_has_a_speedup_with_an_interval_and_raw_pairs() -> None:
    busy = Noise(clock="cpu", floor=0.02, wall=2.0, cpu=0.05, pairs=40)
    evaluator = CascadeEvaluator(ProcessSandbox(), pairing=QUICK, noise=busy)
    found = asyncio.run(evaluator.evaluate(task("speedup", n=60_000), Candidate({"program.py": FAST})))
    assert found.status == "ok", found.feedback
    assert found.machine["clock"] == "cpu", "here others may use the cores as well"
    assert found.score is not None and found.interval is not None
    assert found.interval[0] <= found.score <= found.interval[1]
    assert found.interval[0] > 3, "60,000 turns of a loop against one formula"
    assert {m.case for m in found.measurements} == {"small", "other"}
    for measurement in found.measurements:
        assert QUICK.least <= len(measurement.candidate_cpu_ns) <= QUICK.most
        assert all(ns > 0 for ns in measurement.candidate_wall_ns + measurement.baseline_cpu_ns)
    assert found.rank(task("speedup").spec.goal) == found.interval[0]


@pytest.mark.parametrize(
    ("flaw", "words"),
    [("broken", "generate failed on case 'flawed'"), ("odd", "the problem of case 'flawed' is not plain data: .*set")],
)
def test_a_task_that_makes_no_problems_is_an_error_of_the_task(flaw: str, words: str) -> None:
    about = task()
    broken = Case(name="flawed", params={flaw: True})
    spec = TaskSpec(name="squares", title="", statement="", entry="solve", goal=about.spec.goal, cases=(broken,))
    with pytest.raises(TaskError, match=words):
        judge(SumOfSquares(spec, about.start), FAST)


class Clockwork(Sandbox, Protocol):
    jobs: list[Job]
    probes: int


def test_an_answer_that_is_not_finite_is_wrong_before_the_checker_sees_it() -> None:
    found = judge(task(), "def solve(n, offset):\n    return float('nan')\n")
    assert (found.status, found.stages[-1].name) == ("wrong", "smoke")
    assert "nan" in found.feedback.lower()


def test_an_answer_that_is_no_plain_data_is_refused() -> None:
    found = judge(task(), "def solve(n, offset):\n    return (i for i in range(n))\n")
    assert (found.status, found.stages[-1].name) == ("refused", "smoke")


class Sorted(SumOfSquares):
    """Answer: the numbers in order."""

    def generate(self, case: Case, seed: int) -> Problem:
        return {"numbers": np.random.default_rng(seed).random(20)}

    def check(self, problem: Problem, output: Output) -> None:
        if not np.array_equal(output, np.sort(problem["numbers"])):
            raise WrongAnswer("not in order")


def in_order(program: str, *, inplace: bool = False) -> Evaluation:
    spec = replace(task("speedup").spec, inplace=inplace)
    return judge(Sorted(spec, Candidate({"program.py": "def solve(numbers):\n    return sorted(numbers)\n"})), program)


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("def solve(numbers):\n    numbers.sort()\n    return numbers.copy()\n", "changed its input 'numbers'"),
        ("def solve(numbers):\n    numbers.sort()\n    return numbers\n", "changed its input 'numbers'"),
    ],
)
def test_a_program_that_changes_its_inputs_is_refused_unless_the_task_allows_it(program: str, words: str) -> None:
    found = in_order(program)
    assert (found.status, found.stages[-1].name) == ("refused", "smoke")
    assert words in found.feedback
    assert in_order(program, inplace=True).status == "ok"


BUILDING = """
import table
def solve(n, offset):
    return table.SUMS[n] + offset
"""
MAKE = """
sums = [sum(i * i for i in range(n)) for n in range(20)]
with open("table.py", "w") as file:
    file.write(f"SUMS = {sums}")
"""


@pytest.mark.parametrize("kind", ["metric", "speedup"])
def test_a_program_that_is_built_runs_with_what_was_made(kind: str) -> None:
    about = task(kind)
    about = SumOfSquares(
        replace(about.spec, build=("python", "make.py")), Candidate({"program.py": BUILDING, "make.py": MAKE})
    )
    evaluator = CascadeEvaluator(ProcessSandbox(), pairing=QUICK)
    found = asyncio.run(evaluator.evaluate(about, about.start))
    assert found.status == "ok", found.feedback
    assert [stage.name for stage in found.stages][:3] == ["build", "load", "smoke"]
    broken = Candidate({"program.py": BUILDING, "make.py": "raise SystemExit('no table today')\n"})
    found = asyncio.run(evaluator.evaluate(about, broken))
    assert (found.status, [stage.name for stage in found.stages]) == ("crashed", ["build"])
    assert "no table today" in found.feedback


def test_the_sandbox_is_probed_once_and_preloads_what_the_task_requires(clockwork: Clockwork) -> None:
    about = task()
    about = SumOfSquares(replace(about.spec, requires=("numpy",)), about.start)
    evaluator = CascadeEvaluator(clockwork)
    for _ in range(2):
        found = asyncio.run(evaluator.evaluate(about, Candidate({"program.py": FAST})))
        assert found.machine["level"] == "D"
    assert clockwork.probes == 1
    assert {job.preload for job in clockwork.jobs} == {("numpy",)}


def test_a_fresh_evaluation_of_a_metric_takes_other_seeds_always_the_same(clockwork: Clockwork) -> None:
    evaluator, fast = CascadeEvaluator(clockwork), Candidate({"program.py": FAST})
    found = [asyncio.run(evaluator.evaluate(task(), fast, fresh=fresh)).metrics for fresh in (False, True, True)]
    assert found[0] != found[1] == found[2]
