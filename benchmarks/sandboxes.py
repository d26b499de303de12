"""What does a sandbox cost for one candidate that does nothing? Every available sandbox, in one run, on one core.

    python benchmarks/sandboxes.py [--candidates 200] [--preload torch] [--sandbox zygote --sandbox docker]

Prints, for each way of confining a candidate, the median wall time of each step from its start to its end, and the CPU
time per candidate of all that had a part in it: the judge, the worker, and whatever started, confined and reaped it
(the difference between a run of all candidates and a run of one, so that what is done once, such as a zygote's imports,
does not count). ``evaluation`` is the whole of a trivial task on the first sandbox, evaluator included. The candidate
has numpy at hand: the zygote holds it, elsewhere the candidate imports it. Wall times are those of a machine that does
nothing else; the CPU times and the ratios to the first row hold on a busy one too.
"""

import argparse
import asyncio
import os
import resource
import statistics
import time
from collections.abc import Callable, Coroutine
from importlib.util import find_spec
from itertools import pairwise
from typing import Any

import outpace
from outpace.errors import MissingPackage, OutpaceError
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.plugins import load
from outpace.sandbox.base import Job, Sandbox
from outpace.tasks.spec import Output, Problem

STEPS = ("start", "load", "call", "close")
DESCENDANTS = frozenset({"zygote", "process"})
"""The sandboxes whose workers are reaped by us or by a process that we reap; of others, each tells its CPU time."""


class Trivial(outpace.Task):
    """A task that costs nothing to answer and nothing to check."""

    def generate(self, case: outpace.Case, seed: int) -> Problem:
        """Return one number."""
        return {"x": float(seed % 7)}

    def check(self, problem: Problem, output: Output) -> None:
        """Accept the number."""
        if output != problem["x"]:
            raise outpace.WrongAnswer("expected the number")

    def score(self, problem: Problem, output: Output) -> float:
        """Return the number."""
        return float(output)


Scenario = Callable[[Sandbox, list[list[float]]], Coroutine[Any, Any, float]]
"""Runs one candidate, notes the wall time of its steps, and returns the CPU time in s that its worker told."""


def candidate(module: str | None, preload: tuple[str, ...]) -> Scenario:
    """Return what runs one candidate through all steps; the candidate imports ``module``."""
    text = f"import {module}\n" if module else ""
    job = Job(files={"program.py": f"{text}def entry(x): return x\n"}, entry="entry", preload=preload)

    async def scenario(sandbox: Sandbox, laps: list[list[float]]) -> float:
        times = [time.perf_counter()]
        worker = await sandbox.start(job)
        times.append(time.perf_counter())
        try:
            replies = [await worker.load()]
            times.append(time.perf_counter())
            replies.append(await worker.call({"x": 1.0}))
            times.append(time.perf_counter())
        finally:
            usage = await worker.close()
        times.append(time.perf_counter())
        assert all(reply.ok for reply in replies), replies
        laps.append([later - sooner for sooner, later in pairwise(times)])
        return usage.cpu_s

    return scenario


def evaluation() -> Scenario:
    """Return what judges one candidate of a trivial metric task."""
    spec = outpace.TaskSpec(
        name="trivial",
        title="A number",
        statement="Return it.",
        entry="solve",
        goal=outpace.Goal(kind="metric", name="number", direction="minimise"),
        cases=(outpace.Case(name="number"),),
    )
    start = outpace.Candidate({"program.py": "import numpy\ndef solve(x): return x\n"})
    task = Trivial(spec, start)
    evaluators: dict[int, CascadeEvaluator] = {}

    async def scenario(sandbox: Sandbox, laps: list[list[float]]) -> float:
        evaluator = evaluators.setdefault(id(sandbox), CascadeEvaluator(sandbox))
        begun = time.perf_counter()
        found = await evaluator.evaluate(task, start)
        laps.append([time.perf_counter() - begun])
        assert found.status == "ok", found
        return 0.0

    return scenario


def used_s() -> float:
    """Return the CPU time of this process and of all of its descendants that have been reaped."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def total_cpu_s(name: str, scenario: Scenario, count: int) -> tuple[float, list[list[float]]]:
    """Return the CPU time of ``count`` candidates, making and closing of the sandbox included, and their laps."""
    laps: list[list[float]] = []

    async def repeated() -> float:
        return sum([await scenario(sandbox, laps) for _ in range(count)])

    before = used_s()
    sandbox = load("sandbox", name)()
    try:
        told_s = asyncio.run(repeated())
    finally:
        sandbox.close()
    return used_s() - before + (0.0 if name in DESCENDANTS else told_s), laps


def measure(name: str, scenario: Scenario, candidates: int) -> tuple[float, list[float]]:
    """Return the CPU time in ms of one candidate and the median wall time in ms of each step."""
    once = statistics.median(total_cpu_s(name, scenario, 1)[0] for _ in range(3))
    total, laps = total_cpu_s(name, scenario, candidates + 1)
    return (total - once) / candidates * 1e3, [statistics.median(step) * 1e3 for step in zip(*laps, strict=True)]


def rows(names: list[str], preload: str | None) -> dict[str, tuple[str, Scenario]]:
    """Return what to measure: what it is called, in which sandbox, and how."""
    found = {f"{name}, numpy": (name, candidate("numpy", ())) for name in names}
    if preload is not None:
        found[f"{names[0]}, {preload}"] = (names[0], candidate(preload, (preload,)))
    found[f"{names[0]}, evaluation"] = (names[0], evaluation())
    return found


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--candidates", type=int, default=200, help="how many per sandbox (200)")
    parser.add_argument("--preload", help="a further row: this package, preloaded by the first sandbox (torch)")
    parser.add_argument("--sandbox", action="append", help="which, in order (zygote, bubblewrap, process, docker)")
    options = parser.parse_args()
    if options.preload and find_spec(options.preload) is None:
        parser.error(f"{options.preload} is not installed here: pip install {options.preload}")
    core = max(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    print(f"One candidate that does nothing, on core {core}; load {os.getloadavg()[0]:.1f}; medians, in ms")
    print(f"{'':28} {'CPU':>7} {'ratio':>6} {'wall':>7}   {' '.join(f'{step:>6}' for step in STEPS)}")
    first: float | None = None
    wanted = rows(options.sandbox or ["zygote", "bubblewrap", "process", "docker"], options.preload)
    for title, (name, scenario) in wanted.items():
        try:
            cpu_ms, walls = measure(name, scenario, options.candidates)
        except (OutpaceError, MissingPackage) as error:
            print(f"{title:28} not measured: {error}")
            continue
        first = first or cpu_ms
        steps = " ".join(f"{wall:6.2f}" for wall in walls) if len(walls) > 1 else ""
        print(f"{title:28} {cpu_ms:7.2f} {cpu_ms / first:6.2f} {sum(walls):7.2f}   {steps}")


if __name__ == "__main__":
    main()
