# if 0  // C++ skips what follows; Python does not
"""Counting values between uneven edges in C++17; the Python around it only hands over the addresses."""

import ctypes
import os

import numpy as np

CPP = """ "
#endif
// EVOLVE-BLOCK-START
#include <cstdint>

// Add to counts[i] the number of values with edges[i] <= value < edges[i + 1], for all bins but the last;
// the last one takes its upper edge as well. Values outside all bins are left out.
extern "C" void histogram(const double *values, int64_t count, const double *edges, int64_t bins, int64_t *counts) {
    for (int64_t i = 0; i < count; i++) {
        double value = values[i];
        if (value < edges[0] || value > edges[bins]) continue;
        int64_t low = 0, high = bins;
        while (high - low > 1) {
            int64_t middle = (low + high) / 2;
            if (value < edges[middle]) high = middle;
            else low = middle;
        }
        counts[low]++;
    }
}
// EVOLVE-BLOCK-END
#if 0
" """

if "OUTPACE_BUILD" in os.environ:
    library = ctypes.CDLL(os.environ["OUTPACE_BUILD"] + "/histogram.so")


def histogram(values, edges):
    """Return how many values lie in each bin, an int64 array one shorter than ``edges``."""
    counts = np.zeros(len(edges) - 1, dtype=np.int64)
    values, edges = np.ascontiguousarray(values), np.ascontiguousarray(edges)
    data, bounds, target = (ctypes.c_void_p(part.ctypes.data) for part in (values, edges, counts))
    library.histogram(data, ctypes.c_int64(len(values)), bounds, ctypes.c_int64(len(counts)), target)
    return counts


# endif
