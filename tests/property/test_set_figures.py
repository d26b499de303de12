"""What the figures of a set of tasks promise, whatever the speed-ups are."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outpace.evaluators.base import Measurement
from outpace.evaluators.sets import algotune_score, fast_p
from outpace.evaluators.statistics import mean_of_ratios, speedup

SPEEDUPS = st.floats(1e-3, 1e4)
SET = st.lists(st.none() | SPEEDUPS, min_size=1, max_size=30)
TIMES = st.integers(1_000, 10**9)


@settings(max_examples=40)
@given(SET)
def test_the_score_lies_between_1_and_the_best(speedups: list[float | None]) -> None:
    best = max(1.0, *(one or 1.0 for one in speedups))
    assert 1 - 1e-12 <= algotune_score(speedups) <= best * (1 + 1e-12)


@settings(max_examples=40)
@given(SET, st.integers(0, 29), st.floats(1, 10))
def test_the_score_never_falls_when_a_task_gets_faster(speedups: list[float | None], at: int, factor: float) -> None:
    at %= len(speedups)
    better = [*speedups[:at], (speedups[at] or 1.0) * factor, *speedups[at + 1 :]]
    assert algotune_score(better) >= algotune_score(speedups) * (1 - 1e-12)


@settings(max_examples=40)
@given(st.lists(SPEEDUPS, min_size=1, max_size=20), st.integers(0, 5))
def test_missing_tasks_count_as_one(speedups: list[float], missing: int) -> None:
    with_missing = algotune_score([*speedups, *[None] * missing])
    assert with_missing == pytest.approx(algotune_score([*speedups, *[1.0] * missing]))
    assert with_missing <= algotune_score(speedups) * (1 + 1e-12)


def test_the_score_of_a_worked_example() -> None:
    assert algotune_score([2.0, 0.5, None]) == pytest.approx(3 / (1 / 2 + 1 + 1))
    assert algotune_score([]) == 1.0


@settings(max_examples=40)
@given(st.lists(SPEEDUPS, max_size=20), st.integers(1, 20), st.floats(0, 100), st.floats(0, 100))
def test_fast_p_is_a_share_that_falls_with_p(correct: list[float], failed: int, one: float, other: float) -> None:
    total, low, high = len(correct) + failed, min(one, other), max(one, other)
    assert fast_p(correct, total, 0) == pytest.approx(len(correct) / total)
    assert 0 <= fast_p(correct, total, high) <= fast_p(correct, total, low) <= 1


def test_fast_p_counts_all_tasks_and_only_what_is_faster() -> None:
    assert [fast_p([0.5, 1.0, 2.5], 4, p) for p in (0, 1, 2)] == [0.75, 0.25, 0.25]
    with pytest.raises(ValueError, match="got 2 correct tasks of 1"):
        fast_p([1.0, 2.0], 1, 0)


@settings(max_examples=40)
@given(st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=20), st.integers(1, 50), st.integers(1, 50))
def test_the_mean_of_ratios_is_per_call_and_over_all_pairs(
    pairs: list[tuple[int, int]], mine: int, theirs: int
) -> None:
    baseline_ns, candidate_ns = zip(*pairs, strict=True)
    found = Measurement(
        case="c",
        baseline_wall_ns=baseline_ns,
        candidate_wall_ns=candidate_ns,
        baseline_cpu_ns=baseline_ns,
        candidate_cpu_ns=candidate_ns,
        baseline_calls=(mine,) * len(pairs),
        candidate_calls=(theirs,) * len(pairs),
    )
    ratios = [(b / mine) / (c / theirs) for b, c in pairs]
    assert mean_of_ratios([found], clock="wall") == pytest.approx(math.fsum(ratios) / len(ratios))
    assert mean_of_ratios([found, found]) == pytest.approx(mean_of_ratios([found], clock="cpu"))


@settings(max_examples=40)
@given(TIMES, TIMES, st.integers(3, 12))
def test_of_pairs_that_agree_both_figures_are_the_same(baseline_ns: int, candidate_ns: int, count: int) -> None:
    same = Measurement(
        case="c",
        baseline_wall_ns=(baseline_ns,) * count,
        candidate_wall_ns=(candidate_ns,) * count,
        baseline_cpu_ns=(baseline_ns,) * count,
        candidate_cpu_ns=(candidate_ns * 2,) * count,
    )
    assert mean_of_ratios([same]) == pytest.approx(speedup([same])[0])
