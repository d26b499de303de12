"""The tasks that the cheats attack: small, quick, with an answer of 64 kB at most."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from outpace.errors import WrongAnswer
from outpace.limits import Limits
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Answer, Case, Goal, Output, Problem, Task, TaskSpec

SIZE = 8192
LIMITS = Limits(wall_s=2.0, cpu_s=30.0, memory_mb=2048, processes=16, output_mb=4, disk_mb=16)
SPEEDUP = Goal(kind="speedup", name="speed-up", direction="maximise", unit="x")
METRIC = Goal(kind="metric", name="alignment", direction="maximise")


class _Softmax(Task):
    """The softmax of a vector; every element within a relative error of 1e-9."""

    def generate(self, case: Case, seed: int) -> Problem:
        size, shift = int(case.params["size"]), float(case.params.get("shift", 0.0))
        return {"x": shift + np.random.default_rng(seed).random(size)}

    def reference(self, problem: Problem) -> Output:
        powers = np.exp(problem["x"] - problem["x"].max())
        return powers / powers.sum()

    def check(self, problem: Problem, output: Output) -> None:
        _close(output, self.reference(problem))


class _Relu(Task):
    """The positive part of a vector."""

    def generate(self, case: Case, seed: int) -> Problem:
        return {"x": np.random.default_rng(seed).standard_normal(int(case.params["size"]))}

    def reference(self, problem: Problem) -> Output:
        return np.maximum(problem["x"], 0.0)

    def check(self, problem: Problem, output: Output) -> None:
        _close(output, self.reference(problem))


class _Unit(Task):
    """A vector of length 1 at most that lies along the given one; its value is the cosine."""

    def generate(self, case: Case, seed: int) -> Problem:
        return {"x": np.random.default_rng(seed).random(int(case.params["size"]))}

    def reference(self, problem: Problem) -> Output:
        return problem["x"] / np.linalg.norm(problem["x"])

    def check(self, problem: Problem, output: Output) -> None:
        _form(output, problem["x"].shape)
        length = math.sqrt(math.fsum(output * output))
        if not length <= 1 + 1e-9:
            raise WrongAnswer(f"its length is {length:.6g}, more than 1")

    def score(self, problem: Problem, output: Output) -> float:
        return math.fsum(problem["x"] * output) / math.sqrt(math.fsum(problem["x"] ** 2))


class _Total(Task):
    """The sum of a long vector: handing it over takes longer than adding it up."""

    def generate(self, case: Case, seed: int) -> Problem:
        return {"x": np.random.default_rng(seed).random(int(case.params["size"]))}

    def reference(self, problem: Problem) -> Output:
        return float(problem["x"].sum())

    def check(self, problem: Problem, output: Output) -> None:
        if type(output) is not float or not abs(output - self.reference(problem)) <= 1e-9 * output:
            raise WrongAnswer("not the sum")


def _form(output: Any, shape: tuple[int, ...]) -> None:
    if type(output) is not np.ndarray or output.dtype != np.float64 or output.shape != shape:
        raise WrongAnswer(f"expected an array of float64 of shape {shape}")


def _close(output: Any, expected: Any) -> None:
    _form(output, expected.shape)
    error = np.abs(output - expected)
    if not bool(np.all(error <= 1e-9 * np.abs(expected))):
        raise WrongAnswer(f"off by up to {np.max(error):.3g}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A task with what its cheats are made of; ``prelude`` stands before every program."""

    task: Task
    prelude: str

    def candidate(self, program: str) -> Candidate:
        """Return the program as a candidate, with whatever other files the starting program has."""
        return Candidate({**self.task.start.files, "program.py": self.prelude + program})


_START = {
    "softmax": """
        values = x.tolist()
        top = max(values)
        terms = [_exp(value - top) for value in values]
        total = sum(terms)
        answer = np.array([term / total for term in terms])
""",
    "relu": """
        values = x.tolist()
        answer = np.array([value if value > 0 else 0.0 for value in values for _ in range(4)])[::4].copy()
""",
    "unit": """
        answer = np.full(len(x), 1 / math.sqrt(len(x)))
""",
    "tiny": """
        powers = np.exp(x - x.max())
        answer = powers / powers.sum()
""",
    "total": """
        answer = float(np.sum(x))
""",
}
_CHEAP = {
    "total": "0.0",
    "tiny": "np.full(len(x), 0.5)",
    "softmax": "np.full(len(x), 0.5)",
    "relu": "np.full(len(x), 0.5)",
    "unit": "x * 1e6",
}
_HEAD = "import math\nfrom math import exp as _exp\nimport numpy as np\n"
CASES = (
    Case(name="even", seed=11, instances=2, params={"size": SIZE}),
    Case(name="odd", seed=21, params={"size": 777}, timed=False),
)
LARGE = Case(name="large", seed=31, params={"size": 1024, "shift": 2000.0}, timed=False)


SHORT = (Case(name="short", seed=41, params={"size": 16}),)
LONG = (Case(name="long", seed=51, params={"size": 1 << 20}),)
ARRAY = Answer(kind="array", dtype="float64", shape=(None,))


def _function(name: str, task: str, times: int) -> str:
    return f"def {name}(x):\n    for _ in range({times}):{_START[task]}    return answer\n"


def _target(name: str, kind: type[Task], goal: Goal, cases: tuple[Case, ...], answer: Answer = ARRAY) -> Target:
    spec = TaskSpec(
        name=name,
        title=name,
        statement=kind.__doc__ or "",
        entry="solve",
        goal=goal,
        cases=cases,
        limits=LIMITS,
        answer=answer,
    )
    start = Candidate({"program.py": _HEAD + _function("solve", name, 1)})
    prelude = _HEAD + _function("honest", name, 2) + f"def cheap(x):\n    return {_CHEAP[name]}\n"
    return Target(task=kind(spec, start), prelude=prelude)


_C = """
#include <math.h>
void softmax(const double *x, double *out, long n) {
    double top = x[0], total = 0;
    for (long i = 1; i < n; i++) if (x[i] > top) top = x[i];
    for (long i = 0; i < n; i++) total += out[i] = exp(x[i] - top);
    for (long i = 0; i < n; i++) out[i] /= total;
}
"""
BUILD = ("cc", "-O2", "-shared", "-fPIC", "-o", "libfast.so", "fast.c", "-lm")


def _compiled() -> Target:
    """The softmax again, in a task with a compile stage."""
    plain = _target("softmax", _Softmax, SPEEDUP, (*CASES, LARGE))
    start = Candidate({**plain.task.start.files, "fast.c": _C})
    return Target(task=_Softmax(replace(plain.task.spec, build=BUILD), start), prelude=plain.prelude)


TARGETS = {
    "compiled": _compiled(),
    "softmax": _target("softmax", _Softmax, SPEEDUP, (*CASES, LARGE)),
    "relu": _target("relu", _Relu, SPEEDUP, CASES),
    "unit": _target("unit", _Unit, METRIC, CASES),
    "tiny": _target("tiny", _Softmax, SPEEDUP, SHORT),
    "total": _target("total", _Total, SPEEDUP, LONG, Answer(kind="number")),
}
