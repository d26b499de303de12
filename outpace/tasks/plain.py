"""Plain data: what may cross the wall of the sandbox, and when two pieces of it are the same."""

from typing import Any

import numpy as np

MAX_DEPTH = 32
_WIDEST = 1 << 63
_LEAVES = frozenset({type(None), bool, int, float, complex, str, bytes})


def foreign(value: Any, name: str) -> str | None:
    """Return what in ``value`` is not plain data, in words such as "problem['tree'][3] is a set", or None.

    Plain data: None, bool, int, float, complex, str, bytes, list, tuple, dict with str or int keys, numpy numbers and
    numpy arrays of bool, integer, float or complex numbers; exact types only, nested at most 32 deep.
    """
    return _foreign(value, name, MAX_DEPTH)


def _foreign(value: Any, name: str, depth: int) -> str | None:
    kind = type(value)
    if kind in (dict, list, tuple):
        return _foreign_part(value, name, depth)
    if kind is str and _broken(value):
        return f"{name} is a text with half a surrogate pair"
    if isinstance(value, np.generic) or kind is np.ndarray:
        crosses = value.dtype.kind in "biufc" and value.dtype.itemsize <= (16 if value.dtype.kind == "c" else 8)
        return None if crosses else f"{name} is a numpy {'array' if kind is np.ndarray else 'value'} of {value.dtype}"
    return None if kind in _LEAVES else f"{name} is a {kind.__module__}.{kind.__qualname__}".replace("builtins.", "")


def _foreign_part(value: Any, name: str, depth: int) -> str | None:
    if depth == 0:
        return f"{name} is nested deeper than {MAX_DEPTH} levels"
    if type(value) is dict:
        for key in value:
            if _broken(key) if type(key) is str else not (type(key) is int and -_WIDEST <= key < _WIDEST):
                return f"{name} has the key {key!r:.40} ({type(key).__name__}), keys are texts and 64-bit integers"
    parts = value.items() if type(value) is dict else enumerate(value)
    return next((found for key, part in parts if (found := _foreign(part, f"{name}[{key!r}]", depth - 1))), None)


def same(a: Any, b: Any) -> bool:
    """Return whether two pieces of plain data are equal to the last bit: types, shapes, NaN as NaN, -0.0 not as 0.0."""
    if type(a) is not type(b):
        return False
    if isinstance(a, np.ndarray):
        return bool(a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes())
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, float | complex):
        return repr(a) == repr(b)
    return bool(a == b)


def _broken(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return True
    return False
