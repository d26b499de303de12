"""The seam between the judge and a place where a candidate runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from outpace.limits import Limits

EndedBy = Literal["exit", "timeout", "memory", "signal", "output", "garbled"]
"""How a worker ended before it answered; ``garbled``: what came back is not a frame of ours."""

Level = Literal["A", "B", "C", "D"]
"""How much holds a worker, best first.

A: namespaces of its own, Landlock, a system-call filter, limits, and control groups that sum up what it uses.
B: the same without control groups (resource limits per process).
C: a system-call filter and limits with namespaces or Landlock, not both.
D: limits only, for code that you trust.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Containment:
    """What a sandbox can do on this host: its level, the facts behind it, and what would make it better.

    ``facts`` name each layer and what is in force ("cgroup": "v1: memory, pids"); ``lacking`` says in one line why the
    level is not better, with the remedy; empty at level A.
    """

    level: Level
    facts: Mapping[str, str] = field(default_factory=dict)
    lacking: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """All that crosses into a sandbox.

    ``files`` are the candidate's, ``entry`` is the function to call in ``program.py``, ``driver`` the text of a module
    whose ``run(entry, **problem)`` calls it instead, ``mounts`` host paths made readable inside at the same path.

    ``build`` is the command line of a compile stage: such a job's worker may start programs, is given no inputs, and
    its ``build()`` returns the files that the command made. They go into a run job as ``artefacts`` (path to content),
    where they lie read-only in a folder of their own, first on ``sys.path`` and named by ``OUTPACE_BUILD``.
    ``preload`` names modules to have imported before the candidate arrives (torch takes seconds).

    An empty ``entry`` is for a driver that wants no function but the path of ``program.py``, and gets that instead; the
    program is then not imported. ``programs``: the worker may start programs too, as a compile stage may.
    """

    files: Mapping[str, str]
    entry: str
    driver: str | None = None
    limits: Limits = field(default_factory=Limits)
    build: tuple[str, ...] | None = None
    artefacts: Mapping[str, bytes] = field(default_factory=dict)
    preload: tuple[str, ...] = ()
    mounts: tuple[Path, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cores: tuple[int, ...] | None = None
    programs: bool = False

    @property
    def may_start_programs(self) -> bool:
        """Whether a worker of this job may start programs."""
        return self.programs or self.build is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """Answer to one request, seen from outside.

    Exactly one of three: ``ended_by`` is None and ``error`` is None: ``output`` is the answer; ``error`` is the text of
    the candidate's exception (it lives on); ``ended_by`` tells how the worker died. ``unfit``: the error is that the
    answer is no plain data (lazy, an object, a subclass). Clocks are the judge's own: ``wall_ns`` from the go to the
    whole reply, ``cpu_ns`` the worker's CPU time in between (the kernel's clock of it), ``idle_cpu_ns`` what it used
    unasked between its last reply (or the end of ``idle``) and this go; ``threads`` is how many threads it had when it
    had answered.
    """

    output: Any = None
    error: str | None = None
    unfit: bool = False
    ended_by: EndedBy | None = None
    detail: str = ""
    wall_ns: int = 0
    cpu_ns: int = 0
    idle_cpu_ns: int = 0
    threads: int = 1

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
    """One confined process with one candidate.

    Between requests it is stopped: from the moment its reply has been read until the next go, nothing in it runs.
    """

    async def load(self) -> Reply:
        """Hand over the job's files and import them; ``output`` is None when all is well."""
        ...

    async def call(self, problem: Mapping[str, Any], *, wall_s: float | None = None) -> Reply:
        """Run the entry on one problem; ``wall_s`` overrides the job's limit. A worker that ended answers so again."""
        ...

    async def batch(self, problems: Sequence[Mapping[str, Any]], *, wall_s: float | None = None) -> Reply:
        """Run the entry on several problems, each sent as soon as the last is answered; ``output``: the answers.

        No call sees anything of a later one's inputs. The clocks cover the whole batch, and ``wall_s`` bounds it. An
        exception in any call makes the reply an ``error``: the first one's.
        """
        ...

    async def audit(self, problem: Mapping[str, Any]) -> Reply:
        """Run the entry once, untimed; ``output`` is ``{"answer", "inputs", "shared"}``.

        ``inputs`` is the problem as the program left it; ``shared`` names inputs that the answer shares memory with.
        What the worker says of itself is a hint to catch the careless: a hostile program could forge it.
        """
        ...

    async def idle(self, wall_s: float) -> int:
        """Let the worker run for that long without a request; return the CPU time in ns that it used."""
        ...

    async def build(self) -> Reply:
        """Run the job's ``build`` command; ``output`` maps the path of each file that it made to its content (bytes).

        A command that fails is an ``error`` with the end of what it printed.
        """
        ...

    def pin(self, cores: Sequence[int]) -> None:
        """Move the worker to these cores; a worker that has ended takes no notice."""
        ...

    def peak_mb(self) -> float | None:
        """Return the most memory in megabytes that the candidate's process has held, as the kernel counts it.

        All that is resident, the interpreter too; None where it has ended or the host does not tell.
        """
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

    def probe(self) -> Containment:
        """Start a worker and stop it; tell what holds it.

        Raises ``SandboxUnavailable`` with the reason and the remedy if this host cannot do it.
        """
        ...

    def missing(self, packages: Sequence[str]) -> list[str]:
        """Return those of ``packages`` that cannot be imported inside."""
        ...

    async def start(self, job: Job) -> Worker:
        """Start a confined worker; raises ``SandboxUnavailable`` for our own faults, never for the candidate's."""
        ...

    def close(self) -> None:
        """Stop whatever the sandbox keeps warm. Safe to call twice; ``start`` after it warms up anew."""
        ...
