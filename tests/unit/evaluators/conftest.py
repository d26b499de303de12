"""A sandbox with real workers whose clocks are told what to say, and that notes what it was asked."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from outpace.evaluators.pairs import NULL
from outpace.sandbox.base import Containment, Job, Reply, Usage, Worker
from outpace.sandbox.process import ProcessSandbox

EXCHANGE_NS, PER_PROBLEM_NS = 100_000, 1_000
"""What an exchange costs on this clockwork, and what each problem in it adds."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: to which worker (numbered from 1 in the order of starting), with what program, and with what."""

    worker: int
    program: str
    kind: str
    problems: tuple[Mapping[str, Any], ...]


@dataclass(slots=True)
class Clockwork:
    """Real workers in ``ProcessSandbox``; a call costs what the program says in a line ``# wall_ns=… cpu_ns=…``.

    ``wobble`` gives the factors by which a reading of both clocks is off, drawn anew for each.
    """

    wobble: Callable[[np.random.Generator], tuple[float, float]] = lambda _: (1.0, 1.0)
    answers: Callable[[list[Any]], Any] = lambda answers: answers
    name: str = "clockwork"
    log: list[Asked] = field(default_factory=list)
    jobs: list[Job] = field(default_factory=list)
    probes: int = 0
    chance: np.random.Generator = field(default_factory=lambda: np.random.default_rng(5))
    inner: ProcessSandbox = field(default_factory=ProcessSandbox)

    def probe(self) -> Containment:
        self.probes += 1
        return Containment(level="D")

    def missing(self, packages: Sequence[str]) -> list[str]:
        return self.inner.missing(packages)

    async def start(self, job: Job) -> Worker:
        self.jobs.append(job)
        return Told(self, await self.inner.start(job), job, len(self.jobs))

    def close(self) -> None:
        self.inner.close()

    def batches(self, program: str) -> list[Asked]:
        """Return the timed requests to the workers that hold this program."""
        return [asked for asked in self.log if asked.program == program and asked.kind == "batch"]


class Told:
    """A real worker; its replies carry the times that the clockwork tells."""

    def __init__(self, clockwork: Clockwork, inner: Worker, job: Job, number: int) -> None:
        self.clockwork, self.inner, self.number = clockwork, inner, number
        self.program = job.files["program.py"]
        found = re.search(r"# wall_ns=(\d+) cpu_ns=(\d+)", self.program)
        self.cost = (int(found[1]), int(found[2])) if found else (0, 0)

    async def load(self) -> Reply:
        return await self.inner.load()

    async def call(self, problem: Mapping[str, Any], *, wall_s: float | None = None) -> Reply:
        return self._told("call", [problem], await self.inner.call(problem, wall_s=wall_s))

    async def batch(self, problems: Sequence[Mapping[str, Any]], *, wall_s: float | None = None) -> Reply:
        reply = self._told("batch", problems, await self.inner.batch(problems, wall_s=wall_s))
        return replace(reply, output=self.clockwork.answers(reply.output)) if reply.ok else reply

    async def audit(self, problem: Mapping[str, Any]) -> Reply:
        return self._told("audit", [problem], await self.inner.audit(problem))

    async def idle(self, wall_s: float) -> int:
        return await self.inner.idle(wall_s)

    async def build(self) -> Reply:
        return await self.inner.build()

    def pin(self, cores: Sequence[int]) -> None:
        self.inner.pin(cores)

    def peak_mb(self) -> float | None:
        return self.inner.peak_mb()

    def stderr(self) -> str:
        return self.inner.stderr()

    async def close(self) -> Usage:
        return await self.inner.close()

    def _told(self, kind: str, problems: Sequence[Mapping[str, Any]], reply: Reply) -> Reply:
        self.clockwork.log.append(Asked(self.number, self.program, kind, tuple(problems)))
        off = (1.0, 1.0) if self.program == NULL.files["program.py"] else self.clockwork.wobble(self.clockwork.chance)
        wall_ns, cpu_ns = (
            EXCHANGE_NS + len(problems) * PER_PROBLEM_NS + round(len(problems) * cost * factor)
            for cost, factor in zip(self.cost, off, strict=True)
        )
        return replace(reply, wall_ns=wall_ns, cpu_ns=cpu_ns)


@pytest.fixture
def clockwork() -> Clockwork:
    """Return a clockwork without noise; set its fields to change that."""
    return Clockwork()
