"""What holds of every front."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from outpace.agent.front import Front

VALUES = st.integers(0, 6).map(float)
POINTS = st.integers(1, 4).flatmap(lambda n: st.lists(st.tuples(*[VALUES] * n), min_size=1, max_size=40))


def dominates(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one != other and all(mine >= theirs for mine, theirs in zip(one, other, strict=True))


def filled(points: list[tuple[float, ...]], most: int | None = None) -> Front[int]:
    front = Front[int](most=most)
    for number, point in enumerate(points):
        kept = front.add(number, point)
        assert kept == (number in [one.member for one in front])
    return front


@given(POINTS)
def test_a_front_is_what_nothing_dominates_each_figure_once(points: list[tuple[float, ...]]) -> None:
    found = [(one.member, one.values) for one in filled(points)]
    best = {point for point in points if not any(dominates(other, point) for other in points)}
    assert found == [(points.index(point), point) for point in sorted(best, reverse=True)]


@given(POINTS, st.randoms(use_true_random=False))
def test_the_order_leaves_no_trace(points: list[tuple[float, ...]], chance: Random) -> None:
    before = [one.values for one in filled(points)]
    chance.shuffle(points)
    assert [one.values for one in filled(points)] == before


@given(POINTS, st.integers(1, 6))
def test_a_bounded_front_is_one_too_and_keeps_the_best_of_the_goal(points: list[tuple[float, ...]], most: int) -> None:
    front = filled(points, most)
    values = [one.values for one in front]
    assert 1 <= len(values) <= most
    assert not any(dominates(one, other) for one in values for other in values)
    assert values[0][0] == max(point[0] for point in points)
    if front.pruned == 0:
        assert values == [one.values for one in filled(points)]
