"""Runs inside the sandbox: asks ``next_city`` for one city after the other."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def run(entry: Callable[..., Any], points: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the cities in the order of the tour, from city 0 on. The last one is not asked for: there is no choice."""
    distances = np.sqrt(((points[:, None, :] - points[None, :, :]) ** 2).sum(axis=2))
    distances.flags.writeable = False
    left = np.ones(len(points), dtype=bool)
    left[0] = False
    tour = np.zeros(len(points), dtype=np.int64)
    for place in range(1, len(points)):
        unvisited = np.flatnonzero(left)
        current = int(tour[place - 1])
        city = unvisited[0] if len(unvisited) == 1 else _city(entry(current, 0, unvisited, distances), left, current)
        tour[place] = city
        left[city] = False
    return tour


def _city(answer: Any, left: NDArray[np.bool_], current: int) -> int:
    """Return the chosen city, or say what is wrong with the answer."""
    if type(answer) is not int and not isinstance(answer, np.integer):
        raise TypeError(f"next_city(current={current}) returned a {type(answer).__name__}; expected a city, an int")
    city = int(answer)
    if not (0 <= city < len(left) and left[city]):
        raise ValueError(f"next_city(current={current}) returned {city}, which is none of the cities in unvisited")
    return city
