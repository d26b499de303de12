"""The interval of a speed-up, and how often it is wrong."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from outpace.evaluators.base import Evaluation, Measurement
from outpace.evaluators.statistics import CLAIM_ERROR, ERROR, errors, gap, measurable, slower, speedup, student
from outpace.evaluators.timing import Pairing

Times = Sequence[float] | NDArray[np.float64]


def pairs(
    baseline: Times,
    candidate: Times,
    *,
    cpu: tuple[Times, Times] | None = None,
    groups: Sequence[int] = (),
    case: str = "c",
) -> Measurement:
    cpu_baseline, cpu_candidate = cpu or (baseline, candidate)
    return Measurement(
        case=case,
        baseline_wall_ns=tuple(map(int, baseline)),
        candidate_wall_ns=tuple(map(int, candidate)),
        baseline_cpu_ns=tuple(map(int, cpu_baseline)),
        candidate_cpu_ns=tuple(map(int, cpu_candidate)),
        groups=tuple(groups),
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


def test_times_are_compared_per_call() -> None:
    batches = Measurement(
        case="c",
        baseline_wall_ns=(1000,) * 4,
        candidate_wall_ns=(640,) * 4,
        baseline_cpu_ns=(1000,) * 4,
        candidate_cpu_ns=(640,) * 4,
        baseline_calls=(1,) * 4,
        candidate_calls=(64,) * 4,
    )
    assert speedup([batches])[0] == pytest.approx(100)


def test_the_lower_end_takes_nothing_off_the_candidate_for_the_exchange() -> None:
    honest = pairs([1000] * 8, [100] * 8)
    quick = replace(honest, candidate_wall_ns=(1,) * 8, taken_wall_ns=(99,) * 8, taken_cpu_ns=(0,) * 8)
    score, (low, high) = speedup([quick], clock="wall")
    assert (score, high) == pytest.approx((1000, 1000)) and low == pytest.approx(10)
    assert speedup([quick], clock="cpu")[1] == pytest.approx((10, 10))
    assert speedup([honest, quick], clock="wall")[1][0] == pytest.approx(10), "the geometric mean over cases of it"


def test_the_clock_that_was_asked_for_counts_and_without_one_the_lower_speedup() -> None:
    hidden_thread = pairs([1000] * 6, [100] * 6, cpu=([1000] * 6, [900] * 6))
    waiting = pairs([1000] * 6, [900] * 6, cpu=([1000] * 6, [10] * 6))
    assert speedup([hidden_thread], clock="wall")[0] == pytest.approx(10)
    assert speedup([waiting], clock="cpu")[0] == pytest.approx(100)
    assert speedup([hidden_thread])[0] == pytest.approx(10 / 9)
    assert speedup([waiting])[0] == pytest.approx(10 / 9)


def test_the_gap_between_the_clocks_is_worked_out_within_pairs() -> None:
    chance = np.random.default_rng(0)
    common = 1e7 * chance.lognormal(0, 0.5, 12)  # a neighbour slows both clocks of a pair alike
    same = pairs(common, [1e6] * 12)
    hidden = pairs(common, [1e6] * 12, cpu=(common, [2e6] * 12))
    assert gap([same], "wall") == gap([same], "cpu") == 0
    assert gap([hidden], "wall") == pytest.approx(0.5)
    assert gap([hidden], "cpu") == 0


def test_a_clock_that_saw_nothing_counts_as_one_nanosecond() -> None:
    score, (low, high) = speedup([pairs([5] * 5, [0] * 5)])
    assert score == pytest.approx(5)
    assert np.isfinite([low, high]).all()


def test_one_pair_says_nothing_but_a_number() -> None:
    score, (low, high) = speedup([pairs([200], [100])])
    assert score == pytest.approx(2)
    assert low < 1e-30 and 1e30 < high < math.inf


def test_same_pairs_same_interval_and_it_holds_the_score() -> None:
    chance = np.random.default_rng(3)
    noisy = pairs(1e6 * chance.lognormal(0, 0.1, 20), 5e5 * chance.lognormal(0, 0.1, 20))
    first, second = speedup([noisy]), speedup([noisy])
    assert first == second
    score, (low, high) = first
    assert low <= score <= high
    assert 1.7 < low < high < 2.3


@pytest.mark.parametrize("count", [5, 7, 15, 30])
def test_the_interval_covers_the_truth_about_as_often_as_it_says(count: int) -> None:
    """400 times pairs of a program that is 1.5 times as fast under 10 % noise; a coverage test of the bootstrap."""
    chance = np.random.default_rng(1)
    covered = 0
    for _ in range(400):
        noisy = pairs(1.5e7 * chance.lognormal(0, 0.1, count), 1e7 * chance.lognormal(0, 0.1, count))
        _, (low, high) = speedup([noisy], clock="wall")
        covered += low <= 1.5 <= high
    assert covered >= 0.925 * 400


def test_pairs_of_processes_are_the_unit_where_there_are_several() -> None:
    """Eight rounds in each of six process pairs, each off by a factor of its own: rounds are no evidence."""
    chance = np.random.default_rng(2)
    missed = {True: 0, False: 0}
    for _ in range(300):
        off = np.repeat(chance.lognormal(0, 0.03, 6), 8)
        times = 1e7 * off * chance.lognormal(0, 0.01, 48), 1e7 * chance.lognormal(0, 0.01, 48)
        for clustered in missed:
            found = pairs(*times, groups=[number // 8 for number in range(48)] if clustered else [0] * 48)
            _, (low, high) = speedup([found], clock="wall")
            missed[clustered] += not low <= 1 <= high
    assert missed[True] <= 0.08 * 300
    assert missed[False] >= 0.25 * 300


@pytest.mark.parametrize(
    ("tail", "freedom", "value"),
    [(0.025, 1, 12.7062), (0.025, 2, 4.30265), (0.025, 4, 2.77645), (0.005, 2, 9.92484), (0.025, 7, 2.36462),
     (0.0005, 3, 12.9240), (0.025, 20, 2.08596), (0.01, 60, 2.39012), (0.05, 5, 2.01505)],
)  # fmt: skip
def test_quantiles_of_students_distribution_are_those_of_the_tables(tail: float, freedom: int, value: float) -> None:
    assert student(tail, freedom) == pytest.approx(value, rel=1e-5)


@pytest.mark.parametrize("looks", [(7, 12, 21), (5, 8), (4,), (1, 2, 3, 4, 5, 6)])
def test_looks_spend_the_error_late_and_all_of_it(looks: tuple[int, ...]) -> None:
    spent = errors(looks)
    assert sum(spent) == pytest.approx(ERROR)
    assert list(spent) == sorted(spent)
    assert min(spent) > 0


def test_what_is_hopeless_ends_at_the_first_look() -> None:
    chance = np.random.default_rng(4)
    looks = Pairing().rounds()
    for gain, ended in ((0.1, True), (0.9, False), (1.0, False)):
        noisy = pairs(gain * 1e7 * chance.lognormal(0, 0.05, looks[0]), 1e7 * chance.lognormal(0, 0.05, looks[0]))
        score, interval = speedup([noisy], clock="wall", error=errors(looks)[0])
        assert Pairing().enough(score, interval, 0.015) == ended


def simulated(chance: np.random.Generator, gain: float, *, layout: float, noise: float) -> Evaluation:
    """Return a final measurement as ``timing.repeat`` takes it, with its looks, of a program with that true gain."""
    pairing = Pairing()
    rounds = pairing.groups * pairing.each
    off = np.repeat(chance.normal(0, layout, pairing.groups), pairing.each)
    heavy = noise * chance.standard_t(3, rounds)  # now and then a pair is far off
    baseline = 1e9 * gain * np.exp(off + heavy)
    looks = pairing.processes()
    for groups, error in zip(looks, errors(looks, CLAIM_ERROR), strict=True):
        taken = groups * pairing.each
        numbers = [number // pairing.each for number in range(taken)]
        found = [pairs(baseline[:taken], [1e9] * taken, groups=numbers)]
        score, interval = speedup(found, clock="wall", error=error)
        if pairing.enough(score, interval, 0.015):
            break
    return Evaluation(status="ok", score=score, interval=interval)


@pytest.mark.parametrize(
    ("layout", "noise"),
    [
        (0.0075, 0.0),
        pytest.param(0.005, 0.03, marks=pytest.mark.slow),
        pytest.param(0.01, 0.12, marks=pytest.mark.slow),
    ],
)
@pytest.mark.slow
def test_identical_programs_are_seldom_declared_different(layout: float, noise: float) -> None:
    """1,000 A/A measurements with optional stopping: less than 1 % wins and losses together, on whatever machine."""
    chance = np.random.default_rng(7)
    found = [simulated(chance, 1.0, layout=layout, noise=noise) for _ in range(1000)]
    assert sum(measurable(one, 0.015) or slower(one, 0.015) for one in found) <= 6


def test_a_gain_of_five_percent_is_found() -> None:
    chance = np.random.default_rng(8)
    found = [simulated(chance, 1.05, layout=0.005, noise=0.03) for _ in range(200)]
    assert sum(measurable(one, 0.015) for one in found) >= 180


def test_what_counts_as_a_gain_and_as_a_loss() -> None:
    gain, loss, neither = (
        Evaluation(status="ok", score=1.0, interval=at) for at in ((1.02, 2), (0.5, 0.97), (0.9, 1.1))
    )
    assert [measurable(one, 0.015) for one in (gain, loss, neither)] == [True, False, False]
    assert [slower(one, 0.015) for one in (gain, loss, neither)] == [False, True, False]
    assert not measurable(gain, 0.02), "the lower bound must lie above the floor"
    assert not measurable(Evaluation(status="wrong", interval=(2, 3)), 0.0)
    assert not measurable(Evaluation(status="ok", score=3.0), 0.0), "a metric has no interval"
