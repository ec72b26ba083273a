"""The tensors' part of a step: move, sum of squares, redraw, in place and in few passes.

On the CPU one run's coefficients are Python floats and large tensors are worked on in slices that
stay in the cache: Π is updated, squared and used while it is there. Everywhere else coefficients
are tensors on the device, and nothing waits for the CPU.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from bbi.noise import replica_keys
from bbi.scalars import Flag, Scalar
from bbi.step import Coefficients, draw

SLICE = 2**18
"""Elements worked on at a time: 1 MiB of float32."""


class Slot(NamedTuple):
    """A parameter that takes part in a step; complex ones as their real view."""

    param: Tensor
    grad: Tensor
    momentum: Tensor
    lr: float | Tensor
    """Its group's Δt."""
    first: int
    """Number of its first element among all elements of a replica: its address for random numbers."""


def _slices(*tensors: Tensor) -> list[tuple[Tensor, ...]]:
    """Matching slices of tensors of one shape: flat and short where all are contiguous."""
    if not all(t.is_contiguous() for t in tensors):
        return [tensors]
    if tensors[0].numel() <= SLICE:
        return [tuple(t.view(-1) for t in tensors)]
    return list(zip(*(torch.split(t.view(-1), SLICE) for t in tensors), strict=True))


def _dot(x: Tensor) -> float:
    """|x|² to float32's relative error: products summed in x's dtype, over a slice at most."""
    if x.dtype in (torch.float16, torch.bfloat16) or x.dim() != 1:
        return float(torch.linalg.vector_norm(x, dtype=torch.float64)) ** 2
    return float(torch.dot(x, x))


def _per_replica(scalar: Scalar, like: Tensor) -> Scalar:
    """Shape a coefficient (R,) to multiply a tensor (R, …), in its dtype; others pass."""
    if not isinstance(scalar, Tensor):
        return scalar
    scalar = scalar.to(like.dtype)
    return scalar.reshape(-1, *[1] * (like.dim() - 1)) if scalar.dim() else scalar


def sum_squares(tensors: list[Tensor], like: Scalar) -> Scalar:
    """Σ x² over all tensors: a float, or float64 () or (R,) like ``like``."""
    if not isinstance(like, Tensor):
        return sum((_dot(part[0]) for x in tensors for part in _slices(x)), 0.0)
    total = torch.zeros_like(like)
    for x in tensors:
        rows = x.reshape(len(x), -1) if like.dim() else x.reshape(1, -1)
        norm = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
        total = total + norm.square().reshape(like.shape)
    return total


def move(slots: list[Slot], c: Coefficients) -> Scalar:
    """Π ← scale Π - Δt kick ∇F and Θ ← Θ + Δt drift Π, in place.

    :returns: the new |Π|², of the kind of the coefficients.
    """
    if not isinstance(c.scale, Tensor):
        return _move_slices(slots, c)
    for slot in slots:
        p, g, m = slot.param, slot.grad, slot.momentum
        m.mul_(_per_replica(c.scale, m)).addcmul_(g.to(m.dtype), _per_replica(-slot.lr * c.kick, m))
        p.addcmul_(m, _per_replica(slot.lr * c.drift, p))
    return sum_squares([slot.momentum for slot in slots], c.scale)


def _move_slices(slots: list[Slot], c: Coefficients) -> float:
    total = 0.0
    for slot in slots:
        lr = float(slot.lr)
        kick, drift = -lr * c.kick, lr * c.drift
        for p, g, m in _slices(slot.param, slot.grad, slot.momentum):
            if c.scale != 1.0:
                m.mul_(c.scale)
            m.add_(g, alpha=kick)
            p.add_(m, alpha=drift)
            total += _dot(m)
    return total


def rescale(slots: list[Slot], factor: Scalar) -> None:
    """Π ← factor · Π in place."""
    for slot in slots:
        slot.momentum.mul_(_per_replica(factor, slot.momentum))


def redraw(slots: list[Slot], kind: str, seed: int, bounce: Flag, number: Scalar) -> Scalar:
    """Replace Π by random vectors where ``bounce``, in place; their length is for the caller to set.

    :param kind: ``"normal"`` or ``"cube"``.
    :param number: number of the draw.
    :returns: the squared norm of what is there now.
    """
    device = slots[0].momentum.device
    replicas = number.numel() if isinstance(number, Tensor) else 1
    keys = replica_keys(seed, torch.arange(replicas, device=device))[:, None]
    draws = torch.as_tensor(number, dtype=torch.float64, device=device).reshape(-1, 1)
    mask = torch.as_tensor(bounce, device=device).reshape(-1, 1)
    for slot in slots:
        rows = slot.momentum.reshape(replicas, -1)
        length = rows.shape[1]
        for start in range(0, length, SLICE):
            part = rows[:, start : start + SLICE]
            index = torch.arange(part.shape[1], device=device) + (slot.first + start)
            part.copy_(torch.where(mask, draw(kind, keys, draws, index).to(part.dtype), part))
        if rows.data_ptr() != slot.momentum.data_ptr():  # reshape had to copy: no contiguous layout
            slot.momentum.copy_(rows.reshape(slot.momentum.shape))
    return sum_squares([slot.momentum for slot in slots], number)
