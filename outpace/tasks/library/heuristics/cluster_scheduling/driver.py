"""Runs inside the sandbox: plays the cluster forward and asks ``priority`` which job to start where."""

import heapq
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


def run(entry: Callable[..., Any], arrivals: Ints, durations: Ints, demands: Ints, machines: Ints) -> Ints:
    """Return the start and the machine of each job, (jobs, 2).

    The rule is asked whenever jobs have arrived or ended and some waiting job fits somewhere, and again after each job
    that it starts. A job that has been started runs to its end on its machine.
    """
    plan = np.zeros((len(arrivals), 2), dtype=np.int64)
    free = machines.copy()
    waiting: list[int] = []
    running: list[tuple[int, int]] = []  # end and number of each job
    came, moments = 0, arrivals.tolist()
    while came < len(moments) or waiting:
        if came == len(moments) and not running:
            raise ValueError(f"priority lets {len(waiting)} jobs wait although nothing runs; start one")
        nexts = ([running[0][0]] if running else []) + moments[came : came + 1]
        now = int(min(nexts))
        while running and running[0][0] == now:
            job = heapq.heappop(running)[1]
            free[plan[job, 1]] += demands[job]
        while came < len(moments) and moments[came] == now:
            waiting.append(came)
            came += 1
        while waiting:
            asked = np.array(waiting)
            fits = (demands[asked][:, None, :] <= free[None, :, :]).all(axis=2)
            if not fits.any():
                break
            jobs = np.column_stack([now - arrivals[asked], durations[asked], demands[asked]]).astype(np.float64)
            chosen = _chosen(entry(jobs, np.hstack([free, machines]).astype(np.float64)), fits, now)
            if chosen is None:
                break
            job = waiting.pop(chosen[0])
            plan[job] = now, chosen[1]
            free[chosen[1]] -= demands[job]
            heapq.heappush(running, (now + int(durations[job]), job))
    return plan


def _chosen(answer: Any, fits: NDArray[np.bool_], now: int) -> tuple[int, int] | None:
    """Return the pair of waiting job and machine with the highest priority, None for waiting, or say what is wrong."""
    priorities = answer if type(answer) is np.ndarray else np.asarray(answer)
    if priorities.shape != fits.shape:
        raise ValueError(
            f"priority at time {now} returned shape {priorities.shape}, expected {fits.shape}: jobs by machines"
        )
    if priorities.dtype.kind not in "fiub":
        raise TypeError(f"priority at time {now} returned {priorities.dtype} values; expected real numbers")
    allowed = np.where(fits, priorities, -np.inf)
    job, machine = divmod(int(allowed.argmax()), fits.shape[1])
    best = float(allowed[job, machine])
    if math.isnan(best):  # argmax stops at the first NaN
        raise ValueError(f"priority at time {now} returned NaN for waiting job {job} on machine {machine}")
    return None if best == -math.inf else (job, machine)
