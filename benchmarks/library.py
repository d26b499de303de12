"""What do the bundled tasks read before anything is improved?

    python benchmarks/library.py [--json PATH] [TASK …]

Metric tasks: the score of the starting program. Speed-up tasks: the starting program against its own copy, as a
final measurement, beside the floor that an A/A measurement found; what is read must be 1 within that floor. Tasks for a
GPU: whether the starting program is right.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from outpace.evaluators.base import evaluated
from outpace.evaluators.cascade import CascadeEvaluator
from outpace.evaluators.machine import machine
from outpace.evaluators.statistics import measurable, slower
from outpace.plugins import DEFAULT_SANDBOX, load
from outpace.sandbox.base import Sandbox
from outpace.tasks import registry
from outpace.tasks.spec import Task


async def reading(task: Task, sandbox: Sandbox) -> dict[str, Any]:
    """Return what a task reads, by name of the figure."""
    spec, evaluator = task.spec, CascadeEvaluator(sandbox)
    begin = time.perf_counter()
    facts: dict[str, Any] = {"task": spec.name, "family": spec.family, "goal": spec.goal.name}
    if spec.goal.kind == "metric":
        found = await evaluated(evaluator, task, task.start)
        facts |= {"status": found.status, "score": found.score, "best_known": spec.goal.best_known}
    elif spec.device == "gpu":
        found = await evaluated(evaluator, task, task.start)
        facts |= {"status": found.status, "score": found.score}
    else:
        noise = await evaluator.noise(task)
        found = await evaluator.duel(task, task.start, task.start)
        fair = not (measurable(found, evaluator.floor) or slower(found, evaluator.floor))
        facts |= {"status": found.status, "score": found.score, "interval": found.interval, "fair": fair}
        facts |= {"floor": noise.floor if noise else None, "clock": noise.clock if noise else None}
    return facts | {"wall_s": round(time.perf_counter() - begin, 1), "feedback": found.feedback[:200]}


def line(facts: dict[str, Any]) -> str:
    """Return a line of the table."""
    if facts["score"] is None:  # failed, or only checked
        return f"{facts['task']:30} {facts['status']}: {facts['feedback']}"
    if "floor" not in facts:
        best = "" if facts["best_known"] is None else f"best known {facts['best_known']:.6g}"
        return f"{facts['task']:30} {facts['score']:10.5g} {facts['goal']:16} {best:24} {facts['wall_s']:6.1f} s"
    low, high = facts["interval"]
    said = "nothing measurable" if facts["fair"] else "A DIFFERENCE"
    figures = f"{facts['score']:10.4f} [{low:.3f}, {high:.3f}] floor {facts['floor']:.1%} {facts['clock']:5}"
    return f"{facts['task']:30} {figures} {said} {facts['wall_s']:6.1f} s"


async def read_all(names: Sequence[str], sandbox: Sandbox) -> list[dict[str, Any]]:
    """Read one task after the other, and print each."""
    found = []
    for name in names:
        found.append(await reading(registry.find(name), sandbox))
        print(line(found[-1]), flush=True)
    return found


def main() -> None:
    """Read the named tasks, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("tasks", nargs="*", metavar="TASK")
    parser.add_argument("--sandbox", default=DEFAULT_SANDBOX)
    parser.add_argument("--json", type=Path, help="where to write the raw figures")
    options = parser.parse_args()
    sandbox: Sandbox = load("sandbox", options.sandbox)()
    try:
        found = asyncio.run(read_all(options.tasks or registry.bundled(), sandbox))
    finally:
        sandbox.close()
    if options.json:
        raw = {"date": time.strftime("%Y-%m-%d"), "machine": {**machine(), "sandbox": sandbox.name}, "tasks": found}
        options.json.write_text(json.dumps(raw, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
