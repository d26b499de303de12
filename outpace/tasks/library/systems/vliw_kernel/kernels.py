"""The kernels: where their words lie, what they compute, and plain code for them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint32]
SCRATCH = 64
"""Words of memory behind inputs and outputs, free for use."""
FACTOR, ADDEND, TURN = 0x9E3779B1, 0x7F4A7C15, 13


@dataclass(frozen=True, slots=True)
class Layout:
    """How many words come in, from address 0 on, and how many go out, right behind them."""

    inputs: int
    outputs: int

    @property
    def words(self) -> int:
        """All words of memory."""
        return self.inputs + self.outputs + SCRATCH


def layout(kernel: str, n: int, m: int) -> Layout:
    """Return how many words a kernel takes and gives."""
    return {
        "dot": Layout(2 * n, 1),
        "fir": Layout(n + m - 1 + m, n),
        "sort": Layout(n, n),
        "hash": Layout(n * m, m),
        "polynomial": Layout(n + 1, 1),
        "prefix": Layout(n, n),
    }[kernel]


def right(kernel: str, n: int, m: int, words: Words) -> Words:
    """Return what must come out, (runs, outputs), for what came in, (runs, inputs)."""
    if kernel == "dot":
        return np.asarray((words[:, :n] * words[:, n:]).sum(axis=1, keepdims=True, dtype=np.uint32))
    if kernel == "fir":
        taps = words[:, n + m - 1 :]
        return np.stack([(words[:, i : i + m] * taps).sum(axis=1, dtype=np.uint32) for i in range(n)], axis=1)
    if kernel == "sort":
        return np.sort(words, axis=1)
    if kernel == "prefix":
        return np.cumsum(words, axis=1, dtype=np.uint32)
    if kernel == "polynomial":
        found = np.zeros(len(words), dtype=np.uint32)
        for i in reversed(range(n)):
            found = found * words[:, n] + words[:, i]
        return found[:, None]
    streams = words.reshape(-1, m, n)
    state = np.zeros((len(words), m), dtype=np.uint32)
    for i in range(n):
        state ^= streams[:, :, i] * np.uint32(FACTOR)
        state = ((state << np.uint32(TURN)) | (state >> np.uint32(32 - TURN))) * np.uint32(5) + np.uint32(ADDEND)
    return state


Step = tuple[str, int | None, tuple[int | str, ...]]
"""A name, the number of the value it makes (None: a store), and operands: "v7" is a value, a number a constant."""


class Plain:
    """Plain code for a kernel, one step after the other, each value made once; see ``plain``."""

    def __init__(self) -> None:
        self.steps: list[Step] = []
        self._values = 0

    def do(self, name: str, a: int | str, b: int | str) -> str:
        """Add a step that makes a value, and return the value."""
        self.steps.append((name, self._values, (a, b)))
        self._values += 1
        return f"v{self._values - 1}"

    def load(self, address: int) -> str:
        """Add a load."""
        return self.do("load", address, 0)

    def store(self, value: str, address: int) -> None:
        """Add a store."""
        self.steps.append(("store", None, (value, address, 0)))


def plain(kernel: str, n: int, m: int) -> list[Step]:
    """Return the steps of a kernel as one would write them down, sums in trees, sorting by odd-even merges."""
    code = Plain()
    _CODE[kernel](code, n, m, layout(kernel, n, m).inputs)
    return code.steps


def _sum(code: Plain, values: list[str]) -> str:
    while len(values) > 1:
        pairs = [code.do("add", a, b) for a, b in zip(values[::2], values[1::2], strict=False)]
        values = pairs + values[2 * len(pairs) :]
    return values[0]


def _dot(code: Plain, n: int, m: int, out: int) -> None:
    parts = []
    for first in range(0, n, 8):
        places = range(first, min(first + 8, n))
        parts.append(_sum(code, [code.do("mul", code.load(i), code.load(n + i)) for i in places]))
    code.store(_sum(code, parts), out)


def _fir(code: Plain, n: int, m: int, out: int) -> None:
    taps = [code.load(n + m - 1 + j) for j in range(m)]
    window = [code.load(i) for i in range(m - 1)]
    for i in range(n):
        window = [*window[1 - m :], code.load(i + m - 1)] if m > 1 else [code.load(i)]
        code.store(_sum(code, [code.do("mul", x, tap) for x, tap in zip(window, taps, strict=True)]), out + i)


def comparators(n: int) -> Iterator[tuple[int, int]]:
    """Yield the comparators of Batcher's odd-even merge sort (1968) for any n: Knuth, volume 3, algorithm 5.2.2M."""
    top = 1 << (n - 1).bit_length() - 1 if n > 1 else 0
    p = top
    while p:
        q, r, d = top, 0, p
        while True:
            yield from ((i, i + d) for i in range(n - d) if i & p == r)
            if q == p:
                break
            d, q, r = q - p, q >> 1, p
        p >>= 1


def _sort(code: Plain, n: int, m: int, out: int) -> None:
    values = [code.load(i) for i in range(n)]
    for i, j in comparators(n):
        values[i], values[j] = code.do("min", values[i], values[j]), code.do("max", values[i], values[j])
    for i, value in enumerate(values):
        code.store(value, out + i)


def _hash(code: Plain, n: int, m: int, out: int) -> None:
    states: list[int | str] = [0] * m
    for i in range(n):
        for s in range(m):
            mixed = code.do("xor", states[s], code.do("mul", code.load(s * n + i), FACTOR))
            states[s] = code.do("add", code.do("mul", code.do("rotl", mixed, TURN), 5), ADDEND)
    for s, state in enumerate(states):
        code.store(str(state), out + s)


def _polynomial(code: Plain, n: int, m: int, out: int) -> None:
    """Pairs, pairs of pairs and so on (Estrin 1960)."""
    power = code.load(n)
    parts = [code.load(i) for i in range(n)]
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        joined = [code.do("add", low, code.do("mul", high, power)) for low, high in pairs]
        parts = joined + parts[2 * len(joined) :]
        if len(parts) > 1:
            power = code.do("mul", power, power)
    code.store(parts[0], out)


def _prefix(code: Plain, n: int, m: int, out: int) -> None:
    total: int | str = 0
    for i in range(n):
        total = code.do("add", total, code.load(i))
        code.store(total, out + i)


_CODE: dict[str, Callable[[Plain, int, int, int], None]] = {
    "dot": _dot,
    "fir": _fir,
    "sort": _sort,
    "hash": _hash,
    "polynomial": _polynomial,
    "prefix": _prefix,
}
