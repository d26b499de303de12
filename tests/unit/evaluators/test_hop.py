"""Judging that may never end: it ends, the thread serves again, and the answer counts as wrong."""

import asyncio
import contextlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from outpace.evaluators import correctness
from outpace.evaluators.correctness import Failure
from outpace.evaluators.hop import hop
from outpace.sandbox.base import Job
from outpace.sandbox.process import ProcessSandbox
from outpace.tasks.candidate import Candidate
from outpace.tasks.deadline import Passed
from outpace.tasks.spec import Case, Goal, Output, Problem, Task, TaskSpec


def endless() -> None:
    while True:
        with contextlib.suppress(Exception):  # what a careless checker does
            time.sleep(0.001)


class CountsUp(Task):
    """Its checker counts up to what the answer says."""

    def check(self, problem: Problem, output: Output) -> None:
        count = 0
        while count != output:
            count += 1


def about() -> Task:
    goal = Goal(kind="metric", name="count", direction="maximise")
    program = Candidate({"program.py": "def f():\n    return -1\n"})
    return CountsUp(TaskSpec(name="t", title="", statement="", entry="f", goal=goal, cases=(Case(name="c"),)), program)


def test_what_ends_in_time_is_returned() -> None:
    assert asyncio.run(hop(lambda a, b: a + b, 2, 3, limit_s=30.0)) == 5


def test_what_is_raised_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(hop(lambda: 1 / 0, limit_s=30.0))


def test_what_never_ends_is_ended_and_its_thread_serves_on() -> None:
    async def run() -> None:
        asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))  # there is no other thread to serve
        with pytest.raises(Passed):
            await hop(endless, limit_s=0.05)
        for _ in range(200):  # a blow that came late would strike one of these
            assert await hop(sum, range(1000), limit_s=30.0) == 499_500

    asyncio.run(run())


def test_who_is_cancelled_does_not_leave_a_thread_at_work() -> None:
    ended = threading.Event()

    def work() -> None:
        try:
            endless()
        finally:
            ended.set()

    async def run() -> None:
        task = asyncio.create_task(hop(work, limit_s=600.0))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert ended.wait(30)


def test_an_answer_that_keeps_the_checker_busy_is_wrong() -> None:
    async def run() -> None:
        task = about()
        worker = await ProcessSandbox().start(Job(files=task.start.files, entry="f"))
        try:
            case = task.spec.cases[0]
            with pytest.raises(Failure, match="the checker came to no end within 120 s") as caught:
                await hop(correctness.check, task, worker, case, {}, -1, limit_s=0.2)
            assert caught.value.status == "wrong"
        finally:
            await worker.close()

    asyncio.run(run())
