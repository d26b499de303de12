"""How many evaluations does tuning take to come near the best values, beside drawing them by chance?

    python benchmarks/tunables.py [--seeds 40] [--json FILE]

Three made-up problems with a known optimum: block sizes with a threshold and a mode, four numbers that depend on each
other, and six tunables of all kinds. For each: after how many samples the gap to the optimum is below a bound (median
over the seeds, ``-``: not before the session ended), and after how many a session ends by itself.
"""

import argparse
import json
import math
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from outpace.agent.strategies.tuning import MOST, Session
from outpace.evaluators.machine import machine
from outpace.tasks.candidate import Candidate
from outpace.tasks.tunables import Choices, Declared, Domain, Value, declared

BOUNDS = (0.1, 0.02, 0.005)
Loss = Callable[[Mapping[str, float]], float]


@dataclass(frozen=True, slots=True)
class Problem:
    """What a program declares, and its distance from the best as a function of the values."""

    name: str
    program: str
    loss: Loss


def blocks(v: Mapping[str, float]) -> float:
    """Block sizes matter by factors, the threshold depends on them, and one mode is right."""
    size = math.log2(v["BLOCK"]) - 8
    mode = (0.8, 0.0, 0.4)[int(v["MODE"])]
    return 0.3 * abs(size) * (0.5 if v["MODE"] == 1 else 1.0) + 6 * (v["SHARE"] - 0.73 - 0.05 * size) ** 2 + mode


def floats(v: Mapping[str, float]) -> float:
    """Four numbers, three of which depend on each other."""
    a, b, c, d = (v[name] - best for name, best in zip("ABCD", (0.7, 0.2, 0.45, 0.9), strict=True))
    return 3 * (a * a + b * b + c * c + d * d + 0.5 * (a + b - c) ** 2)


def mixed(v: Mapping[str, float]) -> float:
    """Whole numbers, numbers, a choice and a switch."""
    whole = 0.2 * abs(v["DEPTH"] - 2) + 0.1 * abs(v["WIDTH"] - 6)
    inner = 3 * (v["A"] - 0.8) ** 2 + 2 * (v["B"] - 0.3 - 0.1 * (v["DEPTH"] - 2)) ** 2
    return whole + inner + (0.0, 0.4, 0.2, 0.5)[int(v["WAY"])] + 0.2 * (not v["FAST"])


PROBLEMS = (
    Problem(
        "blocks",
        "BLOCK = 16  # tunable: 16, 32, 64, 128, 256, 512, 1024\nSHARE = 0.2  # tunable: 0.0 .. 1.0\n"
        "MODE = 0  # tunable: 0, 1, 2\n",
        blocks,
    ),
    Problem("floats", "".join(f"{name} = 0.5  # tunable: 0.0 .. 1.0\n" for name in "ABCD"), floats),
    Problem(
        "mixed",
        "DEPTH = 4  # tunable: 1 .. 5\nWIDTH = 2  # tunable: 1 .. 9\nA = 0.5  # tunable: 0.0 .. 1.0\n"
        "B = 0.5  # tunable: 0.0 .. 1.0\nWAY = 3  # tunable: 0, 1, 2, 3\nFAST = False  # tunable: True, False\n",
        mixed,
    ),
)


def tuned(found: Declared, loss: Loss, seed: int) -> list[float]:
    """Return the loss of each sample of a session, the values as declared first."""
    session = Session(found, seed)
    losses = [loss(_numbers(found.values))]
    session.learn(found.values, -losses[0])
    while not session.over and (values := session.ask()) is not None:
        losses.append(loss(_numbers(values)))
        session.tell(values, -losses[-1])
    return losses


def drawn(found: Declared, loss: Loss, seed: int) -> list[float]:
    """Return the loss of samples by chance, as many as a session may have."""
    chance = random.Random(seed)
    values = ({one.name: _drawn(one.domain, chance) for one in found.tunables} for _ in range(MOST))
    return [loss(_numbers(found.values)), *(loss(_numbers(one)) for one in values)]


def _drawn(domain: Domain, chance: random.Random) -> Value:
    if isinstance(domain, Choices):
        return chance.choice(domain.values)
    return domain.rounded(chance.uniform(domain.low, domain.high))


def _numbers(values: Mapping[str, Value]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}


def reached(losses: list[float], bound: float) -> float:
    """Return after how many samples the loss was below a bound; infinity if it never was."""
    return next((number for number, loss in enumerate(losses) if loss < bound), math.inf)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    print(f"{'problem':8} {'how':8}" + "".join(f"{f'gap < {bound:g}':>12}" for bound in BOUNDS) + f"{'ends at':>10}")
    for problem in PROBLEMS:
        found = declared(Candidate({"program.py": problem.program}))
        for how, samples in (("tuned", tuned), ("chance", drawn)):
            runs = [samples(found, problem.loss, seed) for seed in range(options.seeds)]
            hits = [median(reached(losses, bound) for losses in runs) for bound in BOUNDS]
            ends = median(len(losses) - 1 for losses in runs)
            rows.append({"problem": problem.name, "how": how, "samples": [h if h < math.inf else None for h in hits]})
            shown = "".join(f"{hit:12.0f}" if hit < math.inf else f"{'-':>12}" for hit in hits)
            print(f"{problem.name:8} {how:8}{shown}{ends:10.0f}", flush=True)
    if options.json:
        record = {"date": time.strftime("%Y-%m-%d"), "machine": machine(), "bounds": BOUNDS, "rows": rows}
        options.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
