"""How fast the store takes and finds things, by size: ``python benchmarks/store.py --rows 1000,10000,100000``.

One row is one candidate taken all the way: brief, proposal (a program of 4 kB, all different) and result, three durable
transactions. Queries are those that a search and a screen make, 200 of each, at random places.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from outpace.agent.budget import Budget
from outpace.agent.proposal import Brief, Member, Proposal, Result
from outpace.agent.store.base import Run, RunConfig
from outpace.agent.store.sql import SQLStore, open_store
from outpace.evaluators.base import Evaluation, Measurement, Stage
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Goal

GOAL = Goal(kind="speedup", name="speed-up", direction="maximise")
LOOKS = 200


def candidate(number: int) -> Candidate:
    """Return a program of about 4 kB that differs from the others in a few lines."""
    chance = random.Random(number)
    lines = [f"    total += item_{index} * {chance.randrange(97)}.5" for index in range(110)]
    return Candidate({"program.py": f"def f(x):  # {number}\n" + "\n".join(lines)})


def evaluation(number: int) -> Evaluation:
    """Return what a timed task finds: 3 cases of 20 pairs."""
    chance = random.Random(number)
    times = tuple(chance.randrange(10**7, 10**8) for _ in range(20))
    cases = [Measurement(case=name, **dict.fromkeys(CLOCKS, times)) for name in ("small", "middle", "large")]
    score = chance.random() * 10
    return Evaluation(
        status="ok",
        score=score,
        interval=(score * 0.98, score * 1.02),
        metrics={f"case/{one.case}": score for one in cases},
        measurements=tuple(cases),
        feedback="faster on small, slower on large; " * 5,
        stages=tuple(Stage(name=name, wall_s=0.1, passed=True) for name in ("load", "smoke", "check", "measure")),
        machine={"cpu": "a long name of a processor", "cores": "2", "python": "3.11.7"},
    )


CLOCKS = ("baseline_wall_ns", "candidate_wall_ns", "baseline_cpu_ns", "candidate_cpu_ns")


def fill(store: SQLStore, run: Run, numbers: Sequence[int], parent: Member | None) -> None:
    """Take candidates all the way."""
    for number in numbers:
        parents = (parent,) if parent else ()
        brief = Brief(number=number, parents=parents, seed=number, inspirations=parents, note={"island": number % 4})
        store.add_brief(run.id, brief, {"asks": number})
        ids = tuple(one.candidate.id for one in parents)
        proposal = Proposal(candidate=candidate(number), proposer="benchmark", operator="none", parents=ids)
        store.add_proposal(run.id, number, proposal)
        store.add_result(run.id, Result(brief=brief, proposal=proposal, evaluation=evaluation(number)))


def looks(store: SQLStore, run: Run, rows: int) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield the queries by name."""
    chance = random.Random(rows)
    ids = [candidate(chance.randrange(rows)).id for _ in range(64)]
    yield "evaluation", lambda: store.evaluation(run.id, chance.choice(ids))
    yield "spent", lambda: store.spent(run.id)
    yield "top 10", lambda: store.top(run.id, 10)
    yield "history", lambda: store.history(run.id)
    yield "statuses", lambda: store.statuses(run.id)
    yield "candidate by prefix", lambda: store.candidate(chance.choice(ids)[:10])
    yield "run 'last'", lambda: store.run("last")


def measure(call: Callable[[], object]) -> tuple[float, float]:
    """Return the median and the 95th percentile of ``LOOKS`` calls, in ms."""
    times = []
    for _ in range(LOOKS):
        before = time.perf_counter()
        call()
        times.append((time.perf_counter() - before) * 1e3)
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def main() -> None:
    """Fill one store to each size in turn, and print what that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", default="1000,10000", help="sizes, rising, separated by commas")
    sizes = sorted({int(size) for size in parser.parse_args().rows.split(",")})
    with tempfile.TemporaryDirectory() as folder, closing(open_store(path := Path(folder) / "outpace.db")) as store:
        run = store.add_run(
            RunConfig(
                task="benchmark",
                task_name="benchmark",
                task_fingerprint="0",
                goal=GOAL,
                strategy="islands",
                proposer="none",
                seed=0,
                budget=Budget(evaluations=sizes[-1]),
                workers=1,
                sandbox="none",
            )
        )
        fill(store, run, [0], None)
        parent, done = Member(candidate(0), evaluation(0)), 1
        for size in sizes:
            wall, cpu = time.perf_counter(), time.process_time()
            fill(store, run, range(done, size), parent)
            wall, cpu, added = time.perf_counter() - wall, time.process_time() - cpu, size - done
            done = size
            print(f"\n{size:,} rows, {sum(one.stat().st_size for one in path.parent.iterdir()) / 2**20:.0f} MiB")
            print(f"  {'candidates stored a second':28} {added / wall:8.0f}   (CPU {cpu / added * 1e3:.2f} ms each)")
            for name, look in looks(store, run, size):
                median, high = measure(look)
                print(f"  {name:28} {median:8.2f} ms  (p95 {high:.2f})")
            for name, whole in (("all results", store.results), ("pending", store.pending)):
                wall, cpu = time.perf_counter(), time.process_time()
                count = sum(1 for _ in whole(run.id))
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                print(f"  {f'{name} ({count:,})':28} {wall:8.2f} s   (CPU {cpu:.2f} s)")


if __name__ == "__main__":
    main()
