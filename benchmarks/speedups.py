"""Do the speed-up tasks reach ten times the start, offline and with every answer checked?

    python benchmarks/speedups.py [--evaluations N] [--seed 1]

Prints the champion's speed-up on fresh inputs and on held-out sizes, each with its 95 % interval, and the number of the
evaluation that first passed ten times. Ratios of pairs within one run; no absolute times.
"""

import argparse
import tempfile
from pathlib import Path

import outpace
from outpace.agent.search import Progress

TASKS = ("edit_distance", "nbody")
AIM = 10.0


def main() -> None:
    """Run both tasks and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--evaluations", type=int)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    budget = outpace.Budget(evaluations=options.evaluations) if options.evaluations else None
    print(f"{'task':14} {'fresh inputs':>22} {'held-out sizes':>22} {'evaluations':>11} {'first 10x':>9} {'wall s':>7}")
    for task in TASKS:
        first: list[int] = []

        def watch(progress: Progress, first: list[int] = first) -> None:
            found = progress.best.evaluation if progress.best else None
            if not first and found and found.interval and found.interval[0] >= AIM:
                first.append(progress.spent.evaluations)

        with tempfile.TemporaryDirectory() as home:
            report = outpace.evolve(task, seed=options.seed, budget=budget, home=Path(home), watch=watch)
        train, heldout = (report.champion.train, report.champion.heldout) if report.champion else (None, None)
        reached = first[0] if first else "never"
        print(
            f"{task:14} {_times(train):>22} {_times(heldout):>22} {report.spent.evaluations:>11} {reached:>9} "
            f"{report.spent.wall_s:7.0f}",
            flush=True,
        )


def _times(evaluation: outpace.Evaluation | None) -> str:
    if evaluation is None or evaluation.score is None or evaluation.interval is None:
        return "no gain"
    low, high = evaluation.interval
    return f"{evaluation.score:.1f}x ({low:.1f} to {high:.1f})"


if __name__ == "__main__":
    main()
