"""Checkers that promise exactness, against slower and plainer arithmetic."""

from fractions import Fraction
from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from outpace.errors import WrongAnswer
from outpace.tasks import registry

CIRCLES = registry.find("circle_packing")
DISTANCE = registry.find("edit_distance")
UNIT = st.floats(0, 1)
NEAR = st.sampled_from([0.25, 0.5, 0.75, 0.25 + 2**-54, 0.25 - 2**-54, 0.5 + 2**-53, 0.75 + 2**-53, 2**-54, 5e-324])


def valid(packing: np.ndarray) -> bool:
    circles = [[Fraction(float(value)) for value in circle] for circle in packing]
    inside = all(r >= 0 and r <= x <= 1 - r and r <= y <= 1 - r for x, y, r in circles)
    pairs = combinations(circles, 2)
    return inside and all((a - d) ** 2 + (b - e) ** 2 >= (r + s) ** 2 for (a, b, r), (d, e, s) in pairs)


@given(st.lists(st.tuples(UNIT | NEAR, UNIT | NEAR, UNIT | NEAR | st.floats(-0.1, 0.3)), min_size=1, max_size=4))
def test_circles_are_judged_as_by_fractions(circles: list[tuple[float, float, float]]) -> None:
    packing = np.array(circles)
    try:
        CIRCLES.check({"n": len(circles)}, packing)
        accepted = True
    except WrongAnswer:
        accepted = False
    assert accepted == valid(packing)


@settings(max_examples=200)
@given(st.binary(max_size=9), st.binary(max_size=9), st.sampled_from([2, 3, 256]))
def test_distances_are_those_of_the_definition(a: bytes, b: bytes, letters: int) -> None:
    one, other = bytes(x % letters for x in a), bytes(x % letters for x in b)
    memo: dict[tuple[int, int], int] = {}

    def distance(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        if (i, j) not in memo:
            swap = distance(i - 1, j - 1) + (one[i - 1] != other[j - 1])
            memo[i, j] = min(distance(i - 1, j) + 1, distance(i, j - 1) + 1, swap)
        return memo[i, j]

    assert DISTANCE.reference({"a": one, "b": other}) == distance(len(one), len(other))
