"""Does the search without a model reach what models found? Held-out gaps of online bin packing over several seeds.

    python benchmarks/bin_packing.py [--seeds 5] [--evaluations N] [--json FILE]

Prints, per seed, the champion's gap to the L1 bound on held-out instances of 1k, 5k and 10k items, beside Best Fit on
the same instances and the published figures (EoH: Liu et al. 2024, table 1; FunSearch: Romera-Paredes et al. 2024),
which are of the same distribution and other instances.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path

import outpace
from outpace.evaluators.machine import machine

CASES = ("1k", "5k", "10k")
PUBLISHED = {"FunSearch": (3.78, 0.80, 0.33), "EoH": (2.24, 0.80, 0.61)}


def main() -> None:
    """Run the seeds and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--evaluations", type=int)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    budget = outpace.Budget(evaluations=options.evaluations) if options.evaluations else None
    rows = []
    print(f"{'':12}" + "".join(f"{name:>8}" for name in CASES) + f"{'evals':>8}{'wall s':>8}")
    for name, figures in PUBLISHED.items():
        print(f"{name:12}" + "".join(f"{figure:8.2f}" for figure in figures))
    for seed in range(1, options.seeds + 1):
        begin = time.monotonic()
        with tempfile.TemporaryDirectory() as home:
            report = outpace.evolve("online_bin_packing", seed=seed, budget=budget, home=Path(home))
        wall_s = time.monotonic() - begin
        if seed == 1 and report.start_heldout:
            print(f"{'Best Fit':12}" + _gaps(report.start_heldout))
        found = report.champion.heldout if report.champion else None
        print(f"{f'seed {seed}':12}" + (_gaps(found) if found else " no gain"), end="")
        print(f"{report.spent.evaluations:8d}{wall_s:8.0f}", flush=True)
        gaps = dict(found.metrics) if found else None
        rows.append({"seed": seed, "wall_s": wall_s, "evaluations": report.spent.evaluations, "heldout": gaps})
    if options.json:
        record = {"date": time.strftime("%Y-%m-%d"), "machine": machine(), "published": PUBLISHED, "rows": rows}
        options.json.write_text(json.dumps(record, indent=1) + "\n")


def _gaps(evaluation: outpace.Evaluation) -> str:
    return "".join(f"{evaluation.metrics[f'case/{name}']:8.2f}" for name in CASES)


if __name__ == "__main__":
    main()
