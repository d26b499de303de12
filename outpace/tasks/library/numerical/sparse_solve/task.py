"""Trusted half of sparse_solve: draws matrices of resistor networks, and judges by the residual alone."""

import math

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

Pairs = tuple[NDArray[np.int64], NDArray[np.int64]]

TOLERANCE = 1e-10
"""Allowed norm of the residual, as a part of the norm of the right-hand side.

Over 20 seeds of every case elimination reaches 4e-14, in single precision 3e-6 to 9e-6. Conjugate gradients that stop
at 1e-11 are off by 2e-11 of the largest number: condition numbers are about 4000.
"""
LOSS = 1e-2
"""What every node loses, as a part of the mean conductance: it bounds the condition number."""


class Task(spec.Task):
    """Problem: A in compressed sparse rows and the right-hand side. Answer: x with A x = b, (n,) float64."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw a network of nodes that are joined by conductances of 0.01 to 100, and number the nodes at random.

        ``grid``: a rectangle of about ``nodes``; ``graph``: a ring and as many random links; ``edges``: every corner in
        turn, with a matrix that is diagonal, one with a single row, and a right-hand side of zeros.
        """
        rng = np.random.default_rng(seed)
        nodes, kind = case.params["nodes"], case.params["kind"]
        if kind == "grid":
            rows = round(math.sqrt(nodes * rng.uniform(0.6, 1.0)))
            nodes = rows * (nodes // rows)
            ends = _grid(rows, nodes // rows)
        else:
            nodes = 1 if kind == "edges" and seed % 4 == 0 else nodes
            ends = _graph(rng, nodes)
        conductances = 10.0 ** rng.uniform(-2.0, 2.0, size=len(ends[0]))
        if kind == "edges" and seed % 4 == 1:
            ends, conductances = (ends[0][:0], ends[1][:0]), conductances[:0]
        order = rng.permutation(nodes)
        indptr, indices, values = _matrix(nodes, order[ends[0]], order[ends[1]], conductances, rng)
        rhs = rng.normal(size=nodes)
        if kind == "edges" and seed % 4 == 2:
            rhs[:] = 0.0
        return {"indptr": indptr, "indices": indices, "values": values, "rhs": rhs}

    def reference(self, problem: Problem) -> Output:
        """Solve the dense system by elimination."""
        dense = np.zeros((len(problem["rhs"]),) * 2)
        dense[_rows(problem), problem["indices"]] = problem["values"]
        return np.linalg.solve(dense, problem["rhs"])

    def check(self, problem: Problem, output: Output) -> None:
        """Type and shape, then the residual; a right-hand side of zeros leaves only zeros."""
        rhs = problem["rhs"]
        if type(output) is not np.ndarray or output.dtype != np.float64 or output.shape != rhs.shape:
            raise WrongAnswer(f"expected a float64 array of shape {rhs.shape}, got {_shown(output)}")
        with np.errstate(over="ignore", invalid="ignore"):  # numbers that are too large fail the comparison
            products = problem["values"] * output[problem["indices"]]
            residual = rhs - np.bincount(_rows(problem), weights=products, minlength=len(rhs))
            off, allowed = float(np.linalg.norm(residual)), TOLERANCE * float(np.linalg.norm(rhs))
        if not off <= allowed:
            raise WrongAnswer(f"the residual b - A x has the norm {off:.2e}, expected at most {allowed:.2e}")


def _grid(rows: int, columns: int) -> Pairs:
    numbers = np.arange(rows * columns, dtype=np.int64).reshape(rows, columns)
    first = np.concatenate([numbers[:, :-1].ravel(), numbers[:-1].ravel()])
    second = np.concatenate([numbers[:, 1:].ravel(), numbers[1:].ravel()])
    return first, second


def _graph(rng: np.random.Generator, nodes: int) -> Pairs:
    """Return a ring through all nodes and as many random links again, each pair once."""
    ring = np.arange(nodes, dtype=np.int64)
    first = np.concatenate([ring, rng.integers(0, nodes, size=nodes)])
    second = np.concatenate([(ring + 1) % nodes, rng.integers(0, nodes, size=nodes)])
    low, high = np.minimum(first, second), np.maximum(first, second)
    pairs = np.unique(low[low < high] * nodes + high[low < high])
    return pairs // nodes, pairs % nodes


def _matrix(
    nodes: int,
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    conductances: NDArray[np.float64],
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    """Return indptr, indices and values of a network's matrix; the diagonal sums up conductances and a loss."""
    loss = LOSS * (float(conductances.mean()) if len(conductances) else 1.0)
    diagonal = loss * rng.uniform(0.5, 1.5, size=nodes)
    for ends in (first, second):
        diagonal += np.bincount(ends, weights=conductances, minlength=nodes)
    every = np.arange(nodes, dtype=np.int64)
    rows = np.concatenate([first, second, every])
    columns = np.concatenate([second, first, every])
    values = np.concatenate([-conductances, -conductances, diagonal])
    order = np.lexsort((columns, rows))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=nodes))]).astype(np.int64)
    return indptr, columns[order], values[order]


def _rows(problem: Problem) -> NDArray[np.int64]:
    return np.repeat(np.arange(len(problem["rhs"])), np.diff(problem["indptr"]))


def _shown(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"a {value.dtype} array of shape {value.shape}"
    return f"a {type(value).__name__}"
