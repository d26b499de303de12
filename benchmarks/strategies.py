"""What a strategy costs by size of the run: ``python benchmarks/strategies.py --candidates 100,10000,100000``.

One step is one ask and one tell; every candidate is a new program of about 2 kB with a new score, so that cells fill up
as they do in a long run. Programs are made outside the clock.
"""

import argparse
import random
import time

from outpace.agent.proposal import Proposal, Result
from outpace.agent.strategies.base import Strategy
from outpace.agent.strategies.contract import GOAL, start
from outpace.agent.strategies.hill_climb import HillClimb
from outpace.agent.strategies.islands import Islands
from outpace.evaluators.base import Evaluation
from outpace.tasks.candidate import Candidate

WINDOW = 500  # steps measured at each size


def candidate(number: int, chance: random.Random) -> Candidate:
    """Return a new program of 1 to 3 kB."""
    lines = [f"    total += item_{index} * {chance.randrange(97)}" for index in range(chance.randrange(40, 110))]
    return Candidate({"program.py": f"def f(x):  # {number}\n" + "\n".join(lines)})


def advance(strategy: Strategy, steps: int, chance: random.Random) -> tuple[float, float]:
    """Take steps; return the CPU seconds of all asks and of all tells."""
    asking = telling = 0.0
    for _ in range(steps):
        before = time.process_time()
        (brief,) = strategy.ask(1)
        asking += time.process_time() - before
        proposal = Proposal(candidate=candidate(brief.number, chance), proposer="b", operator="none", parents=())
        evaluation = Evaluation(status="ok", score=chance.gauss(0, 1) + brief.number**0.1)
        result = Result(brief=brief, proposal=proposal, evaluation=evaluation)
        before = time.process_time()
        strategy.tell([result])
        telling += time.process_time() - before
    return asking, telling


def main() -> None:
    """Grow each strategy through the sizes, and print the cost of a step at each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", default="100,10000,100000", help="sizes, rising, separated by commas")
    sizes = sorted({int(size) for size in parser.parse_args().candidates.split(",")})
    for make in (Islands, HillClimb):
        strategy, chance, told = make(GOAL, seed=1), random.Random(1), 0
        strategy.tell([start()])
        for size in sizes:
            advance(strategy, max(0, size - told), chance)
            asking, telling = advance(strategy, WINDOW, chance)
            told = max(told, size) + WINDOW
            per, name = 1e6 / WINDOW, make.__name__
            print(f"{name:10} {size:9,} candidates: ask {asking * per:5.0f} us, tell {telling * per:5.0f} us of CPU")


if __name__ == "__main__":
    main()
