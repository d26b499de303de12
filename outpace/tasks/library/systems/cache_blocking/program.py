"""Orders the steps of small kernels for a cache; the score is misses per 1000 steps."""

import numpy as np


def misses(steps: np.ndarray, kernel: str, n: int, m: int, cache: tuple[int, int, int]) -> float:
    """Return the misses per 1000 steps, as the judge counts them; cache: line, sets, ways. 10,000 steps take 10 ms."""
    line, sets, ways = cache
    a, b, c = np.asarray(steps).T
    if kernel == "product":
        words = [a * n + c, n * n + c * n + b, 2 * n * n + a * n + b]
    elif kernel == "substitution":
        words = [a * n + c, n * n + c * m + b, n * n + a * m + b]
    elif kernel == "elimination":
        words = [a * n + c, c * n + b, a * n + b]
    else:
        near = ((-1, 0), (0, -1), (0, 0), (0, 1), (1, 0))
        words = [(1 - a % 2) * n * n + (b + i) * n + c + j for i, j in near] + [a % 2 * n * n + b * n + c]
    held: list[list[int]] = [[] for _ in range(sets)]
    count = 0
    for number in (np.stack(words, axis=1).reshape(-1) // line).tolist():
        place = held[number % sets]
        if number in place:
            place.remove(number)
        else:
            count += 1
            if len(place) == ways:
                del place[0]
        place.append(number)
    return 1000.0 * count / len(a)


# EVOLVE-BLOCK-START
def order(kernel: str, n: int, m: int, line: int, sets: int, ways: int) -> np.ndarray:
    """Return the steps in the order in which they are done, an integer array of shape (steps, 3)."""
    if kernel == "product":
        steps = [(i, j, k) for i in range(n) for j in range(n) for k in range(n)]
    elif kernel == "substitution":
        steps = [(i, j, k) for j in range(m) for i in range(n) for k in range(i)]
    elif kernel == "elimination":
        steps = [(i, j, k) for k in range(n) for i in range(k + 1, n) for j in range(k + 1, n)]
    else:
        steps = [(t, i, j) for t in range(1, m + 1) for i in range(1, n - 1) for j in range(1, n - 1)]
    return np.array(steps)


# EVOLVE-BLOCK-END
