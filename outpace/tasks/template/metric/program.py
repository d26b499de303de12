"""Orders jobs on one machine by a priority rule."""

import numpy as np

# What stands between the two markers may be changed by whoever proposes; everything else stays as it is. So keep
# imports and whatever must not change outside, and make sure that the entry uses something from inside.


# EVOLVE-BLOCK-START
def priority(durations: np.ndarray, due_dates: np.ndarray, weights: np.ndarray, time: float) -> np.ndarray:
    """Return one number per waiting job; the highest is next. This rule: the job that is due first."""
    return -due_dates


# EVOLVE-BLOCK-END


def order(durations: np.ndarray, due_dates: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the numbers of the jobs in the order in which they are done."""
    waiting = np.arange(len(durations))
    done = []
    time = 0.0
    while len(waiting):
        best = int(np.argmax(priority(durations[waiting], due_dates[waiting], weights[waiting], time)))
        done.append(waiting[best])
        time += float(durations[waiting[best]])
        waiting = np.delete(waiting, best)
    return np.array(done)
