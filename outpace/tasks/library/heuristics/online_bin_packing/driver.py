"""Runs inside the sandbox: feeds the items to ``priority`` one by one and keeps the bins."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def run(entry: Callable[..., Any], items: NDArray[np.int64], capacity: int) -> NDArray[np.int64]:
    """Return for each item the number of the bin it went to; bins are numbered from 0 as they are opened.

    Bins of equal remaining capacity are alike to the rule, so ``bins_at[r]`` keeps their numbers and ``present[r]``
    tells whether there are any. Of those the one used last takes the item, which changes nothing for what comes.
    """
    sizes: list[int] = items.tolist()
    levels = np.arange(capacity + 1, dtype=np.float64)
    present = np.zeros(capacity + 1, dtype=bool)
    present[capacity] = True  # a new bin can always be had
    bins_at: list[list[int]] = [[] for _ in range(capacity + 1)]
    packing = np.empty(len(sizes), dtype=np.int64)
    opened = 0
    for number, size in enumerate(sizes):
        bins = levels[size:][present[size:]]
        index = _chosen(entry(float(size), bins), bins.shape, size)
        level = int(levels[size:][present[size:]][index])  # not from ``bins``: the rule may have written into it
        if level == capacity:
            bin_number = opened
            opened += 1
        else:
            bin_number = bins_at[level].pop()
            if not bins_at[level]:
                present[level] = False
        packing[number] = bin_number
        left = level - size
        bins_at[left].append(bin_number)
        present[left] = True
    return packing


def _chosen(answer: Any, shape: tuple[int, ...], size: int) -> int:
    """Return the index of the highest priority, or say what is wrong with the answer."""
    priorities = answer if type(answer) is np.ndarray else np.asarray(answer)
    if priorities.shape != shape:
        raise ValueError(
            f"priority(item={size}) for bins of shape {shape} returned shape {priorities.shape}, expected one per bin"
        )
    if priorities.dtype.kind not in "fiub":
        raise TypeError(f"priority(item={size}) returned {priorities.dtype} values; expected real numbers")
    index = int(priorities.argmax())
    if priorities[index] != priorities[index]:  # argmax stops at the first NaN
        raise ValueError(f"priority(item={size}) returned NaN for the bin at index {index}; expected numbers")
    return index
