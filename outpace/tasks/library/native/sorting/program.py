# if 0  // C++ skips what follows; Python does not
"""Sorting whole numbers in C++17; the Python around it only hands over the addresses."""

import ctypes
import os

import numpy as np

CPP = """ "
#endif
// EVOLVE-BLOCK-START
#include <cstdint>
#include <vector>

static void merge_sort(int64_t *keys, int64_t *other, int64_t count) {
    if (count < 2) return;
    int64_t half = count / 2;
    merge_sort(keys, other, half);
    merge_sort(keys + half, other + half, count - half);
    int64_t left = 0, right = half;
    for (int64_t i = 0; i < count; i++)
        other[i] = right == count || (left < half && keys[left] <= keys[right]) ? keys[left++] : keys[right++];
    for (int64_t i = 0; i < count; i++) keys[i] = other[i];
}

// Put the keys in ascending order.
extern "C" void sort_keys(int64_t *keys, int64_t count) {
    std::vector<int64_t> other(count);
    merge_sort(keys, other.data(), count);
}
// EVOLVE-BLOCK-END
#if 0
" """

if "OUTPACE_BUILD" in os.environ:
    library = ctypes.CDLL(os.environ["OUTPACE_BUILD"] + "/sorting.so")


def sort_keys(keys):
    """Return the keys in ascending order; the input stays as it is."""
    found = np.array(keys, dtype=np.int64)
    library.sort_keys(ctypes.c_void_p(found.ctypes.data), ctypes.c_int64(len(found)))
    return found


# endif
