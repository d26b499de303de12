"""Rule of a cache: what each object in it is worth when one has to leave."""

import numpy as np


# EVOLVE-BLOCK-START
def keep(age: np.ndarray, uses: np.ndarray, seen: np.ndarray, gap: np.ndarray, stay: np.ndarray) -> np.ndarray:
    """Least recently used: the object that has not been asked for longest is worth least.

    One entry per object in the cache, all float64, times counted in requests:
    age: since it was last asked for, 1 or more.
    uses: how often it was asked for since it came into the cache, 1 or more.
    seen: how often it was ever asked for, also before it was last pushed out.
    gap: between its last two requests, also before it was pushed out; inf if there was only one.
    stay: since it came into the cache.
    Returns one value per object; the object with the least leaves, the first of equals.
    """
    return -age


# EVOLVE-BLOCK-END
