"""Trusted half of transport_lp: draws transportation problems, and accepts flows that come with a proof."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

Array = NDArray[np.int64]

MOST = 1_000_000
"""The largest cost, supply and demand."""
MOST_PRICE = 1 << 40
"""The largest price. With up to 2**20 units of each kind and a few hundred kinds, no sum runs over in 64 bits."""
_FAR = 1 << 60


class Task(spec.Task):
    """Problem: costs (m, n), supplies (m,), demands (n,), int64. Answer: flows (m, n), prices (m,) and (n,), int64."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw supplies and demands of very different sizes, and costs.

        ``table``: costs are independent. ``plane``: they are distances between points. ``edges``: one supplier, one
        customer, both, equal costs, units of one, in turn.
        """
        rng = np.random.default_rng(seed)
        params = case.params
        m, n = params["suppliers"], params["customers"]
        if params["kind"] == "edges":
            m, n = [(1, 1), (1, n), (m, 1), (m, n), (m, m), (m, n)][seed % 6]
        costs = rng.integers(0, MOST + 1, size=(m, n))
        if params["kind"] == "plane":
            ends = rng.uniform(0.0, MOST / 1.5, size=(m + n, 2))
            costs = np.rint(np.linalg.norm(ends[:m, np.newaxis] - ends[np.newaxis, m:], axis=2)).astype(np.int64)
        if params["kind"] == "edges" and seed % 6 == 3:
            costs[:] = costs[0, 0]
        if params["kind"] == "edges" and seed % 6 == 4:
            ones = np.ones(m, dtype=np.int64)
            return {"costs": costs, "supplies": ones, "demands": ones.copy()}
        supplies, demands = _shares(rng, m, 500 * (m + n)), _shares(rng, n, 500 * (m + n))
        return {"costs": costs, "supplies": supplies, "demands": demands}

    def reference(self, problem: Problem) -> Output:
        """Send goods along shortest paths found by the method of Bellman and Ford, without prices; these come last."""
        costs, left, wanted = problem["costs"], problem["supplies"].copy(), problem["demands"].copy()
        flows = np.zeros_like(costs)
        while left.any():
            rows, columns, row_from, column_from = _distances(costs, flows, np.where(left > 0, 0, _FAR))
            column = int(np.argmin(np.where(wanted > 0, columns, _FAR)))
            path = [(int(column_from[column]), column, 1)]
            while row_from[path[-1][0]] >= 0:
                row, column = path[-1][0], int(row_from[path[-1][0]])
                path += [(row, column, -1), (int(column_from[column]), column, 1)]
            amount = min(left[path[-1][0]], wanted[path[0][1]], *(flows[i, j] for i, j, sign in path if sign < 0))
            left[path[-1][0]] -= amount
            wanted[path[0][1]] -= amount
            for i, j, sign in path:
                flows[i, j] += sign * amount
        rows, columns, _, _ = _distances(costs, flows, np.zeros_like(left))
        return flows, -rows, columns

    def check(self, problem: Problem, output: Output) -> None:
        """Flows that suit supplies and demands, prices that no cost is below, and the same sum of both: a proof."""
        costs, supplies, demands = problem["costs"], problem["supplies"], problem["demands"]
        if not isinstance(output, tuple | list) or len(output) != 3:
            raise WrongAnswer(f"the answer is a {type(output).__name__}, expected the tuple (flows, u, v)")
        shapes = zip(("flows", "u", "v"), output, (costs.shape, supplies.shape, demands.shape), strict=True)
        flows, u, v = (_array(name, value, shape) for name, value, shape in shapes)
        if not (flows.min() >= 0 and flows.max() <= supplies.max()):  # now no sum can run over
            raise WrongAnswer(f"a flow is {int(flows.min())} or {int(flows.max())}, expected 0 to the largest supply")
        for name, sums, right in (("row", flows.sum(axis=1), supplies), ("column", flows.sum(axis=0), demands)):
            if not np.array_equal(sums, right):
                at = int(np.argmax(sums != right))
                raise WrongAnswer(f"{name} {at} of the flows sums to {int(sums[at])}, expected {int(right[at])}")
        for name, prices in (("u", u), ("v", v)):
            if not (prices.min() >= -MOST_PRICE and prices.max() <= MOST_PRICE):
                raise WrongAnswer(f"a price in {name} is beyond 2**40, expected -2**40 to 2**40")
        above = np.add.outer(u, v) > costs
        if above.any():
            i, j = (int(index) for index in np.argwhere(above)[0])
            raise WrongAnswer(f"u[{i}] + v[{j}] is {int(u[i] + v[j])}, above the cost {int(costs[i, j])}")
        cost, value = int((costs * flows).sum()), int(supplies @ u) + int(demands @ v)
        if cost != value:
            raise WrongAnswer(f"the flows cost {cost}, the prices prove {value}; expected the same")


def _shares(rng: np.random.Generator, count: int, total: int) -> Array:
    """Return ``count`` whole numbers from 1 on with the sum ``total``, some much larger than others."""
    sizes = rng.exponential(size=count)
    return 1 + rng.multinomial(total - count, sizes / sizes.sum())


def _distances(costs: Array, flows: Array, start: Array) -> tuple[Array, Array, Array, Array]:
    """Return the distances of rows and columns in the residual network, and whence; ``start`` is that of the rows."""
    rows, row_from = start.copy(), np.full(len(start), -1)
    columns, column_from = np.full(costs.shape[1], 2 * _FAR), np.full(costs.shape[1], -1)
    back = np.where(flows > 0, -costs, _FAR)
    while True:
        through = rows[:, np.newaxis] + costs
        better = through.min(axis=0) < columns  # only what is better gets another predecessor: no path goes in circles
        columns[better] = through.min(axis=0)[better]
        column_from[better] = through.argmin(axis=0)[better]
        returned = columns + back
        least = returned.min(axis=1)
        better = least < rows
        if not better.any():
            return rows, columns, row_from, column_from
        rows[better] = least[better]
        row_from[better] = returned.argmin(axis=1)[better]


def _array(name: str, value: Any, shape: tuple[int, ...]) -> Array:
    if type(value) is not np.ndarray:
        raise WrongAnswer(f"{name} is a {type(value).__name__}, expected an int64 array of shape {shape}")
    if value.dtype != np.int64 or value.shape != shape:
        raise WrongAnswer(f"{name} is a {value.dtype} array of shape {value.shape}, expected int64 of shape {shape}")
    return value
