"""CPU instructions of a worker, counted by the processor and read from outside, where the host offers that."""

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Sequence
from contextlib import AsyncExitStack, ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path

PARANOID = Path("/proc/sys/kernel/perf_event_paranoid")
_CALL = {"x86_64": 298, "aarch64": 241}
_CLOSE_ON_EXEC = 8
_INHERIT, _EXCLUDE_KERNEL, _EXCLUDE_HYPERVISOR = 1 << 1, 1 << 5, 1 << 6
_TIMES = 3  # beside the count, for how long it was wanted and for how long it ran
_ATTRIBUTES, _COUNT = struct.Struct("=IIQQQQQIIQ"), struct.Struct("=QQQ")
_ABSENT = (errno.ENOENT, errno.EOPNOTSUPP, errno.ENODEV, errno.ENXIO)


@dataclass(frozen=True, slots=True)
class Event:
    """What perf_event_open(2) counts: a kind of source, and which of its events."""

    kind: int
    number: int


INSTRUCTIONS = Event(0, 1)
"""Instructions that were carried out (PERF_COUNT_HW_INSTRUCTIONS)."""
TASK_CLOCK = Event(1, 1)
"""Nanoseconds on a core (PERF_COUNT_SW_TASK_CLOCK): the CPU clock once more, so no way out where nothing is counted."""


class Counter:
    """Counts one event in all threads of a process, those that it starts later included; outside the kernel only."""

    def __init__(self, pid: int, event: Event = INSTRUCTIONS) -> None:
        """Begin to count in process ``pid``.

        Raises ``OSError``: the processor has no such counter (ENOENT), or the kernel does not let us (EACCES, EPERM).
        """
        self._files: list[int] = []
        try:
            for thread in Path(f"/proc/{pid}/task").iterdir():
                with suppress(ProcessLookupError):  # a thread may end while we look
                    self._files.append(_opened(int(thread.name), event))
        except BaseException:
            self.close()
            raise

    def read(self) -> float:
        """Return the count so far; what did not run all the time (a counter shared with others) is scaled up."""
        return sum(_scaled(os.read(file, _COUNT.size)) for file in self._files)

    def close(self) -> None:
        """Stop to count. Safe to call twice."""
        for file in self._files:
            os.close(file)
        self._files = []


def missing(event: Event = INSTRUCTIONS) -> str:
    """Return why this host counts no instructions for us, in a few words; empty if it does."""
    try:
        Counter(os.getpid(), event).close()
    except OSError as error:
        return reason(error)
    return ""


def opened(pids: Sequence[int], stack: AsyncExitStack) -> list[Counter]:
    """Return a counter for each process, which ``stack`` closes; raises ``OSError`` if there cannot be one for all."""
    with ExitStack() as own:
        counters = [own.enter_context(closing(Counter(pid))) for pid in pids]
        stack.callback(own.pop_all().close)
    return counters


def reason(error: OSError) -> str:
    """Return in a few words why a counter could not be opened."""
    name = errno.errorcode.get(error.errno or 0, "no error number")
    if error.errno in _ABSENT:
        return f"the CPU offers none ({name})"
    if error.errno in (errno.EACCES, errno.EPERM):
        level = PARANOID.read_text().strip() if PARANOID.exists() else "not there"
        return f"not permitted ({name}; {PARANOID} is {level}, expected 2 or less)"
    return f"the kernel offers none ({name})"


def _opened(thread: int, event: Event) -> int:
    """Return a file that counts ``event`` in a thread and in those that it starts."""
    flags = _INHERIT | _EXCLUDE_KERNEL | _EXCLUDE_HYPERVISOR
    attributes = _ATTRIBUTES.pack(event.kind, _ATTRIBUTES.size, event.number, 0, 0, _TIMES, flags, 0, 0, 0)
    call = _CALL.get(platform.machine())
    if call is None:
        raise OSError(errno.ENOSYS, f"no number of perf_event_open is known for {platform.machine()}")
    ask = ctypes.CDLL(None, use_errno=True).syscall
    ask.restype = ctypes.c_long
    ask.argtypes = [ctypes.c_long, ctypes.c_char_p, *[ctypes.c_long] * 4]
    file: int = ask(call, attributes, thread, -1, -1, _CLOSE_ON_EXEC)
    if file < 0:
        raise OSError(ctypes.get_errno(), f"perf_event_open: {os.strerror(ctypes.get_errno())}")
    return file


def _scaled(data: bytes) -> float:
    count, wanted, ran = _COUNT.unpack(data)
    return float(count * wanted / ran) if ran else float(count)
