"""The mathematical tasks of the library: values are computed exactly, and what is nearly right is refused."""

import functools
import math
import re
from collections.abc import Callable, Iterator
from fractions import Fraction
from itertools import combinations, product
from typing import Any, ClassVar

import numpy as np
import pytest

from outpace.errors import WrongAnswer
from outpace.tasks import registry
from outpace.tasks.spec import Problem, Task

Namespace = Callable[[str | None], dict[str, Any]]


@functools.cache
def bundled(name: str) -> Task:
    return registry.find(name)


def refusal(name: str, problem: Problem, answer: Any) -> str:
    with pytest.raises(WrongAnswer) as caught:
        bundled(name).check(problem, answer)
    return str(caught.value)


def value(name: str, problem: Problem, answer: Any) -> float:
    task = bundled(name)
    task.check(problem, answer)
    return task.score(problem, answer)


def problems(task: Task) -> Iterator[Problem]:
    for case in task.spec.cases:
        problem = task.generate(case, case.seed)
        assert task.generate(case, case.seed + 7) == problem, "one problem a case, whatever the seed"
        yield problem


@pytest.mark.parametrize(
    ("name", "start", "reference"),
    [
        ("cap_sets", [64, 128, 256], [81, 162, 324]),
        ("kissing_configurations", [24, 40, 60, 84, 112, 144, 180, 220], [24, 40, 60, 84, 112, 144, 180, 220]),
        ("heilbronn_triangles", [0.003628, 0.005697, 0.004779], [0.003460, 0.006172, 0.017622]),
        ("erdos_minimum_overlap", [0.395712], [0.381873]),
        ("autocorrelation_inequalities", [1.727974], [1.536950]),
        ("matrix_multiplication_tensors", [8, 27, 64], [7, 26, 49]),
    ],
)
def test_what_the_start_and_the_reference_reach(
    name: str, start: list[float], reference: list[float], solve: Callable[..., Any]
) -> None:
    task = bundled(name)
    given = list(problems(task))
    assert [value(name, problem, solve(task, problem)) for problem in given] == pytest.approx(start, rel=2e-4)
    assert [value(name, problem, task.reference(problem)) for problem in given] == pytest.approx(reference, rel=2e-4)
    goal, mean = task.spec.goal, sum(start) / len(start)
    assert goal.best_known is not None and goal.rank(goal.best_known) > goal.rank(mean)


@pytest.mark.parametrize(
    ("name", "best"),
    [
        ("cap_sets", [112, 236, 512]),
        ("kissing_configurations", [24, 40, 72, 126, 240, 306, 500, 593]),
        ("heilbronn_triangles", [0.0365298, 0.0465374, 0.0309368]),
        ("matrix_multiplication_tensors", [7, 23, 48]),
    ],
)
def test_the_best_known_value_is_the_mean_of_those_of_the_cases(name: str, best: list[float]) -> None:
    task = bundled(name)
    assert task.spec.goal.best_known == pytest.approx(sum(best) / len(best), abs=1e-7)
    assert all(f"{figure:g}" in task.spec.statement for figure in best)


class TestCapSets:
    def test_small_dimensions_by_brute_force(self) -> None:
        """9 is the most in dimension 3 and 4 in dimension 2; on a line one of three points is missing."""
        points = list(product(range(3), repeat=2))
        caps = [c for k in range(6) for c in combinations(points, k) if c and not self.line(c)]
        assert max(map(len, caps)) == 4
        for cap in caps:
            assert value("cap_sets", {"n": 2}, np.array(cap)) == len(cap)
        for one in combinations(points, 4):
            if self.line(one):
                assert "on a line" in refusal("cap_sets", {"n": 2}, np.array(one))
        task = bundled("cap_sets")
        assert [len(task.reference({"n": n})) for n in (1, 2, 3, 4)] == [2, 4, 9, 18]

    @staticmethod
    def line(points: tuple[tuple[int, ...], ...]) -> bool:
        return any(not np.sum(three, axis=0).__mod__(3).any() for three in combinations(points, 3))

    def test_products_of_a_cap_of_20_points(self, namespace: Namespace) -> None:
        """The largest cap in dimension 4 has 20 points (Pellegrino 1970); greedy by chance finds it."""
        task = bundled("cap_sets")
        greedy = namespace(task.start.program)["greedy"]
        points, rng = np.array(list(product(range(3), repeat=4))), np.random.default_rng(1)
        found = (greedy(points, rng.permutation(81)) for _ in range(3000))
        cap = next(one for one in found if len(one) == 20)
        assert value("cap_sets", {"n": 4}, cap) == 20
        squared = np.array([(*a, *b) for a in cap for b in cap])
        assert value("cap_sets", {"n": 8}, squared) == 400
        assert value("cap_sets", {"n": 8}, squared.astype(np.uint8)) == 400
        more = np.vstack([squared, (-squared[0] - squared[5]) % 3])
        assert "lie on a line" in refusal("cap_sets", {"n": 8}, more)

    @pytest.mark.parametrize(
        ("points", "said"),
        [
            ([[0, 0], [0, 1], [0, 2]], "[0, 0], [0, 1] and [0, 2] lie on a line"),
            ([[1, 0], [0, 1], [2, 2]], "[1, 0], [0, 1] and [2, 2] lie on a line"),
            ([[0, 0], [1, 2], [0, 0]], "the point [0, 0] stands 2 times"),
            ([[0, 0], [0, 3]], "digits run from 0 to 3"),
            ([[0, 0], [-1, 0]], "digits run from -1 to 0"),
            ([[0, 0, 0]], "expected an integer array of shape (points, 2)"),
        ],
    )
    def test_wrong_answers(self, points: list[list[int]], said: str) -> None:
        assert said in refusal("cap_sets", {"n": 2}, np.array(points))
        assert "expected an integer array" in refusal("cap_sets", {"n": 2}, np.array(points, dtype=float))

    def test_sizes(self) -> None:
        assert "0 points" in refusal("cap_sets", {"n": 2}, np.zeros((0, 2), dtype=int))
        assert "10 points, expected 1 to 9" in refusal("cap_sets", {"n": 2}, np.zeros((10, 2), dtype=int))


class TestKissing:
    @staticmethod
    def shell(dimension: int) -> np.ndarray:
        """Return all vectors of squared length 4: twice a unit vector, or four coordinates of 1 or -1."""
        units = [*(2 * np.eye(dimension, dtype=np.int64)), *(-2 * np.eye(dimension, dtype=np.int64))]
        for places in combinations(range(dimension), 4):
            for signs in product((1, -1), repeat=4):
                vector = np.zeros(dimension, dtype=np.int64)
                vector[list(places)] = signs
                units.append(vector)
        return np.array(units)

    def test_the_root_systems_e7_and_e8(self, namespace: Namespace) -> None:
        """The statement's hint: another length finds the best that can be in dimensions 7 and 8."""
        keep = namespace(bundled("kissing_configurations").start.program)["keep"]
        for dimension, count in ((7, 126), (8, 240)):
            found = keep(self.shell(dimension))
            assert value("kissing_configurations", {"dimension": dimension}, found) == count
            assert value("kissing_configurations", {"dimension": dimension}, found * 10**18) == count

    def test_e6_has_whole_coordinates_in_eight_places(self, namespace: Namespace) -> None:
        """The vectors of E8 that are perpendicular to two of them 120 degrees apart; they span six dimensions."""
        eight = namespace(bundled("kissing_configurations").start.program)["keep"](self.shell(8))
        other = eight[np.argmin(np.abs(eight @ eight[0] + 2))]
        six = eight[(eight @ eight[0] == 0) & (eight @ other == 0)]
        assert np.linalg.matrix_rank(six) == 6
        for scale in (1, 10**18):
            assert value("kissing_configurations", {"dimension": 6}, six * scale) == 72
        assert "the vectors span 6 dimensions, expected at most 5" in refusal(
            "kissing_configurations", {"dimension": 5}, six
        )
        seven = np.vstack([six, other])
        assert "span 7 dimensions" in refusal("kissing_configurations", {"dimension": 6}, seven)

    def test_codes_of_words_with_four_ones(self) -> None:
        """The Steiner system S(3, 4, 10) gives 500 vectors, its 18 blocks without one point 306 (Conway and Sloane)."""
        blocks = {
            tuple(sorted((x + i) % 10 for x in b))
            for b in ((0, 1, 3, 4), (0, 1, 2, 6), (0, 2, 4, 7))
            for i in range(10)
        }
        assert len(blocks) == 30 and len({three for b in blocks for three in combinations(b, 3)}) == 120
        for dimension, count in ((10, 500), (9, 306)):
            axes = [s * 2 * axis for axis in np.eye(dimension, dtype=np.int64) for s in (1, -1)]
            for block in (b for b in blocks if max(b) < dimension):
                for signs in product((1, -1), repeat=4):
                    vector = np.zeros(dimension, dtype=np.int64)
                    vector[list(block)] = signs
                    axes.append(vector)
            assert value("kissing_configurations", {"dimension": dimension}, np.array(axes)) == count

    def test_the_hexagon_in_three_coordinates(self) -> None:
        hexagon = np.array([[1, -1, 0], [0, 1, -1], [-1, 0, 1], [-1, 1, 0], [0, -1, 1], [1, 0, -1]])
        assert value("kissing_configurations", {"dimension": 2}, hexagon) == 6
        seven = np.vstack([12 * hexagon, [9, 9, 9]])  # at a right angle to all six, and shorter than they are
        assert "span 3 dimensions, expected at most 2" in refusal("kissing_configurations", {"dimension": 2}, seven)

    def test_the_hexagon_needs_a_third_dimension(self) -> None:
        """No hexagon has whole coordinates in the plane; in space it has, and 12 spheres touch one there."""
        twelve = bundled("kissing_configurations").reference({"dimension": 3})
        assert value("kissing_configurations", {"dimension": 3}, twelve) == 12
        nearly = np.array([[1, 0], [0, 1], [-1, 0], [0, -1]]) * 10**9
        assert value("kissing_configurations", {"dimension": 2}, nearly) == 4
        slanted = np.array([[2 * 10**9, 0], [10**9, 1732050808], [-(10**9), 1732050808]])
        assert "squared distance is" in refusal("kissing_configurations", {"dimension": 2}, slanted)

    def test_lengths_may_differ(self) -> None:
        assert value("kissing_configurations", {"dimension": 2}, np.array([[3, 0], [0, 4], [-4, 0]])) == 3
        assert "squared distance is 9" in refusal("kissing_configurations", {"dimension": 1}, np.array([[4], [1]]))

    def test_off_by_one_among_huge_numbers(self) -> None:
        """In floats, and in 64 bits, the two squares are the same."""
        huge = 2**61
        right = np.array([[huge, 0, 0, 0], [0, huge, 0, 0], [-huge, 0, 0, 0]])
        assert value("kissing_configurations", {"dimension": 4}, right) == 3
        touching = np.array([[huge, huge, 0, 0], [huge, 0, huge, 0]])
        assert value("kissing_configurations", {"dimension": 4}, touching) == 2
        touching[0, 1] -= 1
        assert "squared distance" in refusal("kissing_configurations", {"dimension": 4}, touching)
        lowest = np.array([[-(2**63), 0], [0, 2**63 - 1]])
        assert value("kissing_configurations", {"dimension": 2}, lowest) == 2

    @pytest.mark.parametrize(
        ("vectors", "said"),
        [
            (np.zeros((1, 4), dtype=np.int64), "vector 0 is zero"),
            (np.zeros((0, 4), dtype=np.int64), "there are 0 vectors"),
            (np.ones((1001, 4), dtype=np.int64), "there are 1001 vectors, expected 1 to 1000"),
            (np.ones((2, 4), dtype=np.int64), "their squared distance is 0"),
            (np.eye(4), "expected an int64 array of shape (vectors, 4)"),
            (np.eye(5, dtype=np.int64), "the vectors span 5 dimensions, expected at most 4"),
            (np.eye(8, dtype=np.int64), "vectors have 8 coordinates, expected 4 to 7"),
            (np.eye(3, dtype=np.int64), "vectors have 3 coordinates, expected 4 to 7"),
            ([[1, 0, 0, 0]], "expected an int64 array"),
        ],
    )
    def test_wrong_answers(self, vectors: Any, said: str) -> None:
        assert said in refusal("kissing_configurations", {"dimension": 4}, vectors)


class TestHeilbronn:
    HEXAGON = np.array([[0, 0], [0.5, 0], [1, 0.5], [1, 1], [0.5, 1], [0, 0.5]])

    def test_known_values(self) -> None:
        """1 / 8 for six points in the square (Goldberg 1972), 1 / 6 for a hexagon as a part of itself."""
        six = {"points": 6, "region": "square"}
        assert value("heilbronn_triangles", six, self.HEXAGON) == 0.125
        assert value("heilbronn_triangles", six | {"region": "convex"}, self.HEXAGON) == 1 / 6
        corners = np.array([[0, 0], [1, 0], [0, 1.0]])
        assert value("heilbronn_triangles", {"points": 3, "region": "triangle"}, corners) == 1.0
        assert value("heilbronn_triangles", {"points": 3, "region": "square"}, corners) == 0.5
        assert value("heilbronn_triangles", {"points": 3, "region": "convex"}, 1e100 * corners - 7e99) == 1.0

    def test_fractions_agree_and_are_rounded_down(self, namespace: Namespace) -> None:
        quality = namespace(bundled("heilbronn_triangles").start.program)["quality"]
        rng = np.random.default_rng(3)
        for _ in range(20):
            points = rng.random((7, 2))
            found = value("heilbronn_triangles", {"points": 7, "region": "square"}, points)
            exact = [[Fraction(x) for x in point] for point in points.tolist()]
            areas = [
                abs((b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])) / 2
                for a, b, c in combinations(exact, 3)
            ]
            assert Fraction(found) <= min(areas) < Fraction(math.nextafter(found, 1))
            assert quality(points, "square") == pytest.approx(found, rel=1e-9)
            hull = value("heilbronn_triangles", {"points": 7, "region": "convex"}, points)
            assert quality(points, "convex") == pytest.approx(hull, rel=1e-9)

    def test_whatever_is_put_inside_is_accepted(self, namespace: Namespace) -> None:
        inside = namespace(bundled("heilbronn_triangles").start.program)["inside"]
        rng = np.random.default_rng(4)
        for scale in (1, 1e-9, 1e9):
            for region in ("triangle", "square", "convex"):
                for _ in range(20):
                    points = inside(0.3 + scale * rng.normal(size=(5, 2)), region)
                    bundled("heilbronn_triangles").check({"points": 5, "region": region}, points)

    def test_no_tolerance_at_the_border(self) -> None:
        problem: Problem = {"points": 3, "region": "triangle"}
        points = np.array([[0, 0], [1, 0], [2**-54, 1.0]])
        assert points[2].sum() == 1.0, "floats cannot see it"
        assert refusal("heilbronn_triangles", problem, points).endswith("is outside the triangle")
        points[2] = [-5e-324, 0.5]
        assert "point 2 (x=-5e-324, y=0.5) is outside" in refusal("heilbronn_triangles", problem, points)
        points[2] = [0.5, math.nextafter(1, 2)]
        assert "outside the square" in refusal("heilbronn_triangles", {**problem, "region": "square"}, points)

    def test_lines_and_forms(self) -> None:
        line = np.array([[0, 0], [0.5, 0.5], [0.25, 0.25]])
        assert value("heilbronn_triangles", {"points": 3, "region": "square"}, line) == 0.0
        assert "has no area" in refusal("heilbronn_triangles", {"points": 3, "region": "convex"}, line)
        for wrong in (line.tolist(), line[:2], line.astype(np.float32), line.T, None):
            assert "expected a float64 array" in refusal(
                "heilbronn_triangles", {"points": 3, "region": "square"}, wrong
            )
        line[0, 0] = math.nan
        assert "NaN" in refusal("heilbronn_triangles", {"points": 3, "region": "convex"}, line)


class TestErdos:
    PROBLEM: ClassVar[Problem] = {"most_steps": 1000}

    @staticmethod
    def overlap(f: list[Fraction]) -> Fraction:
        """Compute the largest overlap from its definition, shift by shift."""
        n = len(f)
        assert sum(f) * 2 == n and all(0 <= height <= 1 for height in f)
        shifts = [sum(f[t] * (1 - f[t + k]) for t in range(n) if 0 <= t + k < n) for k in range(-n, n)]
        return max(map(Fraction, shifts)) * 2 / n

    def test_by_the_definition(self, namespace: Namespace) -> None:
        overlap = namespace(bundled("erdos_minimum_overlap").start.program)["overlap"]
        rng = np.random.default_rng(5)
        for n in (1, 2, 3, 10, 31):
            heights = np.floor(rng.random(n) * 1024) / 2048 + 0.5
            f = [Fraction(height) * n / (2 * sum(map(Fraction, heights.tolist()))) for height in heights.tolist()]
            found = value("erdos_minimum_overlap", self.PROBLEM, heights)
            assert Fraction(math.nextafter(found, 0)) < self.overlap(f) <= Fraction(found)
            assert overlap(heights) == pytest.approx(found, rel=1e-12)
            assert value("erdos_minimum_overlap", self.PROBLEM, 1.0 - heights) == found
            assert value("erdos_minimum_overlap", self.PROBLEM, heights[::-1].copy()) == found

    def test_known_values(self) -> None:
        """1 / 2 for f = 1 / 2, by Erdos; the middle half does not do better."""
        for heights in ([0.5] * 7, [1.0], [0.0] * 5, [1e-300] * 3, [0, 1, 1, 0.0]):
            assert value("erdos_minimum_overlap", self.PROBLEM, np.array(heights)) == 0.5

    def test_more_steps_of_the_same_function(self) -> None:
        task = bundled("erdos_minimum_overlap")
        right = task.reference(self.PROBLEM)
        assert value(task.spec.name, self.PROBLEM, np.repeat(right, 40)) == task.score(self.PROBLEM, right)

    def test_tiny_heights_cost_and_gain_nothing(self) -> None:
        heights = np.where(np.arange(1000) % 2, 5e-324, 0.25)
        assert value("erdos_minimum_overlap", self.PROBLEM, heights) == value(
            "erdos_minimum_overlap", self.PROBLEM, np.where(heights > 0.1, 0.25, 0.0)
        )

    @pytest.mark.parametrize(
        ("heights", "said"),
        [
            ([0.5, -1e-300], "step 1 has the height -1e-300"),
            ([math.nextafter(1, 2)], "step 0 has the height 1.0000000000000002"),
            ([0.5, math.nan], "step 1 has the height nan"),
            ([math.inf], "step 0 has the height inf"),
            ([], "there are 0 steps"),
            ([0.5] * 1001, "there are 1001 steps, expected 1 to 1000"),
            ([[0.5]], "expected a float64 array of one dimension"),
        ],
    )
    def test_wrong_answers(self, heights: Any, said: str) -> None:
        assert said in refusal("erdos_minimum_overlap", self.PROBLEM, np.array(heights))
        assert "expected a float64" in refusal("erdos_minimum_overlap", self.PROBLEM, heights)


class TestAutocorrelation:
    PROBLEM: ClassVar[Problem] = {"most_steps": 2000}

    def test_by_the_definition(self, namespace: Namespace) -> None:
        ratio = namespace(bundled("autocorrelation_inequalities").start.program)["ratio"]
        rng = np.random.default_rng(6)
        for n in (1, 2, 3, 10, 31):
            heights = rng.random(n) * (rng.random(n) < 0.8) + 0.01
            f = list(map(Fraction, heights.tolist()))
            most = max(sum(f[j] * f[k - j] for j in range(n) if 0 <= k - j < n) for k in range(2 * n - 1))
            found = value("autocorrelation_inequalities", self.PROBLEM, heights)
            exact = Fraction(most) * 2 * n / sum(f) ** 2
            assert Fraction(math.nextafter(found, 0)) < exact <= Fraction(found)
            assert ratio(heights) == pytest.approx(found, rel=1e-12)
            for factor in (0.25, 2.0**900, 2.0**-900):
                assert value("autocorrelation_inequalities", self.PROBLEM, factor * heights) == found

    def test_known_values(self) -> None:
        """2 for a constant; pi / 2 for 1 / sqrt(x) (Schinzel and Schmidt 2002), from above as steps get finer."""
        for heights in ([3.0], [1e-300] * 8, [1e300] * 5):
            assert value("autocorrelation_inequalities", self.PROBLEM, np.array(heights)) == 2.0
        root = 1 / np.sqrt(np.arange(2000) + 0.5)
        coarse, fine = (value("autocorrelation_inequalities", self.PROBLEM, root[:n]) for n in (100, 2000))
        assert math.pi / 2 < fine < coarse < 1.61
        assert fine < 1.579

    def test_far_exponents(self) -> None:
        heights = np.where(np.arange(2000) % 2, 5e-324, 1e308)
        assert value("autocorrelation_inequalities", self.PROBLEM, heights) == pytest.approx(4.0)
        assert value("autocorrelation_inequalities", self.PROBLEM, np.full(9, 5e-324)) == 2.0

    @pytest.mark.parametrize(
        ("heights", "said"),
        [
            ([0.5, -1e-300], "step 1 has the height -1e-300"),
            ([0.5, math.nan], "step 1 has the height nan"),
            ([math.inf], "step 0 has the height inf"),
            ([0.0, 0.0], "all heights are 0"),
            ([], "there are 0 steps"),
            ([0.5] * 2001, "there are 2001 steps, expected 1 to 2000"),
            ([[0.5]], "expected a float64 array of one dimension"),
        ],
    )
    def test_wrong_answers(self, heights: Any, said: str) -> None:
        assert said in refusal("autocorrelation_inequalities", self.PROBLEM, np.array(heights))
        assert "expected a float64" in refusal("autocorrelation_inequalities", self.PROBLEM, heights)


LADERMAN = """
a11+a12+a13-a21-a22-a32-a33*b22, a11-a21*-b12+b22, a22*-b11+b12+b21-b22-b23-b31+b33, -a11+a21+a22*b11-b12+b22,
a21+a22*-b11+b12, a11*b11, -a11+a31+a32*b11-b13+b23, -a11+a31*b13-b23, a31+a32*-b11+b13,
a11+a12+a13-a22-a23-a31-a32*b23, a32*-b11+b13+b21-b22-b23-b31+b32, -a13+a32+a33*b22+b31-b32, a13-a33*b22-b32,
a13*b31, a32+a33*-b31+b32, -a13+a22+a23*b23+b31-b33, a13-a23*b23-b33, a22+a23*-b31+b33, a12*b21, a23*b32, a21*b13,
a31*b12, a33*b33
"""


class TestMatrixMultiplication:
    TWO: ClassVar[Problem] = {"n": 2, "entries": 4}

    @pytest.fixture
    def strassen(self) -> np.ndarray:
        return np.asarray(bundled("matrix_multiplication_tensors").reference(self.TWO))

    @staticmethod
    def turned(factors: np.ndarray, change: np.ndarray) -> np.ndarray:
        """Return the way that multiplies P A and B Q for A and B, with P the change and Q its inverse: P C Q comes out.

        The weights W then take the entries of C back.
        """
        n = len(change)
        back = np.linalg.inv(change)
        u, v, w = factors.reshape(3, n, n, -1)
        return np.stack(
            [
                np.einsum("xi,xyr->iyr", change, u),
                np.einsum("jy,xyr->xjr", back, v),
                np.einsum("ix,yj,xyr->ijr", back, change, w),
            ]
        ).reshape(3, n * n, -1)

    def test_the_references_multiply(self) -> None:
        """Not by the tensor, but by doing it: on random matrices of whole numbers."""
        task = bundled("matrix_multiplication_tensors")
        rng = np.random.default_rng(7)
        for n in (1, 2, 3, 4, 5, 6):
            u, v, w = task.reference({"n": n, "entries": n * n})
            a, b = rng.integers(-9, 10, size=(2, n, n))
            assert np.array_equal((w @ ((u.T @ a.ravel()) * (v.T @ b.ravel()))).reshape(n, n), a @ b)
            assert len(u.T) == {1: 1, 2: 7, 3: 26, 4: 49, 5: 110, 6: 7 * 26}[n]

    def test_laderman(self, namespace: Namespace) -> None:
        """23 multiplications for 3 x 3, Laderman 1976; what goes where is found by solving for it."""
        wrong = namespace(bundled("matrix_multiplication_tensors").start.program)["wrong"]
        u, v = np.zeros((2, 9, 23))
        for r, line in enumerate(LADERMAN.replace("\n", "").split(",")):
            for factor, side in zip((u, v), line.split("*"), strict=True):
                for sign, i, j in re.findall(r"([+-]?)[ab](\d)(\d)", side):
                    factor[3 * int(i) + int(j) - 4, r] = -1 if sign == "-" else 1
        entry = np.eye(9).reshape(3, 3, 9)
        right = np.einsum("ija,jkb,ikc->abc", entry, entry, entry).reshape(81, 9)
        w = np.rint(np.linalg.lstsq(np.einsum("ar,br->abr", u, v).reshape(81, 23), right)[0].T)
        factors = np.stack([u, v, w])
        assert value("matrix_multiplication_tensors", {"n": 3, "entries": 9}, factors) == 23
        assert wrong(factors) == 0
        factors[2, 0, 0] += 1
        assert "entries are wrong" in refusal("matrix_multiplication_tensors", {"n": 3, "entries": 9}, factors)
        assert wrong(factors) > 0

    @pytest.mark.parametrize("change", [[[1, 0], [0, 2]], [[1, 1j], [0, 1]], [[1, 1], [0, 1j]], [[1, 1], [1j, -1j]]])
    def test_halves_and_complex_weights(self, strassen: np.ndarray, change: list[list[complex]]) -> None:
        factors = self.turned(strassen, np.array(change))
        assert value("matrix_multiplication_tensors", self.TWO, factors) == 7
        factors = factors * 1j
        assert "entries are wrong" in refusal("matrix_multiplication_tensors", self.TWO, factors)

    def test_thirds_are_refused(self, strassen: np.ndarray) -> None:
        factors = self.turned(strassen, np.array([[1, 0], [0, 3]]))
        assert "expected whole numbers or halves of them" in refusal("matrix_multiplication_tensors", self.TWO, factors)

    @pytest.mark.parametrize("dtype", [np.int8, np.float32, np.float64, np.complex64, np.complex128])
    def test_types(self, strassen: np.ndarray, dtype: Any) -> None:
        assert value("matrix_multiplication_tensors", self.TWO, strassen.astype(dtype)) == 7

    def test_numbers_that_would_run_over(self, strassen: np.ndarray) -> None:
        for huge in (65, 2**62, -(2**63)):
            factors = strassen.astype(np.int64)
            factors[0, 0, 0] = huge
            assert "above 64" in refusal("matrix_multiplication_tensors", self.TWO, factors)
        small = np.full((3, 4, 7), 200, dtype=np.uint8)
        assert "above 64" in refusal("matrix_multiplication_tensors", self.TWO, small)

    def test_nearly_right(self, strassen: np.ndarray) -> None:
        for off in (1e-15, 1e-9, 0.25, 1e-300j):
            factors = strassen.astype(complex)
            factors[1, 0, 1] += off
            if factors[1, 0, 1] == strassen[1, 0, 1]:
                continue
            assert "the weight in factor V, row 0, column 1" in refusal(
                "matrix_multiplication_tensors", self.TWO, factors
            )
        factors = strassen.astype(complex)
        factors[0, 0, 0] = math.nan
        assert "NaN" in refusal("matrix_multiplication_tensors", self.TWO, factors)

    def test_shapes(self, strassen: np.ndarray) -> None:
        padded = np.concatenate([strassen, np.zeros((3, 4, 1))], axis=2)
        assert value("matrix_multiplication_tensors", self.TWO, padded) == 8, "idle multiplications count"
        more = np.concatenate([padded, np.zeros((3, 4, 1))], axis=2)
        assert "9 multiplications, expected 1 to 8" in refusal("matrix_multiplication_tensors", self.TWO, more)
        for wrong in (strassen[:2], strassen[:, :3], strassen[0], strassen.tolist(), None):
            assert "expected a numeric array" in refusal("matrix_multiplication_tensors", self.TWO, wrong)
        assert "wrong" in refusal("matrix_multiplication_tensors", self.TWO, strassen[:, :, :6])
        assert "wrong" in refusal("matrix_multiplication_tensors", self.TWO, strassen[[1, 0, 2]])
