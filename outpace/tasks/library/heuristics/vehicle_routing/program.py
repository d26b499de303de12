"""Routes for vehicles that serve customers from one depot."""

import numpy as np


# EVOLVE-BLOCK-START
def routes(depot: np.ndarray, customers: np.ndarray, demands: np.ndarray, capacity: int) -> list[list[int]]:
    """Nearest neighbour: go to the closest customer whose demand still fits, and home when there is none.

    depot: (2,) coordinates; customers: (n, 2); demands: (n,) whole numbers, none above capacity.
    Returns a list of routes; each lists the numbers of its customers in order, without the depot.
    """
    left = np.ones(len(customers), dtype=bool)
    planned: list[list[int]] = []
    while left.any():
        route: list[int] = []
        place, room = depot, capacity
        while True:
            fitting = np.flatnonzero(left & (demands <= room))
            if len(fitting) == 0:
                break
            distances = np.sqrt(((customers[fitting] - place) ** 2).sum(axis=1))
            customer = int(fitting[np.argmin(distances)])
            route.append(customer)
            left[customer] = False
            place, room = customers[customer], room - int(demands[customer])
        planned.append(route)
    return planned


# EVOLVE-BLOCK-END
