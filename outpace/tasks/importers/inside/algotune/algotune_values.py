"""Carries the values of AlgoTune tasks across the wall of the sandbox, which lets plain data through and no more.

What is no plain data goes as a dict with the one key ``TAG``: what it is, and its parts. It lies beside the program in
the sandbox and in the process aside, so both ends speak the same.
"""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

TAG = "__outpace__"
_LEAVES = frozenset({type(None), bool, int, float, complex, str, bytes})
_MOST_KEY = 1 << 63


def packed(value: Any, *, ordered: bool = False) -> Any:
    """Return ``value`` as plain data: containers copied, whatever is lazy worked out, the rest tagged.

    Subclasses of plain types become these, numpy's numbers Python's, what has ``__array__`` an array. Sparse matrices,
    sets, ranges and dicts with other keys than texts and integers are tagged; ``ordered``: arrays in the order of
    Fortran as well, which keep it. What cannot be carried comes back as it is, for the wall to refuse.
    """
    kind = type(value)
    if kind in _LEAVES:
        return value
    if isinstance(value, list | tuple):
        made = tuple if isinstance(value, tuple) else list
        return made(value) if _LEAVES.issuperset(map(type, value)) else made(packed(v, ordered=ordered) for v in value)
    if isinstance(value, dict):
        return _dict(value, ordered)
    if kind is np.ndarray or hasattr(value, "__array__"):
        return value.item() if isinstance(value, np.generic) else _array(np.asarray(value), ordered)
    if hasattr(value, "asformat") and hasattr(value, "nnz"):
        return {TAG: _sparse(value)}
    return _other(value, ordered)


def _array(array: np.ndarray, ordered: bool) -> Any:
    turned = ordered and array.ndim > 1 and array.flags.f_contiguous and not array.flags.c_contiguous
    return {TAG: ["turned", array.T]} if turned else array


def _dict(value: dict[Any, Any], ordered: bool) -> dict[Any, Any]:
    made = {_key(key): packed(part, ordered=ordered) for key, part in value.items()}
    if TAG not in made and all(type(key) is str or _is_index(key) for key in made):
        return made
    return {TAG: ["dict", [[packed(key), part] for key, part in made.items()]]}


def _key(key: Any) -> Any:
    """Return a key with numpy's numbers, and what else is a subclass of a text or an integer, made plain."""
    if isinstance(key, np.generic):
        return key.item()
    if type(key) in _LEAVES:
        return key
    return str.__str__(key) if isinstance(key, str) else int(key) if isinstance(key, int) else key


def _is_index(key: Any) -> bool:
    return type(key) is int and -_MOST_KEY <= key < _MOST_KEY


def _sparse(value: Any) -> list[Any]:
    """Return format, matrix or array, shape and parts of a sparse matrix."""
    form = value.format if value.format in ("csr", "csc") else "coo"
    held = value.asformat(form)
    parts = [held.data, *((held.row, held.col) if form == "coo" else (held.indices, held.indptr))]
    is_array = not type(value).__name__.endswith("matrix")
    return ["sparse", value.format, is_array, list(map(int, value.shape)), [np.asarray(part) for part in parts]]


def _other(value: Any, ordered: bool) -> Any:
    if isinstance(value, set | frozenset):
        kind = "frozenset" if isinstance(value, frozenset) else "set"
        return {TAG: [kind, [packed(part, ordered=ordered) for part in value]]}
    if isinstance(value, range):
        return {TAG: ["range", value.start, value.stop, value.step]}
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    if isinstance(value, mmap.mmap):
        return value[:]
    return _number(value) if isinstance(value, int | float | complex) else _text(value)


def _number(value: complex) -> complex:
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else complex(value)


def _text(value: Any) -> Any:
    return str.__str__(value) if isinstance(value, str) else value


def unpacked(value: Any) -> Any:
    """Return what ``packed`` was given; plain data with nothing tagged in it comes back equal."""
    kind = type(value)
    if kind is list or kind is tuple:
        return value if _LEAVES.issuperset(map(type, value)) else kind(map(unpacked, value))
    if kind is not dict:
        return value
    if len(value) == 1 and TAG in value:
        return _restored(*value[TAG])
    return {key: unpacked(part) for key, part in value.items()}


def is_tagged(value: Any) -> bool:
    """Tell whether something in packed data is tagged."""
    if type(value) is dict:
        return TAG in value or any(map(is_tagged, value.values()))
    return type(value) in (list, tuple) and not _LEAVES.issuperset(map(type, value)) and any(map(is_tagged, value))


def _restored(kind: str, *parts: Any) -> Any:
    if kind == "turned":
        return parts[0].T
    if kind == "range":
        return range(*parts)
    if kind == "sparse":
        return _matrix(*parts)
    if kind == "dict":
        return {unpacked(key): unpacked(part) for key, part in parts[0]}
    return {"set": set, "frozenset": frozenset}[kind](map(unpacked, parts[0]))


def _matrix(form: str, is_array: bool, shape: list[int], parts: list[Any]) -> Any:
    from scipy import sparse

    held = form if form in ("csr", "csc") else "coo"
    made = getattr(sparse, f"{held}_{'array' if is_array else 'matrix'}")
    whole = (parts[0], (parts[1], parts[2])) if held == "coo" else tuple(parts)
    return made(whole, shape=tuple(shape)).asformat(form)
