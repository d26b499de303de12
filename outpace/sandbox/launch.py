"""How a worker is started: its command, its environment, its limits."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outpace.limits import Limits
from outpace.sandbox.base import Job
from outpace.sandbox.channel import MEGABYTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How to start the process of a worker, and what it does to itself before it sees a candidate.

    ``folder`` is the working folder as the worker sees it, ``uid`` what it becomes (None: stays), ``landlock`` the
    paths that it may still reach by what it may do there ("read", "run", "write"; None: no such rules), ``artefacts``
    the files of its folder for artefacts. ``scratch`` is a host folder to remove at the end, ``fds`` descriptors for
    the child only, ``disk_mb`` what it may write where it has a disk of its own; ``control_group``: put it into control
    groups of the host's.
    """

    env: Mapping[str, str]
    folder: str
    filter: bytes
    rlimits: Mapping[str, tuple[int, int]]
    argv: Sequence[str] = ()
    uid: int | None = None
    landlock: Mapping[str, Sequence[str]] | None = None
    artefacts: Mapping[str, bytes] = field(default_factory=dict)
    die_with_parent: bool = False
    control_group: bool = True
    disk_mb: int = 0
    scratch: Path | None = None
    fds: tuple[int, ...] = ()

    def setup(self, max_bytes: int) -> dict[str, Any]:
        """Return the body of the message by which a worker confines itself; no answer is to exceed ``max_bytes``."""
        return {
            "max_bytes": max_bytes,
            "folder": self.folder,
            "uid": self.uid,
            "die_with_parent": self.die_with_parent,
            "rlimits": dict(self.rlimits),
            "filter": self.filter,
            "landlock": None if self.landlock is None else {kind: [*paths] for kind, paths in self.landlock.items()},
            "artefacts": dict(self.artefacts),
        }


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
