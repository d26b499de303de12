"""Lays the matrix between guard pages and calls the kernel's host function."""

from collections.abc import Callable
from typing import Any

from guarded import answers


def run(softmax: Callable[..., Any], x: Any, pad: int) -> Any:
    """Return what ``softmax(x, y)`` writes into ``y``."""
    return answers(softmax, inputs={"x": x}, outputs={"y": (x.shape, x.dtype)}, pad=pad)["y"]
