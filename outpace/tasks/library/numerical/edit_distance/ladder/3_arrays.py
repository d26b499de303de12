"""One row at a time in whole arrays: insertions along a row are a running minimum."""

import numpy as np


def edit_distance(a: bytes, b: bytes) -> int:
    """Return the Levenshtein distance."""
    letters = np.frombuffer(b, np.uint8)
    steps = np.arange(len(b) + 1)
    row = steps.copy()
    for i, letter in enumerate(a):
        new = row + 1
        np.minimum(new[1:], row[:-1] + (letters != letter), out=new[1:])
        new[0] = i + 1
        row = np.minimum.accumulate(new - steps) + steps
    return int(row[-1])
