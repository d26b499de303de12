"""Runs inside the sandbox: feeds the requests one by one and asks ``keep`` which object leaves a full cache."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray


def run(entry: Callable[..., Any], requests: NDArray[np.int64], capacity: int) -> NDArray[np.int64]:
    """Return for each request the object that it pushed out of the cache, -1 where it was there or a place was free."""
    pushed = np.full(len(requests), -1, dtype=np.int64)
    place_of: dict[int, int] = {}
    seen: dict[int, int] = {}
    last: dict[int, int] = {}
    objects = [-1] * capacity
    used, came, uses, total, gaps = (np.zeros(capacity) for _ in range(5))
    for time, one in enumerate(requests.tolist()):
        place = place_of.get(one, -1)
        if place < 0:
            place = len(place_of)
            if place == capacity:
                values = (time - used, uses.copy(), total.copy(), gaps.copy(), time - came)
                place = _least(entry(*values), capacity, time)
                pushed[time] = objects[place]
                del place_of[objects[place]]
            place_of[one] = place
            objects[place] = one
            came[place], uses[place] = time, 0
        seen[one] = seen.get(one, 0) + 1
        gaps[place] = time - last[one] if one in last else np.inf
        last[one] = time
        used[place], total[place] = time, seen[one]
        uses[place] += 1
    return pushed


def _least(answer: Any, capacity: int, time: int) -> int:
    """Return the place with the least value, or say what is wrong with the answer."""
    values = answer if type(answer) is np.ndarray else np.asarray(answer)
    if values.shape != (capacity,):
        raise ValueError(
            f"keep at request {time} returned shape {values.shape}, expected ({capacity},): one per object"
        )
    if values.dtype.kind not in "fiub":
        raise TypeError(f"keep at request {time} returned {values.dtype} values; expected real numbers")
    place = int(values.argmin())
    if values[place] != values[place]:  # argmin stops at the first NaN
        raise ValueError(f"keep at request {time} returned NaN for the object in place {place}; expected numbers")
    return place
