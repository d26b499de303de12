"""PageRank by power iteration, in plain loops."""

import numpy as np


# EVOLVE-BLOCK-START
def pagerank(indptr, indices, damping):
    """Return the rank of every page; page i links to ``indices[indptr[i]:indptr[i + 1]]``."""
    n = len(indptr) - 1
    starts = indptr.tolist()
    targets = indices.tolist()
    ranks = [1.0 / n] * n
    change = 1.0
    while change > 5e-11 * (1.0 - damping):
        stranded = 0.0
        arrived = [0.0] * n
        for i in range(n):
            links = starts[i + 1] - starts[i]
            if links == 0:
                stranded += ranks[i]
            else:
                share = ranks[i] / links
                for k in range(starts[i], starts[i + 1]):
                    arrived[targets[k]] += share
        everywhere = (1.0 - damping + damping * stranded) / n
        change = 0.0
        for j in range(n):
            new = everywhere + damping * arrived[j]
            change += abs(new - ranks[j])
            ranks[j] = new
    return np.array(ranks)


# EVOLVE-BLOCK-END
