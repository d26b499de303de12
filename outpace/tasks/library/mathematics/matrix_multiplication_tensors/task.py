"""Trusted half of matrix multiplication: multiplies the factors out in whole complex numbers."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

Whole = NDArray[np.int64]
LARGEST = 64
"""No weight is larger. Sums of 64 products of three doubled weights stay below 2**32 then: nothing runs over."""
# fmt: off
STRASSEN = (
    ((1, 0, 0, 1), (0, 0, 1, 1), (1, 0, 0, 0), (0, 0, 0, 1), (1, 1, 0, 0), (-1, 0, 1, 0), (0, 1, 0, -1)),
    ((1, 0, 0, 1), (1, 0, 0, 0), (0, 1, 0, -1), (-1, 0, 1, 0), (0, 0, 0, 1), (1, 1, 0, 0), (0, 0, 1, 1)),
    ((1, 0, 0, 1), (0, 0, 1, -1), (0, 1, 0, 1), (1, 0, 1, 0), (-1, 1, 0, 0), (0, 0, 0, 1), (1, 0, 0, 0)),
)
# fmt: on
"""The weights of A, of B and of C in each of the seven multiplications (Strassen 1969)."""


class Task(spec.Task):
    """Problem: ``n`` and ``entries``, its square. Answer: U, V, W, a numeric array of shape (3, entries, R)."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Return the one problem of a size; the seed changes nothing."""
        n = int(case.params["n"])
        return {"n": n, "entries": n * n}

    def reference(self, problem: Problem) -> Output:
        """Return Strassen's way for blocks of an even size, and the schoolbook's for what is left over: 7, 26, 49."""
        return _strassen(problem["n"])

    def check(self, problem: Problem, output: Output) -> None:
        """Multiply out and compare with the tensor of the matrix product, entry by entry.

        Weights are halves of whole complex numbers of at most 64. Doubled, they are whole; real and imaginary parts are
        multiplied apart in 64 bits, which hold all sums for certain; the result must be 8 times the tensor. All of it
        is exact, so nearly right factors are wrong.
        """
        n: int = problem["n"]
        (u, ui), (v, vi), (w, wi) = zip(*_doubled(output, n), strict=True)
        pair, pair_i = _products(u, v) - _products(ui, vi), _products(u, vi) + _products(ui, v)
        real, imaginary = pair @ w.T - pair_i @ wi.T, pair @ wi.T + pair_i @ w.T
        entry = np.eye(n * n, dtype=np.int64).reshape(n, n, n * n)
        right = 8 * np.einsum("ija,jkb,ikc->abc", entry, entry, entry).reshape(n**4, n * n)
        off = (real != right) | (imaginary != 0)
        if off.any():
            first, c = (int(number) for number in np.argwhere(off)[0])
            place = f"entry {divmod(first // (n * n), n)} of A, {divmod(first % (n * n), n)} of B, {divmod(c, n)} of C"
            found = complex(real[first, c], imaginary[first, c]) / 8
            text = f"{place}: the factors give {found:g}, expected {right[first, c] // 8}"
            raise WrongAnswer(f"{text}; {int(off.sum())} of {off.size} entries are wrong")

    def score(self, problem: Problem, output: Output) -> float:
        """Return the number of multiplications; those with weights of 0 count, too."""
        return float(output.shape[2])


def _doubled(output: Any, n: int) -> tuple[Whole, Whole]:
    """Return real and imaginary parts of twice the factors as whole numbers."""
    if type(output) is not np.ndarray or output.dtype.kind not in "iufc" or output.shape[:-1] != (3, n * n):
        raise WrongAnswer(f"expected a numeric array of shape (3, {n * n}, multiplications)")
    if not 1 <= output.shape[2] <= n**3:
        raise WrongAnswer(f"there are {output.shape[2]} multiplications, expected 1 to {n**3}")
    factors = output.astype(np.complex128)
    if not np.all(np.abs(factors) <= LARGEST):
        raise WrongAnswer(f"a weight is NaN or above {LARGEST} in absolute value")
    doubled = 2 * factors
    whole = (doubled.real == np.rint(doubled.real)) & (doubled.imag == np.rint(doubled.imag))
    if not whole.all():
        factor, row, column = (int(number) for number in np.argwhere(~whole)[0])
        place = f"the weight in factor {'UVW'[factor]}, row {row}, column {column}"
        raise WrongAnswer(f"{place} is {factors[factor, row, column]}, expected whole numbers or halves of them")
    return doubled.real.astype(np.int64), doubled.imag.astype(np.int64)


def _products(u: Whole, v: Whole) -> Whole:
    """Return all products of a row of ``u`` and a row of ``v``, one row a pair."""
    return (u[:, None, :] * v[None, :, :]).reshape(-1, u.shape[1])


def _strassen(n: int) -> Whole:
    if n == 1:
        return np.ones((3, 1, 1), dtype=np.int64)
    if n % 2 == 0:
        return _nested(np.array(STRASSEN).transpose(0, 2, 1), _strassen(n // 2), n // 2)
    inner = _strassen(n - 1)
    places = [(i, j, k) for i in range(n) for j in range(n) for k in range(n) if n - 1 in (i, j, k)]
    factors = np.zeros((3, n, n, inner.shape[2] + len(places)), dtype=np.int64)
    factors[:, :-1, :-1, : inner.shape[2]] = inner.reshape(3, n - 1, n - 1, -1)
    for r, (i, j, k) in enumerate(places, inner.shape[2]):
        factors[0, i, j, r] = factors[1, j, k, r] = factors[2, i, k, r] = 1
    return factors.reshape(3, n * n, -1)


def _nested(outer: Whole, inner: Whole, m: int) -> Whole:
    """Return the way for 2 x 2 blocks of m x m matrices: every product of the outer way is done by the inner one."""
    blocks: Whole = np.einsum("fpqr,fijs->fpiqjrs", outer.reshape(3, 2, 2, -1), inner.reshape(3, m, m, -1))
    return blocks.reshape(3, 4 * m * m, -1)
