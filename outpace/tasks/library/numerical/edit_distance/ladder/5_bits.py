"""64 rows at a time in the bits of a word, compiled (Myers 1999; Hyyro 2003)."""

import numba
import numpy as np

ONE = np.uint64(1)
TOP = np.uint64(63)
ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@numba.njit(cache=False)
def _distance(a, b):
    words = (len(a) + 63) // 64
    places = np.zeros((256, words), np.uint64)
    for i in range(len(a)):
        places[a[i], i // 64] |= ONE << np.uint64(i % 64)
    up = np.full(words, ALL)
    down = np.zeros(words, np.uint64)
    last = ONE << np.uint64((len(a) - 1) % 64)
    distance = len(a)
    for j in range(len(b)):
        carry_up, carry_down = ONE, np.uint64(0)  # what comes from the word above: the first row grows by one
        for word in range(words):
            match = places[b[j], word]
            vertical = match | down[word]
            match |= carry_down
            diagonal = (((match & up[word]) + up[word]) ^ up[word]) | match
            right_up = down[word] | ~(diagonal | up[word])
            right_down = up[word] & diagonal
            if word == words - 1:
                if right_up & last:
                    distance += 1
                if right_down & last:
                    distance -= 1
            next_up, next_down = right_up >> TOP, right_down >> TOP
            right_up = (right_up << ONE) | carry_up
            right_down = (right_down << ONE) | carry_down
            up[word] = right_down | ~(vertical | right_up)
            down[word] = right_up & vertical
            carry_up, carry_down = next_up, next_down
    return distance


def edit_distance(a: bytes, b: bytes) -> int:
    """Return the Levenshtein distance."""
    if not a:
        return len(b)
    return int(_distance(np.frombuffer(a, np.uint8), np.frombuffer(b, np.uint8)))
