"""Orders jobs that all pass through the same machines, so that the last one is done early."""

import numpy as np


def insertions(times: np.ndarray, sequence: list[int], job: int) -> np.ndarray:
    """Return the makespans of ``sequence`` with ``job`` inserted before its item 0, 1, … and at its end.

    All of them together cost about as much as one, by Taillard's method: when each machine is done with the jobs before
    the place, and how long it takes from the jobs behind it on.
    """
    jobs, machines = len(sequence), times.shape[1]
    heads = np.zeros((jobs + 1, machines), dtype=np.int64)  # when each machine is done with the first i jobs
    tails = np.zeros((jobs + 1, machines), dtype=np.int64)  # how long from the start of job i there to the end
    for sums, ordered, turn in ((heads, sequence, 1), (tails, sequence[::-1], -1)):
        rows = times[ordered][:, ::turn].tolist()
        done = [0] * machines
        for i, row in enumerate(rows):
            before = 0
            for m, time in enumerate(row):
                before = max(before, done[m]) + time
                done[m] = before
            sums[i + 1] = done
    tails = tails[::-1, ::-1]
    ends = np.zeros(jobs + 1, dtype=np.int64)
    longest = np.zeros(jobs + 1, dtype=np.int64)
    for m in range(machines):
        ends = np.maximum(ends, heads[:, m]) + times[job, m]
        longest = np.maximum(longest, ends + tails[:, m])
    return longest


# EVOLVE-BLOCK-START
def schedule(times: np.ndarray) -> np.ndarray:
    """NEH: the jobs with most work first, each at the place in the sequence where the makespan stays least.

    times: (jobs, machines) processing times.
    Returns the job numbers in the order in which all machines work on them.
    """
    sequence: list[int] = []
    for job in np.argsort(-times.sum(axis=1), kind="stable").tolist():
        sequence.insert(int(np.argmin(insertions(times, sequence, job))), job)
    return np.array(sequence)


# EVOLVE-BLOCK-END
