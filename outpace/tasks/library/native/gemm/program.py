# if 0  // C++ skips what follows; Python does not
"""The product of two matrices in C++17; the Python around it only hands over the addresses."""

import ctypes
import os

import numpy as np

CPP = """ "
#endif
// EVOLVE-BLOCK-START
#include <cstdint>

// c = a b, all in rows: a is m by k, b is k by n, c is m by n and holds anything at first.
extern "C" void gemm(const double *a, const double *b, double *c, int64_t m, int64_t k, int64_t n) {
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double total = 0.0;
            for (int64_t l = 0; l < k; l++) total += a[i * k + l] * b[l * n + j];
            c[i * n + j] = total;
        }
}
// EVOLVE-BLOCK-END
#if 0
" """

if "OUTPACE_BUILD" in os.environ:
    library = ctypes.CDLL(os.environ["OUTPACE_BUILD"] + "/gemm.so")


def multiply(a, b):
    """Return the product of two float64 matrices."""
    a, b = np.ascontiguousarray(a), np.ascontiguousarray(b)
    found = np.empty((a.shape[0], b.shape[1]))
    sizes = (a.shape[0], a.shape[1], b.shape[1])
    library.gemm(*(ctypes.c_void_p(part.ctypes.data) for part in (a, b, found)), *map(ctypes.c_int64, sizes))
    return found


# endif
