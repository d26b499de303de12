"""Trusted half of sha256: draws messages, and has Python's hashlib compute their digests."""

import hashlib
from itertools import pairwise

import numpy as np

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer


class Task(spec.Task):
    """Problem: ``data``, uint8, and ``offsets``, int64. Answer: the digests, uint8 of shape (messages, 32)."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw messages of random bytes.

        ``uneven``: lengths from half to one and a half of ``length``, by chance. ``edges``: lengths from 0 to
        ``length`` - 1, one each and in any order; with every fourth seed no message, a single empty one, or zeros only.
        """
        rng = np.random.default_rng(seed)
        count, length, kind = case.params["messages"], case.params["length"], case.params["kind"]
        lengths = rng.integers(length // 2, length * 3 // 2 + 1, size=count)
        if kind == "edges":
            lengths = [rng.permutation(length)[:count], lengths[:0], lengths[:1] * 0, lengths][seed % 4]
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        data = rng.integers(0, 256, size=int(offsets[-1]), dtype=np.uint8)
        if kind == "edges" and seed % 4 == 3:
            data[:] = 0
        return {"data": data, "offsets": offsets}

    def reference(self, problem: Problem) -> Output:
        """Hash one message after the other."""
        data, offsets = problem["data"].tobytes(), problem["offsets"].tolist()
        digests = [hashlib.sha256(data[a:b]).digest() for a, b in pairwise(offsets)]
        return np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 32)

    def check(self, problem: Problem, output: Output) -> None:
        """Type and shape, then every digest."""
        right = self.reference(problem)
        if type(output) is not np.ndarray or output.dtype != np.uint8 or output.shape != right.shape:
            found = f"{output.dtype} {output.shape}" if isinstance(output, np.ndarray) else type(output).__name__
            raise WrongAnswer(f"expected a uint8 array of shape {right.shape}, got {found}")
        wrong = (output != right).any(axis=1)
        if wrong.any():
            at = int(np.argmax(wrong))
            length = int(problem["offsets"][at + 1] - problem["offsets"][at])
            raise WrongAnswer(f"the digest of message {at} ({length} bytes) is wrong; {int(wrong.sum())} in all are")
