"""A limit on code that may never end."""

import contextlib
import signal
import threading
import time

import pytest

from outpace.tasks.deadline import Passed, within


def test_it_ends_what_never_ends_and_leaves_no_alarm() -> None:
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(Passed), within(0.05):
        while True:
            with contextlib.suppress(Exception):  # what a careless checker does
                time.sleep(0.01)
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_what_ends_in_time_is_not_disturbed() -> None:
    with within(30.0):
        found = sum(range(1000))
    assert found == 499_500
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_the_alarm_of_somebody_else_is_left_alone() -> None:
    before = signal.signal(signal.SIGALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, 30.0)
    try:
        with within(1.0):
            assert signal.getsignal(signal.SIGALRM) is signal.SIG_IGN
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 20
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_elsewhere_than_in_the_main_thread_there_is_no_limit() -> None:
    done: list[int] = []

    def work() -> None:
        with within(0.001):
            time.sleep(0.02)
            done.append(1)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [1]
