"""The interval of a speed-up."""

import numpy as np
import pytest

from outpace.evaluators.base import Measurement
from outpace.evaluators.statistics import speedup


def pairs(
    baseline: list[int],
    candidate: list[int],
    *,
    cpu_baseline: list[int] | None = None,
    cpu_candidate: list[int] | None = None,
) -> Measurement:
    return Measurement(
        case="c",
        baseline_wall_ns=tuple(baseline),
        candidate_wall_ns=tuple(candidate),
        baseline_cpu_ns=tuple(cpu_baseline or baseline),
        candidate_cpu_ns=tuple(cpu_candidate or candidate),
    )


def test_constant_ratio_has_no_width() -> None:
    score, interval = speedup([pairs([400] * 8, [100] * 8)])
    assert [score, *interval] == pytest.approx([4, 4, 4])


def test_median_of_pair_ratios_ignores_one_outlier() -> None:
    score, _ = speedup([pairs([200, 200, 200, 200, 20_000], [100] * 5)])
    assert score == pytest.approx(2)


def test_cases_are_joined_by_their_geometric_mean() -> None:
    score, _ = speedup([pairs([800] * 5, [100] * 5), pairs([200] * 5, [100] * 5)])
    assert score == pytest.approx(4)


def test_the_clock_that_shows_less_counts() -> None:
    hidden_thread = pairs([1000] * 6, [100] * 6, cpu_baseline=[1000] * 6, cpu_candidate=[900] * 6)
    waiting = pairs([1000] * 6, [900] * 6, cpu_baseline=[1000] * 6, cpu_candidate=[10] * 6)
    assert speedup([hidden_thread])[0] == pytest.approx(10 / 9)
    assert speedup([waiting])[0] == pytest.approx(10 / 9)


def test_a_clock_that_saw_nothing_counts_as_one_nanosecond() -> None:
    score, (low, high) = speedup([pairs([5] * 5, [0] * 5)])
    assert score == pytest.approx(5)
    assert np.isfinite([low, high]).all()


def test_same_pairs_same_interval_and_it_holds_the_score() -> None:
    chance = np.random.default_rng(3)
    noisy = pairs(
        [int(v) for v in 1e6 * chance.lognormal(0, 0.1, 20)], [int(v) for v in 5e5 * chance.lognormal(0, 0.1, 20)]
    )
    first, second = speedup([noisy]), speedup([noisy])
    assert first == second
    score, (low, high) = first
    assert low <= score <= high
    assert 1.7 < low < high < 2.3


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    """400 times 15 pairs of a program that is 1.5 times as fast under 10 % noise; a coverage test of the bootstrap."""
    chance = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        base = 1.5e7 * chance.lognormal(0, 0.1, 15)
        found = 1.0e7 * chance.lognormal(0, 0.1, 15)
        _, (low, high) = speedup([pairs([int(v) for v in base], [int(v) for v in found])])
        covered += low <= 1.5 <= high
    assert covered >= 0.88 * 400
