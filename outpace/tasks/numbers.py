"""The numbers in an answer, and how they may be altered."""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

_SEED = 20260101
_MOST_COLUMNS = 6
_FINEST = 2  # the steps that are tried column by column


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of one part of an answer as an array, and the way back to what the part was."""

    array: NDArray[Any]
    back: Callable[[NDArray[Any]], Any]

    def other_types(self) -> Iterator[tuple[str, Any]]:
        """Yield the same values as other types: narrow ones, in which sums run over; float, complex, bool for int."""
        for dtype in _other_types(self.array):
            yield str(dtype), self.back(self.array.astype(dtype))
        if self.array.dtype.kind == "f" and not self.array.all():
            yield "-0.0 for 0.0", self.back(np.where(self.array == 0, -0.0, self.array))


def of(part: Any) -> Numbers | None:
    """Return the numbers of an array, a list or tuple of numbers, or a number; None for anything else or no item."""
    if isinstance(part, np.ndarray):
        return Numbers(part, _itself) if part.size and part.dtype.kind in "biufc" else None
    items = [item.item() if isinstance(item, np.generic) else item for item in _items(part)]
    if not items or not {*map(type, items)} <= {int, float, complex}:
        return None
    array = np.array(items) if all(not isinstance(item, int) or abs(item) < 2**53 for item in items) else None
    if array is None:
        return None
    if isinstance(part, list | tuple):
        return Numbers(array, lambda new: type(part)(new.tolist()))
    return Numbers(array, lambda new: new.tolist()[0])


def close(a: Any, b: Any, tolerance: float) -> bool:
    """Return whether two answers hold the same values, whatever their types: numbers to a relative ``tolerance``.

    The tolerance is a part of the largest number of an array or list, as it is usually meant.
    """
    one, other = of(a), of(b)
    if one is not None and other is not None:
        return one.array.shape == other.array.shape and _close(one.array, other.array, tolerance)
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(close(a[key], b[key], tolerance) for key in a)
    if isinstance(a, list | tuple) and isinstance(b, list | tuple):
        return len(a) == len(b) and all(close(x, y, tolerance) for x, y in zip(a, b, strict=True))
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.size == 0 and a.shape == b.shape
    return type(a) is type(b) and bool(a == b)


def _close(a: NDArray[Any], b: NDArray[Any], tolerance: float) -> bool:
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        return bool(np.array_equal(a, b, equal_nan=True))
    if a.dtype.kind in "biu" and b.dtype.kind in "biu":
        return bool(np.array_equal(a, b))
    with np.errstate(all="ignore"):
        off = np.abs(a.astype(np.complex128) - b.astype(np.complex128)).max()
        return bool(off <= tolerance * np.abs(b).max())


def changes(array: NDArray[Any], steps: Sequence[tuple[str, float]]) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Yield altered copies of an array: the change, more words for its name, the new array."""
    with np.errstate(all="ignore"):  # the largest integer wraps round, which is wrong as well
        yield from _without_the_work(array)
        if array.dtype.kind != "b":
            yield from _almost(array, steps)
            yield from _not_numbers(array)
        yield from _in_other_order(array)


def _without_the_work(array: NDArray[Any]) -> Iterator[tuple[str, str, NDArray[Any]]]:
    """Yield what a program may answer that did not do the work."""
    yield "zeros", "", np.zeros_like(array)
    if array.size > 1:
        yield "constant", " (its first)", np.full_like(array, array.flat[0])
        yield "duplicated", "", _put(array, 0, array.flat[-1])
        if array.dtype.kind in "fc":
            yield "constant", " (its mean)", np.full_like(array, array.mean())
    if array.dtype.kind == "b":
        yield "negated", "", ~array
    elif array.dtype.kind != "u":
        yield "negated", "", -array
        if array.dtype.kind != "c":
            yield "imaginary", "", array + 1j * max(1.0, float(np.abs(array).max()))


def _almost(array: NDArray[Any], steps: Sequence[tuple[str, float]]) -> Iterator[tuple[str, str, NDArray[Any]]]:
    chance = np.random.default_rng(_SEED)
    middle = array.size // 2
    yield "off", "", _put(array, middle, array.flat[middle] + 1)
    whole = array.dtype.kind in "iu"
    size = 1 if whole else max(0.1 * float(np.abs(array).max()), 1e-3)
    for place in sorted({0, array.size // 3, array.size - 1}) if array.size > 1 or not whole else ():
        yield "element", f" ({place}, up)", _put(array, place, array.flat[place] + size)
        yield "element", f" ({place}, down)", _put(array, place, array.flat[place] - size)
    if whole:
        yield "noise", "", array + chance.integers(-1, 2, array.shape).astype(array.dtype)
        return
    yield "noise", "", array * (1 + 0.1 * chance.standard_normal(array.shape))
    for change, step in steps:
        for factor in (step, -step):
            yield change, f" {factor:+.0e}", array * (1 + factor)
    columns = array.shape[1] if array.ndim == 2 and array.shape[1] <= _MOST_COLUMNS else 0
    for (change, step), column in product(steps[-_FINEST:], range(columns)):
        new = array.copy()
        new[:, column] *= 1 + step
        yield change, f" {step:+.0e} in column {column}", new
    if array.dtype == np.float64:
        for change, dtype in (("single", np.float32), ("half", np.float16)):
            yield change, "", array.astype(dtype).astype(np.float64)
            yield change, f" ({np.dtype(dtype)})", array.astype(dtype)


def _not_numbers(array: NDArray[Any]) -> Iterator[tuple[str, str, NDArray[Any]]]:
    wide = array.astype(np.float64) if array.dtype.kind in "iu" else array
    yield "nan", "", np.full_like(wide, np.nan)
    yield "infinity", "", np.full_like(wide, np.inf)
    if array.size > 1:
        for place in (0, array.size - 1):
            yield "nan", f" (only {place})", _put(wide, place, np.nan)
            yield "infinity", f" (only {place})", _put(wide, place, -np.inf)
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        for value in {limits.min, limits.max} - {0}:
            yield "huge", f" ({value:.1e})", _put(array, array.size - 1, value)
    else:
        most = float(np.finfo(array.dtype).max)
        yield "huge", "", _put(array, array.size - 1, most)
        yield "huge", " (everywhere)", np.full_like(array, most)


def _in_other_order(array: NDArray[Any]) -> Iterator[tuple[str, str, NDArray[Any]]]:
    if array.ndim and len(array) > 1:
        order = np.random.default_rng(_SEED).permutation(len(array))
        yield "shuffled", "", array[order].copy()
        yield "reversed", "", array[::-1].copy()
    if array.ndim > 1:
        yield "transposed", "", array.T.copy()
    for place in (1, array.size // 2):
        others = np.flatnonzero(array.reshape(-1) != array.flat[0])
        if len(others):
            new = copy.deepcopy(array)
            there = int(others[place % len(others)])
            new.flat[0], new.flat[there] = array.flat[there], array.flat[0]
            yield "swapped", f" (0 and {there})", new


def _other_types(array: NDArray[Any]) -> list[np.dtype[Any]]:
    kind = array.dtype.kind
    if kind in "iu":
        low, high = int(array.min()), int(array.max())
        narrow = [t for t in (np.int8, np.uint8, np.int16) if np.iinfo(t).min <= low and high <= np.iinfo(t).max]
        found = [np.dtype(t) for t in (*narrow[:2], np.float64, np.complex128)]
        return [*found, np.dtype(np.bool_)] if low >= 0 and high <= 1 else found
    return [np.dtype(t) for t in {"f": (np.complex128,), "b": (np.int64,)}.get(kind, ())]


def _put(array: NDArray[Any], place: int, value: Any) -> NDArray[Any]:
    new = array.copy()
    new.flat[place] = value
    return new


def _items(part: Any) -> list[Any]:
    return list(part) if isinstance(part, list | tuple) else [part]


def _itself(array: NDArray[Any]) -> NDArray[Any]:
    return np.array(array, order="C")
