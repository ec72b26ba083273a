"""The tensor part of a step: kick, drift, sums of squares, random vectors; in place and in few passes.

Momenta are stored as Π = -σ u with one σ for all parameters. What Algorithm 1 does to the length of Π,
restoring the energy and bouncing, then only changes scalars. A step is

    u ← factor u + (Δt H_V/σ) ∇V,        Θ ← Θ - (Δt 2H_P σ) u,

which is SGD with momentum, with a factor and a step size that change from step to step.

For one run on the CPU the coefficients are numbers, and σ is chosen so that ∇V enters unscaled. Torch's own
fused SGD kernel then does both passes at once, in batches that stay in the cache while |u|² is summed: small
tensors together, large ones in slices. In all other cases the coefficients are tensors on the device and u is
kept at norm 1, which needs no synchronisation.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, cast

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from bbi.algorithm import TINY, Algorithm
from bbi.noise import replica_keys
from bbi.scalars import Flag, S, at_least, power_of_two, sqrt, where

SLICE = 2**19
"""Elements worked on at a time: 2 MiB of float32."""
NOISE = 2**16
"""Random numbers that a thread computes at a time, in some forty passes: 512 KiB of float64."""
SMALL = 2**14
"""Elements of a tensor that is copied to be summed with others."""


class Entry(NamedTuple):
    """A parameter that takes part in a step; a complex one as its real view."""

    param: Tensor
    grad: Tensor
    momentum: Tensor
    """The buffer u."""
    lr: float | Tensor
    """Δt of its group."""
    weight_decay: float
    """w of its group, in the potential ½ w |Θ|²."""
    first: int
    """Index of its first element among all elements of a replica, for the random numbers."""


def in_memory_order(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Contiguous views of tensors that are all in channels_last; others unchanged."""
    if tensors[0].is_contiguous():  # as almost always, at a fraction of the time
        return tensors
    if all(not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last) for x in tensors):
        return tuple(x.permute(0, 2, 3, 1) for x in tensors)
    return tensors


def batched(entries: list[Entry]) -> Iterator[list[Entry]]:
    """Tensors of one group and dtype up to SLICE elements together; larger ones cut into slices."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        p, g, m = in_memory_order(*entry[:3])
        entry = entry._replace(param=p, grad=g, momentum=m)
        length = p.numel()
        if length > SLICE and p.is_contiguous() and g.is_contiguous() and m.is_contiguous():
            for parts in zip(*(torch.split(t.view(-1), SLICE) for t in (p, g, m)), strict=True):
                yield [entry._replace(param=parts[0], grad=parts[1], momentum=parts[2])]
            continue
        if batch:
            last = batch[-1]
            same_group = entry.lr is last.lr and entry.weight_decay == last.weight_decay
            if not same_group or p.dtype != last.param.dtype or size + length > SLICE:
                yield batch
                batch, size = [], 0
        batch.append(entry)
        size += length
    if batch:
        yield batch


def _norms2(tensors: list[Tensor]) -> float:
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


def fit(scalar: Tensor, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Shape a coefficient (R,) to multiply a tensor (R, …), in its dtype; coefficients () unchanged."""
    if scalar.dim() == 0:
        return scalar
    return scalar.to(dtype or like.dtype).reshape(-1, *[1] * (like.dim() - 1))


def sum_squares(tensors: list[Tensor], like: S) -> S:
    """Σ x² over all tensors, of the kind of ``like``: np.float64, or float64 () or (R,)."""
    if not isinstance(like, Tensor):
        flat = (y for x in tensors for y in in_memory_order(x))
        cut = (
            torch.split(x.view(-1), SLICE) if x.is_contiguous() and x.numel() > SLICE else (x,) for x in flat
        )
        return np.float64(sum((_norms2([part]) for parts in cut for part in parts), 0.0))
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
    total = sum((_norms2([e.grad for e in batch]) for batch in reversed(batches)), 0.0)
    # Squares of finite numbers may overflow, but no NaN or inf is lost in them.
    return math.isfinite(total) or bool(
        largest([e.grad for b in batches for e in b], np.float64()) < math.inf
    )


def weight_energy(entries: list[Entry], like: S) -> S:
    """½ Σ w |Θ|² over the parameters whose group has a weight decay."""
    total = 0.0 * like
    for entry in entries:
        if entry.weight_decay:
            total = total + 0.5 * entry.weight_decay * sum_squares([entry.param], like)
    return total


def split(length2: S, u2: S, pull: float, unit: S) -> tuple[S, S]:
    """Write Π of squared length ``length2`` along -u, of squared norm ``u2``, as -σ (factor u).

    Tensors are normalised in each step. A run on the CPU takes σ = ``pull``, the largest Δt H_V of a group,
    where that is above 0, so that ∇V need not be scaled. Π = 0 gives factor 0, and a σ ``unit`` times as
    large, a power of two that brings a small or large ∇V near 1. Returns the factor and σ > 0.
    """
    some = (length2 > 0) & (u2 > 0)
    if isinstance(u2, Tensor):
        return where(some, at_least(u2, TINY).rsqrt(), 0.0), where(some, sqrt(length2), unit)
    sigma = np.float64(pull if pull > 0 else 1.0)
    return where(some, sqrt(length2 / u2) / sigma, 0.0), where(some, sigma, sigma * unit)


def kick(
    entries: list[Entry], batches: Sequence[list[Entry]], factor: S, kick: S, drift: S | None, moved: Flag
) -> S:
    """u ← factor u + Δt kick (∇F + w Θ), and Θ ← Θ - Δt drift u unless ``drift`` is None; the new |u|².

    Only the gradients of the runs in ``moved`` count; those of the others may be NaN. One run on the CPU
    takes the entries in ``batches``.
    """
    if not isinstance(factor, Tensor):
        numbers = float(factor), float(kick), float(drift or 0.0)
        return np.float64(sum((_kick_batch(batch, *numbers) for batch in batches), 0.0))
    for p, g, u, lr, decay, _ in entries:
        force = torch.where(fit(cast(Tensor, moved), u, torch.bool), g.to(u.dtype), 0.0)
        u.mul_(fit(factor, u)).addcmul_(force, fit(lr * kick, u))
        if decay:
            u.addcmul_(p, fit(lr * decay * kick, u))
        if drift is not None:
            p.addcmul_(u, fit(-lr * drift, p))
    return sum_squares([entry.momentum for entry in entries], factor)


def _kick_batch(batch: list[Entry], factor: float, kick: float, drift: float) -> float:
    params, grads, us, lrs, decays, _ = map(list, zip(*batch, strict=True))
    lr, decay = float(lrs[0]), decays[0]
    pull, push = lr * kick, lr * drift
    plain = all(t.is_contiguous() and t.dtype == params[0].dtype for ts in (params, grads, us) for t in ts)
    # The kernel computes 1 - dampening = pull, so pull must be of order 1; it takes factor 0 for "no buffer".
    if plain and factor and push and 1e-6 < pull < 1e6:
        torch._fused_sgd_(
            params,
            grads,
            us,
            weight_decay=decay,
            momentum=factor,
            lr=push,
            dampening=1.0 - pull,
            nesterov=False,
            maximize=False,
            is_first_step=False,
        )
        return _norms2(us)
    if factor != 1.0:
        torch._foreach_mul_(us, factor)
    if pull:
        torch._foreach_add_(us, grads, alpha=pull)
        if decay:
            torch._foreach_add_(us, params, alpha=pull * decay)
    if push:
        torch._foreach_add_(params, us, alpha=-push)
    return _norms2(us)


def drift(entries: list[Entry], drift: S) -> None:
    """Θ ← Θ - Δt drift u in place."""
    for p, _, u, lr, _, _ in entries:
        if isinstance(drift, Tensor):
            p.addcmul_(u, fit(-lr * drift, p))
        else:
            p.add_(u, alpha=-float(lr) * float(drift))


def downhill(entries: list[Entry], mask: Flag, like: S) -> S:
    """u ← (∇F + w Θ)/c, and so Π along -∇V, where ``mask`` holds, in place; the new |u|².

    The power of two c brings the largest element near 1, so that squares neither overflow nor underflow.
    """
    for p, g, u, _, decay, _ in entries:
        slope = g.to(u.dtype) + decay * p if decay else g.to(u.dtype)
        u.copy_(torch.where(fit(mask, u, torch.bool), slope, u) if isinstance(mask, Tensor) else slope)
    us = [entry.momentum for entry in entries]
    rescale(entries, where(mask, 1.0 / power_of_two(largest(us, like)), 1.0))
    return sum_squares(us, like)


def rescale(entries: list[Entry], factor: S) -> None:
    """u ← factor u in place; a factor beyond the range of a dtype is the largest number of that."""
    for entry in entries:
        u, top = entry.momentum, torch.finfo(entry.momentum.dtype).max
        u.mul_(fit(factor.clamp(max=top), u) if isinstance(factor, Tensor) else min(float(factor), top))


def redraw(
    entries: list[Entry], algorithm: Algorithm, seed: int, bounce: Flag, number: S, share: S | None = None
) -> S:
    """Replace Π by random vectors N, and so u by -N, where ``bounce`` holds; the new |u|².

    ``number`` counts the draws. For a partial refresh, u - ``share`` N takes the place of -N.
    """
    device = entries[0].momentum.device
    replicas = number.numel() if isinstance(number, Tensor) else 1
    keys = replica_keys(seed, torch.arange(replicas, device=device))[:, None]
    draws, mask = _column(number, device), _column(bounce, device).bool()
    factor = -1.0 if share is None else -_column(share, device)
    rows = [entry.momentum.reshape(replicas, -1) for entry in entries]
    size = SLICE if device.type != "cpu" else NOISE * torch.get_num_threads()
    width = max(size // replicas, 1)
    count = torch.arange(width, device=device)
    for parts in _columns(rows, [entry.first for entry in entries], width):
        indices = [count[: part.shape[1]] + first for part, first in parts]
        fresh = algorithm.vectors(keys, draws, indices[0] if len(parts) == 1 else torch.cat(indices))
        fresh.mul_(factor)
        for (part, _), new in zip(parts, torch.split(fresh, [len(i) for i in indices], dim=1), strict=True):
            if share is not None:
                new.add_(part)
            part.copy_(torch.where(mask, new.to(part.dtype), part) if isinstance(bounce, Tensor) else new)
    for entry, row in zip(entries, rows, strict=True):
        if not entry.momentum.is_contiguous():  # reshape had to copy
            entry.momentum.copy_(row.reshape(entry.momentum.shape))
    return sum_squares([entry.momentum for entry in entries], number)


def _columns(rows: list[Tensor], firsts: list[int], width: int) -> Iterator[list[tuple[Tensor, int]]]:
    """Columns of matrices with the address of the first, up to ``width`` columns together."""
    batch: list[tuple[Tensor, int]] = []
    size = 0
    for row, first in zip(rows, firsts, strict=True):
        for part in torch.split(row, width, dim=1):
            if batch and size + part.shape[1] > width:
                yield batch
                batch, size = [], 0
            batch.append((part, first))
            first, size = first + part.shape[1], size + part.shape[1]
    if batch:
        yield batch


def _column(x: object, device: torch.device) -> Tensor:
    """A scalar or a flag as a float64 column (R, 1) or (1, 1), without synchronising a device."""
    if isinstance(x, Tensor):
        return x.to(torch.float64).reshape(-1, 1)
    return torch.full((1, 1), float(cast(np.float64, x)), dtype=torch.float64, device=device)


def average(value: Tensor, device: torch.device, group: Any) -> Tensor:
    """The mean of a loss over the ranks of a group, with the same bits on each; False is this rank alone."""
    if group is False or not (dist.is_available() and dist.is_initialized()):
        return value
    total = value.to(device, copy=True)
    dist.all_reduce(total, group=group)
    return total / dist.get_world_size(group)
