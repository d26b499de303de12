"""A time limit on code that may never end, such as a checker that counts up to a number from the answer."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType


class Passed(BaseException):
    """The time is over; no ``except Exception`` of the code in question holds it up."""


@contextlib.contextmanager
def within(limit_s: float) -> Iterator[None]:
    """Raise ``Passed`` in the block once ``limit_s`` are over.

    By the alarm of the operating system, so only in the main thread; elsewhere, or where somebody else has set an
    alarm, the block runs without a limit. A single call into C is not interrupted before it returns.
    """
    if threading.current_thread() is not threading.main_thread() or signal.getitimer(signal.ITIMER_REAL)[0]:
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:
        raise Passed

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before or signal.SIG_DFL)  # None: set by a library in C
