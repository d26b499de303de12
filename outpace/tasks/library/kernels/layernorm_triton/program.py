"""Residual addition and LayerNorm, as a Triton kernel: one program a row."""

import torch
import triton
import triton.language as tl

EPS = 1e-5

# EVOLVE-BLOCK-START
BLOCK = 1024


@triton.jit
def layernorm_kernel(x, residual, weight, bias, total, y, columns, stride, eps, BLOCK: tl.constexpr):
    first = tl.program_id(0).to(tl.int64) * stride
    offsets = tl.arange(0, BLOCK)

    mean = tl.zeros((), tl.float32)
    for begin in range(0, columns, BLOCK):
        at = begin + offsets
        inside = at < columns
        part = tl.load(x + first + at, mask=inside, other=0.0).to(tl.float32)
        part += tl.load(residual + first + at, mask=inside, other=0.0).to(tl.float32)
        tl.store(total + first + at, part, mask=inside)
        mean += tl.sum(part, axis=0)
    mean /= columns

    variance = tl.zeros((), tl.float32)
    for begin in range(0, columns, BLOCK):
        at = begin + offsets
        inside = at < columns
        part = tl.load(x + first + at, mask=inside, other=0.0).to(tl.float32)
        part += tl.load(residual + first + at, mask=inside, other=0.0).to(tl.float32)
        away = tl.where(inside, part - mean, 0.0)
        variance += tl.sum(away * away, axis=0)
    scale = 1.0 / tl.sqrt(variance / columns + eps)

    for begin in range(0, columns, BLOCK):
        at = begin + offsets
        inside = at < columns
        part = tl.load(x + first + at, mask=inside, other=0.0).to(tl.float32)
        part += tl.load(residual + first + at, mask=inside, other=0.0).to(tl.float32)
        part = (part - mean) * scale * tl.load(weight + at, mask=inside).to(tl.float32)
        tl.store(y + first + at, part + tl.load(bias + at, mask=inside).to(tl.float32), mask=inside)


def layernorm(
    x: torch.Tensor,
    residual: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    total: torch.Tensor,
    y: torch.Tensor,
) -> None:
    """Write ``x + residual`` into ``total``, and its LayerNorm over each row into ``y``.

    ``x``, ``residual``, ``total`` and ``y`` are (rows, columns), with rows as far apart in all four; ``weight`` and
    ``bias`` are (columns,). All are of one type.
    """
    rows, columns = x.shape
    layernorm_kernel[(rows,)](x, residual, weight, bias, total, y, columns, x.stride(0), EPS, BLOCK=BLOCK)


# EVOLVE-BLOCK-END
