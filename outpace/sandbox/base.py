"""The seam between the judge and a place where a candidate runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from outpace.limits import Limits

EndedBy = Literal["exit", "timeout", "memory", "signal", "output", "garbled"]
"""How a worker ended before it answered; ``garbled``: what came back is not a frame of ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that crosses into a sandbox.

    ``files`` are the candidate's, ``entry`` is the function to call in ``program.py``, ``driver`` the text of a module
    whose ``run(entry, **problem)`` calls it instead, ``mounts`` host paths made readable inside at the same path.
    """

    files: Mapping[str, str]
    entry: str
    driver: str | None = None
    limits: Limits = field(default_factory=Limits)
    mounts: tuple[Path, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cores: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Answer to one request, seen from outside.

    Exactly one of three: ``ended_by`` is None and ``error`` is None: ``output`` is the answer; ``error`` is the text of
    the candidate's exception (it lives on); ``ended_by`` tells how the worker died. Clocks are the judge's own:
    ``wall_ns`` from the go to the whole reply, ``cpu_ns`` the worker's CPU time in between (the kernel's clock of it).
    """

    output: Any = None
    error: str | None = None
    ended_by: EndedBy | None = None
    detail: str = ""
    wall_ns: int = 0
    cpu_ns: int = 0

    @property
    def ok(self) -> bool:
        """Whether ``output`` is an answer."""
        return self.error is None and self.ended_by is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a worker used in its life, and how it ended (None: closed by us)."""

    wall_s: float
    cpu_s: float
    ended_by: EndedBy | None = None
    stderr: str = ""


class Worker(Protocol):
    """One confined process with one candidate."""

    async def load(self) -> Reply:
        """Hand over the job's files and import them; ``output`` is None when all is well."""
        ...

    async def call(self, problem: Mapping[str, Any], *, wall_s: float | None = None) -> Reply:
        """Run the entry on one problem; ``wall_s`` overrides the job's limit. A worker that ended answers so again."""
        ...

    def pin(self, cores: Sequence[int]) -> None:
        """Move the worker to these cores; a worker that has ended takes no notice."""
        ...

    def stderr(self) -> str:
        """Return the tail of what the candidate printed (stdout and stderr), at most 8 kB."""
        ...

    async def close(self) -> Usage:
        """Kill the whole tree, reap it, and tell what it used. Safe to call twice."""
        ...


class Sandbox(Protocol):
    """A way to confine workers."""

    name: str
    isolated: bool  # False: limits only, for trusted code

    def probe(self) -> None:
        """Raise ``SandboxUnavailable`` with the reason and the remedy if this host cannot do it."""
        ...

    def missing(self, packages: Sequence[str]) -> list[str]:
        """Return those of ``packages`` that cannot be imported inside."""
        ...

    async def start(self, job: Job) -> Worker:
        """Start a confined worker; raises ``SandboxUnavailable`` for our own faults, never for the candidate's."""
        ...
