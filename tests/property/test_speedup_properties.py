"""What the interval of a speed-up must keep, whatever the pairs."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outpace.evaluators.base import Measurement
from outpace.evaluators.statistics import errors, gap, speedup, student

TIMES = st.integers(10**5, 10**10)
PAIRS = st.lists(st.tuples(TIMES, TIMES), min_size=3, max_size=30)
close = pytest.approx


def measurement(pairs: list[tuple[int, int]], *, groups: int = 1) -> Measurement:
    baseline, candidate = zip(*pairs, strict=True)
    return Measurement(
        case="c",
        baseline_wall_ns=baseline,
        candidate_wall_ns=candidate,
        baseline_cpu_ns=baseline,
        candidate_cpu_ns=candidate,
        groups=tuple(number % groups for number in range(len(pairs))),
    )


@settings(deadline=None)
@given(PAIRS, st.integers(1, 4))
def test_the_interval_holds_the_score_and_is_finite(pairs: list[tuple[int, int]], groups: int) -> None:
    score, (low, high) = speedup([measurement(pairs, groups=groups)])
    assert 0 < low <= score * (1 + 1e-12) and score <= high * (1 + 1e-12)
    assert all(map(math.isfinite, (low, score, high)))


@settings(deadline=None)
@given(PAIRS, st.integers(2, 50))
def test_a_unit_of_time_that_changes_both_sides_changes_nothing(pairs: list[tuple[int, int]], factor: int) -> None:
    score, interval = speedup([measurement(pairs)])
    scaled = speedup([measurement([(b * factor, c * factor) for b, c in pairs])])
    assert (scaled[0], *scaled[1]) == close((score, *interval))


@settings(deadline=None)
@given(PAIRS, st.integers(2, 50))
def test_a_known_factor_is_recovered(pairs: list[tuple[int, int]], factor: int) -> None:
    score, interval = speedup([measurement(pairs)])
    faster = speedup([measurement([(b * factor, c) for b, c in pairs])])
    assert (faster[0], *faster[1]) == close((score * factor, *(bound * factor for bound in interval)))


@settings(deadline=None)
@given(PAIRS, st.integers(1, 4))
def test_exchanged_sides_give_the_inverse(pairs: list[tuple[int, int]], groups: int) -> None:
    score, (low, high) = speedup([measurement(pairs, groups=groups)])
    other, (lower, upper) = speedup([measurement([(c, b) for b, c in pairs], groups=groups)])
    assert (other, lower, upper) == close((1 / score, 1 / high, 1 / low), rel=1e-9)


@settings(deadline=None)
@given(PAIRS, st.integers(1, 200), st.integers(1, 200))
def test_batches_count_by_their_calls(pairs: list[tuple[int, int]], mine: int, theirs: int) -> None:
    single = measurement(pairs)
    batched = replace(
        single,
        baseline_wall_ns=tuple(ns * mine for ns in single.baseline_wall_ns),
        candidate_wall_ns=tuple(ns * theirs for ns in single.candidate_wall_ns),
        baseline_calls=(mine,) * len(pairs),
        candidate_calls=(theirs,) * len(pairs),
    )
    expected, found = speedup([single], clock="wall"), speedup([batched], clock="wall")
    assert (found[0], *found[1]) == close((expected[0], *expected[1]))


@settings(deadline=None)
@given(PAIRS, st.floats(0.001, 0.2), st.floats(0.001, 0.2))
def test_a_smaller_error_makes_a_wider_interval(pairs: list[tuple[int, int]], one: float, other: float) -> None:
    strict, lax = (speedup([measurement(pairs)], error=error)[1] for error in sorted((one, other)))
    assert strict[0] <= lax[0] * (1 + 1e-12) and lax[1] <= strict[1] * (1 + 1e-12)


@settings(deadline=None)
@given(PAIRS)
def test_clocks_that_agree_have_no_gap(pairs: list[tuple[int, int]]) -> None:
    assert gap([measurement(pairs)], "wall") == 0


@given(st.lists(st.integers(1, 100), min_size=1, max_size=8, unique=True), st.floats(0.001, 0.3))
def test_all_looks_together_spend_the_error(looks: list[int], error: float) -> None:
    assert sum(errors(sorted(looks), error)) == close(error)


@given(st.floats(0.0005, 0.45), st.integers(1, 80))
def test_students_quantiles_fall_with_the_tail_and_with_more_freedom(tail: float, freedom: int) -> None:
    assert student(tail, freedom) > student(tail * 1.1, freedom) > 0
    assert student(tail, freedom) > student(tail, freedom + 1)
