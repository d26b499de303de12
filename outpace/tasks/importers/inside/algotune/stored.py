"""What becomes of a problem that AlgoTune has written to its file of instances and read back.

Published speed-ups are those of programs that were given such problems, so a program here is given the same. The
effect, type by type, is that of AlgoTune's own reader and writer (AlgoTuner/utils/serialization.py, AlgoTuneTasks/
base.py), described here by what goes in and what comes out:

- a list of numbers, nested or not, that needs more than 100 KiB as float64 comes back as a float64 array;
- tuples stay, named ones lose their names; sets and unknown objects cannot be stored;
- arrays keep type and shape; one without dimensions becomes one of one row and one column;
- numpy's numbers become Python's; NaN and infinity outside arrays become None;
- whole numbers beyond 64 bits become texts; keys become texts, and then whole numbers where they look like some.
"""

from __future__ import annotations

import enum
import math
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

LARGE_BYTES = 100 * 1024
"""What lies in a file of its own, and so comes back as an array."""
_INT64 = range(-(2**63), 2**63)


def stored(value: Any) -> Any:
    """Return ``value`` as it comes back; raises ``TypeError`` for what cannot be stored."""
    if isinstance(value, tuple):
        return tuple(map(stored, value))
    if isinstance(value, list):
        array = _large(value)
        return [stored(part) for part in value] if array is None else array
    if isinstance(value, dict):
        return {_key(key): stored(part) for key, part in value.items()}
    if isinstance(value, np.ndarray):
        return _array(value)
    if hasattr(value, "asformat") and hasattr(value, "nnz"):  # a sparse matrix: its parts are arrays
        return value
    return _single(value)


def _large(value: list[Any]) -> np.ndarray | None:
    """Return a list as the array that becomes of it, None if it stays a list."""
    if not (value and isinstance(value[0], list | int | float | np.number)):
        return None
    try:
        array = np.asarray(value, dtype=float)
    except (TypeError, ValueError, OverflowError):
        return None
    return array if array.nbytes > LARGE_BYTES else None


def _array(value: np.ndarray) -> np.ndarray:
    plain = np.asarray(value)
    if plain.nbytes > LARGE_BYTES:
        return np.array(plain)
    return np.array(plain, order="C", ndmin=2 if plain.ndim == 0 else 0)


def _key(key: Any) -> str | int:
    text = key if isinstance(key, str) else str(key)
    try:
        return int(text) if text.lstrip("-").isdigit() else text
    except ValueError:
        return text


def _single(value: Any) -> Any:
    if isinstance(value, enum.Enum):
        return stored(value.value)
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if value in _INT64 else str(int(value))
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, complex | str | bytes):
        return complex(value) if isinstance(value, complex) else value[:]
    if is_dataclass(value):
        return {field.name: stored(getattr(value, field.name)) for field in fields(value)}
    raise TypeError(f"AlgoTune cannot store a {type(value).__qualname__}; roundtrip=no hands it over as it is")
