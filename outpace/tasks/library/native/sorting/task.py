"""Trusted half of sorting: draws keys, and sorts them by numpy."""

import numpy as np

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

_LEAST, _MOST = np.iinfo(np.int64).min, np.iinfo(np.int64).max


class Task(spec.Task):
    """Problem: ``keys``, int64. Answer: the same keys in ascending order."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw keys of the whole range (``wide``) or of 50 different ones (``few``), or a corner case; never sorted."""
        rng = np.random.default_rng(seed)
        count = case.params["keys"]
        keys = rng.integers(_LEAST, _MOST, size=count, endpoint=True)
        if case.params["kind"] == "few":
            return {"keys": np.repeat(rng.choice(keys[:50], size=count // 4 + 1), 4)[:count]}
        if case.params["kind"] == "edges":
            ends = np.array([_MOST, 0, -1, _LEAST, 1, _MOST, _LEAST])
            keys = [keys[:0], keys[:1], np.sort(keys), np.sort(keys)[::-1].copy(), keys // keys, ends][seed % 6]
        return {"keys": keys}

    def reference(self, problem: Problem) -> Output:
        """Sort by numpy."""
        return np.sort(problem["keys"])

    def check(self, problem: Problem, output: Output) -> None:
        """Type and shape, then every key."""
        right = np.sort(problem["keys"])
        if type(output) is not np.ndarray or output.dtype != np.int64 or output.shape != right.shape:
            found = f"{output.dtype} {output.shape}" if isinstance(output, np.ndarray) else type(output).__name__
            raise WrongAnswer(f"expected an int64 array of shape {right.shape}, got {found}")
        if not np.array_equal(output, right):
            at = int(np.argmax(output != right))
            raise WrongAnswer(f"key {at} is {int(output[at])}, expected {int(right[at])}")
