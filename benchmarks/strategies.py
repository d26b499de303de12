"""What a strategy costs by size of the run: flat, and at most a millisecond for each ask and each tell.

    python benchmarks/strategies.py [--sizes 100,10000,100000] [--strategy NAME …] [--json FILE]

One step is one ask and one tell; every candidate is a new program of about 2 kB with a new score and six figures per
case, so that cells, clusters and trees fill up as they do in a long run; one in eight fails. Programs are made outside
the clock. Figures are medians of CPU time over 500 steps, and by how much the process has grown (a fresh one for each).
"""

import argparse
import json
import random
import resource
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any

from outpace.agent.proposal import Brief, Proposal, Result
from outpace.agent.strategies.base import Strategy
from outpace.agent.strategies.contract import GOAL, start
from outpace.agent.strategies.opening import opened
from outpace.evaluators.base import Evaluation
from outpace.evaluators.machine import machine
from outpace.plugins import available
from outpace.tasks.candidate import Candidate

WINDOW = 500
"""Steps measured at each size."""


def result(brief: Brief, chance: random.Random) -> Result:
    """Return what became of a brief: a new program of 1 to 3 kB, better than those before by and by."""
    lines = [f"    total += item_{index} * {chance.randrange(97)}" for index in range(chance.randrange(40, 110))]
    candidate = Candidate({"program.py": f"def f(x):  # {brief.number}\n" + "\n".join(lines)})
    score = chance.gauss(0, 1) + brief.number**0.1
    cases = {f"case/{case}": score + round(chance.gauss(0, 1), 1) for case in range(6)}
    evaluation = Evaluation(status="ok", score=score, metrics=cases)
    if chance.random() < 1 / 8:
        evaluation = Evaluation(status="wrong", feedback="a number is off")
    parents = tuple(member.candidate.id for member in brief.parents)
    proposal = Proposal(
        candidate=candidate, proposer="b", operator=brief.operator or "none", parents=parents, thought="an idea"
    )
    return Result(brief=brief, proposal=proposal, evaluation=evaluation)


def advance(strategy: Strategy, steps: int, chance: random.Random) -> tuple[float, float]:
    """Take steps; return the medians of ask and of tell, in microseconds of CPU."""
    asking, telling = [0.0], [0.0]
    for _ in range(steps):
        before = time.process_time_ns()
        (brief,) = strategy.ask(1)
        asking.append((time.process_time_ns() - before) / 1e3)
        landed = result(brief, chance)
        before = time.process_time_ns()
        strategy.tell([landed])
        telling.append((time.process_time_ns() - before) / 1e3)
    return median(asking), median(telling)


def resident_mb() -> float:
    """Return what the process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def measured(name: str, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Grow a strategy through the sizes; return what a step costs and what it weighs at each."""
    facts = {"evaluations": sizes[-1], "language": "python", "device": "cpu", "features": ()}
    strategy, chance, told = opened(name, GOAL, seed=1, params={}, facts=facts), random.Random(1), 0
    strategy.tell([start()])
    before_mb, rows = resident_mb(), []
    for size in sizes:
        advance(strategy, max(0, size - told), chance)
        grown_mb = resident_mb() - before_mb
        asking, telling = advance(strategy, WINDOW, chance)
        told = max(told, size) + WINDOW
        rows.append({"strategy": name, "size": size, "ask_us": asking, "tell_us": telling, "grown_mb": grown_mb})
        print(
            f"{name:12} {size:9,} candidates: ask {asking:6.0f} us, tell {telling:6.0f} us, {grown_mb:8.1f} MB",
            flush=True,
        )
    return rows


def main() -> None:
    """Measure each strategy and print the cost of a step at each size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", default="100,10000,100000", help="candidates, rising, separated by commas")
    parser.add_argument("--strategy", action="append", help="one of them; may be repeated (default: all)")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    sizes = sorted({int(size) for size in options.sizes.split(",")})
    names = options.strategy or available("strategy")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as fresh:
        rows = [row for found in fresh.map(measured, names, [sizes] * len(names)) for row in found]
    if options.json:
        record = {"date": time.strftime("%Y-%m-%d"), "machine": machine(), "window": WINDOW, "rows": rows}
        options.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
