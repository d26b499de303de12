"""The figures beside the score, of real programs in real processes."""

import asyncio
from collections.abc import Mapping

import pytest

from outpace.errors import TaskError
from outpace.evaluators.base import Evaluation, Noise
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.evaluators.further import length
from outpace.evaluators.timing import Pairing
from outpace.sandbox.base import Sandbox
from outpace.sandbox.process import ProcessSandbox
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Output, Problem, Task, TaskSpec, WrongAnswer

QUICK = Pairing(first=1, least=1, most=1)
NOISE = Noise(clock="cpu", floor=0.02, wall=0.1, cpu=0.1, pairs=8)
GOALS = {
    "metric": Goal(kind="metric", name="sum", direction="maximise"),
    "reported": Goal(kind="metric", name="sum", direction="maximise", self_reported=True),
    "speedup": Goal(kind="speedup", name="speed-up", direction="maximise", unit="x"),
}
START = "def solve(n):\n    return sum(range(n))\n"


class Sums(Task):
    """Answer: the sum of 0..n-1."""

    def generate(self, case: Case, seed: int) -> Problem:
        return {"n": int(case.params["n"]) + seed % 7}

    def check(self, problem: Problem, output: Output) -> None:
        if output != sum(range(problem["n"])):
            raise WrongAnswer("not the sum")

    def score(self, problem: Problem, output: Output) -> float:
        return float(output)


def about(kind: str, of: type[Task] = Sums, *, n: int = 10) -> Task:
    cases = (Case(name="two", instances=2, params={"n": n}), Case(name="one", seed=3, params={"n": 2 * n}))
    spec = TaskSpec(name="sums", title="", statement="", entry="solve", goal=GOALS[kind], cases=cases)
    return of(spec, Candidate({"program.py": START}))


class Even(Sums):
    """With a metric of its own: how many of the numbers are even."""

    def metrics(self, problem: Problem, output: Output) -> Mapping[str, float]:
        return {"even": float((problem["n"] + 1) // 2)}


def judge(task: Task, program: str = START, *, sandbox: Sandbox | None = None) -> Evaluation:
    evaluator = CascadeEvaluator(sandbox or ProcessSandbox(), pairing=QUICK, noise=NOISE, level="D")
    return asyncio.run(evaluator.evaluate(task, Candidate({"program.py": program})))


def test_memory_grows_by_what_a_program_holds() -> None:
    """From outside, whatever the program says, and as a peak: what it has let go counts too."""
    hungry = "def solve(n):\n    held = bytearray(b'x') * (100 << 20)\n    del held\n    return sum(range(n))\n"
    plain, large = judge(about("metric")), judge(about("metric"), hungry)
    assert large.metrics["memory_mb"] - plain.metrics["memory_mb"] == pytest.approx(100, abs=2)
    assert plain.metrics["memory_mb"].is_integer()
    assert plain.metrics["memory_mb"] > 5, "the interpreter counts"
    assert plain.metrics["length"] == len(START)
    assert judge(about("metric")).metrics["memory_mb"] == pytest.approx(plain.metrics["memory_mb"], abs=1)


def test_cpu_seconds_are_those_of_the_calls(clockwork: Sandbox) -> None:
    """All three of them, by the judge's clock."""
    costly = f"{START}# wall_ns=9000000 cpu_ns=7000000\n"
    exchanges = [judge(about("metric"), sandbox=clockwork).metrics["cpu_s"] for _ in range(2)]
    found = judge(about("metric"), costly, sandbox=clockwork)
    assert exchanges[0] == exchanges[1]
    assert found.metrics["cpu_s"] - exchanges[0] == pytest.approx(3 * 0.007)


@pytest.mark.slow
def test_a_speed_up_has_all_but_cpu_seconds() -> None:
    found = judge(about("speedup", Even, n=20_000))
    assert found.status == "ok", found.feedback
    assert found.metrics["length"] == len(START)
    assert found.metrics["memory_mb"] > 5
    assert found.metrics["even"] > 10_000
    assert "cpu_s" not in found.metrics


def test_the_memory_of_one_process_says_nothing_where_it_may_start_others() -> None:
    found = judge(about("reported"))
    assert found.status == "ok", found.feedback
    assert "memory_mb" not in found.metrics
    assert found.metrics["length"] == len(START)


def test_a_program_that_fails_has_no_figures() -> None:
    assert judge(about("metric"), "def solve(n):\n    return -1\n").metrics == {}


def test_own_metrics_are_means_over_cases_of_means_over_problems() -> None:
    found = judge(about("metric", Even))
    assert found.status == "ok", found.feedback
    assert found.metrics["even"] == ((5 + 6) / 2 + 12) / 2  # n = 10 and 11, and 23


def test_a_task_that_stumbles_over_an_answer_has_no_figures_of_it() -> None:
    class Stumbling(Sums):
        def metrics(self, problem: Problem, output: Output) -> Mapping[str, float]:
            return {"share": float("nan")}

    found = judge(about("metric", Stumbling))
    assert (found.status, found.score) == ("wrong", None)
    assert "accepted, but Task.metrics fails on it (ValueError: the metric 'share' is nan" in found.feedback


def test_names_must_be_the_same_and_the_tasks_own() -> None:
    class Changing(Sums):
        def metrics(self, problem: Problem, output: Output) -> Mapping[str, float]:
            return {"small": 1.0} if problem["n"] < 20 else {"large": 1.0}

    class Taking(Sums):
        def metrics(self, problem: Problem, output: Output) -> Mapping[str, float]:
            return {"memory_mb": 1.0}

    with pytest.raises(TaskError, match="gave other names for other answers: small and large"):
        judge(about("metric", Changing))
    with pytest.raises(TaskError, match="'memory_mb', which is one of ours"):
        judge(about("metric", Taking))


def test_the_length_is_that_of_what_may_change() -> None:
    block = "import os\n# EVOLVE-BLOCK-START\nx = 1\n# EVOLVE-BLOCK-END\ny = 2\n"
    assert length(Candidate({"program.py": block, "notes.txt": "long text"})) == len("x = 1\n")
    assert length(Candidate({"program.py": block, "other.c": block.replace("#", "//")})) == 2 * len("x = 1\n")
    assert length(Candidate({"program.py": "x = 1\n", "other.py": "y\n"})) == len("x = 1\ny\n")
    broken = "# EVOLVE-BLOCK-START\nx = 1\n"
    assert length(Candidate({"program.py": broken})) == len(broken)
