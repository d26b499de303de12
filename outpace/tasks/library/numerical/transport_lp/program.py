"""The transportation problem by successive shortest paths with potentials."""

import numpy as np

FAR = 1 << 60


# EVOLVE-BLOCK-START
def transport(costs, supplies, demands):
    """Return the cheapest flows, and prices of suppliers and customers that prove it.

    Goods go along a shortest path from any supplier with something left to any customer who wants more; the path may
    take back what was sent before. The prices keep the costs of all arcs at 0 or above.
    """
    m, n = costs.shape
    cost = costs.tolist()
    left = supplies.tolist()
    wanted = demands.tolist()
    flows = [[0] * n for _ in range(m)]
    prices = [0] * m, [0] * n
    while any(left):
        end, distances, row_from, column_from = shortest(cost, flows, left, wanted, prices)
        for price, distance in zip(prices, distances, strict=True):
            for k in range(len(price)):
                price[k] += min(distance[k], distances[1][end])
        path = [(column_from[end], end)]
        amount = wanted[end]
        while row_from[path[-1][0]] >= 0:
            row = path[-1][0]
            amount = min(amount, flows[row][row_from[row]])
            path.append((column_from[row_from[row]], row_from[row]))
        first = path[-1][0]
        amount = min(amount, left[first])
        left[first] -= amount
        wanted[end] -= amount
        for row, column in path:
            flows[row][column] += amount
            if row_from[row] >= 0:
                flows[row][row_from[row]] -= amount
    return np.array(flows, dtype=np.int64), -np.array(prices[0], dtype=np.int64), np.array(prices[1], dtype=np.int64)


def shortest(cost, flows, left, wanted, prices):
    """Return the nearest customer who wants more, all distances that count, and whence each node is reached."""
    m, n = len(left), len(wanted)
    rows, columns = [0 if amount else FAR for amount in left], [FAR] * n
    row_from, column_from = [-1] * m, [-1] * n
    row_open, column_open = [True] * m, [True] * n
    while True:
        i = nearest(rows, row_open)
        j = nearest(columns, column_open)
        if i >= 0 and (j < 0 or rows[i] <= columns[j]):
            row_open[i] = False
            begin = rows[i] + prices[0][i]
            for k in range(n):
                distance = begin + cost[i][k] - prices[1][k]
                if distance < columns[k]:
                    columns[k] = distance
                    column_from[k] = i
            continue
        if wanted[j]:
            return j, (rows, columns), row_from, column_from
        column_open[j] = False
        for k in range(m):
            if flows[k][j] and columns[j] < rows[k]:  # an arc in use costs 0 at these prices
                rows[k] = columns[j]
                row_from[k] = j


def nearest(distances, still_open):
    """Return the open node with the least distance, -1 if none can be reached."""
    least, place = FAR, -1
    for k, distance in enumerate(distances):
        if still_open[k] and distance < least:
            least, place = distance, k
    return place


# EVOLVE-BLOCK-END
