"""Trusted half of pagerank: draws graphs, and judges ranks by the equations that define them."""

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

Array = NDArray[np.float64]

TOLERANCE = 1e-10
"""Allowed sum of all errors.

The map from ranks to the right-hand side of their equations shrinks sums of differences by ``damping`` at least. So
ranks that differ from their right-hand side by r in sum are off by r / (1 - damping) at most: what is accepted is
proved right, whatever the graph. Right ranks rounded to single precision are off by 2e-8.
"""


class Task(spec.Task):
    """Problem: the links of all pages, and the damping. Answer: the rank of every page, (n,) float64."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw a graph in which some pages are linked to far more than others, and some link to nothing.

        Numbers of links are geometric, what they lead to has a Pareto distribution, so ranks span some powers of ten
        and the links in do not tell them; the part ``near`` of them stays in the neighbourhood, which makes iterations
        slow. Then the pages get numbers at random. ``dangling`` is the part of pages without links. ``edges``: one
        page, no link at all, one ring, a star, a page that links to itself only, in turn.
        """
        rng = np.random.default_rng(seed)
        params = case.params
        pages = params["pages"]
        damping = float(rng.uniform(0.82, 0.9))
        if params["kind"] == "edges" and seed % 6 < 5:
            return {**_edges(pages, seed % 6), "damping": damping}
        popular = rng.pareto(1.2, size=pages) + 0.1
        counts = rng.geometric(1.0 / params["links"], size=pages)
        counts[rng.random(pages) < params["dangling"]] = 0
        sources = np.repeat(np.arange(pages), np.minimum(counts, pages))
        targets = rng.choice(pages, size=len(sources), p=popular / popular.sum())
        near = rng.random(len(sources)) < params["near"]
        targets[near] = (sources + rng.integers(-4, 5, size=len(sources)))[near] % pages
        names = rng.permutation(pages)
        sources, targets = names[sources], names[targets]
        return {**_csr(pages, sources, targets), "damping": damping}

    def reference(self, problem: Problem) -> Output:
        """Iterate with whole arrays until nothing moves."""
        ranks = np.full(len(problem["indptr"]) - 1, 1.0 / (len(problem["indptr"]) - 1))
        change = 1.0
        while change > 1e-13 * (1.0 - problem["damping"]):
            new = _once(problem, ranks)
            change, ranks = float(np.abs(new - ranks).sum()), new
        return ranks

    def check(self, problem: Problem, output: Output) -> None:
        """Type and shape, then the two sides of the equations."""
        shape = (len(problem["indptr"]) - 1,)
        if type(output) is not np.ndarray or output.dtype != np.float64 or output.shape != shape:
            raise WrongAnswer(f"expected a float64 array of shape {shape}, got {_shown(output)}")
        with np.errstate(over="ignore", invalid="ignore"):  # numbers that are too large fail the comparison
            bound = float(np.abs(_once(problem, output) - output).sum()) / (1.0 - problem["damping"])
        if not bound <= TOLERANCE:
            raise WrongAnswer(f"the errors may be {bound:.2e} in sum, expected at most {TOLERANCE:.0e}")


def _once(problem: Problem, ranks: Array) -> Array:
    """Return the right-hand sides of the equations."""
    links = np.diff(problem["indptr"])
    shares = np.repeat(ranks / np.maximum(links, 1), links)
    arrived = np.bincount(problem["indices"], weights=shares, minlength=len(ranks))
    stranded = float(ranks[links == 0].sum())
    damping = problem["damping"]
    return np.asarray((1.0 - damping) / len(ranks) + damping * (arrived + stranded / len(ranks)))


def _csr(pages: int, sources: NDArray[np.int64], targets: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Return the links in compressed rows, each pair once."""
    pairs = np.unique(sources * pages + targets)
    counts = np.bincount(pairs // pages, minlength=pages)
    return {"indptr": np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), "indices": pairs % pages}


def _edges(pages: int, kind: int) -> dict[str, NDArray[np.int64]]:
    every = np.arange(pages, dtype=np.int64)
    none = every[:0]
    if kind == 0:
        return _csr(1, none, none)
    links = [(none, none), (every, (every + 1) % pages), (every[1:], 0 * every[1:]), (every, np.minimum(every, 1))]
    return _csr(pages, *links[kind - 1])


def _shown(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"a {value.dtype} array of shape {value.shape}"
    return f"a {type(value).__name__}"
