"""What does the search cost beside the candidate? CPU per candidate on a task that costs nothing itself.

    python benchmarks/overhead.py [--evaluations 300] [--sandbox zygote]

Runs the rewriting operators on a one-line task and prints the CPU time per candidate over the last 50 candidates before
each mark: of our process (search, judge, store), and of the worker from its start to its end. The default sandbox forks
it from a warm interpreter, bubblewrap starts an interpreter for each candidate. Flat marks mean that nothing grows with
the population. CPU time, because wall time says more about the neighbours than about us.
"""

import argparse
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import outpace
from outpace.agent.search import Progress
from outpace.plugins import DEFAULT_SANDBOX, load
from outpace.sandbox.base import Containment, Job, Reply, Sandbox, Usage, Worker

WINDOW = 50
TASK = Path(__file__).parent / "trivial"


class Metered:
    """A sandbox that adds up what its workers use."""

    inner: Sandbox
    cpu_s = 0.0
    name = "metered"

    def probe(self) -> Containment:
        """Ask the sandbox inside."""
        return self.inner.probe()

    def missing(self, packages: Sequence[str]) -> list[str]:
        """Ask the sandbox inside."""
        return self.inner.missing(packages)

    async def start(self, job: Job) -> Worker:
        """Start a worker whose end is noted."""
        return MeteredWorker(await self.inner.start(job))

    def close(self) -> None:
        """Close the sandbox inside."""
        self.inner.close()


class MeteredWorker:
    """Hands everything on to a worker, and its usage to ``Metered``."""

    def __init__(self, worker: Worker) -> None:
        """Wrap ``worker``."""
        self.worker = worker

    async def load(self) -> Reply:
        """Hand on."""
        return await self.worker.load()

    async def call(self, problem: Mapping[str, Any], *, wall_s: float | None = None) -> Reply:
        """Hand on."""
        return await self.worker.call(problem, wall_s=wall_s)

    async def batch(self, problems: Sequence[Mapping[str, Any]], *, wall_s: float | None = None) -> Reply:
        """Hand on."""
        return await self.worker.batch(problems, wall_s=wall_s)

    async def audit(self, problem: Mapping[str, Any]) -> Reply:
        """Hand on."""
        return await self.worker.audit(problem)

    async def idle(self, wall_s: float) -> int:
        """Hand on."""
        return await self.worker.idle(wall_s)

    async def build(self) -> Reply:
        """Hand on."""
        return await self.worker.build()

    def pin(self, cores: Sequence[int]) -> None:
        """Hand on."""
        self.worker.pin(cores)

    def peak_mb(self) -> float | None:
        """Hand on."""
        return self.worker.peak_mb()

    def stderr(self) -> str:
        """Hand on."""
        return self.worker.stderr()

    async def close(self) -> Usage:
        """Close, and add up."""
        usage = await self.worker.close()
        Metered.cpu_s += usage.cpu_s
        return usage


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--evaluations", type=int, default=300)
    parser.add_argument("--sandbox", default=DEFAULT_SANDBOX)
    options = parser.parse_args()
    Metered.inner = load("sandbox", options.sandbox)()
    seen: list[tuple[float, float]] = []

    def watch(progress: Progress) -> None:
        if progress.last and not progress.last.seen_before and progress.last.evaluation:
            seen.append((time.process_time(), Metered.cpu_s))

    with tempfile.TemporaryDirectory() as home:
        outpace.evolve(
            str(TASK),
            budget=outpace.Budget(evaluations=options.evaluations),
            sandbox="__main__:Metered",
            workers=1,
            seed=1,
            home=Path(home),
            watch=watch,
        )
    print(f"CPU ms per candidate, {options.sandbox} sandbox, mean of the {WINDOW} candidates before the mark")
    print(f"{'candidates':>10} {'search':>8} {'worker':>8}")
    for mark in range(100, len(seen) + 2, 100):
        now = min(mark, len(seen)) - 1
        ours, worker = ((b - a) / WINDOW * 1e3 for a, b in zip(seen[now - WINDOW], seen[now], strict=True))
        print(f"{mark:>10} {ours:>8.1f} {worker:>8.1f}")


if __name__ == "__main__":
    main()
