"""One hop from the event loop to a thread, with a deadline: for trusted code that works on a candidate's answers."""

import asyncio
import ctypes
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from outpace.tasks.deadline import Passed

T = TypeVar("T")


@dataclass(slots=True)
class _Guarded:
    """A call that another thread can end, as long as it runs Python code."""

    function: Callable[..., Any]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _thread: int | None = None

    def run(self, *arguments: Any) -> Any:
        """Call the function in this thread."""
        with self._lock:
            self._thread = threading.get_ident()
        try:
            return self.function(*arguments)
        finally:
            with self._lock:
                _strike(self._thread, None)
                self._thread = None

    def end(self) -> None:
        """Raise ``Passed`` in the function, if it is running."""
        with self._lock:
            _strike(self._thread, Passed)


async def hop(function: Callable[..., T], *arguments: Any, limit_s: float) -> T:
    """Return what ``function`` returns; raises ``Passed``, in it and so here, if it takes longer than ``limit_s``.

    A hostile answer can keep a checker busy for ever: a number that it counts up to, a list that it searches again for
    every item. A single call into C is not interrupted before it returns.
    """
    guarded = _Guarded(function)
    timer = asyncio.get_running_loop().call_later(limit_s, guarded.end)
    try:
        found: T = await asyncio.to_thread(guarded.run, *arguments)
    except asyncio.CancelledError:
        guarded.end()  # else the thread would go on, and hold up the end of the process
        raise
    finally:
        timer.cancel()
    return found


def _strike(thread: int | None, error: type[BaseException] | None) -> None:
    """Have ``error`` raised in a thread at its next step; None: take back one that has not been raised yet."""
    if thread is not None:
        pending = None if error is None else ctypes.py_object(error)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), pending)
