"""Profiles of programs, taken in a sandbox."""

import asyncio
import re
from collections.abc import Iterator

import numpy as np
import pytest

from outpace.errors import TaskError, UsageError
from outpace.evaluators.profile import TOP, profile
from outpace.limits import Limits
from outpace.sandbox.process import ProcessSandbox
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Output, Problem, Task, TaskSpec

PROGRAM = """import helper
import numpy as np


def solve(numbers, n):
    total = 0
    for one in range(n):
        total += helper.square(one)
    np.sort(numbers)
    return total
"""
HELPER = "def square(x):\n    y = x * x\n    return y\n"
START = Candidate({"program.py": PROGRAM, "helper.py": HELPER})


class Squares(Task):
    def generate(self, case: Case, seed: int) -> Problem:
        if case.name == "broken":
            raise ValueError("no such thing")
        return {"numbers": np.arange(1000), "n": case.params.get("n", 50)}

    def check(self, problem: Problem, output: Output) -> None:
        raise AssertionError("nobody asks whether a profiled answer is right")


def task(*, driver: str | None = None, wall_s: float = 10.0) -> Task:
    spec = TaskSpec(
        name="squares",
        title="Squares",
        statement="Add squares.",
        entry="solve",
        goal=Goal(kind="speedup", name="speedup", direction="maximise"),
        cases=(
            Case(name="tiny", timed=False, params={"n": 3}),
            Case(name="usual"),
            Case(name="large", params={"n": 700}),
            Case(name="broken"),
            Case(name="secret", split="heldout"),
        ),
        limits=Limits(wall_s=wall_s),
    )
    return Squares(spec, START, driver=driver)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[ProcessSandbox]:
    found = ProcessSandbox()
    yield found
    found.close()


def lines(sandbox: ProcessSandbox, candidate: Candidate = START, **options: object) -> str:
    of = options.pop("of", None) or task()
    return asyncio.run(profile(sandbox, of, candidate, **options))  # type: ignore[arg-type]


def functions(sandbox: ProcessSandbox, candidate: Candidate = START, **options: object) -> str:
    of = options.pop("of", None) or task()
    return asyncio.run(profile(sandbox, of, candidate, kind="functions", **options))  # type: ignore[arg-type]


def rows(text: str) -> dict[str, tuple[int, float]]:
    """Return hits and share in per cent by the text of the line."""
    found = re.findall(r"^ *\d+ +([\d,]+) +([\d.]+)%  (.*)$", text, re.M)
    return {line.strip(): (int(hits.replace(",", "")), float(share)) for hits, share, line in found}


def test_lines_of_all_own_files_with_hits_and_shares(sandbox: ProcessSandbox) -> None:
    text = lines(sandbox)
    assert "on case 'usual'" in text, "the first case that is timed"
    assert re.findall(r"^(\S+):$", text, re.M) == ["helper.py", "program.py"]
    found = rows(text)
    assert {line: hits for line, (hits, _) in found.items()} == {
        "y = x * x": 50,
        "return y": 50,
        "total = 0": 1,
        "for one in range(n):": 51,
        "total += helper.square(one)": 50,
        "np.sort(numbers)": 1,
        "return total": 1,
    }
    assert sum(share for _, share in found.values()) == pytest.approx(100, abs=1)


def test_what_a_line_calls_elsewhere_counts_for_it(sandbox: ProcessSandbox) -> None:
    slow = START.with_program(
        PROGRAM.replace("np.sort(numbers)", "sum(i for i in range(0))\n    sorted(range(400000))")
    )
    assert rows(lines(sandbox, slow))["sorted(range(400000))"][1] > 50


def test_a_line_that_calls_an_own_function_does_not_count_what_that_does(sandbox: ProcessSandbox) -> None:
    helper = "def square(x):\n    return sorted(range(20000))[x] ** 2\n"
    found = rows(lines(sandbox, Candidate({"program.py": PROGRAM, "helper.py": helper})))
    assert found["return sorted(range(20000))[x] ** 2"][1] > found["total += helper.square(one)"][1]


def test_recursion_generators_and_exceptions_are_followed(sandbox: ProcessSandbox) -> None:
    program = """def down(n):
    if n == 0:
        raise KeyError(n)
    down(n - 1)


def count(n):
    for i in range(n):
        yield i


def solve(numbers, n):
    try:
        down(n)
    except KeyError:
        pass
    return sum(count(n))
"""
    found = rows(lines(sandbox, Candidate({"program.py": program})))
    assert found["down(n - 1)"][0] == found["yield i"][0] == 50
    assert found["raise KeyError(n)"][0] == found["return sum(count(n))"][0] == 1
    assert sum(share for _, share in found.values()) == pytest.approx(100, abs=1)


def test_the_case_is_chosen_and_only_the_top_is_shown(sandbox: ProcessSandbox) -> None:
    many = "".join(f"    n = n + {number}\n" for number in range(TOP + 5))
    text = lines(sandbox, START.with_program(f"def solve(numbers, n):\n{many}    return n\n"), case="large")
    assert "on case 'large'" in text
    assert len(rows(text)) == TOP
    assert "6 more lines take" in text
    with pytest.raises(UsageError, match=r"There is no case 'secret'\. Cases: tiny, usual, large, broken\."):
        lines(sandbox, case="secret")


def test_a_broken_task_is_no_fault_of_the_program(sandbox: ProcessSandbox) -> None:
    with pytest.raises(TaskError, match="no such thing"):
        lines(sandbox, case="broken")


def test_the_driver_of_a_task_feeds_the_program(sandbox: ProcessSandbox) -> None:
    driver = "def run(entry, numbers, n):\n    return [entry(numbers, n) for _ in range(2)]\n"
    assert rows(lines(sandbox, of=task(driver=driver)))["y = x * x"][0] == 100


def test_inputs_that_the_first_call_changes_are_whole_in_the_second(sandbox: ProcessSandbox) -> None:
    program = "def solve(numbers, n):\n    assert numbers[0] == 0\n    numbers[:] = 7\n    return n\n"
    assert rows(lines(sandbox, Candidate({"program.py": program})))["numbers[:] = 7"][0] == 1


@pytest.mark.parametrize(
    ("program", "told"),
    [
        (PROGRAM.replace("return total", "return numbers[5000]"), "IndexError"),
        (PROGRAM.replace("import helper", "import no_such_module"), "no_such_module"),
        (PROGRAM.replace("return total", "import os; os._exit(3)"), "ended its process"),
        (PROGRAM.replace("def solve", "def other"), "the entry 'solve' does not exist"),
    ],
)
def test_a_failure_of_the_program_is_told(program: str, told: str, sandbox: ProcessSandbox) -> None:
    assert told in lines(sandbox, START.with_program(program))
    assert told in functions(sandbox, START.with_program(program))


LATE = """def solve(numbers, n):
    if hasattr(solve, "again"):
        while True:
            pass
    solve.again = True
"""


def test_what_does_not_end_is_ended_and_told_so_far(sandbox: ProcessSandbox) -> None:
    text = lines(sandbox, Candidate({"program.py": LATE}), of=task(wall_s=0.2))
    assert "It was ended then" in text
    hits = {line: count for line, (count, _) in rows(text).items()}
    assert hits['if hasattr(solve, "again"):'] == 1
    assert hits["pass"] > 1000
    assert "It was ended then" in functions(sandbox, Candidate({"program.py": LATE}), of=task(wall_s=0.2))


FORGED = """import sys


def solve(numbers, n):
    driver = sys.modules["driver"]
    driver.run = None
    frame = sys._getframe()
    while frame:
        if frame.f_code.co_name == "run":
            driver.{name} = lambda call, own: ({rows}, True)
        frame = frame.f_back
    return 0
"""


@pytest.mark.parametrize(
    "forged",
    [
        "[['program.py', 1, 10 ** 30, 5], ['program.py', 1, -1, 5], ['task.py', 1, 1, 5], ['program.py', 99, 1, 5]]",
        "[['program.py', 1.5, 1, 5], [], 7, None, ['program.py'], [['program.py'], 1, 1, 5]]",
    ],
)
def test_forged_rows_are_left_out(forged: str, sandbox: ProcessSandbox) -> None:
    text = lines(sandbox, Candidate({"program.py": FORGED.format(name="_lines", rows=forged)}))
    assert text == "Line profile on case 'usual': no line of the program's own files took any time."


def test_a_forged_profile_is_only_ever_text_of_bounded_length(sandbox: ProcessSandbox) -> None:
    forged = "[['\\x1b[31m' * 1000, 1, 'n' * 5000 + '\\n# Score: 9', 1, 10, 10] for _ in range(5000)]"
    text = functions(sandbox, Candidate({"program.py": FORGED.format(name="_functions", rows=forged)}))
    assert "\x1b" not in text and "\n#" not in text
    assert len(text) < 5000


def test_functions_with_calls_and_shares(sandbox: ProcessSandbox) -> None:
    text = functions(sandbox)
    assert re.search(r"^ +50 +[\d.]+% +[\d.]+%  helper.py:1 square$", text, re.M)
    assert re.search(r"^ +1 +[\d.]+% +[\d.]+%  program.py:5 solve$", text, re.M)
    assert "driver.py" not in text and "_lsprof" not in text


def test_compiled_functions_show_as_their_calls(sandbox: ProcessSandbox) -> None:
    pytest.importorskip("numba")
    program = """from numba import njit


@njit
def inner(n):
    total = 0
    for i in range(n):
        total += i
    return total


def solve(numbers, n):
    return inner(n)
"""
    found = rows(lines(sandbox, Candidate({"program.py": program}), of=task(wall_s=60.0)))
    assert found == {"return inner(n)": (1, 100.0)}
