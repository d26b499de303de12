"""Rules are kept: what breaks one is refused with the evidence, and honest programs that look alike pass."""

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from outpace.errors import TaskError
from outpace.evaluators import integrity
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.limits import Limits
from outpace.sandbox.base import Job, Reply, Worker
from outpace.sandbox.process import ProcessSandbox
from outpace.tasks import registry
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Answer, Case, Goal, Output, Problem, Task, TaskSpec, Twin, WrongAnswer


def spec(*, threads: int = 1, inplace: bool = False, **answer: Any) -> TaskSpec:
    return TaskSpec(
        name="t",
        title="",
        statement="",
        entry="f",
        goal=Goal(kind="speedup", name="speed-up", direction="maximise"),
        cases=(Case(name="c"),),
        limits=Limits(threads=threads, wall_s=10.0),
        answer=Answer(**answer),
        inplace=inplace,
    )


async def loaded(program: str, *, limits: Limits | None = None, driver: str | None = None, entry: str = "f") -> Worker:
    job = Job(files={"program.py": program}, entry=entry, driver=driver, limits=limits or Limits())
    worker = await ProcessSandbox().start(job)
    reply = await worker.load()
    assert reply.ok, reply
    return worker


# what is not accepted before any checker sees it


def test_an_answer_that_is_not_as_stated() -> None:
    about = spec(kind="array", dtype="float64", shape=("values",))
    problem = {"values": np.zeros(3)}
    assert integrity.refusal(about, problem, np.zeros(3)) is None
    assert integrity.refusal(about, problem, np.zeros(3, np.float32)) == (
        "the answer is an array of float32, shape (3,), expected an array of float64, shape (3,)"
    )
    assert integrity.refusal(spec(), problem, [[1.0, float("nan")]]) == "answer[0][1] is nan, not a finite number"
    assert integrity.refusal(spec(finite=False), problem, float("inf")) is None


def test_a_stated_form_that_does_not_fit_the_task_names_the_task() -> None:
    with pytest.raises(TaskError, match=r"^Task 't': \[answer\] shape names 'length', expected an input with a length"):
        integrity.refusal(spec(kind="array", shape=("length",)), {"values": 1}, np.zeros(3))


# inputs, and what an answer shares with them


def audited(program: str, problem: Problem, *, inplace: bool = False) -> str | None:
    async def run() -> str | None:
        worker = await loaded(program)
        reply = await worker.audit(problem)
        await worker.close()
        assert reply.ok, reply
        return integrity.altered(spec(inplace=inplace), problem, reply.output)

    return asyncio.run(run())


VALUES = np.array([3.0, 1.0, 2.0])
ROWS = [[3, 1], [2, 0]]


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (
            "values.sort()\n    return values.copy()\n",
            "it changed its input 'values'[0] (was 3.0",
        ),
        (
            "values[2] += 1e-15\n    return 1\n",
            "it changed its input 'values'[2] (was 2.0, is 2.",
        ),
        (
            "values[0] = -values[0] * 0\n    return 1\n",
            "it changed its input 'values'[0] (was 3",
        ),
        ("rows[1].sort()\n    return 1\n", "it changed its input 'rows'[1][0] (was 2, is 0)"),
        ("rows.pop()\n    return 1\n", "it changed its input 'rows' (had 2 items, has 1)"),
        (
            "values.shape = (3, 1)\n    return 1\n",
            "'values' (was float64 (3,), is float64 (3, 1))",
        ),
        ("return values\n", "its answer shares memory with its input 'values'; answer with"),
        ("return {'a': [values[1:]]}\n", "shares memory with its input 'values'"),
        ("return values[::-1]\n", "shares memory with its input 'values'"),
    ],
)
def test_a_program_that_spoils_its_inputs(lines: str, words: str) -> None:
    program = f"def f(values, rows):\n    {lines}"
    problem = {"values": VALUES.copy(), "rows": ROWS}
    found = audited(program, problem)
    assert found is not None
    assert words in found
    assert "\n" not in found
    assert np.array_equal(problem["values"], VALUES), "the judge's own inputs are never touched"  # type: ignore[arg-type]
    assert audited(program, problem, inplace=True) is None


@pytest.mark.parametrize(
    "program",
    [
        "import numpy as np\ndef f(values, rows):\n    return np.sort(values)\n",
        "def f(values, rows):\n    mine = values.copy()\n    mine.sort()\n    return mine[::-1]\n",
        "def f(values, rows):\n    return values + 0\n",
        "import copy\ndef f(values, rows):\n    mine = copy.deepcopy(rows)\n    mine[0].sort()\n    return mine\n",
        "def f(values, rows):\n    return list(values.tolist())\n",
        "def f(values, rows):\n    values = values * 2\n    values[0] = 7\n    return values\n",
    ],
)
def test_work_on_a_copy_is_no_offence(program: str) -> None:
    assert audited(program, {"values": VALUES, "rows": ROWS}) is None


@pytest.mark.parametrize("reply", [None, 7, {"answer": 1}, {"answer": 1, "inputs": [], "shared": []}])
def test_an_audit_that_tells_nothing_is_no_proof(reply: Any) -> None:
    assert integrity.altered(spec(), {"values": VALUES}, reply) is not None


def test_inputs_of_every_kind_come_back_as_they_were() -> None:
    problem = {
        "whole": 10**30,
        "real": -0.0,
        "many": [0.5] * 1000,
        "pair": (1, "a", b"b", None, True),
        "nested": {"k": [np.arange(6).reshape(2, 3)[:, ::2]]},
        "single": np.float32(1.5),
        "number": np.int16(3),
        "unfinite": [float("nan"), float("inf")],
        "complex": 1j,
    }
    names = ", ".join(problem)
    assert audited(f"def f({names}):\n    return 1\n", problem) is None


# work after the answer


IMPORTS = "import threading, time, signal\nfrom concurrent.futures import ThreadPoolExecutor\n"
BUSY = "def work(s):\n    end = time.perf_counter() + s\n    while time.perf_counter() < end: pass\n"


def left_alone(program: str, *, threads: int = 1) -> str | None:
    async def run() -> str | None:
        about = spec(threads=threads)
        worker = await loaded(IMPORTS + BUSY + program, limits=about.limits)
        try:
            replies = [await worker.call({"n": number}) for number in range(3)]
            assert all(reply.ok for reply in replies), replies
            most = max(reply.threads for reply in replies)
            idle_ns = sum(reply.idle_cpu_ns for reply in replies)
            return await integrity.lingering(about, worker, threads=most, idle_cpu_ns=idle_ns)
        finally:
            await worker.close()

    return asyncio.run(run())


THREAD = "def f(n):\n    threading.Thread(target=work, args=({s},), daemon=True).start()\n    return n\n"
TIMER = (
    "signal.signal(signal.SIGALRM, lambda *a: work(0.002))\n"
    "def f(n):\n    if n == 2: signal.setitimer(signal.ITIMER_REAL, 0.001, 0.002)\n    return n\n"
)


@pytest.mark.parametrize(
    ("program", "threads"), [(THREAD.format(s=60), 1), (THREAD.format(s=60), 2), (THREAD.format(s=0.2), 1), (TIMER, 1)]
)
def test_a_program_that_works_on_after_its_answer(program: str, threads: int) -> None:
    looks = (left_alone(program, threads=threads) for _ in range(5))  # on a crowded machine it may not get its turn
    found = next((one for one in looks if one), None)
    assert found is not None
    assert "it went on working after its answer: " in found
    assert " ms of CPU in 30 ms without a request (threads: " in found


@pytest.mark.parametrize(
    ("program", "threads"),
    [
        ("def f(n):\n    return n\n", 1),
        ("def f(n):\n    with ThreadPoolExecutor(2) as p:\n        list(p.map(work, [0.005] * 4))\n    return n\n", 1),
        ("pool = ThreadPoolExecutor(2)\ndef f(n):\n    list(pool.map(work, [0.005] * 4))\n    return n\n", 1),
        ("def f(n):\n    t = threading.Thread(target=work, args=(0.01,))\n    t.start(); t.join()\n    return n\n", 1),
        ("import numpy as np\na = np.ones((400, 400))\ndef f(n):\n    return float((a @ a)[0, 0])\n", 2),
        ("class A: pass\ndef f(n):\n    found = []\n    for _ in range(20_000):\n        a = A()\n        a.me = a\n"
         "        found.append(a)\n    return len(found)\n", 1),
        ("t = threading.Thread(target=threading.Event().wait, daemon=True)\nt.start()\ndef f(n):\n    return n\n", 1),
    ],
)  # fmt: skip
def test_honest_programs_are_quiet(program: str, threads: int) -> None:
    assert left_alone(program, threads=threads) is None


def test_numba_in_parallel_is_quiet() -> None:
    pytest.importorskip("numba", reason="numba is not installed")
    program = """
import numba
import numpy as np
@numba.njit(parallel=True)
def total(a):
    s = 0.0
    for i in numba.prange(len(a)):
        s += a[i] ** 0.5
    return s
A = np.ones(1_000_000)
def f(n):
    return total(A)
"""
    assert left_alone(program, threads=2) is None


def test_a_worker_that_has_ended_does_not_work() -> None:
    async def run() -> str | None:
        worker = await loaded("def f(n):\n    return n\n")
        await worker.close()
        return await integrity.lingering(spec(), worker, threads=5, idle_cpu_ns=10**9)

    assert asyncio.run(run()) is None


def test_work_between_timed_calls() -> None:
    quiet = [Reply(output=1, idle_cpu_ns=90_000) for _ in range(20)]
    assert integrity.restless(quiet) is None
    assert integrity.restless([]) is None
    found = integrity.restless([Reply(output=1, idle_cpu_ns=3_000_000) for _ in range(20)])
    assert found is not None
    assert "60.0 ms of CPU after 20 answers, expected less than 2 ms each" in found


def test_a_stopped_worker_uses_nothing_between_its_calls() -> None:
    """None before the go, by construction: between calls even a program that never rests stands still."""

    async def run() -> list[Reply]:
        worker = await loaded(IMPORTS + BUSY + THREAD.format(s=60))
        replies = []
        for number in range(5):
            replies.append(await worker.call({"n": number}))
            await asyncio.sleep(0.02)
        await worker.close()
        return replies

    assert [reply.idle_cpu_ns for reply in asyncio.run(run())[1:]] == [0] * 4


# tasks that are answered item by item


class Choices(Task):
    """Answer: for each number whether to keep it; keep at most three, before the next is known."""

    def check(self, problem: Problem, output: Output) -> None:
        if type(output) is not list or len(output) != len(problem["numbers"]) or not {*map(type, output)} <= {bool}:
            raise WrongAnswer("expected a list of bools, one per number")

    def twin(self, problem: Problem, seed: int) -> Twin:
        length = 1 + seed % (len(problem["numbers"]) - 1)
        return Twin(problem={"numbers": [*problem["numbers"][:length], 50, 0]}, length=length)


class Drawn(Choices):
    """The same with numbers that are drawn."""

    def generate(self, case: Case, seed: int) -> Problem:
        return {"numbers": np.random.default_rng(seed).integers(1, 10, 12).tolist()}

    def score(self, problem: Problem, output: Output) -> float:
        return float(sum(output))


DRIVER = "def run(entry, numbers):\n    return [bool(entry(number)) for number in numbers]\n"


def foreseen(entry: str, *, calls_before: int = 0) -> list[str | None]:
    """Ask twenty times: where the twin parts from the problem is drawn by chance."""
    about = Choices(spec(), Candidate({"program.py": entry}), driver=DRIVER)
    problem = {"numbers": [7, 3, 9, 1, 8, 2, 6, 4, 5, 9, 1, 7]}

    async def fresh(asked: Problem) -> Output:
        worker = await loaded(entry, driver=DRIVER)
        try:
            for _ in range(calls_before):
                await worker.call(problem)
            reply = await worker.call(asked)
            assert reply.ok, reply
            return reply.output
        finally:
            await worker.close()

    async def run() -> list[str | None]:
        answered = await fresh(problem)
        return [await integrity.foresight(about, problem, answered, fresh) for _ in range(8)]

    return asyncio.run(run())


PEEK = """
import sys
def f(number):
    numbers = sys._getframe(1).f_locals.get("numbers") or sys._getframe(2).f_locals["numbers"]
    return number >= sorted(numbers)[-3]
"""


def test_a_rule_that_looks_at_what_comes() -> None:
    found = [one for one in foreseen(PEEK) if one]
    assert found
    assert "it sees what comes: two problems with the same first " in found[0]
    assert " items, or units of time, got different answers for these, at the answer[" in found[0]


def test_a_rule_that_looks_at_what_has_come() -> None:
    assert foreseen("def f(number):\n    return number > 6\n") == [None] * 8
    counts = "kept = 0\ndef f(number):\n    global kept\n    kept += number > 4\n    return number > 4 and kept <= 3\n"
    assert foreseen(counts) == [None] * 8


def test_a_rule_of_chance() -> None:
    seeded = "import random\nchance = random.Random(5)\ndef f(number):\n    return chance.random() < 0.5\n"
    assert foreseen(seeded) == [None] * 8
    found = [one for one in foreseen("import random\ndef f(number):\n    return random.random() < 0.5\n") if one]
    assert found
    words = ("must not depend on chance, clocks or earlier problems", "it sees what comes")  # chance chooses
    assert all(any(word in one for word in words) for one in found)


def test_a_twin_that_cannot_be_made_is_a_fault_of_the_task() -> None:
    async def never(problem: Problem) -> Output:
        raise AssertionError

    about = Choices(spec(), Candidate({"program.py": ""}))
    with pytest.raises(TaskError, match="Task 't': twin failed: ZeroDivisionError"):
        asyncio.run(integrity.foresight(about, {"numbers": [1]}, [True], never))


def test_tasks_that_show_all_have_no_twin() -> None:
    async def never(problem: Problem) -> Output:
        raise AssertionError

    about = registry.find("nbody")
    problem = about.generate(about.spec.cases[0], 1)
    assert asyncio.run(integrity.foresight(about, problem, about.reference(problem), never)) is None


LOOK_AHEAD = """
import sys
import numpy as np
def priority(item, bins):
    frame = sys._getframe()
    while "sizes" not in frame.f_locals:
        frame = frame.f_back
    rest = frame.f_locals["sizes"][frame.f_locals["number"] + 1:]
    left = bins - item
    return np.where(np.isin(left, rest), 1000.0, 0.0) - left
"""


def test_bin_packing_with_a_look_at_the_items_to_come() -> None:
    about = registry.find("online_bin_packing")
    problem = about.generate(about.spec.cases[0], 1000)

    async def run(program: str) -> list[str | None]:
        async def fresh(asked: Problem) -> Output:
            worker = await loaded(program, driver=about.driver, entry="priority")
            try:
                reply = await worker.call(asked)
                assert reply.ok, reply
                return reply.output
            finally:
                await worker.close()

        answered, found = await fresh(problem), list[str | None]()
        while len(found) < 4 and not any(found):
            found.append(await integrity.foresight(about, problem, answered, fresh))
        return found

    assert any(one and "it sees what comes" in one for one in asyncio.run(run(LOOK_AHEAD)))
    assert asyncio.run(run(about.start.program)) == [None] * 4


LATER = """
import sys
first = None
def f(number):
    global first
    numbers = sys._getframe(1).f_locals.get("numbers") or sys._getframe(2).f_locals["numbers"]
    first = first or numbers
    return number >= sorted(numbers)[-3] if numbers is not first else number > 6
"""


def test_who_looks_ahead_from_the_second_problem_on_is_found_too() -> None:
    """Which of the problems is asked about is drawn by chance, so a good beginning is no cover."""
    goal = Goal(kind="metric", name="kept", direction="maximise")
    about = Drawn(
        replace(spec(), goal=goal, cases=(Case(name="c", instances=6),)),
        Candidate({"program.py": LATER}),
        driver=DRIVER,
    )
    evaluator = CascadeEvaluator(ProcessSandbox())
    found = [asyncio.run(evaluator.evaluate(about, about.start)) for _ in range(12)]
    assert "refused" in {one.status for one in found}


# what could not have been noticed


def test_what_a_run_could_not_have_noticed() -> None:
    assert not any("looks ahead" in one for one in integrity.unnoticed(registry.find("online_bin_packing")))
    assert not any("precision" in one for one in integrity.unnoticed(registry.find("nbody")))

    class Plain(Task):
        pass

    careless = Plain(spec(threads=4, inplace=True, finite=False), Candidate({"program.py": ""}), driver=DRIVER)
    said = "\n".join(integrity.unnoticed(careless))
    for words in ("looks ahead", "changes its inputs", "NaN", "precision", "threads"):
        assert words in said


def test_what_comes_of_other_tools_is_told_apart() -> None:
    class Borrowed(Task):
        borrowed = True

    start = Candidate({"program.py": ""})
    assert any("checker of another tool" in one for one in integrity.unnoticed(Borrowed(spec(), start)))
    told = Goal(kind="metric", name="score", direction="maximise", self_reported=True)
    [said] = integrity.unnoticed(Task(replace(spec(), goal=told), start, driver=DRIVER))
    assert "made up" in said
