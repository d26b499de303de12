"""Can a time be believed? A/A trials, the power to find 5 %, and speed-ups measured beside a CPU hog.

    python benchmarks/timing.py aa [--trials 200]      a program against its own copy, quiet and beside a hog
                                   [--under quiet]     only one of the two
    python benchmarks/timing.py power [--trials 100]   a program that does 5 % less work by construction
    python benchmarks/timing.py hog [--trials 3]       a candidate below a millisecond over a baseline of 100 ms

Every trial is a final measurement as ``outpace verify`` makes it (several pairs of fresh processes), with the clock and
the floor of an A/A measurement made first, under the same load. Beside it stands the bare method: one program is timed
by itself, then the other, and the medians of their wall times are divided. ``--json PATH`` writes the raw figures.
"""

import argparse
import asyncio
import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from outpace.evaluators.base import Noise
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.evaluators.machine import available_cores, lane, machine
from outpace.evaluators.statistics import measurable, slower
from outpace.limits import Limits
from outpace.plugins import DEFAULT_SANDBOX, load
from outpace.sandbox.base import Job, Sandbox
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Output, Problem, Task, TaskSpec, WrongAnswer

BARE_CALLS = 20
MASK = (1 << 20) - 1  # keeps sums small: every turn of the loop costs the same
LOOP = """
def total(start, count):
    found = other = 0
    for number in range(start, start + count):
        found = (found + number) & 1048575
    for number in range(start, start + {more}):
        other = (other + number) & 1048575
    return found
"""
FORMULA = """
def total(start, count):
    other = 0
    for number in range(start, start + {more}):
        other = (other + number) & 1048575
    return (count * start + count * (count - 1) // 2) & 1048575
"""
HOG = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
parent = os.getppid()
while os.getppid() == parent:  # it must not outlive a benchmark that is killed
    for _ in range(10_000_000):
        pass
"""


class Sum(Task):
    """The sum of consecutive numbers modulo 2**20, the slow way; ``more`` turns of the same loop are for nothing."""

    def generate(self, case: Case, seed: int) -> Problem:
        return {"start": seed % 1000, "count": int(case.params["count"])}

    def check(self, problem: Problem, output: Output) -> None:
        start, count = problem["start"], problem["count"]
        if type(output) is not int or output != (count * start + count * (count - 1) // 2) & MASK:
            raise WrongAnswer("that is not the sum")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One measurement by both methods."""

    load: str
    score: float
    low: float
    high: float
    win: bool
    loss: bool
    clock: str
    pairs: int
    wall_s: float
    bare: float
    bare_wall_s: float


@dataclass(slots=True)
class Bench:
    """A task of this file in a sandbox."""

    sandbox: Sandbox
    task: Task
    candidate: Candidate
    noise: Noise | None = None

    async def begin(self) -> CascadeEvaluator:
        """Measure the noise, as a run does when it begins."""
        evaluator = CascadeEvaluator(self.sandbox)
        self.noise = await evaluator.noise(self.task)
        return evaluator

    async def trial(self, evaluator: CascadeEvaluator, under: str) -> Trial:
        """Measure the candidate against the start by both methods."""
        found = await evaluator.duel(self.task, self.candidate, self.task.start)
        if found.score is None or found.interval is None:
            raise SystemExit(f"a trial failed: {found.status}: {found.feedback}")
        begin = time.perf_counter()
        bare = await self.bare()
        return Trial(
            load=under,
            score=found.score,
            low=found.interval[0],
            high=found.interval[1],
            win=measurable(found, evaluator.floor),
            loss=slower(found, evaluator.floor),
            clock=found.machine["clock"],
            pairs=int(found.metrics["pairs"]),
            wall_s=found.wall_s,
            bare=bare,
            bare_wall_s=time.perf_counter() - begin,
        )

    async def bare(self) -> float:
        """Return the ratio of the medians of wall times, each program timed by itself."""
        baseline = await self._median_ns(self.task.start)
        return baseline / await self._median_ns(self.candidate)

    async def _median_ns(self, program: Candidate) -> float:
        spec = self.task.spec
        cores = lane(available_cores(), 1).cores
        worker = await self.sandbox.start(Job(files=program.files, entry=spec.entry, limits=spec.limits, cores=cores))
        try:
            await worker.load()
            problem = self.task.generate(spec.cases[0], 1)
            await worker.call(problem)
            times_ns = [(await worker.call(problem)).wall_ns for _ in range(BARE_CALLS)]
        finally:
            await worker.close()
        return statistics.median(times_ns)


def bench(sandbox: Sandbox, *, count: int, start: str, candidate: str) -> Bench:
    """Return a task whose one case sums ``count`` numbers, and a candidate for it."""
    spec = TaskSpec(
        name="sum",
        title="Sum of consecutive numbers",
        statement="",
        entry="total",
        goal=Goal(kind="speedup", name="speed-up", direction="maximise", unit="x"),
        cases=(Case(name=str(count), params={"count": count}),),
        limits=Limits(cpu_s=600.0),
    )
    return Bench(sandbox, Sum(spec, Candidate({"program.py": start})), Candidate({"program.py": candidate}))


@contextlib.contextmanager
def hog(where: str) -> Iterator[None]:
    """Keep the cores of the lane, or all of them, busy with one process each."""
    cores = lane(available_cores(), 1).cores if where == "lane" else available_cores()
    hogs = [subprocess.Popen([sys.executable, "-c", HOG, str(core)]) for core in cores]
    try:
        time.sleep(0.5)
        yield
    finally:
        for process in hogs:
            process.kill()
            process.wait()


async def series(one: Bench, trials: int, under: str) -> list[Trial]:
    """Measure the noise, then take the trials."""
    evaluator = await one.begin()
    print(f"{under}: {one.noise}", flush=True)
    found = []
    for number in range(trials):
        found.append(await one.trial(evaluator, under))
        if sys.stderr.isatty():
            print(f"\r{under}: {number + 1}/{trials}", end="", file=sys.stderr, flush=True)
    return found


def aa(sandbox: Sandbox, options: argparse.Namespace) -> list[Trial]:
    """A program of about 10 ms against its own copy."""
    program = LOOP.format(more=0)
    one = bench(sandbox, count=options.count, start=program, candidate=program)
    found = []
    if options.under != "hog":
        found += asyncio.run(series(one, options.trials, "quiet"))
        table(found, one)
    if options.under != "quiet":
        with hog(options.hog):
            busy = asyncio.run(series(one, options.trials, f"hog on {options.hog}"))
        table(busy, one)
        found += busy
    return found


def power(sandbox: Sandbox, options: argparse.Namespace) -> list[Trial]:
    """A program against one that does 5 % more of the same work."""
    start, candidate = LOOP.format(more=options.count // 20), LOOP.format(more=0)
    one = bench(sandbox, count=options.count, start=start, candidate=candidate)
    found = asyncio.run(series(one, options.trials, "quiet"))
    table(found, one)
    return found


def beside_hog(sandbox: Sandbox, options: argparse.Namespace) -> list[Trial]:
    """A candidate of half a millisecond over a baseline of 100 ms, quiet and beside a hog."""
    count = 10 * options.count
    start, candidate = LOOP.format(more=0), FORMULA.format(more=count // 200)
    one = bench(sandbox, count=count, start=start, candidate=candidate)
    quiet = asyncio.run(series(one, options.trials, "quiet"))
    table(quiet, one)
    with hog(options.hog):
        busy = asyncio.run(series(one, options.trials, f"hog on {options.hog}"))
    table(busy, one)
    for name, value in (("paired", lambda trial: trial.score), ("bare", lambda trial: trial.bare)):
        before, after = (statistics.median(map(value, trials)) for trials in (quiet, busy))
        print(f"{name:7} quiet {before:7.1f}x   beside a hog {after:7.1f}x   {after / before - 1:+.1%}")
    return quiet + busy


def table(trials: Sequence[Trial], one: Bench) -> None:
    """Print what the trials of one load say, for both methods."""
    assert one.noise is not None
    floor = one.noise.floor
    scores, bare = [trial.score for trial in trials], [trial.bare for trial in trials]
    rows = [
        ("paired", scores, sum(t.win for t in trials), sum(t.loss for t in trials), [t.wall_s for t in trials]),
        (
            "bare",
            bare,
            sum(ratio > 1 + floor for ratio in bare),
            sum(ratio < 1 / (1 + floor) for ratio in bare),
            [t.bare_wall_s for t in trials],
        ),
    ]
    print(f"{trials[0].load}, {len(trials)} trials, floor {floor:.1%}, clock {one.noise.clock}")
    print(f"  {'method':8} {'wins':>5} {'losses':>6} {'median':>8} {'p95 off':>8} {'max off':>8} {'s/trial':>8}")
    for name, ratios, wins, losses, wall_s in rows:
        middle = statistics.median(ratios)
        off = sorted(abs(ratio / middle - 1) for ratio in ratios)
        p95 = off[min(len(off) - 1, int(0.95 * len(off)))]
        print(
            f"  {name:8} {wins:5} {losses:6} {middle:8.4g} {p95:8.1%} {off[-1]:8.1%} {statistics.mean(wall_s):8.2f}",
            flush=True,
        )


COMMANDS: dict[str, tuple[Callable[[Sandbox, argparse.Namespace], list[Trial]], int]] = {
    "aa": (aa, 200),
    "power": (power, 100),
    "hog": (beside_hog, 3),
}


def main() -> None:
    """Run one of the commands."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("--trials", type=int)
    parser.add_argument("--count", type=int, default=170_000, help="turns of the loop: 10 ms and a little")
    parser.add_argument("--hog", choices=("lane", "all"), default="lane", help="cores that the hog keeps busy")
    parser.add_argument("--under", choices=("quiet", "hog", "both"), default="both", help="loads of aa")
    parser.add_argument("--sandbox", default=DEFAULT_SANDBOX)
    parser.add_argument("--json", type=Path, help="where to write the raw figures")
    options = parser.parse_args()
    command, trials = COMMANDS[options.command]
    options.trials = options.trials or trials
    sandbox: Sandbox = load("sandbox", options.sandbox)()
    begin = time.perf_counter()
    try:
        found = command(sandbox, options)
    finally:
        sandbox.close()
    wall_s = time.perf_counter() - begin
    print(f"{wall_s:.0f} s in all, load {os.getloadavg()[0]:.1f}")
    if options.json:
        raw: dict[str, Any] = {
            "command": " ".join(sys.argv[1:]),
            "date": time.strftime("%Y-%m-%d"),
            "machine": {**machine(), "sandbox": sandbox.name},
            "wall_s": round(wall_s, 1),
            "trials": [asdict(trial) for trial in found],
        }
        options.json.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
