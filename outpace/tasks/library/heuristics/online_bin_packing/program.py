"""Priority rule for online bin packing: an item goes to the bin with the highest priority."""

import numpy as np


# EVOLVE-BLOCK-START
def priority(item: float, bins: np.ndarray) -> np.ndarray:
    """Best Fit: the bin that would be left with the least room.

    item: size of the item that has just arrived.
    bins: remaining capacities of the bins it fits into, ascending, a new bin last.
    Returns one priority per bin; the highest wins, the first of equals.
    """
    return -(bins - item)


# EVOLVE-BLOCK-END
