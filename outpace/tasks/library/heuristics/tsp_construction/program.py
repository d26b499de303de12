"""Rule for building a tour city by city: which one is next."""

import numpy as np


# EVOLVE-BLOCK-START
def next_city(current: int, start: int, unvisited: np.ndarray, distances: np.ndarray) -> int:
    """Nearest neighbour: the closest of the cities that are left.

    current: the city where the tour has got to.
    start: the city it began in and must return to.
    unvisited: numbers of the cities that are left, ascending, at least two.
    distances: (n, n) distances between all cities.
    """
    return unvisited[np.argmin(distances[current, unvisited])]


# EVOLVE-BLOCK-END
