"""From raw pairs of times to a ratio with an interval that holds whenever one looks at it."""

import math
from collections.abc import Sequence
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from outpace.evaluators.base import Clock, Evaluation, Measurement

RESAMPLES = 2000
ERROR, CLAIM_ERROR = 0.05, 0.01
"""How often an interval may miss the truth, over all looks at the data together: in the search, where many are ranked,
and in final measurements, on which claims rest."""
EARLY = 0.2
"""The part of the error that is spent evenly over the looks."""
LAYOUT_FLOOR = 0.015
"""Two processes with the same program differ by up to this much (layout of memory, placement); no gain below it."""
DEFAULT_FLOOR = 0.05
"""The smallest gain that is claimed where no noise was measured: what two copies differ by on a busy machine."""
KEPT_OFF = 0.1
"""From which share of their CPU time on programs that are kept from their core go by the CPU clock: others who want the
core take more from a long call than from a short one, which no comparison of equals shows."""
_UNKNOWN = 100.0  # half an interval of logarithms that says nothing, and that still is a finite number

Array = NDArray[np.float64]
Interval = tuple[float, float]


def speedup(
    measurements: Sequence[Measurement], *, clock: Clock | None = None, error: float = ERROR
) -> tuple[float, Interval]:
    """Return the speed-up over all timed cases and its interval, which misses the truth with probability ``error``.

    Per case the median of the pair ratios baseline/candidate (times per call), over cases their geometric mean. The
    interval is ``score * exp(± t * s)``: ``s`` the bootstrap standard error of the logarithm, ``t`` the quantile of
    Student's distribution (Efron & Tibshirani 1993, ch. 6 and 12; Hesterberg 2015, "What teachers should know about the
    bootstrap", section 4.3, on why percentiles of a bootstrap are too narrow for few units). The unit that is resampled
    is the pair of fresh processes where there are several (``Measurement.groups``), else the round of pairs.

    The lower end takes nothing off the candidate for what its own process does in an exchange (``taken_*``): there it
    can be made cheaper or be left out, and would then be credited as a gain of the program. What is taken off the
    baseline is what it cost, so the lower end holds whatever the candidate has done to its side of the exchange.

    ``clock`` None: both clocks are worked out and the lower speed-up counts. The resampling has a fixed seed, so that
    the same pairs always give the same interval.
    """
    if clock is None:
        return min(
            (speedup(measurements, clock=one, error=error) for one in ("wall", "cpu")), key=lambda found: found[0]
        )
    score, (low, high) = _exponential(centre([logs(m, clock) for m in measurements], units_of(measurements), error))
    return score, (low * math.exp(-_credit(measurements, clock)), high)


def mean_of_ratios(measurements: Sequence[Measurement], *, clock: Clock | None = None) -> float:
    """Return the mean over all pairs of baseline time per call / candidate time per call, by the clock that counts.

    It is what AlgoTune reports for a task (Press et al. 2025: the mean over its instances of reference time / solver
    time), so that figures can be set beside published ones. A single pair that was disturbed moves it, and the mean of
    a noisy ratio lies above the ratio: it is a secondary figure, and nothing is ranked by it. ``clock`` None: the lower
    of both.
    """
    if clock is None:
        return min(mean_of_ratios(measurements, clock="wall"), mean_of_ratios(measurements, clock="cpu"))
    return float(np.mean(np.exp(np.concatenate([logs(m, clock) for m in measurements]))))


def _credit(measurements: Sequence[Measurement], clock: Clock) -> float:
    """Return by how much taking off the exchange has raised the logarithm of the speed-up on the candidate's side."""
    credits = []
    for m in measurements:
        net_ns, taken_ns = (
            (m.candidate_wall_ns, m.taken_wall_ns) if clock == "wall" else (m.candidate_cpu_ns, m.taken_cpu_ns)
        )
        shares = np.divide(taken_ns, np.maximum(net_ns, 1)) if taken_ns else np.zeros(1)
        credits.append(float(np.median(np.log1p(shares))))
    return sum(credits) / len(credits)


def gap(measurements: Sequence[Measurement], clock: Clock) -> float:
    """Return how far the other clock's speed-up surely stays behind that of ``clock``: 0.1 for 10 %; 0 if it need not.

    Worked out on the difference of both clocks within each pair, in which what they have in common cancels.
    """
    other: Clock = "cpu" if clock == "wall" else "wall"
    differences = [logs(m, clock) - logs(m, other) for m in measurements]
    return max(0.0, -math.expm1(-centre(differences, units_of(measurements), ERROR)[1][0]))


def kept_off(measurements: Sequence[Measurement]) -> float:
    """Return for how long the baseline was kept from its core, as a share of its CPU time.

    The candidate, which is stopped meanwhile, has no influence on it.
    """
    wall_ns, cpu_ns = (
        sum(sum(times_ns) for times_ns in clock)
        for clock in ([m.baseline_wall_ns for m in measurements], [m.baseline_cpu_ns for m in measurements])
    )
    return max(0.0, (wall_ns - cpu_ns) / max(cpu_ns, 1))


def errors(looks: Sequence[int], error: float = ERROR) -> tuple[float, ...]:
    """Return the error that each look may spend, so that all intervals together hold with ``1 - error``.

    ``looks`` are the sizes of the sample at which one looks, the last one the budget. By the fraction ``f`` of the
    budget the part ``EARLY`` of the error is spent to ``f``, and of the rest ``2 - 2 * Phi(z / sqrt(f))`` (Lan & DeMets
    1983, Biometrika 70: the spending function that resembles O'Brien & Fleming 1979): enough early to end what is
    hopeless, most of it at the end. What a look adds to the sum is its own error (Bonferroni's inequality: whatever the
    dependence between looks). Intervals at these levels are repeated confidence intervals (Jennison & Turnbull 1989,
    Journal of the Royal Statistical Society B 51): they hold all at once, so one may stop at any look for any reason
    and report the interval of that look.
    """
    normal = NormalDist()
    z = normal.inv_cdf(1 - error / 2)
    parts = [look / looks[-1] for look in looks]
    spent = [EARLY * error * f + (1 - EARLY) * (2 - 2 * normal.cdf(z / math.sqrt(f))) for f in parts]
    return tuple(after - before for before, after in zip([0.0, *spent], spent, strict=False))


def measurable(evaluation: Evaluation, floor: float) -> bool:
    """Tell whether a speed-up can be claimed: the lower end of its interval lies above 1 + ``floor``."""
    found = evaluation.interval
    return evaluation.status == "ok" and found is not None and found[0] > 1 + floor


def slower(evaluation: Evaluation, floor: float) -> bool:
    """Tell whether a loss can be claimed: the upper end of the interval lies below 1 / (1 + ``floor``)."""
    found = evaluation.interval
    return evaluation.status == "ok" and found is not None and found[1] < 1 / (1 + floor)


@cache
def student(tail: float, freedom: int) -> float:
    """Return the value that Student's t exceeds with probability ``tail`` (below 0.5), by bisection.

    For whole degrees of freedom its distribution is a finite sum (Abramowitz & Stegun 1964, 26.7.3 and 26.7.4).
    """
    low, high = 0.0, math.pi / 2
    for _ in range(80):  # bisects the angle atan(t / sqrt(freedom)), which is bounded
        middle = (low + high) / 2
        low, high = (middle, high) if _beyond(middle, freedom) > tail else (low, middle)
    return math.tan((low + high) / 2) * math.sqrt(freedom)


def _beyond(angle: float, freedom: int) -> float:
    sine, cosine = math.sin(angle), math.cos(angle)
    term, total = (cosine, cosine) if freedom % 2 else (1.0, 1.0)
    for k in range(3 if freedom % 2 else 2, freedom - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    if freedom == 1:
        total = 0.0
    within = (angle + sine * total) * 2 / math.pi if freedom % 2 else sine * total
    return (1 - within) / 2


def logs(measurement: Measurement, clock: Clock) -> Array:
    """Return the logarithm of each pair's ratio of times per call; a clock that saw nothing counts as 1 ns."""
    m = measurement
    baseline_ns, candidate_ns = (
        (m.baseline_wall_ns, m.candidate_wall_ns) if clock == "wall" else (m.baseline_cpu_ns, m.candidate_cpu_ns)
    )
    found = np.log(np.maximum(np.asarray(baseline_ns, np.float64), 1))
    found -= np.log(np.maximum(np.asarray(candidate_ns, np.float64), 1))
    if m.candidate_calls:
        found += np.log(m.candidate_calls) - np.log(m.baseline_calls)
    return found


def units_of(measurements: Sequence[Measurement]) -> list[list[int]]:
    """Return for each pair of each case the number of the unit that it belongs to."""
    names = sorted({group for m in measurements for group in m.groups})
    if len(names) > 1:
        return [[names.index(group) for group in m.groups] for m in measurements]
    return [list(range(len(m.candidate_wall_ns))) for m in measurements]


def centre(
    cases: Sequence[Array], units: Sequence[Sequence[int]], error: float, *, resamples: int = RESAMPLES
) -> tuple[float, Interval]:
    """Return the mean over cases of the median of each, with its interval; ``units``: each value's unit, from 0."""
    middle = sum(float(np.median(values)) for values in cases) / len(cases)
    count = 1 + max(max(numbers) for numbers in units)
    if count < 2:
        return middle, (middle - _UNKNOWN, middle + _UNKNOWN)
    drawn = _draws(count)[:resamples]
    resampled = sum(
        (_medians(values, drawn[:, list(numbers)]) for values, numbers in zip(cases, units, strict=True)),
        start=np.zeros(len(drawn)),
    ) / len(cases)
    spread = float(np.std(resampled)) * math.sqrt(count / (count - 1))
    half = min(spread * student(error / 2, count - 1), _UNKNOWN)
    return middle, (middle - half, middle + half)


@cache
def _draws(count: int) -> NDArray[np.int16]:
    """Return how often each of ``count`` units is drawn, in each of the resamples."""
    chance = np.random.default_rng(0)
    return chance.multinomial(count, [1 / count] * count, size=RESAMPLES).astype(np.int16)


def _medians(values: Array, weights: NDArray[np.int16]) -> Array:
    """Return the median of ``values``, each counted ``weights`` times, for each row of weights."""
    order = np.argsort(values)
    sums = np.cumsum(weights[:, order], axis=1, dtype=np.int32)
    total = sums[:, -1:]
    low, high = np.argmax(2 * sums >= total, axis=1), np.argmax(2 * sums > total, axis=1)
    ranked = values[order]
    found: Array = (ranked[low] + ranked[high]) / 2
    return np.where(total[:, 0] > 0, found, np.median(values))


def _exponential(found: tuple[float, Interval]) -> tuple[float, Interval]:
    middle, (low, high) = found
    return math.exp(middle), (math.exp(low), math.exp(high))
