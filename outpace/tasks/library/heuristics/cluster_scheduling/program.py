"""Rule for a cluster: which waiting job starts next, and on which machine."""

import numpy as np


# EVOLVE-BLOCK-START
def priority(jobs: np.ndarray, machines: np.ndarray) -> np.ndarray:
    """First come, first served among the jobs that fit, each on the machine with the least room.

    jobs: (k, 4) waiting jobs, those that came first come first: time waited, duration, cores and memory needed.
    machines: (m, 4): free cores, free memory, all cores, all memory.
    Returns (k, m) priorities; the highest pair that fits starts now. -inf: better wait.
    """
    waited = jobs[:, 0]
    room = machines[:, 0] / machines[:, 2] + machines[:, 1] / machines[:, 3]
    return waited[:, None] - 0.1 * room[None, :]


# EVOLVE-BLOCK-END
