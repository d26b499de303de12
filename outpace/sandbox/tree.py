"""The processes of one worker as the kernel shows them: their clock, how they are stopped, and how they are killed."""

import contextlib
import os
import re
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

STOP_WALL_S = 10.0
"""A stopped process stands still within microseconds; on a crowded machine its threads must be scheduled first."""
MOVE_WALL_S = 0.2
"""After so long a worker that does not stop is taken to another core for a moment."""
_YIELDS = 8
_PEAK = re.compile(rb"^VmHWM:\s*(\d+) kB$", re.MULTILINE)
_STANDING = frozenset(b"TtZX")
_SEND, _ALL_THREADS = signal.pidfd_send_signal, 18
_STATE, _THREADS, _PARENT = 0, 17, 1  # fields of /proc/PID/stat after the name, proc_pid_stat(5)


class Tree:
    """The process that holds a candidate, and what must die with it.

    ``pidfds`` are this object's own: the first is the worker's, the others are those of processes above it.
    """

    def __init__(self, pid: int, pidfds: list[int]) -> None:
        """Watch the worker ``pid``."""
        self.pid, self.pidfds = pid, pidfds
        self.threads = 1
        self.cpu_ns = 0
        self._clock = (~pid << 3) | 2  # the kernel's CPU clock of the process, as in clock_getcpuclockid(3)
        self._stat = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        self._signals = threading.Lock()

    def read_cpu_ns(self) -> int:
        """Return the CPU time that the worker has used, the last known one if it is gone.

        Exact once it has stopped: of a process that has a limit on CPU time, the kernel brings the clock up to date
        only at a tick, or when a thread leaves its core.
        """
        with contextlib.suppress(OSError):
            self.cpu_ns = max(self.cpu_ns, time.clock_gettime_ns(self._clock))
        return self.cpu_ns

    def peak_mb(self) -> float | None:
        """Return the most memory in megabytes that the worker has had resident (VmHWM of proc_pid_status(5)).

        The kernel starts that figure anew for a forked process, with what it has then. None where it is not told.
        """
        try:
            found = _PEAK.search(Path(f"/proc/{self.pid}/status").read_bytes())
            os.pread(self._stat, 1, 0)  # else its number may have passed on to a stranger
        except OSError:
            return None
        return int(found.group(1)) / 1024 if found else None

    def stop(self) -> bool:
        """Stop all threads of the worker and wait until they stand still; False if they do not, True if it is gone.

        Between two looks this process yields, then sleeps: it may share its core with a thread that has yet to stop.
        A thread that is ready to run and is not let run for seconds was seen on Linux 6.18, beside a busy process of
        another niceness on the same core; on another core it goes on at once.
        """
        self._signal(signal.SIGSTOP)
        deadline = time.monotonic() + STOP_WALL_S
        move_at = deadline - STOP_WALL_S + MOVE_WALL_S
        pause_s = 2e-5
        looks = 0
        while not self._stands():
            looks += 1
            if looks <= _YIELDS:
                os.sched_yield()
                continue
            now = time.monotonic()
            if now > deadline:
                return False
            if now > move_at:
                self.jolt()
                move_at = now + MOVE_WALL_S
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 1e-3)
        return True

    def resume(self) -> None:
        """Let a stopped worker go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill everything, stopped or not, from any thread."""
        self.read_cpu_ns()
        with self._signals:
            for pidfd in self.pidfds:
                with contextlib.suppress(ProcessLookupError):
                    _SEND(pidfd, signal.SIGKILL)

    def pin(self, cores: Sequence[int]) -> None:
        """Move all threads of the worker to ``cores``."""
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            for thread in self._threads():
                os.sched_setaffinity(thread, cores)

    def jolt(self) -> None:
        """Take all threads of the worker to other cores and back, so that their cores' queues sort them in anew."""
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            for thread in self._threads():
                cores = os.sched_getaffinity(thread)
                with contextlib.suppress(OSError):  # there is no other core for it
                    os.sched_setaffinity(thread, set(range(os.cpu_count() or 1)) - cores)
                    time.sleep(1e-3)
                os.sched_setaffinity(thread, cores)

    def ready(self) -> bool:
        """Tell whether a thread of the worker wants its core just now: it is neither asleep nor stopped."""
        try:
            return any(_state(self.pid, thread) in b"R" for thread in self._threads())
        except (ProcessLookupError, FileNotFoundError):
            return False

    def close(self) -> None:
        """Forget the processes."""
        with self._signals:
            for pidfd in self.pidfds:
                os.close(pidfd)
            self.pidfds = []
        if self._stat >= 0:
            os.close(self._stat)
            self._stat = -1

    def _signal(self, number: int) -> None:
        with self._signals, contextlib.suppress(ProcessLookupError):
            if self.pidfds:
                _SEND(self.pidfds[0], number)

    def _stands(self) -> bool:
        """Tell whether every thread has stopped or ended; note how many there are."""
        try:
            fields = _fields(os.pread(self._stat, 1024, 0))
            self.threads = max(1, int(fields[_THREADS]))
            if self.threads == 1:
                return fields[_STATE][0] in _STANDING
            return all(_thread_stands(self.pid, thread) for thread in self._threads())
        except (ProcessLookupError, FileNotFoundError):
            return True

    def _threads(self) -> Iterator[int]:
        return map(int, os.listdir(f"/proc/{self.pid}/task"))  # noqa: PTH208  (on the way of every call)


def parent_of(pid: int) -> int:
    """Return the pid of the parent of a process; ``ProcessLookupError`` or ``FileNotFoundError`` if it is gone."""
    return int(_fields(Path(f"/proc/{pid}/stat").read_bytes())[_PARENT])


def _thread_stands(pid: int, thread: int) -> bool:
    try:
        return _state(pid, thread) in _STANDING
    except (ProcessLookupError, FileNotFoundError):
        return True


def _state(pid: int, thread: int) -> int:
    return _fields(Path(f"/proc/{pid}/task/{thread}/stat").read_bytes())[_STATE][0]


def _fields(stat: bytes) -> list[bytes]:
    return stat.rpartition(b")")[2].split()
