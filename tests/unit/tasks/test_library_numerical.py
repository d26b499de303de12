"""The numerical family: two methods agree, known values come out, and wrong answers are refused."""

import functools
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from outpace.errors import WrongAnswer
from outpace.tasks import answer, registry
from outpace.tasks.plain import same
from outpace.tasks.spec import Case, Task

Solve = Callable[..., Any]
TASKS = (
    "convolution",
    "dynamic_time_warping",
    "k_means",
    "kernel_density",
    "ode_integration",
    "pagerank",
    "pde_stepping",
    "riccati_equation",
    "sparse_solve",
    "transport_lp",
)
CASES = [(name, case.name) for name in TASKS for case in registry.find(name).spec.cases]
FLOATS = [name for name in TASKS if registry.find(name).spec.answer.dtype == "float64"]


def case_of(task: Task, name: str) -> Case:
    return next(case for case in task.spec.cases if case.name == name)


def timed(name: str, seed: int = 7) -> tuple[Task, dict[str, Any]]:
    """Return a task with a problem of its first timed case."""
    task = registry.find(name)
    return task, dict(task.generate(next(case for case in task.spec.cases if case.timed), seed))


def refusal(task: Task, problem: Any, given: Any) -> str:
    with pytest.raises(WrongAnswer) as caught:
        task.check(problem, given)
    return str(caught.value)


@pytest.mark.parametrize(("name", "case_name"), CASES)
def test_the_start_passes_and_seeds_matter(name: str, case_name: str, solve: Solve) -> None:
    task = registry.find(name)
    case = case_of(task, case_name)
    for seed in range(24 if not case.timed else 1):
        problem = task.generate(case, seed)
        assert same(dict(problem), dict(task.generate(case, seed)))
        for found in (task.reference(problem), solve(task, problem)):
            assert answer.fault(task.spec.answer, problem, found) is None
            task.check(problem, found)
    if case.timed:
        assert not same(dict(task.generate(case, 0)), dict(task.generate(case, 1)))


@pytest.mark.parametrize("name", TASKS)
def test_read_only_inputs_do(name: str, solve: Solve) -> None:
    task = registry.find(name)
    problem = task.generate(case_of(task, "edges"), 3)
    for value in problem.values():
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    before = {key: np.copy(value) for key, value in problem.items()}
    task.check(problem, solve(task, problem))
    assert all(np.array_equal(before[key], problem[key]) for key in problem)


@pytest.mark.parametrize("name", FLOATS)
def test_the_tolerance_is_as_stated(name: str) -> None:
    """Ten times as far as allowed is refused, a thousandth of it is accepted, and single precision fails."""
    task, problem = timed(name)
    right = task.reference(problem)
    allowed = task.spec.answer.tolerance
    assert allowed is not None
    nearly = right * (1 + allowed / 1000)
    if name == "pde_stepping":  # the rim is exact
        nearly[[0, -1]], nearly[:, [0, -1]] = right[[0, -1]], right[:, [0, -1]]
    task.check(problem, nearly)
    assert refusal(task, problem, right * (1 + 10 * allowed))
    assert refusal(task, problem, right.astype(np.float32).astype(np.float64))
    assert "expected a float64 array" in refusal(task, problem, right.astype(np.float32))
    assert "expected a float64 array" in refusal(task, problem, right[:-1])
    assert "expected a float64 array" in refusal(task, problem, right.tolist())
    for value in (math.nan, math.inf, 1e300):
        broken = right.copy()
        broken.flat[-1] = value
        with np.errstate(all="ignore"):
            assert refusal(task, problem, broken)


@pytest.mark.parametrize("name", ["convolution", "kernel_density", "pde_stepping"])
def test_single_precision_inside_is_refused(name: str) -> None:
    """Computed in single precision all the way, and cast at the end."""
    task, problem = timed(name)
    single = {
        key: value.astype(np.float32) if isinstance(value, np.ndarray) and value.dtype == np.float64 else value
        for key, value in problem.items()
    }
    assert refusal(task, problem, task.reference(single).astype(np.float64))


# ode_integration


def test_a_lorenz_system_that_is_linear() -> None:
    """On the z axis z decays by exp(-beta t), and from rest nothing moves; both are known exactly."""
    task = registry.find("ode_integration")
    problem: dict[str, Any] = {
        "states": np.array([[0.0, 0.0, 5.0], [0.0, 0.0, 0.0]]),
        "duration": 1.5,
        "sigma": 10.0,
        "rho": 28.0,
        "beta": 8.0 / 3.0,
    }
    right = np.array([[0.0, 0.0, 5.0 * math.exp(-4.0)], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(task.reference(problem), right, rtol=1e-13, atol=0)
    task.check(problem, right)


def test_lorenz_there_and_back() -> None:
    """What the reference says after the whole time follows from what it says after half of it."""
    task, problem = timed("ode_integration")
    half = task.reference({**problem, "duration": problem["duration"] / 2})
    again = task.reference({**problem, "states": half, "duration": problem["duration"] / 2})
    np.testing.assert_allclose(again, task.reference(problem), rtol=0, atol=1e-9)


def test_too_long_steps_are_refused(namespace: Callable[[str | None], dict[str, Any]]) -> None:
    task, problem = timed("ode_integration")
    text = task.start.program.replace("9000.0", "400.0")
    assert text != task.start.program
    assert "expected" in refusal(task, problem, namespace(text)["integrate"](**problem))


# pde_stepping


def test_heat_is_kept_where_the_rim_does_not_conduct() -> None:
    task, problem = timed("pde_stepping")
    k = problem["conductivity"]
    k[0] = -k[1]  # the mean with the neighbour is 0: nothing flows to the rim
    k[-1] = -k[-2]
    k[:, 0] = -k[:, 1]
    k[:, -1] = -k[:, -2]
    before, after = problem["temperature"][1:-1, 1:-1], task.reference(problem)[1:-1, 1:-1]
    assert math.isclose(before.sum(), after.sum(), rel_tol=1e-11)
    assert after.std() < before.std() / 2


def test_other_schemes_and_other_numbers_of_steps_are_refused() -> None:
    task, problem = timed("pde_stepping")
    coarse = {**problem, "dt": 2 * problem["dt"], "steps": problem["steps"] // 2}
    with np.errstate(all="ignore"):
        assert "cell (" in refusal(task, problem, task.reference(coarse))
    assert "cell (" in refusal(task, problem, task.reference({**problem, "steps": problem["steps"] - 1}))
    even = np.full_like(problem["conductivity"], problem["conductivity"].mean())
    assert "cell (" in refusal(task, problem, task.reference({**problem, "conductivity": even}))
    rim = task.reference(problem)
    rim[0, 3] = np.nextafter(rim[0, 3], 1e9)
    assert "rim" in refusal(task, problem, rim)


# sparse_solve


def test_the_matrix_is_as_stated() -> None:
    for name, seed in itertools.product(("200_unknowns", "edges"), range(3)):
        task = registry.find("sparse_solve")
        problem = task.generate(case_of(task, name), seed)
        n = len(problem["rhs"])
        matrix = np.zeros((n, n))
        for i in range(n):
            part = slice(problem["indptr"][i], problem["indptr"][i + 1])
            assert np.all(np.diff(problem["indices"][part]) > 0) and i in problem["indices"][part]
            matrix[i, problem["indices"][part]] = problem["values"][part]
        assert np.array_equal(matrix, matrix.T)
        values = np.linalg.eigvalsh(matrix)
        assert values[0] > 0 and values[-1] / values[0] < 2e4
        off = matrix - np.diag(np.diag(matrix))
        assert off.max() <= 0 and off.min() >= -100


def test_solutions_that_are_nearly_right_are_refused() -> None:
    task, problem = timed("sparse_solve")
    right = task.reference(problem)
    early = right.copy()
    early[5] *= 1 + 1e-7
    assert "the residual b - A x" in refusal(task, problem, early)
    diagonal = np.array(
        [problem["values"][start:stop].max() for start, stop in itertools.pairwise(problem["indptr"].tolist())]
    )
    assert "the residual b - A x" in refusal(task, problem, problem["rhs"] / diagonal)
    zero = {**problem, "rhs": np.zeros_like(right)}
    assert "residual" in refusal(task, zero, np.full_like(right, 1e-14))
    task.check(zero, np.zeros_like(right))


# convolution


def test_convolution_by_fourier_transform() -> None:
    for name in ("9_x_11", "24_x_20", "long_row"):
        task = registry.find("convolution")
        problem = task.generate(case_of(task, name), 5)
        image, kernel = problem["image"], problem["kernel"]
        size = (image.shape[0] + kernel.shape[0] - 1, image.shape[1] + kernel.shape[1] - 1)
        whole = np.fft.irfft2(np.fft.rfft2(image, size) * np.fft.rfft2(kernel, size), size)
        found = whole[kernel.shape[0] - 1 : image.shape[0], kernel.shape[1] - 1 : image.shape[1]]
        assert np.abs(found - task.reference(problem)).max() <= 3e-15 * np.abs(found).max()
        task.check(problem, np.ascontiguousarray(found))


def test_correlation_and_other_rims_are_refused() -> None:
    task, problem = timed("convolution")
    correlation = task.reference({**problem, "kernel": problem["kernel"][::-1, ::-1]})
    assert "answer[" in refusal(task, problem, correlation)
    wider = np.pad(task.reference(problem), 1)
    assert "expected a float64 array of shape" in refusal(task, problem, wider)


def test_kernels_are_no_products() -> None:
    """A kernel of rank 3 is not near enough, so no few passes along rows and columns will do."""
    task, problem = timed("convolution")
    left, values, right = np.linalg.svd(problem["kernel"])
    values[3:] = 0
    near = left @ np.diag(values) @ right[: len(values)]
    assert "answer[" in refusal(task, problem, task.reference({**problem, "kernel": near}))


# k_means


def test_k_means_by_hand(solve: Solve) -> None:
    task = registry.find("k_means")
    problem: dict[str, Any] = {
        "points": np.array([[0], [1], [2], [9], [10]]),
        "centres": np.array([[0], [2], [2], [12]]),
        "rounds": 1,
    }
    right = np.array([0, 0, 1, 3, 3]), np.array([[0], [2], [2], [9]])  # a tie, an empty centre, 9.5 rounded down
    assert same(task.reference(problem), right)
    task.check(problem, solve(task, problem))
    for labels, centres in (
        ([0, 1, 1, 3, 3], right[1]),
        ([0, 0, 2, 3, 3], right[1]),
        (right[0], [[0], [2], [2], [10]]),
        (right[0], [[0], [2], [0], [9]]),
    ):
        assert "expected" in refusal(task, problem, (np.array(labels), np.array(centres)))


def in_single_precision(problem: dict[str, Any], *, product: bool) -> tuple[np.ndarray, np.ndarray]:
    """Run Lloyd's method with distances in single precision, by differences or by a matrix product; means are exact."""
    points, centres = problem["points"], problem["centres"].copy()
    labels = np.zeros(len(points), dtype=np.int64)
    for _ in range(problem["rounds"]):
        x, c = points.astype(np.float32), centres.astype(np.float32)
        if product:
            labels = ((c * c).sum(axis=1) - np.float32(2) * (x @ c.T)).argmin(axis=1)
        else:
            labels = ((x[:, np.newaxis] - c) ** 2).sum(axis=2).argmin(axis=1)
        for number in np.unique(labels):
            centres[number] = points[labels == number].sum(axis=0) // (labels == number).sum()
    return labels, centres


def test_k_means_in_single_precision_is_refused() -> None:
    """Where numbers are below 64 it is exact, and right; a checked problem of the search tells it apart."""
    task = registry.find("k_means")
    small = task.generate(case_of(task, "4000_points"), 7)
    task.check(small, in_single_precision(dict(small), product=False))
    case = case_of(task, "near_ties")
    assert case.split == "train"
    for seed in range(case.seed, case.seed + case.instances):
        problem = dict(task.generate(case, seed))
        distances = ((problem["points"][:, np.newaxis] - problem["centres"]) ** 2).sum(axis=2)
        assert np.array_equal(((problem["points"][:, np.newaxis] - problem["centres"]) ** 2.0).sum(axis=2), distances)
        for product in (False, True):
            assert "numbers differ" in refusal(task, problem, in_single_precision(problem, product=product))


def test_k_means_breaks_ties() -> None:
    task, problem = timed("k_means")
    labels, centres = task.reference(problem)
    turned = {**problem, "centres": problem["centres"][::-1]}
    last = task.reference(turned)
    assert refusal(task, problem, (len(centres) - 1 - last[0], last[1][::-1]))  # ties went to the highest index
    assert refusal(task, problem, (labels, centres.astype(np.float64))).startswith("centres is a float64 array")
    assert refusal(task, problem, labels).startswith("the answer is a ndarray")
    fewer = task.reference({**problem, "rounds": problem["rounds"] - 1})
    assert "numbers differ" in refusal(task, problem, fewer)


# kernel_density


def test_one_point_far_away() -> None:
    task = registry.find("kernel_density")
    problem: dict[str, Any] = {
        "points": np.array([[0.0, 0.0], [3.0, 4.0]]),
        "weights": np.array([1.0, 3.0]),
        "places": np.array([[0.0, 0.0]]),
        "bandwidth": 0.5,
    }
    right = (0.25 + 0.75 * math.exp(-50.0)) / (2 * math.pi * 0.25)
    assert math.isclose(task.reference(problem)[0], right, rel_tol=1e-14)


def test_a_density_sums_to_one() -> None:
    task, problem = timed("kernel_density")
    axis = np.linspace(-3.0, 3.0, 121)
    places = np.stack(np.meshgrid(axis, axis), axis=-1).reshape(-1, 2)
    found = task.reference({**problem, "places": places})
    assert math.isclose(found.sum() * (axis[1] - axis[0]) ** 2, 1.0, rel_tol=1e-6)


def test_tails_count() -> None:
    """Leaving out all points beyond seven bandwidths changes 1e-11 in the middle, and everything in the tails."""
    task, problem = timed("kernel_density")
    squares = ((problem["places"][:, np.newaxis] - problem["points"]) ** 2).sum(axis=2) / problem["bandwidth"] ** 2
    kernels = np.where(squares < 49.0, np.exp(-squares / 2), 0.0)
    cut = kernels @ problem["weights"] / problem["weights"].sum() / (2 * math.pi * problem["bandwidth"] ** 2)
    right = task.reference(problem)
    assert np.abs(cut - right).max() <= 1e-10 * right.max()
    assert "the density at place" in refusal(task, problem, cut)
    even = {**problem, "weights": np.ones_like(problem["weights"])}
    assert "the density at place" in refusal(task, problem, task.reference(even))


# pagerank


def dense(problem: dict[str, Any]) -> Any:
    """Return the ranks by elimination, from the matrix of all links."""
    n = len(problem["indptr"]) - 1
    links = np.full((n, n), 1.0 / n)
    for i, (start, stop) in enumerate(itertools.pairwise(problem["indptr"].tolist())):
        if stop > start:
            links[:, i] = 0.0
            links[problem["indices"][start:stop], i] = 1.0 / (stop - start)
    d = problem["damping"]
    return np.linalg.solve(np.eye(n) - d * links, np.full(n, (1 - d) / n))


def test_pagerank_by_elimination() -> None:
    task = registry.find("pagerank")
    problems = [task.generate(case_of(task, "edges"), seed) for seed in range(12)]
    problems += [task.generate(case_of(task, "300_pages"), 4)]
    for problem in problems:
        right = dense(dict(problem))
        assert math.isclose(right.sum(), 1.0, rel_tol=1e-12)
        assert np.abs(task.reference(problem) - right).sum() <= 1e-12
        task.check(problem, right)
    assert any(np.diff(problem["indptr"]).max(initial=0) == 0 for problem in problems)


def test_ranks_that_stop_early_or_forget_pages_without_links() -> None:
    task, problem = timed("pagerank")
    right = task.reference(problem)
    links = np.diff(problem["indptr"])
    assert 0.05 < (links == 0).mean() < 0.2
    ranks = np.full(len(right), 1.0 / len(right))
    for _ in range(300):  # lost ranks are spread by scaling: another model, which sums to 1 as well
        shares = np.repeat(ranks / np.maximum(links, 1), links)
        arrived = np.bincount(problem["indices"], weights=shares, minlength=len(ranks))
        ranks = (1 - problem["damping"]) / len(right) + problem["damping"] * arrived
    assert "the errors may be" in refusal(task, problem, ranks)
    uneven = right.copy()
    uneven[3] += 1e-9
    uneven[4] -= 1e-9
    assert "the errors may be" in refusal(task, problem, uneven)
    assert "the errors may be" in refusal(task, problem, np.full_like(right, 1.0 / len(right)))


# dynamic_time_warping


def recursive(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    """Return the least cost by asking for the least cost of all beginnings."""

    @functools.cache
    def least(i: int, j: int) -> int:
        if i < 0 or j < 0:
            return 0 if i == j == -1 else 1 << 60
        return (a[i] - b[j]) ** 2 + min(least(i - 1, j), least(i, j - 1), least(i - 1, j - 1))

    return least(len(a) - 1, len(b) - 1)


def test_warping_by_recursion(solve: Solve) -> None:
    task = registry.find("dynamic_time_warping")
    rng = np.random.default_rng(3)
    for _ in range(40):
        a, b = (rng.integers(-9, 10, size=rng.integers(1, 8)) for _ in "ab")
        right = recursive(tuple(a.tolist()), tuple(b.tolist()))
        assert task.reference({"a": a, "b": b}) == right == solve(task, {"a": a, "b": b})


@pytest.mark.parametrize(
    ("a", "b", "right"),
    [([3], [5], 4), ([1, 2, 3], [1, 1, 2, 2, 3], 0), ([0, 0], [1, 1, 1], 3), ([1, 5, 1], [1, 1, 5], 16)],
)
def test_known_warpings(a: list[int], b: list[int], right: int) -> None:
    task = registry.find("dynamic_time_warping")
    problem = {"a": np.array(a), "b": np.array(b)}
    task.check(problem, right)
    task.check(problem, np.int64(right))
    for wrong in (right + 1, right - 1):
        assert f"is {right}, got {wrong}" in refusal(task, problem, wrong)
    for form in (float(right), str(right), [right], True, np.array(right)):
        assert "expected an int" in refusal(task, problem, form)


def test_a_band_and_single_precision_do_not_pass() -> None:
    task = registry.find("dynamic_time_warping")
    exact = 0
    for seed in range(5):
        problem = task.generate(case_of(task, "500_samples"), seed)
        right = task.reference(problem)
        straight = [round(i * (len(problem["b"]) - 1) / (len(problem["a"]) - 1)) for i in range(len(problem["a"]))]
        assert right < int(((problem["a"] - problem["b"][straight]) ** 2).sum()) * 0.5
        assert right > 2**24
        exact += int(np.float32(right)) == right
    assert exact <= 1


# transport_lp


def cheapest(problem: dict[str, Any]) -> int:
    """Return the least cost by trying all flows of a tiny problem, row by row."""
    costs, supplies = problem["costs"].tolist(), problem["supplies"].tolist()

    @functools.cache
    def least(row: int, wanted: tuple[int, ...]) -> int:
        if row == len(supplies):
            return 0 if not any(wanted) else 1 << 60
        parts = itertools.product(*(range(min(supplies[row], most) + 1) for most in wanted))
        return min(
            sum(map(int.__mul__, part, costs[row]))
            + least(row + 1, tuple(most - sent for most, sent in zip(wanted, part, strict=True)))
            for part in parts
            if sum(part) == supplies[row]
        )

    return least(0, tuple(problem["demands"].tolist()))


def test_transport_by_trying_all_flows(solve: Solve) -> None:
    task = registry.find("transport_lp")
    rng = np.random.default_rng(5)
    for _ in range(20):
        supplies = rng.integers(1, 5, size=3)
        demands = 1 + rng.multinomial(int(supplies.sum()) - 3, [0.2, 0.3, 0.5])
        problem = {"costs": rng.integers(0, 9, size=(3, 3)), "supplies": supplies, "demands": demands}
        for flows, u, v in (task.reference(problem), solve(task, problem)):
            task.check(problem, (flows, u, v))
            assert int((flows * problem["costs"]).sum()) == cheapest(problem)


def test_transports_without_a_proof_are_refused() -> None:
    task, problem = timed("transport_lp")
    flows, u, v = task.reference(problem)
    task.check(problem, (flows, u + 17, v - 17))
    corner, left, wanted = np.zeros_like(flows), problem["supplies"].copy(), problem["demands"].copy()
    for i, j in np.ndindex(flows.shape):
        corner[i, j] = sent = min(left[i], wanted[j])
        left[i], wanted[j] = left[i] - sent, wanted[j] - sent
    assert "the prices prove" in refusal(task, problem, (corner, u, v))
    worse = u.copy()
    worse[2] -= 1
    assert "the prices prove" in refusal(task, problem, (flows, worse, v))
    worse[2] += 2
    assert "above the cost" in refusal(task, problem, (flows, worse, v))
    less = flows.copy()
    less[np.unravel_index(flows.argmax(), flows.shape)] -= 1
    assert "sums to" in refusal(task, problem, (less, u, v))


def test_numbers_that_run_over_are_refused() -> None:
    """Flows below 0, flows whose sums wrap round to the right ones, prices whose sums wrap round to below the costs."""
    task = registry.find("transport_lp")
    problem = {"costs": np.array([[5, 1], [1, 5]]), "supplies": np.array([2, 2]), "demands": np.array([2, 2])}
    right = np.array([[0, 2], [2, 0]])
    task.check(problem, (right, np.array([1, 1]), np.array([0, 0])))
    below = np.array([[-1, 3], [3, -1]])
    assert "a flow is -1" in refusal(task, problem, (below, np.array([1, 1]), np.array([0, 0])))
    half = np.array([[1, 1], [1, 1]]) + (np.array([[1, -1], [-1, 1]]) << 62)
    assert "a flow is" in refusal(task, problem, (half, np.array([1, 1]), np.array([0, 0])))
    huge = np.array([2**62, 2**62])
    assert "beyond 2**40" in refusal(task, problem, (right, huge, huge))


# riccati_equation


def test_riccati_of_one_state() -> None:
    """With a = 2, b = q = r = 1 the equation is x**2 - 4 x - 1 = 0."""
    task = registry.find("riccati_equation")
    one = np.ones((1, 1))
    problem = {"a": 2 * one, "b": one, "q": one, "r": one}
    task.check(problem, (2 + math.sqrt(5)) * one)
    assert "expected" in refusal(task, problem, (2 - math.sqrt(5)) * one)  # a solution that does not stabilise


def test_riccati_by_eigenvectors() -> None:
    """The stable eigenvectors of the symplectic matrix span the graph of X (Vaughan 1970)."""
    task = registry.find("riccati_equation")
    for name, seed in itertools.product(("16_states", "6_states", "30_states"), range(5)):
        problem = task.generate(case_of(task, name), seed)
        a, g = problem["a"], problem["b"] @ np.linalg.solve(problem["r"], problem["b"].T)
        back = np.linalg.inv(a).T
        values, vectors = np.linalg.eig(
            np.block([[a + g @ back @ problem["q"], -g @ back], [-back @ problem["q"], back]])
        )
        stable = vectors[:, np.argsort(np.abs(values))[: len(a)]]
        found = np.real(stable[len(a) :] @ np.linalg.inv(stable[: len(a)]))
        task.check(problem, found)


def test_solutions_that_have_not_settled_or_do_not_stabilise() -> None:
    """A small residual is not enough: near the circle it hides an error that is a thousand times as large."""
    task, problem = timed("riccati_equation")
    a, b, x = problem["a"], problem["b"], problem["q"]
    for _ in range(30):
        x = a.T @ x @ (a - b @ np.linalg.solve(problem["r"] + b.T @ x @ b, b.T @ x @ a)) + problem["q"]
    assert "expected" in refusal(task, problem, x)
    right = task.reference(problem)
    task.check(problem, right + 1e-12 * right.max())
    closed = a - b @ np.linalg.solve(problem["r"] + b.T @ right @ b, b.T @ right @ a)
    assert 0.98 < np.abs(np.linalg.eigvals(closed)).max() < 1
    assert np.abs(np.linalg.eigvals(a)).max() > 1
