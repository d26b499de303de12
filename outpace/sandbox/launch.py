"""How a worker is started: its command, its environment, its limits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from outpace.limits import Limits
from outpace.sandbox.base import Job
from outpace.sandbox.channel import MEGABYTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start the process of a worker, and what it does to itself before it sees a candidate.

    ``folder`` is the working folder as the worker sees it, ``uid`` what it becomes (None: stays), ``scratch`` a host
    folder to remove at the end, ``fds`` descriptors for the child only.
    """

    argv: Sequence[str]
    env: Mapping[str, str]
    folder: str
    filter: bytes
    rlimits: Mapping[str, tuple[int, int]]
    uid: int | None = None
    die_with_parent: bool = False
    scratch: Path | None = None
    fds: tuple[int, ...] = ()


def rlimits(limits: Limits) -> dict[str, tuple[int, int]]:
    """Return the kernel's limits for ``limits``, soft and hard, all but the number of processes."""
    cpu_s = math.ceil(limits.cpu_s)
    memory, disk = limits.memory_mb * MEGABYTE, limits.disk_mb * MEGABYTE
    return {
        "AS": (memory, memory),
        "CPU": (cpu_s, cpu_s + 1),
        "FSIZE": (disk, disk),
        "NOFILE": (256, 256),
        "CORE": (0, 0),
    }


def environment(job: Job, folder: str) -> dict[str, str]:
    """Return the whole environment of a worker; nothing of the judge's own comes along."""
    libraries = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA", "BLIS")
    env = {f"{name}_NUM_THREADS": str(job.limits.threads) for name in libraries}
    env |= {"PATH": "/usr/bin:/bin", "HOME": folder, "TMPDIR": folder, "LANG": "C.UTF-8"}
    env |= {"PYTHONHASHSEED": "0", "NUMBA_CACHE_DIR": f"{folder}/.numba"}
    return env | dict(job.env)
