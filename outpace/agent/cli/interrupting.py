"""What long commands share: a clean stop at the first Ctrl-C, and warnings beside the progress."""

import asyncio
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol, TypeVar

from outpace.agent.cli.text import plain

T = TypeVar("T")
TICK_S = 1.0
KILL_GRACE_S = 5.0  # after the second Ctrl-C: what has not let go by then is left to the kernel


class Shown(Protocol):
    """What is on the screen while a command goes on."""

    def note(self, line: str) -> None:
        """Say something beside the progress."""
        ...

    def tick(self) -> None:
        """Let time show; called about once a second."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the screen as it was."""
        ...


async def interruptible(begin: Callable[[asyncio.Event], Awaitable[T]], shown: Shown) -> T:
    """Return what ``begin`` comes to; its event is set by the first Ctrl-C (or SIGTERM), which stops it cleanly.

    The second one cancels it, and a third one ends the process. Raises ``KeyboardInterrupt`` where it was cancelled.
    """
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    task = asyncio.ensure_future(begin(stop))

    def interrupt() -> None:
        if task.cancelling():
            shown.__exit__(None, None, None)
            os._exit(130)
        if stop.is_set():
            task.cancel()
            loop.call_later(KILL_GRACE_S, os._exit, 130)
            return
        stop.set()
        shown.note("Stopping: waiting for what is being evaluated. Once more to kill it.")

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupt)
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=TICK_S)
            shown.tick()
        return task.result()
    except asyncio.CancelledError:
        raise KeyboardInterrupt from None
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


class _Said(logging.Handler):
    """Leads what our loggers warn of to the screen: that an endpoint is waited for, say."""

    def __init__(self, shown: Shown) -> None:
        super().__init__(logging.WARNING)
        self._shown = shown

    def emit(self, record: logging.LogRecord) -> None:
        """Say it beside the progress."""
        self._shown.note(plain(record.getMessage()))


@contextmanager
def heard(shown: Shown) -> Iterator[None]:
    """Lead warnings to the screen while the block lasts."""
    handler, logger = _Said(shown), logging.getLogger("outpace")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
