"""What does the search cost beside the candidate? CPU per candidate on a task that costs nothing itself.

    python benchmarks/overhead.py [--evaluations 300] [--sandbox bubblewrap]

Runs the rewriting operators on a one-line task and prints the CPU time per candidate, ours and the sandbox's, over the
last 50 candidates before each mark: flat marks mean that nothing grows with the population. CPU time, because wall time
says more about the neighbours than about us.
"""

import argparse
import resource
import tempfile
from pathlib import Path

import outpace
from outpace.agent.search import Progress
from outpace.tasks.spec import Output, Problem

WINDOW = 50
PROGRAM = """\
# EVOLVE-BLOCK-START
def solve(x):
    return 0.5 * x + 1.0
# EVOLVE-BLOCK-END
"""


class Trivial(outpace.Task):
    """Come close to a line; costs nothing to answer and nothing to check."""

    def generate(self, case: outpace.Case, seed: int) -> Problem:
        """Return one number."""
        return {"x": float(seed % 7)}

    def check(self, problem: Problem, output: Output) -> None:
        """Accept any number."""
        if not isinstance(output, float):
            raise outpace.WrongAnswer("expected a float")

    def score(self, problem: Problem, output: Output) -> float:
        """Return the distance to the line."""
        return float(abs(output - (3.0 * problem["x"] - 2.0)))


def main() -> None:
    """Run and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--evaluations", type=int, default=300)
    parser.add_argument("--sandbox", default="bubblewrap")
    options = parser.parse_args()
    spec = outpace.TaskSpec(
        name="trivial",
        title="A line",
        statement="Come close to the line.",
        entry="solve",
        goal=outpace.Goal(kind="metric", name="distance", direction="minimise"),
        cases=(outpace.Case(name="line", instances=3),),
    )
    seen: list[tuple[float, float]] = []

    def watch(progress: Progress) -> None:
        if progress.last and not progress.last.seen_before and progress.last.evaluation:
            seen.append((_cpu_s(resource.RUSAGE_SELF), _cpu_s(resource.RUSAGE_CHILDREN)))

    with tempfile.TemporaryDirectory() as home:
        outpace.evolve(
            Trivial(spec, outpace.Candidate({"program.py": PROGRAM})),
            budget=outpace.Budget(evaluations=options.evaluations),
            sandbox=options.sandbox,
            workers=1,
            seed=1,
            home=Path(home),
            watch=watch,
        )
    print(f"CPU ms per candidate, {options.sandbox} sandbox, mean of the {WINDOW} candidates before the mark")
    print(f"{'candidates':>10} {'search':>8} {'sandbox':>8}")
    for mark in range(100, len(seen) + 1, 100):
        ours, sandbox = ((b - a) / WINDOW * 1e3 for a, b in zip(seen[mark - WINDOW - 1], seen[mark - 1], strict=True))
        print(f"{mark:>10} {ours:>8.1f} {sandbox:>8.1f}")


def _cpu_s(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
