"""Sums of squares and largest elements of all tensors of a system, without overflow or underflow."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from bbi.entries import SLICE, Entry, in_memory_order
from bbi.scalars import S, at_least, power_of_two

SMALL = 2**14
"""Elements of a tensor that is copied to be summed with others."""


def batch_squares(tensors: list[Tensor]) -> float:
    """Σ |x|² over a batch of one dtype, to that dtype's relative error; half precision as float64."""
    if tensors[0].dtype in (torch.float32, torch.float64) and all(x.is_contiguous() for x in tensors):
        small: list[Tensor] = []
        large: list[Tensor] = []
        for x in tensors:
            (small if x.numel() <= SMALL else large).append(x.view(-1))
        if small:  # one product of copies costs less than many
            large.append(torch.cat(small) if len(small) > 1 else small[0])
        total = sum((float(torch.dot(x, x)) for x in large), 0.0)
        if 1e-30 < total < 1e30:  # squares are far from float32's limits
            return total
    norms = [float(torch.linalg.vector_norm(x, dtype=torch.float64)) for x in tensors]
    return sum((norm * norm for norm in norms), 0.0)  # a power would raise where this is inf


def sum_squares(tensors: list[Tensor], like: S) -> S:
    """Σ x² over all tensors, of the kind of ``like``: np.float64, or float64 () or (R,)."""
    if not isinstance(like, Tensor):
        flat = (y for x in tensors for y in in_memory_order(x))
        cut = (
            torch.split(x.view(-1), SLICE) if x.is_contiguous() and x.numel() > SLICE else (x,) for x in flat
        )
        return np.float64(sum((batch_squares([part]) for parts in cut for part in parts), 0.0))
    total = torch.zeros_like(like)
    for x in tensors:
        rows = x.reshape(len(x), -1) if like.dim() else x.reshape(1, -1)
        norm = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
        total = total + norm.square().reshape(like.shape)
    return total


def largest(tensors: list[Tensor], like: S) -> S:
    """max |x| over all tensors, of the kind of ``like``; NaN where some x is."""
    some = [x for x in tensors if x.numel()]
    if not isinstance(like, Tensor):
        return np.float64(np.max([abs(float(end)) for x in some for end in x.aminmax()], initial=0.0))
    top = torch.zeros_like(like)
    for x in some:
        low, high = x.reshape(len(x) if like.dim() else 1, -1).aminmax(dim=1)
        top = torch.maximum(top, torch.maximum(-low, high).to(torch.float64).reshape(like.shape))
    return top


def in_range(entries: list[Entry], push: float) -> bool:
    """Whether a factor by which a step on the CPU multiplies u is a number of every parameter's dtype."""
    return push < 1e4 or push < min(torch.finfo(dtype).max for dtype in {e.param.dtype for e in entries})


def unit(entries: list[Entry], like: S, size: S | None = None) -> S:
    """The power of two at max |∇F|, ``size`` if that is known; at least the smallest number of each dtype."""
    top = largest([entry.grad for entry in entries], like) if size is None else size
    tiny = max(torch.finfo(dtype).tiny for dtype in {entry.param.dtype for entry in entries})
    return at_least(power_of_two(top), tiny)


def finite(batches: Sequence[list[Entry]]) -> bool:
    """Whether no element of ∇F on the CPU is NaN or inf, in one pass from the last batch to the first.

    No order of the step's own passes would do: when the last gradient is seen, parameters have moved. The
    first gradients, which the step begins with, are the last ones that come into the cache.
    """
    total = sum((batch_squares([e.grad for e in batch]) for batch in reversed(batches)), 0.0)
    # Squares of finite numbers may overflow, but no NaN or inf is lost in them.
    return math.isfinite(total) or bool(
        largest([e.grad for b in batches for e in b], np.float64()) < math.inf
    )
