"""The driver of a run that is profiled: it times the lines, or the functions, of a program while that answers once.

The judge sends this text in the place of the task's driver, with ``KIND``, ``SECONDS`` and ``DRIVER`` set below it, so
that an ordinary worker carries nothing of it. It runs beside the candidate, which could change every number here: what
comes of it is words for a prompt, never a score.
"""

from __future__ import annotations

import copy
import os
import signal
import sys
from time import perf_counter_ns

TYPE_CHECKING = False
if TYPE_CHECKING:  # the module ``typing`` would cost time
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

KIND = "lines"
SECONDS = 20.0
"""How much CPU time the profiled call is followed; what took part until then is told."""
WAITING_S = 10.0
"""How much longer it is followed where it waits: it sleeps, or the machine is busy."""
DRIVER: str | None = None
"""The text of the task's own driver."""
_PROBED = 500
_MOST = 1000  # rows
_STOP = "<method 'disable' of '_lsprof.Profiler' objects>"


class _Enough(BaseException):
    """The time for profiling is over."""


def run(entry: Callable[..., Any] | str, /, **problem: Any) -> dict[str, Any]:
    """Answer twice: once unobserved, as what is compiled at the first call is not timed either; then observed."""
    call = _called(entry)
    call(**copy.deepcopy(problem))
    path = entry if isinstance(entry, str) else sys.modules["program"].__file__ or ""
    own = os.path.dirname(os.path.abspath(path)) + "/"  # noqa: PTH100, PTH120
    observed = _lines if KIND == "lines" else _functions
    begin = perf_counter_ns()
    rows, whole = observed(lambda: call(**problem), own)
    return {"rows": rows[:_MOST], "whole": whole, "wall_ns": perf_counter_ns() - begin}


def _called(entry: Callable[..., Any] | str) -> Callable[..., Any]:
    """Return what answers a problem: the entry, or the task's driver with it."""
    if DRIVER is None:
        assert not isinstance(entry, str)  # only a driver can do with a path
        return entry
    space: dict[str, Any] = {"__name__": "driver"}
    exec(compile(DRIVER, "driver.py", "exec"), space)  # noqa: S102  (in the sandbox, and the task's own text)
    return lambda **problem: space["run"](entry, **problem)


def _in_time(call: Callable[[], Any]) -> bool:
    """Call, for at most ``SECONDS`` of CPU and of waiting; return whether it came to its end.

    A busy machine that does not let it run takes nothing of its CPU time, and does not end it at its first line.
    """
    timers = {signal.ITIMER_PROF: SECONDS, signal.ITIMER_REAL: SECONDS + WAITING_S}
    signal.signal(signal.SIGPROF, _ring)
    signal.signal(signal.SIGALRM, _ring)
    try:
        for timer, seconds in timers.items():
            signal.setitimer(timer, seconds)
        call()
    except _Enough:
        return False
    finally:
        for timer in timers:
            signal.setitimer(timer, 0)
    return True


def _ring(number: int, frame: FrameType | None) -> None:
    raise _Enough


class Tracer:
    """Counts how often each line of some files is reached, and the time until the next one is.

    Each moment counts for one line: that of the innermost function of these files, with all that it calls elsewhere.
    The time between the end of one observation and the beginning of the next is what counts, so that observing costs
    little of it; ``Tracer.cost`` tells how much.
    """

    def __init__(self, own: str) -> None:
        """Observe the files whose path begins with ``own``."""
        self.own = own
        self.rows: dict[tuple[str, int], list[int]] = {}
        self._at = [0, 0]  # hits and ns of the line where the program is now
        self._callers: list[list[int]] = []
        self._since = 0

    def enter(self, frame: FrameType, event: str, argument: object) -> Any:
        """Begin to observe a function, if it is one of these files (``sys.settrace``)."""
        if not frame.f_code.co_filename.startswith(self.own):
            return None
        self._at[1] += perf_counter_ns() - self._since
        self._callers.append(self._at)
        self._at = self._row(frame)
        self._since = perf_counter_ns()
        return self.step

    def step(self, frame: FrameType, event: str, argument: object) -> Any:
        """Note where an observed function is."""
        now = perf_counter_ns()
        self._at[1] += now - self._since
        if event == "line":
            self._at = self._row(frame)
            self._at[0] += 1
        elif event == "return":
            self._at = self._callers.pop()
        self._since = perf_counter_ns()
        return self.step

    def follow(self, call: Callable[[], Any]) -> None:
        """Call under observation."""
        sys.settrace(self.enter)
        self._since = perf_counter_ns()
        try:
            call()
        finally:
            sys.settrace(None)

    def _row(self, frame: FrameType) -> list[int]:
        place = (frame.f_code.co_filename, frame.f_lineno)
        row = self.rows.get(place)
        if row is None:
            row = self.rows[place] = [0, 0]
        return row

    @classmethod
    def cost(cls) -> float:
        """Return the ns that observing adds to each line, found on lines that do next to nothing."""
        space: dict[str, Any] = {}
        exec(compile("def probe():\n" + "    x = 0\n" * _PROBED, "probe/lines", "exec"), space)  # noqa: S102
        found = []
        for _ in range(5):
            tracer = cls("probe/")
            tracer.follow(space["probe"])
            found.append(sum(ns for _, ns in tracer.rows.values()) / _PROBED)
        return min(found)


def _lines(call: Callable[[], Any], own: str) -> tuple[list[list[Any]], bool]:
    """Return rows of path, line, hits and ns."""
    cost, tracer = Tracer.cost(), Tracer(own)
    whole = _in_time(lambda: tracer.follow(call))
    rows = [
        [path.removeprefix(own), line, hits, max(0, int(ns - cost * hits))]
        for (path, line), (hits, ns) in tracer.rows.items()
        if hits
    ]
    return sorted(rows, key=lambda row: -row[3]), whole


def _functions(call: Callable[[], Any], own: str) -> tuple[list[list[Any]], bool]:
    """Return rows of path, line, name, calls, ns in itself, and ns with all that it calls."""
    import cProfile

    profile = cProfile.Profile()
    whole = _in_time(lambda: profile.runcall(call))
    rows = []
    for entry in profile.getstats():
        path, line, name = _place(entry.code, own)
        if path != __file__ and name != _STOP:
            rows.append([path, line, name, entry.callcount, int(entry.inlinetime * 1e9), int(entry.totaltime * 1e9)])
    return sorted(rows, key=lambda row: -row[4]), whole


def _place(code: CodeType | str, own: str) -> tuple[str, int, str]:
    """Return path, line and name: the whole path of our own functions, a short one of all others."""
    if isinstance(code, str):
        return "", 0, code
    path, line, name = code.co_filename, code.co_firstlineno, code.co_name
    if path == __file__:
        return path, line, name
    return path.removeprefix(own) if path.startswith(own) else "/".join(path.split("/")[-2:]), line, name
