"""The machine: what of it goes on record with every evaluation, and which of its cores are for timing."""

import os
import platform
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("numpy", "numba", "torch", "triton")


@cache
def machine() -> dict[str, str]:
    """Return what times and answers depend on: processor, cores, memory, system, interpreter and libraries."""
    facts = {
        "cpu": _cpu(),
        "cores": str(len(available_cores())),
        "memory_gb": str(round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
    }
    for library in LIBRARIES:
        try:
            facts[library] = version(library)
        except PackageNotFoundError:
            continue
    return facts


def load() -> float:
    """Return the load average of the last minute, per core."""
    return os.getloadavg()[0] / len(available_cores())


@dataclass(frozen=True, slots=True)
class Lane:
    """Cores for timing, and the rest, on which everything of ours stays meanwhile."""

    cores: tuple[int, ...]
    rest: tuple[int, ...]

    @contextmanager
    def kept_free(self) -> Iterator[None]:
        """Keep all threads of this process off the lane (sched_setaffinity(2)); threads made meanwhile stay off too."""
        if set(self.rest) & set(self.cores):
            yield
            return
        _ASIDE.step(set(self.rest))
        try:
            yield
        finally:
            _ASIDE.back(set(self.rest) | set(self.cores))


def lane(cores: Sequence[int], threads: int) -> Lane:
    """Return the lane for programs with that many threads: the last of the cores."""
    taken = tuple(cores[-threads:])
    return Lane(taken, tuple(cores[:-threads]) or taken)


def available_cores() -> tuple[int, ...]:
    """Return the cores that this process may use, whether or not it is keeping off some of them just now."""
    with _ASIDE.lock:
        own = _ASIDE.before.get(threading.get_native_id())
    return tuple(sorted(os.sched_getaffinity(0) if own is None else own))


class _Aside:
    """Where the threads of this process were before the first of those who keep a lane free moved them."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.depth = 0
        self.before: dict[int, set[int]] = {}

    def step(self, rest: set[int]) -> None:
        """Move all threads to ``rest``."""
        with self.lock:
            if self.depth == 0:
                self.before = {thread: cores for thread in _threads() if (cores := _cores(thread))}
            self.depth += 1
            for thread in _threads():
                _move(thread, self.before.get(thread, rest) & rest or rest)

    def back(self, everything: set[int]) -> None:
        """Move all threads back when the last one has gone; those that were made meanwhile may use ``everything``."""
        with self.lock:
            self.depth -= 1
            if self.depth:
                return
            for thread in _threads():
                _move(thread, self.before.get(thread, everything))
            self.before = {}


_ASIDE = _Aside()


def _threads() -> list[int]:
    return [int(thread.name) for thread in Path("/proc/self/task").iterdir()]


def _cores(thread: int) -> set[int]:
    """Return the cores of a thread; none if it has ended."""
    try:
        return os.sched_getaffinity(thread)
    except ProcessLookupError:
        return set()


def _move(thread: int, cores: set[int]) -> None:
    with suppress(ProcessLookupError):  # it has ended
        os.sched_setaffinity(thread, cores)


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
