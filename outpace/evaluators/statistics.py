"""From raw pairs of times to a ratio with an interval."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from outpace.evaluators.base import Measurement

RESAMPLES = 2000
CONFIDENCE = 0.95


def speedup(measurements: Sequence[Measurement]) -> tuple[float, tuple[float, float]]:
    """Return the speed-up over all timed cases and its 95 % interval.

    Per case the median of the pair ratios baseline/candidate, over cases their geometric mean. Both clocks are worked
    out and the lower speed-up counts: a gain that only one clock sees (a hidden thread, work moved to a child, a wait
    that costs no CPU) is no gain. The interval is a percentile bootstrap over pairs (Efron & Tibshirani 1993, ch. 13),
    resampled within each case, with a fixed seed, so that the same pairs always give the same interval.
    """
    by_clock = [
        _geometric_mean([_ratios(m.baseline_wall_ns, m.candidate_wall_ns) for m in measurements]),
        _geometric_mean([_ratios(m.baseline_cpu_ns, m.candidate_cpu_ns) for m in measurements]),
    ]
    return min(by_clock, key=lambda found: found[0])


def _ratios(baseline_ns: Sequence[int], candidate_ns: Sequence[int]) -> NDArray[np.float64]:
    """Return the ratio of each pair; a clock too coarse to see a call counts it as 1 ns."""
    baseline, candidate = (np.maximum(np.asarray(times, np.float64), 1) for times in (baseline_ns, candidate_ns))
    return np.divide(baseline, candidate)


def _geometric_mean(cases: Sequence[NDArray[np.float64]]) -> tuple[float, tuple[float, float]]:
    chance = np.random.default_rng(0)
    logs = np.zeros(RESAMPLES)
    score = 0.0
    for ratios in cases:
        drawn = ratios[chance.integers(0, len(ratios), (RESAMPLES, len(ratios)))]
        logs += np.log(np.median(drawn, axis=1)) / len(cases)
        score += float(np.log(np.median(ratios))) / len(cases)
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.exp(np.percentile(logs, [tail, 100 - tail]))
    return float(np.exp(score)), (float(low), float(high))
