"""Lloyd's method for k-means on whole numbers, in plain loops."""

import numpy as np


# EVOLVE-BLOCK-START
def k_means(points, centres, rounds):
    """Return the labels of the last round and the centres after it; the inputs stay as they are.

    points: int64 (n, d); centres: int64 (k, d). Ties go to the lowest index, means are rounded down, and a centre
    without points stays.
    """
    rows = points.tolist()
    where = centres.tolist()
    dimensions = range(points.shape[1])
    labels = [0] * len(rows)
    for _ in range(rounds):
        sums = [[0 for _ in dimensions] for _ in where]
        counts = [0] * len(where)
        for i, row in enumerate(rows):
            nearest = 0
            least = None
            for c, centre in enumerate(where):
                distance = 0
                for axis in dimensions:
                    difference = row[axis] - centre[axis]
                    distance += difference * difference
                if least is None or distance < least:
                    least = distance
                    nearest = c
            labels[i] = nearest
            counts[nearest] += 1
            for axis in dimensions:
                sums[nearest][axis] += row[axis]
        for c, count in enumerate(counts):
            if count:
                where[c] = [total // count for total in sums[c]]
    return np.array(labels, dtype=np.int64), np.array(where, dtype=np.int64)


# EVOLVE-BLOCK-END
