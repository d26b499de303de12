"""Softmax of every row of a matrix, as a Triton kernel: one program a row."""

import torch
import triton
import triton.language as tl

# EVOLVE-BLOCK-START
BLOCK = 1024


@triton.jit
def softmax_kernel(x, y, columns, x_stride, y_stride, BLOCK: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    x += row * x_stride
    y += row * y_stride
    offsets = tl.arange(0, BLOCK)

    highest = tl.full((), float("-inf"), tl.float32)
    for begin in range(0, columns, BLOCK):
        inside = begin + offsets < columns
        part = tl.load(x + begin + offsets, mask=inside, other=float("-inf")).to(tl.float32)
        highest = tl.maximum(highest, tl.max(part, axis=0))

    total = tl.zeros((), tl.float32)
    for begin in range(0, columns, BLOCK):
        inside = begin + offsets < columns
        part = tl.load(x + begin + offsets, mask=inside, other=float("-inf")).to(tl.float32)
        total += tl.sum(tl.exp(part - highest), axis=0)

    for begin in range(0, columns, BLOCK):
        inside = begin + offsets < columns
        part = tl.load(x + begin + offsets, mask=inside, other=0.0).to(tl.float32)
        tl.store(y + begin + offsets, tl.exp(part - highest) / total, mask=inside)


def softmax(x: torch.Tensor, y: torch.Tensor) -> None:
    """Write the softmax of every row of ``x`` (rows, columns) into ``y``, which has the same shape and type."""
    rows, columns = x.shape
    softmax_kernel[(rows,)](x, y, columns, x.stride(0), y.stride(0), BLOCK=BLOCK)


# EVOLVE-BLOCK-END
