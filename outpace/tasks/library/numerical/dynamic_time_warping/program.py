"""Dynamic time warping of two recordings, straight from the recurrence."""


# EVOLVE-BLOCK-START
def warping_distance(a, b):
    """Return the least cost of a warping path between ``a`` and ``b``, two arrays of whole numbers."""
    first = a.tolist()
    second = b.tolist()
    table = []
    for i in range(len(first)):
        row = []
        for j in range(len(second)):
            difference = first[i] - second[j]
            cost = difference * difference
            if i > 0 and j > 0:
                cost += min(table[i - 1][j - 1], table[i - 1][j], row[j - 1])
            elif i > 0:
                cost += table[i - 1][j]
            elif j > 0:
                cost += row[j - 1]
            row.append(cost)
        table.append(row)
    return table[-1][-1]


# EVOLVE-BLOCK-END
