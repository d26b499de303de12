"""Tasks of AlgoTune: a look-alike checkout of our own, from its folder to a leaderboard."""

import asyncio
import enum
import importlib.util
import json
import re
import shutil
import sys
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from typer.testing import CliRunner

import outpace
from outpace.agent.cli.main import app
from outpace.agent.models.scripted import ScriptedModel
from outpace.errors import MissingPackage, OutpaceError, TaskError, WrongAnswer
from outpace.evaluators.base import Evaluation
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.plugins import load
from outpace.sandbox._inside import codec
from outpace.tasks import folder
from outpace.tasks.candidate import Candidate
from outpace.tasks.check import check
from outpace.tasks.importers import algotune, source, writing
from outpace.tasks.spec import Task

RUNS = '''"""Longest run of equal parity."""
from __future__ import annotations

import logging
import random as chance
from functools import reduce, lru_cache

import numpy as np

from AlgoTuneTasks.base import Task, register_task

STEP = 1  # what a run grows by
UNUSED = 2


def longer(best, run):
    return max(best, run)


def never_called():
    return UNUSED


@register_task("runs")
class Runs(Task):
    FIRST = 0
    LAST = 9

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.start = 0

    def generate_problem(self, n: int, random_seed: int = 1) -> dict:
        rng = np.random.default_rng(random_seed)
        return {"values": rng.integers(0, 100, n).tolist(), "n": n}

    # the best so far
    def _grown(self, run: int) -> int:
        return run + STEP

    def solve(self, problem: dict, **kwargs) -> dict[str, int]:
        best, run, last = self.start, 0, None
        for value in problem["values"]:
            run = self._grown(run) if value % 2 == last else STEP
            last = value % 2
            best = reduce(longer, [best, run], Runs.FIRST)
        return {"longest": int(best)}

    def is_solution(self, problem: dict, solution: dict) -> bool:
        if not isinstance(solution, dict) or type(solution.get("longest")) is not int:
            logging.error("expected a dict with the whole number 'longest'")
            return False
        if solution["longest"] != self.solve(problem)["longest"]:
            logging.error("%s is not the longest run", solution["longest"])
            return False
        return True
'''
FASTER = """# EVOLVE-BLOCK-START
import numpy as np


class Solver:
    def solve(self, problem):
        odd = np.asarray(problem["values"]) & 1
        ends = np.flatnonzero(np.concatenate([[1], np.diff(odd), [1]]))
        return {"longest": np.diff(ends).max()}
# EVOLVE-BLOCK-END
"""
DESCRIPTION = "Longest run\nFind the longest run of numbers of equal parity.\n\nCategory: misc\n"
SIZES = {"runs": {"n": 30000, "baseline_runs": {"0": {"avg_min_ms": 1500.0}}}}


def task_file(name: str, generate: str, solve: str, check: str = "True", head: str = "") -> str:
    return f"""import numpy as np
{head}
from AlgoTuneTasks.base import Task, register_task

@register_task("{name}")
class It(Task):
    def generate_problem(self, n, random_seed=1):
        rng = np.random.default_rng(random_seed)
        return {generate}

    def solve(self, problem):
        return {solve}

    def is_solution(self, problem, solution):
        return {check}
"""


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with one task."""
    place = tmp_path / "checkout"
    (place / "AlgoTuneTasks").mkdir(parents=True)
    (place / "AlgoTuneTasks" / "base.py").write_text("raise ImportError('the real one needs the rest of AlgoTune')\n")
    (place / "reports").mkdir()
    (place / "reports" / "generation.json").write_text(json.dumps(SIZES))
    add(place, "runs", RUNS)
    return place


def add(place: Path, name: str, text: str) -> None:
    made = place / "AlgoTuneTasks" / name
    made.mkdir()
    (made / f"{name}.py").write_text(text)
    (made / "description.txt").write_text(DESCRIPTION)


def imported(place: Path, options: str = "?n=50", name: str = "runs") -> Task:
    return folder.load(source.folder_of(f"algotune:{place}/{name}{options}"))


def outpace_(*arguments: str | Path, code: int = 0) -> str:
    done = CliRunner().invoke(app, [str(one) for one in arguments])
    assert done.exit_code == code, done.output
    return done.output


def judged(task: Task, files: dict[str, str] | None = None) -> Evaluation:
    place = load("sandbox", "zygote")()
    try:
        candidate = Candidate(files) if files else task.start
        return asyncio.run(CascadeEvaluator(place).evaluate(task, candidate))
    finally:
        place.close()


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> Iterator[SimpleNamespace]:
    """The modules of the folder that can be looked at without a task."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    made = {}
    for name in ("algotune_values", "stored"):
        spec = importlib.util.spec_from_file_location(name, writing.INSIDE / "algotune" / f"{name}.py")
        assert spec is not None and spec.loader is not None
        made[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made[name])
    yield SimpleNamespace(values=made["algotune_values"], stored=made["stored"].stored)


def test_the_reference_becomes_a_program_that_needs_nothing_of_algotune(checkout: Path) -> None:
    program = imported(checkout).start.program
    assert program.startswith(
        "# EVOLVE-BLOCK-START\nfrom __future__ import annotations\nfrom functools import reduce\n"
    )
    for kept in ("class Solver:", "STEP = 1", "def longer", "# the best so far\n    def _grown", "self.start = 0"):
        assert kept in program
    gone = ("AlgoTune", "super()", "generate_problem", "is_solution", "UNUSED", "never", "numpy", "logging", "LAST")
    assert [name for name in gone if name in program] == []
    assert "Runs = Solver" in program  # solve names its class
    names: dict[str, Any] = {"__name__": "program"}
    exec(compile(program, "program.py", "exec"), names)
    assert names["Solver"]().solve({"values": [1, 3, 5, 2, 4]}) == {"longest": 3}


def test_a_name_that_the_program_needs_for_its_class_is_given_up_by_others(checkout: Path) -> None:
    head = "from fractions import Fraction as Solver\nfrom decimal import Decimal"
    add(checkout, "taken", task_file("taken", "n", "[Solver(problem, 3), 'é', Solver(1)][0] * 3", head=head))
    program = imported(checkout, name="taken").start.program
    assert "from fractions import Fraction as OriginalSolver\n" in program and "Decimal" not in program
    assert "[OriginalSolver(problem, 3), 'é', OriginalSolver(1)]" in program


def test_the_facts(checkout: Path) -> None:
    task = imported(checkout, "")
    assert (task.spec.name, task.spec.entry, task.spec.family) == ("algotune_runs", "Solver", "algotune")
    assert task.spec.goal.kind == "speedup" and task.spec.inplace and not task.spec.answer.finite
    assert task.spec.limits.wall_s == 15  # ten times what the report says
    assert task.spec.requires == ("numpy",)
    assert [(case.name, case.split, case.seed, case.instances) for case in task.spec.cases] == [
        ("train", "train", 42, 3),
        ("test", "heldout", 142, 3),
    ]
    assert task.spec.cases[0].params == {"n": 30000, "roundtrip": True}
    assert task.spec.statement.startswith("Longest run\n")
    assert "def is_solution(self, problem: dict, solution: dict) -> bool:" in task.spec.statement
    assert "size n = 30000" in task.spec.statement
    assert imported(checkout, "?n=7&instances=9").spec.cases[1].instances == 9
    assert imported(checkout, "?n=7&requires=msgpack").spec.requires == ("msgpack", "numpy")


def test_the_original_generates_answers_and_checks(checkout: Path) -> None:
    task = imported(checkout)
    case = task.spec.cases[0]
    problem = task.generate(case, 42)
    assert list(problem) == ["problem"] and problem["problem"]["n"] == 50
    assert problem["problem"]["values"] == np.random.default_rng(42).integers(0, 100, 50).tolist()
    answer = task.reference(problem)
    task.check(problem, answer)
    with pytest.raises(WrongAnswer, match=r"^is_solution refuses it: 99 is not the longest run$"):
        task.check(problem, {"longest": 99})
    with pytest.raises(WrongAnswer, match="expected a dict with the whole number"):
        task.check(problem, {"longest": 2.0})
    assert task.generate(case, 2**48 - 1) != problem  # more bits than numpy's old generators take


def test_the_published_seeds_and_no_others(checkout: Path) -> None:
    task = imported(checkout, "?n=20&seeds=published")
    for case in task.spec.cases:
        known = [task.generate(case, case.seed + index) for index in range(0, 100, 9)]
        assert known[0] == imported(checkout, "?n=20").generate(case, case.seed)
        assert task.generate(case, case.seed + 100 * 2**40) == known[0]


class Pair(NamedTuple):
    x: Any
    y: Any


class Colour(enum.StrEnum):
    RED = "red"


@dataclass
class Point:
    x: int


LONG = list(range(12801))  # one number more than 100 KiB of float64
STORED = [
    (list(range(12800)), list(range(12800))),
    (LONG, np.arange(12801.0)),
    ([[i, i + 0.5] for i in range(6401)], np.arange(6401.0)[:, None] + [0, 0.5]),
    ([*LONG, "no number"], [*LONG, "no number"]),
    ([[1, 2], LONG], [[1, 2], np.arange(12801.0)]),
    ([True] * 12801, np.ones(12801)),
    (tuple(LONG), tuple(LONG)),
    ([(1, 2.0)] * 9000, [(1, 2.0)] * 9000),
    (Pair(1, [2]), (1, [2])),
    ({1: "a", "7": 2, "-3": 3, (1, 2): 4, 0.5: 5, "x1": 6}, {1: "a", 7: 2, -3: 3, "(1, 2)": 4, "0.5": 5, "x1": 6}),
    (2**63, "9223372036854775808"),
    (-(2**63), -(2**63)),
    ([float("nan"), float("inf"), 1.5], [None, None, 1.5]),
    (np.array([np.nan, 1.0]), np.array([np.nan, 1.0])),
    (np.float64(np.inf), None),
    ([np.int32(3), np.float32(0.5), np.bool_(True), 1 + 2j], [3, 0.5, True, 1 + 2j]),
    (np.array(4.0), np.array([[4.0]])),
    (np.arange(6, dtype="int16").reshape(2, 3).T, np.arange(6, dtype="int16").reshape(2, 3).T),
    (b"bytes" * 30000, b"bytes" * 30000),
    (Colour.RED, "red"),
    (Point(3), {"x": 3}),
]


@pytest.mark.parametrize(("before", "after"), STORED, ids=[str(number) for number in range(len(STORED))])
def test_what_becomes_of_a_problem_in_algotunes_files(inside: SimpleNamespace, before: Any, after: Any) -> None:
    found = inside.stored(before)
    assert type(found) is type(after)
    assert [*map(type, found)] == [*map(type, after)] if type(after) is list else True
    np.testing.assert_equal(found, after)
    if isinstance(after, np.ndarray):
        assert found.dtype == after.dtype and found.shape == after.shape


@pytest.mark.parametrize("value", [{1, 2}, {"graph": object()}])
def test_what_algotune_cannot_store(inside: SimpleNamespace, value: Any) -> None:
    with pytest.raises(TypeError, match=r"AlgoTune cannot store a (set|object); roundtrip=no"):
        inside.stored(value)


def test_large_arrays_keep_their_order_and_small_ones_do_not(inside: SimpleNamespace) -> None:
    assert inside.stored(np.ones((200, 100)).T).flags.f_contiguous
    assert inside.stored(np.ones((20, 10)).T).flags.c_contiguous


class Late:
    """An array that is worked out when it is asked for."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.arange(3)


CARRIED = [
    ({"a": [1, 2.5, None, "x", b"y", 1j, True], "b": (1, [2])}, None),
    ([{1, 2}, frozenset({"a"}), range(3, 9, 2)], None),
    ({(1, 2): "pair", 3: "three", "x": {2.5: []}}, None),
    ({"__outpace__": [1]}, None),
    ({2**70: 1}, None),
    (Pair(1, {2}), (1, {2})),
    (OrderedDict(a=1), {"a": 1}),
    ({np.int64(3): 1}, {3: 1}),
    ([Late(), np.float64(2.5), np.array(3)], [np.arange(3), 2.5, np.array(3)]),
    ([Colour.RED, bytearray(b"x"), memoryview(b"y")], ["red", b"x", b"y"]),
]


@pytest.mark.parametrize(("value", "after"), CARRIED, ids=[str(number) for number in range(len(CARRIED))])
def test_values_cross_the_wall(inside: SimpleNamespace, value: Any, after: Any) -> None:
    body = b"".join(codec.frame(inside.values.packed(value), max_bytes=1 << 20))[codec.HEADER :]
    found = inside.values.unpacked(codec.decode(body, copy=True))
    after = value if after is None else after
    assert type(found) is type(after)
    np.testing.assert_equal(found, after)


def test_sparse_matrices_and_arrays_in_the_order_of_fortran_cross_too(
    inside: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "scipy", ModuleType("scipy"))
    sparse = ModuleType("scipy.sparse")
    monkeypatch.setattr(sys.modules["scipy"], "sparse", sparse, raising=False)
    monkeypatch.setitem(sys.modules, "scipy.sparse", sparse)
    monkeypatch.setattr(sparse, "csr_matrix", csr_matrix, raising=False)
    value = {"rows": csr_matrix(([1.5, 2.5], [0, 2], [0, 1, 2]), shape=(2, 3)), "turned": np.ones((4, 5)).T}
    packed = inside.values.packed(value, ordered=True)
    assert inside.values.is_tagged(packed) and not inside.values.is_tagged({"a": [1, (2, {"b": 3})]})
    body = b"".join(codec.frame(packed, max_bytes=1 << 20))[codec.HEADER :]
    found = inside.values.unpacked(codec.decode(body, copy=True))
    assert found["turned"].shape == (5, 4) and found["turned"].flags.f_contiguous
    assert type(found["rows"]) is csr_matrix and found["rows"].shape == (2, 3)
    for part in ("data", "indices", "indptr"):
        assert np.array_equal(getattr(found["rows"], part), getattr(value["rows"], part))


class csr_matrix:  # noqa: N801  the name that it has in scipy
    """As much of scipy's as is needed here."""

    format, nnz = "csr", 2

    def __init__(self, parts: tuple[Any, Any, Any], shape: tuple[int, ...]) -> None:
        self.data, self.indices, self.indptr = parts
        self.shape = shape

    def asformat(self, form: str) -> "csr_matrix":
        assert form == "csr"
        return self


def test_lists_of_tasks(checkout: Path, tmp_path: Path) -> None:
    add(checkout, "also", task_file("also", "n", "problem"))
    both = ["also", "runs"]
    assert algotune.tasks(checkout) == both == algotune.tasks(checkout / "AlgoTuneTasks")
    assert source.listed(f"algotune:{checkout}/AlgoTuneTasks/runs?n=3")[0].endswith("AlgoTuneTasks/runs?n=3")
    assert source.listed(f"algotune:{checkout}?n=3") == [f"algotune:{checkout}/{name}?n=3" for name in both]
    with pytest.raises(TaskError, match=r"no tasks of AlgoTune; expected a checkout with AlgoTuneTasks/NAME/NAME\.py"):
        algotune.tasks(tmp_path / "cache")
    with pytest.raises(TaskError, match=r"svm: no task of AlgoTune; expected svm\.py in it, or in .*AlgoTuneTasks/svm"):
        imported(checkout, name="svm")


@pytest.mark.parametrize(
    ("old", "new", "options", "said"),
    [
        ('@register_task("runs")\n', "", "?n=5", r"runs\.py: no class under @register_task\('runs'\)"),
        ("def is_solution", "def check", "?n=5", r"runs\.py:\d+: class Runs does not define is_solution"),
        ("import logging", "import logging (", "?n=5", r"runs\.py:4: not valid Python"),
        (
            'register_task("runs")',
            'register_task("walks")',
            "?n=5",
            r"registers walks, expected .*register_task\('runs'\)",
        ),
        ("", "", "?n=5&target_ms=5", "'n' and 'target_ms' of algotune: got both"),
        ("", "", "?seeds=mine", "got 'mine', expected fresh or published"),
        ("", "", "?roundtrip=maybe", "got 'maybe', expected yes or no"),
        ("", "", "?size=3", "size"),
    ],
)
def test_what_is_no_task_says_why(checkout: Path, old: str, new: str, options: str, said: str) -> None:
    file = checkout / "AlgoTuneTasks" / "runs" / "runs.py"
    file.write_text(RUNS.replace(old, new, 1))
    with pytest.raises(OutpaceError, match=said):
        task = imported(checkout, options)
        task.generate(task.spec.cases[0], 1)


def test_a_missing_package_is_named_with_the_line_that_installs_it(checkout: Path) -> None:
    head = (
        "import pysat.solvers, ortools\ntry:\n    import no_such_extra\nexcept ImportError:\n    no_such_extra = None"
    )
    add(checkout, "sat", task_file("sat", "n", "pysat", head=head))
    wanted = r"'sat' needs 'ortools', 'pysat', not installed here; pip install 'ortools<9\.12' python-sat$"
    with pytest.raises(MissingPackage, match=wanted):
        imported(checkout, name="sat")


def test_what_else_may_be_missing(checkout: Path) -> None:
    (checkout / "AlgoTuneTasks" / "runs" / "description.txt").unlink()
    with pytest.raises(TaskError, match=r"description\.txt: no such file; expected AlgoTune's description of the task"):
        imported(checkout)
    (checkout / "reports" / "generation.json").write_text("{}")
    with pytest.raises(
        TaskError, match=r"no size of 'runs'; give one with \?n=100, or have it found with \?target_ms=100"
    ):
        imported(checkout, "")
    (checkout / "reports" / "generation.json").write_text("[")
    with pytest.raises(TaskError, match=r"generation\.json: not the report of sizes"):
        imported(checkout, "")


FAULTS = [
    ("{'x': rng.random(n), 'k': next(_COUNT)}", "problem['k']", "True", "two different problems"),
    ("rng.random(n)", "problem.sum()", "problem.sum() != solution", r"refuses the reference's own answer: is_solution"),
    (
        "rng.random(n)",
        "problem",
        "np.all(problem == solution)",
        r"is_solution returned a numpy\.bool, expected a plain bool",
    ),
    ("rng.random(n)", "problem", "solution.no_such", "is_solution failed: AttributeError"),
    ("{'x': object()}", "1", "True", "AlgoTune cannot store a object"),
    ("np.ones(n)", "1", "True", "four seeds gave the same problem"),
]


@pytest.mark.parametrize(
    ("generate", "solve", "check_", "said"),
    [*FAULTS[:2], *(pytest.param(*fault, marks=pytest.mark.slow) for fault in FAULTS[2:])],
    ids=[fault[3][:20] for fault in FAULTS],
)
def test_faults_of_a_task_are_found_before_a_run(
    checkout: Path, generate: str, solve: str, check_: str, said: str
) -> None:
    head = "import itertools\n_COUNT = itertools.count()"
    add(checkout, "bad", task_file("bad", generate, solve, check_, head=head))
    found = [str(one) for one in check(source.folder_of(f"algotune:{checkout}/bad?n=4")) if one.severity == "error"]
    assert found and re.search(said, found[0]), found


@pytest.mark.slow
def test_a_lenient_checker_is_a_warning_for_it_says_what_is_right_there(checkout: Path) -> None:
    add(checkout, "lenient", task_file("lenient", "rng.random(n)", "float(problem.sum())"))
    found = check(source.folder_of(f"algotune:{checkout}/lenient?n=4"))
    assert {one.severity for one in found} == {"warning"}
    assert any("check accepts a wrong answer" in one.message for one in found)


def test_what_the_system_draws_is_drawn_from_the_seed(checkout: Path) -> None:
    add(
        checkout,
        "keys",
        task_file("keys", "{'key': os.urandom(n), 'x': random.random()}", "1", head="import os, random"),
    )
    task = imported(checkout, name="keys")
    case = task.spec.cases[0]
    assert task.generate(case, 3) == task.generate(case, 3) != task.generate(case, 4)


def test_a_seed_that_fails_is_passed_over(checkout: Path) -> None:
    generate = "{'x': 1 / (random_seed - 42), 'seed': random_seed}"
    add(checkout, "gaps", task_file("gaps", generate, "1"))
    task = imported(checkout, name="gaps")
    assert task.generate(task.spec.cases[0], 42)["problem"]["seed"] == 43


def test_the_size_for_a_target_is_found_once_and_kept(checkout: Path, tmp_path: Path) -> None:
    solve = "__import__('time').sleep(problem['n'] / 1000)"
    add(checkout, "waits", task_file("waits", "{'n': n}", solve))
    task = imported(checkout, "?target_ms=12", name="waits")
    n = task.spec.cases[0].params["n"]
    assert 1 <= n <= 12  # sleeping never takes less than it was told to
    kept = list((tmp_path / "cache" / "outpace" / "algotune").iterdir())
    assert [json.loads(path.read_text()) for path in kept] == [{"n": n, "target_ms": 12}]
    kept[0].write_text('{"n": 3}')
    assert imported(checkout, "?target_ms=12", name="waits").spec.cases[0].params["n"] == 3
    add(checkout, "stays", task_file("stays", "{'n': n}", "__import__('time').sleep(0.01)"))
    with pytest.raises(TaskError, match="no size takes as little as 2 ms: n = 1 takes longer"):
        imported(checkout, "?target_ms=2", name="stays")


@pytest.mark.parametrize("guess", [1, 9, 100, 5000])
def test_the_search_for_a_size_comes_near_the_target_from_wherever_it_starts(guess: int) -> None:
    assert 95 <= algotune._largest(lambda n: n * n / 1000, 10.0, guess) <= 100


@pytest.mark.slow
def test_from_a_checkout_to_a_leaderboard(checkout: Path, tmp_path: Path) -> None:
    home, task = tmp_path / "home", f"algotune:{checkout}/runs?n=4000"
    assert outpace_("task", "list", f"algotune:{checkout}").startswith(f"algotune:{checkout}/runs\n1 task.")
    assert f"{task}: usable" in outpace_("task", "check", "--all", f"algotune:{checkout}?n=4000")
    model = ScriptedModel([f"```python\n{FASTER}```"])
    budget = outpace.Budget(evaluations=2)
    report = outpace.evolve(task, model=model, home=home, budget=budget, edit_modes=("whole",))
    assert report.champion is not None and report.champion.train.status == "ok"
    assert "algotune_runs" in outpace_("leaderboard", "--home", home)
    outpace_("task", "import", task, tmp_path / "mine")
    shutil.rmtree(checkout)  # the folder is all that is needed
    assert "no errors" in outpace_("task", "check", tmp_path / "mine")


@pytest.mark.slow
def test_a_solver_of_several_files_and_one_that_is_built(checkout: Path) -> None:
    task = imported(checkout, "?n=4000")
    plain = task.start.program
    setup = "from pathlib import Path\nimport sys\nassert sys.argv[1:] == ['build_ext', '--inplace']\n"
    setup += "Path('made.py').write_text('STEP = 1')\n"
    program = plain.replace("STEP = 1", "from helper import STEP\nassert STEP == 1")
    helper = "from made import STEP\nimport sys\n"
    first = "def solve(self, problem: dict, **kwargs) -> dict[str, int]:"
    assert first in plain
    program = program.replace(first, f"{first}\n        import solver\n        assert solver.Solver is type(self)")
    found = judged(task, {"program.py": program, "helper.py": helper, "setup.py": setup})
    assert found.status == "ok", found.feedback
    broken = judged(task, {"program.py": program, "helper.py": helper, "setup.py": "raise SystemExit('no compiler')"})
    assert broken.status == "crashed" and "no compiler" in broken.feedback


MEMORY = """import numpy as np
from functools import lru_cache
from AlgoTuneTasks.base import Task, register_task


@lru_cache(maxsize=None)
def total(numbers):
    return sum(number * number for number in numbers)


@register_task("memory")
class Memory(Task):
    def generate_problem(self, n, random_seed=1):
        return {"numbers": np.random.default_rng(random_seed).integers(0, 1000, n).tolist()}

    def solve(self, problem):
        return total(tuple(problem["numbers"]))

    def is_solution(self, problem, solution):
        return type(solution) is int and solution == sum(number * number for number in problem["numbers"])
"""


@pytest.mark.slow
def test_a_reference_that_remembers_has_nothing_to_remember(checkout: Path) -> None:
    """No process is asked the same thing twice: a cache is never hit, and a program that would see it, does not."""
    add(checkout, "memory", MEMORY)
    task = imported(checkout, "?n=12000", name="memory")
    watching = task.start.program.replace(
        "return total(tuple", 'assert total.cache_info().hits == 0, "asked twice"\n        return total(tuple'
    )
    assert "asked twice" in watching
    found = judged(task, {"program.py": watching})
    assert found.status == "ok", found.feedback
