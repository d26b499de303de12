"""How a container is made, in the words of the engine's API: everything is taken away that is not named."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LABEL = "outpace.judge"
"""The label that marks our containers; with it go its judge's start and namespace."""
_PERIOD_US = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a container is made; everything that is not named here is denied.

    ``command`` is what runs in it, ``user`` "UID:GID", ``mounts`` pairs of a host path and the path inside (read-only),
    ``hidden`` paths that look empty, ``folder`` the one place to write, of ``disk_bytes`` and ``disk_files``.
    """

    image: str
    command: Sequence[str]
    user: str
    environment: Sequence[tuple[str, str]]
    mounts: Sequence[tuple[Path, Path]]
    folder: str
    disk_bytes: int
    disk_files: int
    memory_bytes: int
    processes: int
    cpus: int
    hidden: Sequence[Path] = ()
    runtime: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    def config(self) -> dict[str, Any]:
        """Return the container in the words of the engine's API, marked as ours; see ``is_stale``."""
        bind = {"Type": "bind", "ReadOnly": True}
        owner = ",".join(f"{kind}={number}" for kind, number in zip(("uid", "gid"), self.user.split(":"), strict=True))
        room = f"exec,nosuid,nodev,size={self.disk_bytes},nr_inodes={self.disk_files},{owner},mode=0700"
        host: dict[str, Any] = {
            "NetworkMode": "none",
            "ReadonlyRootfs": True,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "IpcMode": "none",  # and so no /dev/shm, which would outlive a candidate
            "Memory": self.memory_bytes,
            "MemorySwap": self.memory_bytes,
            "PidsLimit": self.processes,
            "CpuPeriod": _PERIOD_US,
            "CpuQuota": self.cpus * _PERIOD_US,
            "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
            "LogConfig": {"Type": "none", "Config": {}},
            "AutoRemove": True,
            "Mounts": [{**bind, "Source": str(source), "Target": str(target)} for source, target in self.mounts],
            "Tmpfs": {self.folder: room} | {str(path): "ro,size=4k,mode=0755" for path in self.hidden},
        }
        if self.runtime:
            host["Runtime"] = self.runtime
        return {
            "Image": self.image,
            "Entrypoint": list(self.command[:1]),
            "Cmd": list(self.command[1:]),
            "User": self.user,
            "Env": [f"{name}={value}" for name, value in self.environment],
            "WorkingDir": "/",
            "Hostname": "outpace",
            "StopSignal": "SIGKILL",
            "NetworkDisabled": True,
            "Healthcheck": {"Test": ["NONE"]},
            "Labels": {**_ownership(), **self.labels},
            "HostConfig": host,
        }


def is_stale(labels: Mapping[str, str]) -> bool:
    """Tell whether a container belongs to a judge that has died: of this process namespace, and there no more.

    A judge is its pid and the time at which it started, so that a pid in use again is not mistaken for it.
    """
    pid, started, namespace = (labels.get(f"{LABEL}{part}", "") for part in ("", ".started", ".namespace"))
    return namespace == _namespace() and _start_time(pid) != started


def _ownership() -> dict[str, str]:
    pid = str(os.getpid())
    return {LABEL: pid, f"{LABEL}.started": _start_time(pid), f"{LABEL}.namespace": _namespace()}


def _namespace() -> str:
    return str(Path("/proc/self/ns/pid").readlink())


def _start_time(pid: str) -> str:
    """Return when a process started, in ticks since the machine did (proc_pid_stat(5)); nothing if there is none."""
    try:
        return Path(f"/proc/{int(pid)}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, ValueError):
        return ""
