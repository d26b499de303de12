"""Counts inversions by looking at every pair."""

import numpy as np

# What stands between the two markers may be changed by whoever proposes; everything else stays as it is. So keep
# imports and whatever must not change outside. The entry itself may stand inside, as it does here.


# EVOLVE-BLOCK-START
def inversions(values: np.ndarray) -> int:
    """Return the number of pairs i < j with values[i] > values[j]."""
    count = 0
    for i in range(len(values)):
        for j in range(i + 1, len(values)):
            if values[i] > values[j]:
                count += 1
    return count


# EVOLVE-BLOCK-END
