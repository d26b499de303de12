"""PyTorch's values as plain data and back, for the process aside and for drivers in the sandbox; all on the CPU.

A tensor goes as a numpy array; of a dtype that numpy lacks, as its bits: ``{"torch.bfloat16": array of int16}``. An
output that the caller allocates goes as ``{"torch.empty": [dtype, shape]}``.
"""

import random
import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch

EMPTY = "torch.empty"
_BITS = {
    str(kind): bits
    for name, bits in (
        ("bfloat16", torch.int16),
        ("float8_e4m3fn", torch.uint8),
        ("float8_e5m2", torch.uint8),
        ("float8_e4m3fnuz", torch.uint8),
        ("float8_e5m2fnuz", torch.uint8),
        ("float8_e8m0fnu", torch.uint8),
    )
    if (kind := getattr(torch, name, None)) is not None
}
ROUGH = {torch.float16: 1e-2, torch.bfloat16: 1e-2}
TOLERANCE = 1e-4
"""KernelBench's, absolute and relative: by the dtype of the answer, and for float32 and all wider ones."""
_REPEAT_S, _MOST_CALLS = 1.0, 30
_LEAVES = (type(None), bool, int, float, complex, str)


def seed(value: int) -> None:
    """Seed every generator that a model or its inputs may draw from."""
    torch.manual_seed(value)
    random.seed(value)
    np.random.seed(value % 2**32)


def plain(value: Any) -> Any:
    """Return tensors, and lists, tuples and dicts of them, as plain data; raises ``TypeError`` for anything else."""
    if isinstance(value, torch.Tensor):
        return _array(value.detach())
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, _LEAVES):
        return value
    raise TypeError(f"a {type(value).__name__} cannot cross into the sandbox, only tensors, numbers and texts can")


def _array(tensor: torch.Tensor) -> Any:
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
        raise TypeError(
            f"a tensor of layout {tensor.layout} on {tensor.device} cannot cross, only a dense one on the CPU"
        )
    bits = _BITS.get(str(tensor.dtype))
    whole = tensor.contiguous()
    if bits is not None:
        return {str(tensor.dtype): whole.view(bits).numpy()}
    return whole.resolve_conj().resolve_neg().numpy()


def tensors(value: Any, *, allocate: bool = True) -> Any:
    """Return plain data with its arrays as tensors, which share their memory.

    Raises:
        TypeError: it holds what ``plain`` never makes; or memory to be allocated, without ``allocate``.
    """
    if type(value) is np.ndarray:
        return torch.from_numpy(value)
    if type(value) in (list, tuple):
        return type(value)(tensors(item, allocate=allocate) for item in value)
    if type(value) is not dict:
        if isinstance(value, _LEAVES):
            return value
        raise TypeError(f"a {type(value).__name__} is neither a tensor nor a number")
    (key, item), *more = [*value.items()] or [("", None)]
    if more or not key.startswith("torch."):
        return {key: tensors(item, allocate=allocate) for key, item in value.items()}
    if key == EMPTY and allocate:
        return torch.empty(item[1], dtype=getattr(torch, item[0].removeprefix("torch.")))
    if key not in _BITS or type(item) is not np.ndarray or torch.from_numpy(item).dtype != _BITS[key]:
        raise TypeError(f"no tensor of {key}")
    return torch.from_numpy(item).view(getattr(torch, key.removeprefix("torch.")))


def form(value: Any) -> Any:
    """Return what a value looks like without its numbers: equal for two values of one form."""
    if isinstance(value, torch.Tensor):
        return f"{str(value.dtype).removeprefix('torch.')} {tuple(value.shape)}"
    if isinstance(value, list | tuple):
        return [*("tuple" if isinstance(value, tuple) else "list",), *map(form, value)]
    if isinstance(value, Mapping):
        return {key: form(item) for key, item in value.items()}
    return type(value).__name__


def parts(value: Any) -> list[torch.Tensor]:
    """Return the tensors of a value, in order."""
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, Mapping):
        value = list(value.values())
    return [part for item in value for part in parts(item)] if isinstance(value, list | tuple) else []


def held(value: Any) -> int:
    """Return how many bytes the tensors of a value hold."""
    return sum(part.numel() * part.element_size() for part in parts(value))


def difference(expected: torch.Tensor, given: torch.Tensor) -> str | None:
    """Return how two tensors of one form differ, or None where they are close.

    Close is what KernelBench means by it, but for one thing: the absolute tolerance is that part of the largest number
    where this is below 1. Otherwise zeros would do as the answer of a softmax over many items.
    """
    if not (expected.is_floating_point() or expected.is_complex()):
        wrong = int((expected != given).sum())
        return f"{wrong} of {expected.numel()} numbers differ" if wrong else None
    if not expected.numel():
        return None
    right, other = (value.float() if value.element_size() < 4 else value for value in (expected, given))
    size = right.abs()
    least = min(1.0, float(size.max()))
    tolerance = ROUGH.get(expected.dtype, TOLERANCE)
    error = (right - other).abs_()
    close = error <= size.mul_(tolerance).add_(tolerance * least)
    wrong = close.numel() - int(close.sum())
    if not wrong:
        return None
    if not bool(torch.isfinite(other).all()):
        return "it holds NaN or infinity"
    worst = f"the worst by {float(error.max()):.3g}"
    return f"{wrong} of {expected.numel()} numbers are off by more than {tolerance:g}, {worst}"


def least_s(call: Callable[[], object]) -> float:
    """Return the CPU time of a call, which a busy machine does not stretch: the least of a few, of many short ones."""
    begin = time.process_time()
    call()
    least = time.process_time() - begin
    for _ in range(min(_MOST_CALLS, int(_REPEAT_S / max(least, 1e-6)))):
        begin = time.process_time()
        call()
        least = min(least, time.process_time() - begin)
    return least


def without_gpu() -> None:
    """Let calls that only wait for a GPU pass where there is none."""
    for name in ("synchronize", "empty_cache", "reset_peak_memory_stats", "set_device"):

        def nothing(*_: Any, **__: Any) -> None:
            """Pass; one function for each name, for PyTorch tells its functions apart by what they are."""

        setattr(torch.cuda, name, nothing)
