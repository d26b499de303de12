"""The kernels: which steps there are, in which orders they may be done, and which words each one touches."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Kernel:
    """``required``: the steps as a table of flags by their three numbers.

    ``places`` tells which words the steps touch, in order: addresses, (steps, words), from the rows (steps, 3).
    ``late`` tells which steps come too early: flags from the time at which each step is done, by its three numbers.
    """

    required: NDArray[np.bool_]
    places: Callable[[Numbers], Numbers]
    late: Callable[[Numbers], NDArray[np.bool_]]


def kernel(name: str, n: int, m: int) -> Kernel:
    """Return one of the four kernels in a size."""
    return {"product": _product, "substitution": _substitution, "elimination": _elimination, "stencil": _stencil}[name](
        n, m
    )


def _product(n: int, m: int) -> Kernel:
    """C[i, j] += A[i, k] B[k, j], in any order."""

    def places(steps: Numbers) -> Numbers:
        i, j, k = steps.T
        return np.stack([i * n + k, n * n + k * n + j, 2 * n * n + i * n + j], axis=1)

    required = np.ones((n, n, n), dtype=bool)
    return Kernel(required, places, lambda times: np.zeros_like(required))


def _substitution(n: int, m: int) -> Kernel:
    """X[i, j] -= L[i, k] X[k, j] for k < i; X[k, j] must be complete."""
    i, _, k = np.ogrid[:n, :m, :n]
    required = np.broadcast_to(k < i, (n, m, n)).copy()

    def places(steps: Numbers) -> Numbers:
        i, j, k = steps.T
        return np.stack([i * n + k, n * n + k * m + j, n * n + i * m + j], axis=1)

    def late(times: Numbers) -> NDArray[np.bool_]:
        complete = np.where(required, times, -1).max(axis=2)  # of X[i, j]
        return np.asarray(required & ~(times > complete.T[None, :, :]))

    return Kernel(required, places, late)


def _elimination(n: int, m: int) -> Kernel:
    """A[i, j] -= A[i, k] A[k, j] for k below i and j; A[i, k] and A[k, j] must be complete."""
    i, j, k = np.ogrid[:n, :n, :n]
    required = (k < i) & (k < j)

    def places(steps: Numbers) -> Numbers:
        i, j, k = steps.T
        return np.stack([i * n + k, k * n + j, i * n + j], axis=1)

    def late(times: Numbers) -> NDArray[np.bool_]:
        complete = np.where(required, times, -1).max(axis=2)  # of A[i, j]
        return np.asarray(required & ~((times > complete[:, None, :]) & (times > complete.T[None, :, :])))

    return Kernel(required, places, late)


def _stencil(n: int, m: int) -> Kernel:
    """Sweep t writes U[t % 2, i, j] from U[1 - t % 2] at (i, j) and its four neighbours, which sweep t - 1 has written.

    That is all: what sweep t overwrites was last read by the same five steps of sweep t - 1.
    """
    t, i, j = np.ogrid[: m + 1, :n, :n]
    required = (t >= 1) & (i >= 1) & (i < n - 1) & (j >= 1) & (j < n - 1)
    near = ((-1, 0), (0, -1), (0, 0), (0, 1), (1, 0))

    def places(steps: Numbers) -> Numbers:
        t, i, j = steps.T
        source, target = (1 - t % 2) * n * n, t % 2 * n * n
        return np.stack([*(source + (i + di) * n + j + dj for di, dj in near), target + i * n + j], axis=1)

    def late(times: Numbers) -> NDArray[np.bool_]:
        done = np.where(required, times, -1)
        found = np.zeros_like(required)
        for di, dj in near:
            before = np.roll(done[:-1], (-di, -dj), axis=(1, 2))
            found[1:] |= ~(times[1:] > before)
        return required & found

    return Kernel(required, places, late)
