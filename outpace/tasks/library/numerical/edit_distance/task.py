"""Trusted half of edit distance: draws pairs of strings and knows their distance by another method."""

import numpy as np

from outpace.tasks import spec
from outpace.tasks.spec import Case, Output, Problem, WrongAnswer


class Task(spec.Task):
    """Problem: ``a`` and ``b``, bytes. Answer: their Levenshtein distance, an int."""

    def generate(self, case: Case, seed: int) -> Problem:
        """Draw a pair; ``kind`` says how they are akin.

        ``edited``: lengths within 10 % of ``length``; b is an edited copy of a, from nearly equal to nearly unrelated,
        and may be rotated, so that neither lengths nor counts of bytes tell the distance. ``planted``: an edited copy
        of a inside ``long`` bytes. ``edges``: at most ``length`` bytes, every kind of corner in turn.
        """
        rng = np.random.default_rng(seed)
        params = case.params
        alphabet = rng.choice(256, size=params["alphabet"], replace=False).astype(np.uint8)
        if params["kind"] == "edges":
            return _edges(rng, alphabet, params["length"], seed)
        length = params["length"]
        a = rng.choice(alphabet, size=rng.integers(length * 9 // 10, length * 11 // 10 + 1))
        b = _edited(rng, a, alphabet, rate=rng.uniform(0.02, 0.7))
        if params["kind"] == "planted":
            cut = rng.integers(0, params["long"] - len(b))
            around = rng.choice(alphabet, size=params["long"] - len(b))
            return {"a": a.tobytes(), "b": np.concatenate([around[:cut], b, around[cut:]]).tobytes()}
        if rng.random() < 0.5:
            b = np.roll(b, rng.integers(-length // 10, length // 10 + 1))
        size = rng.integers(length * 9 // 10, length * 11 // 10 + 1)
        b = np.concatenate([b, rng.choice(alphabet, size=max(0, size - len(b)))])[:size]
        return {"a": a.tobytes(), "b": b.tobytes()}

    def reference(self, problem: Problem) -> Output:
        """Return the distance by Hyyro's bit-parallel method, which shares nothing with the starting program."""
        return _distance(problem["a"], problem["b"])

    def check(self, problem: Problem, output: Output) -> None:
        """The answer must be the exact distance, as a whole number."""
        if type(output) is not int and not isinstance(output, np.integer):
            raise WrongAnswer(f"the answer is a {type(output).__name__}, expected an int")
        a, b = problem["a"], problem["b"]
        right = _distance(a, b)
        if int(output) != right:
            pair = f"a = {a!r} and b = {b!r}" if len(a) + len(b) <= 40 else f"a of {len(a)} and b of {len(b)} bytes"
            raise WrongAnswer(f"the distance of {pair} is {right}, got {int(output)}")


def _edges(rng: np.random.Generator, alphabet: np.ndarray, length: int, seed: int) -> Problem:
    some = rng.choice(alphabet, size=rng.integers(1, length + 1))
    other = rng.choice(alphabet, size=rng.integers(1, length + 1))
    pairs = [
        (some[:0], some[:0]),
        (some[:0], some),
        (some, some[:0]),
        (some, some.copy()),
        (some, some[::-1]),
        (some[:1], other),
        (some, np.concatenate([other, some])),
        (some, np.concatenate([some, other])),
        (np.repeat(alphabet[:1], len(some)), np.repeat(alphabet[1:2], len(other))),
        (some, other),
    ]
    a, b = pairs[seed % len(pairs)]
    return {"a": a.tobytes(), "b": b.tobytes()}


def _edited(rng: np.random.Generator, a: np.ndarray, alphabet: np.ndarray, *, rate: float) -> np.ndarray:
    """Return ``a`` with about ``rate`` edits per byte: substitutions, deletions, insertions in equal parts."""
    pieces: list[np.ndarray] = []
    for position in range(len(a)):
        draw = rng.random() / rate
        new = rng.choice(alphabet, size=1)
        if draw < 1 / 3:
            pieces.append(new)
        elif draw < 2 / 3:
            continue
        elif draw < 1:
            pieces += [new, a[position : position + 1]]
        else:
            pieces.append(a[position : position + 1])
    return np.concatenate([a[:0], *pieces])


def _distance(a: bytes, b: bytes) -> int:
    """Levenshtein distance with one Python integer per column of the table (Hyyro 2003)."""
    if not a:
        return len(b)
    everywhere = (1 << len(a)) - 1
    last = 1 << (len(a) - 1)
    places: dict[int, int] = {}
    for position, byte in enumerate(a):
        places[byte] = places.get(byte, 0) | 1 << position
    up, down, distance = everywhere, 0, len(a)  # where a column grows by one downwards, where it shrinks
    for byte in b:
        match = places.get(byte, 0)
        diagonal = (((match & up) + up) ^ up) | match | down
        right_up = down | ~(diagonal | up)
        right_down = diagonal & up
        distance += bool(right_up & last) - bool(right_down & last)
        right_up = right_up << 1 | 1
        right_down <<= 1
        up = (right_down | ~(diagonal | right_up)) & everywhere
        down = right_up & diagonal & everywhere
    return distance
