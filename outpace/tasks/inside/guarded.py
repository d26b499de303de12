"""Calls a kernel's host function with tensors that nobody can step out of; runs in the sandbox, beside the program.

Tasks with ``device = "gpu"`` find it there as the module ``guarded`` (``Task.support``), for their drivers. It looks
after the careless, for it lives in the process of the program; what it says proves nothing.
"""

import ctypes
import mmap
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

PAGE = mmap.PAGESIZE
NOBODY = 0
"""PROT_NONE of mprotect(2)."""
POISON, CANARY = 0xFF, 0xA5
"""What outputs hold before a call, byte by byte (NaN in every floating type), and what lies around a tensor."""
_LIBC = ctypes.CDLL(None, use_errno=True)


class Guarded:
    """An array at one end of pages of its own, with a page before and a page behind that cannot be touched.

    ``end``: it ends where the page behind begins, so that the first item too far kills the process (SIGSEGV); else it
    begins where the page before ends. Rows lie ``pad`` items further apart than they are long.
    """

    def __init__(self, shape: Sequence[int], dtype: Any, *, pad: int = 0, end: bool) -> None:
        """Lay it out, every byte poisoned; all that is not the array's own holds a canary."""
        kind = np.dtype(dtype)
        row = (shape[-1] + pad if len(shape) > 1 else shape[-1]) * kind.itemsize
        rows = int(np.prod(shape[:-1], dtype=np.int64))
        size = (rows - 1) * row + shape[-1] * kind.itemsize
        inner = -(-size // PAGE) * PAGE
        self._pages = mmap.mmap(-1, inner + 2 * PAGE)
        self._bytes = np.frombuffer(self._pages, np.uint8)[PAGE : PAGE + inner]
        self._bytes[:] = CANARY
        strides = (*_strides(shape[:-1], row), kind.itemsize)
        begin = PAGE + (inner - size if end else 0)
        self.array: np.ndarray[Any, Any] = np.ndarray(tuple(shape), kind, self._pages, begin, strides)
        own = np.ndarray((*shape, kind.itemsize), np.uint8, self._pages, begin, (*strides, 1))
        own[...] = POISON
        self._others = np.ones(inner, bool)
        offset = begin - PAGE
        np.ndarray(own.shape, bool, self._others, offset, own.strides)[...] = False
        for guard in (0, PAGE + inner):
            _protect(self._bytes.ctypes.data - PAGE + guard)

    def intact(self) -> bool:
        """Tell whether nothing was written beside the array."""
        return bool(np.all(self._bytes[self._others] == CANARY))


def answers(
    entry: Callable[..., Any],
    inputs: Mapping[str, Any],
    outputs: Mapping[str, tuple[Sequence[int], Any]],
    *,
    pad: int = 0,
    **constants: Any,
) -> dict[str, Any]:
    """Return what ``entry`` writes into its outputs: names to shape and type, given to it beside inputs and constants.

    It is called twice, with tensors that end and with tensors that begin at a guard page, the outputs poisoned before
    each call. Raises ``ValueError`` where it returns something, changes an input, writes beside a tensor, or answers
    differently the second time.
    """
    first = _called(entry, inputs, outputs, pad=pad, end=True, constants=constants)
    second = _called(entry, inputs, outputs, pad=pad, end=False, constants=constants)
    for name, array in first.items():
        if array.tobytes() != second[name].tobytes():
            raise ValueError(f"two calls with the same inputs left different numbers in '{name}'")
    return first


def _called(
    entry: Callable[..., Any],
    inputs: Mapping[str, Any],
    outputs: Mapping[str, tuple[Sequence[int], Any]],
    *,
    pad: int,
    end: bool,
    constants: Mapping[str, Any],
) -> dict[str, Any]:
    """Call ``entry`` once, and return copies of its outputs."""
    import torch

    given = {name: Guarded(array.shape, array.dtype, pad=pad, end=end) for name, array in inputs.items()}
    made = {name: Guarded(shape, dtype, pad=pad, end=end) for name, (shape, dtype) in outputs.items()}
    for name, array in inputs.items():
        given[name].array[...] = array
    tensors = {name: torch.from_numpy(one.array) for name, one in (given | made).items()}
    returned = entry(**tensors, **constants)
    if returned is not None:
        raise ValueError(f"the function returned a {type(returned).__name__}; it must write into its outputs instead")
    for name, array in inputs.items():
        if given[name].array.tobytes() != array.tobytes():
            raise ValueError(f"the input '{name}' was changed")
    for name, one in (given | made).items():
        if not one.intact():
            raise ValueError(f"something was written beside the tensor '{name}'")
    return {name: one.array.copy() for name, one in made.items()}


def _strides(lengths: Sequence[int], row: int) -> list[int]:
    """Return the strides in bytes of all dimensions but the last, rows being ``row`` bytes apart."""
    strides = [row] if lengths else []
    for length in reversed(lengths[1:]):
        strides.insert(0, strides[0] * length)
    return strides


def _protect(address: int) -> None:
    if _LIBC.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(PAGE), NOBODY):
        raise OSError(ctypes.get_errno(), f"a guard page cannot be made: {os.strerror(ctypes.get_errno())}")
