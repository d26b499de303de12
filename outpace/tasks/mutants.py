"""Answers that are wrong on purpose, made from a right one: what no checker may let pass."""

import copy
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from outpace.tasks.plain import same

_MOST_LEAVES = 8


@dataclass(frozen=True, slots=True)
class Mutant:
    """``never``: no task can mean this answer. ``rarely``: right only where a problem has several right answers."""

    name: str
    answer: Any
    right: Literal["never", "rarely"]


def mutants(answer: Any, other: Any) -> Iterator[Mutant]:
    """Yield wrong answers derived from the right ``answer`` and from ``other``, the right answer of another problem.

    None of them equals ``answer``, and none shares memory with it.
    """
    candidates = [
        Mutant("None", None, "never"),
        Mutant("the text 'garbage'", "garbage", "never"),
        Mutant("an empty dict", {}, "never"),
        *(Mutant(f"NaN{place}", changed, "never") for place, changed in _changed(answer, _nan)),
        Mutant("the answer of another problem", copy.deepcopy(other), "rarely"),
        *(Mutant(f"nothing{place}", changed, "rarely") for place, changed in _changed(answer, _emptied)),
        *(Mutant(f"one item too few{place}", changed, "rarely") for place, changed in _changed(answer, _shorter)),
        *(Mutant(f"a number off by one{place}", changed, "rarely") for place, changed in _changed(answer, _off)),
    ]
    yield from (mutant for mutant in candidates if not same(mutant.answer, answer))


_Unchanged = object()


def _changed(answer: Any, change: Callable[[Any], Any]) -> Iterator[tuple[str, Any]]:
    """Yield copies of ``answer`` with one part changed, for the first few parts that ``change`` has something for."""
    found = 0
    for path, part in _parts(answer, ()):
        new = change(part)
        if new is not _Unchanged:
            place = "".join(f"[{key!r}]" for key in path)
            yield (f" at answer{place}" if place else " as the answer"), _with(answer, path, new)
            found += 1
        if found == _MOST_LEAVES:
            return


def _parts(value: Any, path: tuple[Any, ...]) -> Iterator[tuple[tuple[Any, ...], Any]]:
    yield path, value
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _parts(part, (*path, key))
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value[:_MOST_LEAVES]):
            yield from _parts(part, (*path, index))


def _with(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    if isinstance(value, dict):
        return {
            key: _with(part, path[1:], new) if key == path[0] else copy.deepcopy(part) for key, part in value.items()
        }
    changed = [
        _with(part, path[1:], new) if index == path[0] else copy.deepcopy(part) for index, part in enumerate(value)
    ]
    return tuple(changed) if isinstance(value, tuple) else changed


def _nan(part: Any) -> Any:
    if isinstance(part, np.ndarray) and part.size and part.dtype.kind in "iufc":
        return np.full(part.shape, math.nan, dtype=part.dtype if part.dtype.kind in "fc" else np.float64)
    if type(part) in (int, float, complex) or isinstance(part, np.number):
        return math.nan
    return _Unchanged


def _emptied(part: Any) -> Any:
    if isinstance(part, np.ndarray) and part.ndim and part.size:
        return part[:0].copy()
    if isinstance(part, list | tuple | str | bytes | dict) and part:
        return type(part)()
    return _Unchanged


def _shorter(part: Any) -> Any:
    if isinstance(part, np.ndarray) and part.ndim and len(part) > 1:
        return part[:-1].copy()
    if isinstance(part, list | tuple | str | bytes) and len(part) > 1:
        return copy.deepcopy(part[:-1])
    return _Unchanged


def _off(part: Any) -> Any:
    if type(part) is int:
        return part + 1
    if type(part) is float:
        return part + 1.0
    if isinstance(part, np.ndarray) and part.size and part.dtype.kind in "iufc":
        changed = part.copy()
        with np.errstate(all="ignore"):  # the largest integer wraps round, which is off as well
            changed.flat[changed.size // 2] += 1
        return changed
    return _Unchanged
