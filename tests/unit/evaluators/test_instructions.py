"""Counting from outside: what a counter reads, and why there is none."""

import errno
import os
from contextlib import closing

import pytest

from outpace.evaluators.instructions import INSTRUCTIONS, TASK_CLOCK, Counter, Event, missing, reason


def work(steps: int = 200_000) -> int:
    return sum(step * step for step in range(steps))


def without(event: Event) -> str:
    """Return why an event cannot be counted here, for tests that need it."""
    return missing(event)


@pytest.mark.skipif(bool(without(TASK_CLOCK)), reason="perf_event_open is not permitted here")
def test_a_counter_grows_with_the_work_of_the_process() -> None:
    with closing(Counter(os.getpid(), TASK_CLOCK)) as counter:
        before = counter.read()
        work()
        between = counter.read()
        work()
        assert before < between < counter.read()


@pytest.mark.skipif(bool(without(INSTRUCTIONS)), reason="no instructions are counted here")
def test_the_same_work_takes_about_the_same_instructions() -> None:
    with closing(Counter(os.getpid())) as counter:
        counts = []
        for _ in range(5):
            before = counter.read()
            work()
            counts.append(counter.read() - before)
    assert max(counts[1:]) < 1.2 * min(counts[1:])


def test_an_event_that_no_processor_has_is_missing_for_a_reason() -> None:
    assert missing(Event(0, 999))


def test_a_process_that_is_gone_has_no_counter() -> None:
    with pytest.raises(OSError):
        Counter(2**22 + 1)


def test_reasons_name_the_error_and_what_to_do() -> None:
    assert reason(OSError(errno.ENOENT, "")) == "the CPU offers none (ENOENT)"
    assert reason(OSError(errno.EACCES, "")).startswith(
        "not permitted (EACCES; /proc/sys/kernel/perf_event_paranoid is "
    )
    assert reason(OSError(errno.ENOSYS, "")) == "the kernel offers none (ENOSYS)"
