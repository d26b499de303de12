"""Sparse symmetric positive definite systems by the method of conjugate gradients, in plain loops."""

import numpy as np


# EVOLVE-BLOCK-START
def solve(indptr, indices, values, rhs):
    """Return x with A x = rhs; A has the entries ``values`` in compressed sparse rows."""
    n = len(rhs)
    starts = indptr.tolist()
    columns = indices.tolist()
    entries = values.tolist()
    x = [0.0] * n
    r = rhs.tolist()
    p = r[:]
    rr = sum(value * value for value in r)
    enough = 1e-22 * rr
    while rr > enough:
        ap = []
        for i in range(n):
            total = 0.0
            for k in range(starts[i], starts[i + 1]):
                total += entries[k] * p[columns[k]]
            ap.append(total)
        alpha = rr / sum(p[i] * ap[i] for i in range(n))
        for i in range(n):
            x[i] += alpha * p[i]
            r[i] -= alpha * ap[i]
        before = rr
        rr = sum(value * value for value in r)
        beta = rr / before
        for i in range(n):
            p[i] = r[i] + beta * p[i]
    return np.array(x)


# EVOLVE-BLOCK-END
