"""How much do two copies of one program differ here? The A/A measurement, and what follows from it."""

import math
from collections.abc import Sequence

import numpy as np

from outpace.evaluators import statistics
from outpace.evaluators.base import Clock, Measurement, Noise
from outpace.evaluators.statistics import CLAIM_ERROR, KEPT_OFF, LAYOUT_FLOOR, Array
from outpace.sandbox.base import Sandbox
from outpace.tasks.candidate import Candidate
from outpace.tasks.spec import Case, Goal, Limits, Output, Problem, Task, TaskSpec, WrongAnswer

GROUPS = 5
"""How many pairs of fresh processes an A/A measurement takes; three where programs are slow."""
WALL_S, MACHINE_WALL_S = 12.0, 6.0
"""How long the A/A measurement of a task, and that without a task, may take."""
SIMULATIONS = 400
_RESAMPLES = 200  # a standard error to 5 % is enough here
FALSE_CLAIMS = 0.01
"""How often an honest identical program may be declared faster or slower."""
WALL_FACTOR = 1.5
"""The wall clock is chosen where it spreads at most so many times as much as the CPU clock, and the core is free."""


def analysed(measurements: Sequence[Measurement], *, threads: int, groups: int) -> Noise:
    """Return what pairs of a program with its own copy say of final measurements in ``groups`` pairs of processes.

    What such a measurement would report is worked out ``SIMULATIONS`` times on pairs drawn from these: pairs of
    processes with replacement, and which of the two is called the baseline by chance, for identical programs can be
    exchanged (a randomisation test: Fisher 1935; Efron & Tibshirani 1993, ch. 15); then rounds within each, with
    replacement. ``floor``: what the end of an identical program's interval that lies nearer to 1 stays below in all but
    ``FALSE_CLAIMS`` of these, and never less than ``LAYOUT_FLOOR``. ``wall`` and ``cpu``: what the speed-up itself
    stays below, likewise; ``wall`` at least the share of time for which the core was taken away, if that is notable.
    """
    found = {clock: _reported(measurements, clock, groups) for clock in ("wall", "cpu")}
    (wall, wall_floor), (cpu, cpu_floor) = found["wall"], found["cpu"]
    kept_off = statistics.kept_off(measurements) if threads == 1 else 0.0
    quiet = wall <= max(WALL_FACTOR * cpu, LAYOUT_FLOOR) and kept_off <= KEPT_OFF
    clock: Clock = "wall" if threads > 1 or quiet else "cpu"
    wall = max(wall, kept_off) if kept_off > KEPT_OFF else wall
    floor = max(LAYOUT_FLOOR, wall_floor if clock == "wall" else cpu_floor)
    pairs = sum(len(m.candidate_wall_ns) for m in measurements)
    return Noise(clock=clock, floor=floor, wall=wall, cpu=cpu, pairs=pairs)


def _reported(measurements: Sequence[Measurement], clock: Clock, groups: int) -> tuple[float, float]:
    """Return the spread of the speed-up, and of the end of its interval that is nearer to 1, in simulated A/As."""
    chance = np.random.default_rng(0)
    by_group = _by_group(measurements, clock)
    scores, ends = [], []
    for _ in range(SIMULATIONS):
        drawn = chance.integers(0, len(by_group), groups)
        signs = chance.choice((-1.0, 1.0), groups)
        cases, units = [], []
        for case in range(len(measurements)):
            picked = [
                sign * chance.choice(by_group[group][case], len(by_group[group][case]))
                for group, sign in zip(drawn, signs, strict=True)
            ]
            cases.append(np.concatenate(picked))
            units.append([unit for unit, values in enumerate(picked) for _ in values])
        score, (low, high) = statistics.centre(cases, units, CLAIM_ERROR, resamples=_RESAMPLES)
        scores.append(abs(score))
        ends.append(max(low, -high))
    keep = 1 - FALSE_CLAIMS
    return math.expm1(float(np.quantile(scores, keep))), math.expm1(max(0.0, float(np.quantile(ends, keep))))


def _by_group(measurements: Sequence[Measurement], clock: Clock) -> list[list[Array]]:
    """Return the logarithms of the ratios, by pair of processes and case."""
    names = sorted({group for m in measurements for group in m.groups})
    logs = [statistics.logs(m, clock) for m in measurements]
    return [
        [values[np.asarray(m.groups) == name] for m, values in zip(measurements, logs, strict=True)] for name in names
    ]


async def machine_noise(sandbox: Sandbox) -> Noise:
    """Measure a short program of our own against its copy in ``sandbox``, for ``MACHINE_WALL_S`` or a little longer.

    Raises ``SandboxUnavailable``.
    """
    from outpace.evaluators.cascade import CascadeEvaluator  # which imports this module

    found = await CascadeEvaluator(sandbox).noise(_Sum(_SPEC, _PROGRAM), wall_s=MACHINE_WALL_S)
    assert found is not None
    return found


class _Sum(Task):
    """A loop of some milliseconds whose result is easily checked."""

    def generate(self, case: Case, seed: int) -> Problem:
        return {"start": seed % 1000, "count": int(case.params["count"])}

    def check(self, problem: Problem, output: Output) -> None:
        start, count = problem["start"], problem["count"]
        right = count * start + count * (count - 1) // 2
        if type(output) is not int or output != right:
            raise WrongAnswer(f"the sum is {right}, got {output!r:.100}")


_PROGRAM = Candidate(
    {
        "program.py": (
            "def total(start, count):\n"
            "    found = 0\n"
            "    for number in range(start, start + count):\n"
            "        found += number\n"
            "    return found\n"
        )
    }
)
_SPEC = TaskSpec(
    name="noise",
    title="Sum of consecutive numbers",
    statement="",
    entry="total",
    goal=Goal(kind="speedup", name="speed-up", direction="maximise", unit="x"),
    cases=(Case(name="200k", params={"count": 200_000}),),
    limits=Limits(),
)
