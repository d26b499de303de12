"""Trusted half of dynamic_time_warping: draws recordings, and fills the table along its diagonals."""

import numpy as np
from numpy.typing import NDArray

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer

Array = NDArray[np.int64]
_FAR = 1 << 60
_LOW, _HIGH = -32768, 32767


class Task(spec.Task):
    """Problem: ``a`` and ``b``, int64. Answer: the least cost of a warping path, an int."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw two recordings; lengths vary by a tenth.

        ``stretched``: one sound, stretched unevenly, with noise, some loudness and an offset of its own. ``apart``: two
        different sounds, so that the best path strays far from the diagonal. ``edges``: one sample, equal recordings,
        constant ones, the extremes, in turn.
        """
        rng = np.random.default_rng(seed)
        length = case.params["length"]
        if case.params["kind"] == "edges":
            return _edges(rng, length, seed)
        n, m = (int(rng.integers(length * 9 // 10, length * 11 // 10 + 1)) for _ in "ab")
        sound = _sound(rng, length)
        other = sound if case.params["kind"] == "stretched" else _sound(rng, length)
        return {"a": _stretched(rng, sound, n), "b": _stretched(rng, other, m)}

    def reference(self, problem: Problem) -> Output:
        """Return the least cost, computed one diagonal of the table at a time."""
        return _distance(problem["a"], problem["b"])

    def check(self, problem: Problem, output: Output) -> None:
        """The answer must be the exact cost, as a whole number."""
        if type(output) is not int and not isinstance(output, np.integer):
            raise WrongAnswer(f"the answer is a {type(output).__name__}, expected an int")
        right = _distance(problem["a"], problem["b"])
        if int(output) != right:
            sizes = f"{len(problem['a'])} and {len(problem['b'])} samples"
            raise WrongAnswer(f"the least cost for recordings of {sizes} is {right}, got {int(output)}")


def _sound(rng: np.random.Generator, length: int) -> NDArray[np.float64]:
    """Return some waves of different lengths and a random walk, between -1 and 1."""
    times = np.arange(length)
    sound = np.cumsum(rng.normal(size=length)) / np.sqrt(length)
    for _ in range(4):
        sound += rng.normal() * np.sin(times / rng.uniform(3.0, length / 6) + rng.uniform(0.0, 6.3))
    return np.asarray(sound / np.abs(sound).max())


def _stretched(rng: np.random.Generator, sound: NDArray[np.float64], length: int) -> Array:
    """Return ``length`` samples of a sound at an uneven speed, with noise, as whole numbers of 16 bits."""
    speed = np.exp(np.interp(np.arange(length), np.linspace(0, length, 8), rng.normal(scale=0.8, size=8)))
    when = np.cumsum(speed)
    when = (when - when[0]) / max(when[-1] - when[0], 1e-9) * (len(sound) - 1)
    samples = np.interp(when, np.arange(len(sound)), sound) * rng.uniform(0.7, 1.0) + rng.uniform(-0.1, 0.1)
    samples += rng.normal(scale=0.02, size=length)
    return np.asarray(np.clip(np.rint(samples * 25000.0), _LOW, _HIGH), dtype=np.int64)


def _edges(rng: np.random.Generator, length: int, seed: int) -> Problem:
    some = rng.integers(_LOW, _HIGH + 1, size=rng.integers(2, length + 1))
    other = rng.integers(_LOW, _HIGH + 1, size=rng.integers(2, length + 1))
    flat, ones = np.zeros_like(some), np.ones_like(other)
    pairs = [
        (some[:1], other[:1]),
        (some[:1], other),
        (some, other[:1]),
        (some, some.copy()),
        (some, np.repeat(some, 3)),
        (flat, ones),
        (flat + _LOW, _HIGH * ones),
        (some, other),
    ]
    a, b = pairs[seed % len(pairs)]
    return {"a": a, "b": b}


def _distance(a: Array, b: Array) -> int:
    """Fill the table diagonal by diagonal; item i of a diagonal belongs to row i."""
    n, m = len(a), len(b)
    before, last = np.full(n + 1, _FAR), np.full(n + 1, _FAR)  # item i + 1 for row i, so that item 0 is outside
    for diagonal in range(n + m - 1):
        low, high = max(0, diagonal - m + 1), min(n, diagonal + 1)  # the rows on it
        costs = (a[low:high] - b[diagonal - high + 1 : diagonal - low + 1][::-1]) ** 2
        new = np.full(n + 1, _FAR)
        if diagonal:
            best = np.minimum(np.minimum(last[low:high], last[low + 1 : high + 1]), before[low:high])
            costs += best
        new[low + 1 : high + 1] = costs
        before, last = last, new
    return int(last[n])
