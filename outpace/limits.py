"""What a sandboxed program may use."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits on one worker. ``wall_s`` bounds one call, the others bound the worker's whole life."""

    wall_s: float = 10.0
    cpu_s: float = 60.0
    memory_mb: int = 2048
    processes: int = 32
    output_mb: int = 16
    disk_mb: int = 64
    threads: int = 1
