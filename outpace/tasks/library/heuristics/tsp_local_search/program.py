"""Rule of a guided local search: which edges of a local optimum are to look longer from now on, and by how much."""

import numpy as np


# EVOLVE-BLOCK-START
def lengthen(tour: np.ndarray, lengths: np.ndarray, guided: np.ndarray) -> np.ndarray:
    """Guided local search as first published: penalise the edge that is longest for the penalties it has.

    tour: cities of the local optimum in order; edge i goes from tour[i] to the next, the last one back to tour[0].
    lengths: (n, n) true distances; the side of the square is 1.
    guided: (n, n) distances that the search goes by, with all that has been added so far.
    Returns n numbers: what is added to the guided length of each edge of the tour, for good.
    """
    after = np.roll(tour, -1)
    true = lengths[tour, after]
    step = 0.3 * true.mean()
    penalties = (guided[tour, after] - true) / step
    added = np.zeros(len(tour))
    added[np.argmax(true / (1.0 + penalties))] = step
    return added


# EVOLVE-BLOCK-END
