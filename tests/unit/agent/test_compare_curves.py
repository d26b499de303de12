"""Best-so-far curves, on examples that can be worked out by hand."""

import numpy as np
import pytest

from outpace.agent.compare.curves import Curve, Scale, band, scale_of, spread
from outpace.tasks.spec import Goal

GAP = Goal(kind="metric", name="gap", direction="minimise", unit="%")
SUM = Goal(kind="metric", name="sum", direction="maximise")
SPEEDUP = Goal(kind="speedup", name="speed-up", direction="maximise", unit="x")


def test_a_curve_is_flat_between_its_points_and_after() -> None:
    curve = Curve(((1, 10.0), (4, 8.0), (9, 5.0)))
    assert curve.at([1, 3, 4, 8, 9, 100]).tolist() == [10, 10, 8, 8, 5, 5]
    assert (curve.start, curve.final) == (10.0, 5.0)


def test_a_band_is_the_median_and_the_quartiles_where_a_curve_changes() -> None:
    curves = [Curve(((1, 10.0), (number, 10.0 - number))) for number in (2, 3, 4, 5, 6)]
    found = band(curves, until=10)
    assert found.spent == (1, 2, 3, 4, 5, 6, 10)
    assert found.median == (10, 10, 10, 8, 7, 6, 6)
    assert (found.low[-1], found.high[-1]) == (5, 7)


def test_the_area_is_the_mean_part_of_the_way_over_the_evaluations() -> None:
    scale = Scale(goal=GAP, start=10.0, best=6.0)
    assert scale.area(Curve(((1, 10.0), (3, 8.0), (5, 6.0))), budget=10) == pytest.approx((2 * 0 + 2 * 0.5 + 6) / 10)
    assert scale.area(Curve(((1, 10.0),)), budget=10) == 0.0
    assert scale.area(Curve(((1, 10.0), (2, 6.0))), budget=2) == 0.5
    assert scale.area(Curve(((1, 10.0), (12, 6.0))), budget=10) == 0.0, "what came after the budget does not count"


def test_parts_of_the_way_follow_the_direction_and_the_logarithm_of_speedups() -> None:
    assert Scale(goal=SUM, start=2.0, best=4.0).part(np.array([1.0, 2.0, 3.0, 4.0])).tolist() == [0, 0, 0.5, 1]
    assert Scale(goal=SPEEDUP, start=1.0, best=4.0).part(np.array([0.9, 2.0, 4.0])) == pytest.approx([0, 0.5, 1])
    assert Scale(goal=SUM, start=2.0, best=2.0).part(np.array([2.0])).tolist() == [0], "nobody found anything better"


def test_the_scale_of_a_task_reaches_from_the_start_to_the_best_of_all_curves() -> None:
    curves = [Curve(((1, 10.0), (2, 7.0))), Curve(((1, 10.0), (5, 6.5)))]
    assert scale_of(GAP, curves) == Scale(goal=GAP, start=10.0, best=6.5)
    noisy = [Curve(((1, 1.03),)), Curve(((1, 0.98), (3, 1.5)))]
    assert scale_of(SPEEDUP, noisy) == Scale(goal=SPEEDUP, start=1.0, best=1.5)


def test_a_spread_knows_its_quartiles_and_ends() -> None:
    found = spread([5.0, 1.0, 3.0, 2.0, 4.0])
    assert found
    assert (found.median, found.low, found.high, found.least, found.most) == (3, 2, 4, 1, 5)
    assert spread([]) is None
