"""The tensor part of a step: kick and drift, in place and in few passes.

Momenta are stored as Π = -σ u with one σ for all parameters. What Algorithm 1 does to the length of Π,
restoring the energy and bouncing, then only changes scalars. A step is

    u ← factor u + (Δt H_V/σ) ∇V,        Θ ← Θ - (Δt 2H_P σ) u,

which is SGD with momentum, with a factor and a step size that change from step to step.

For one run on the CPU the coefficients are numbers, and σ is chosen so that ∇V enters unscaled. Torch's own
fused SGD kernel then does both passes at once, in batches that stay in the cache while |u|² is summed: small
tensors together, large ones in slices. In all other cases the coefficients are tensors on the device and u is
kept at norm 1, which needs no synchronisation.
"""

from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor

from bbi.algorithm import TINY
from bbi.entries import Entry
from bbi.norms import batch_squares, largest, sum_squares
from bbi.scalars import Flag, S, at_least, power_of_two, sqrt, where


def fit(scalar: Tensor, like: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """Shape a coefficient (R,) to multiply a tensor (R, …), in its dtype; coefficients () unchanged."""
    if scalar.dim() == 0:
        return scalar
    return scalar.to(dtype or like.dtype).reshape(-1, *[1] * (like.dim() - 1))


def weight_energy(entries: list[Entry], like: S) -> S:
    """½ Σ w |Θ|² over the parameters whose group has a weight decay."""
    total = 0.0 * like
    for entry in entries:
        if entry.weight_decay:
            total = total + 0.5 * entry.weight_decay * sum_squares([entry.param], like)
    return total


LONGEST = 2.0**14
"""Norm of u up to which no element leaves the range of float16, after a kick of moderate length."""
LONGEST_ELSEWHERE = 2.0**100
"""The same for the other dtypes."""


def split(length2: S, u2: S, pull: float, unit: S, entries: Sequence[Entry] = ()) -> tuple[S, S]:
    """Write Π of squared length ``length2`` along -u, of squared norm ``u2``, as -σ (factor u).

    Tensors are normalised in each step. A run on the CPU takes σ = ``pull``, the largest Δt H_V of a group,
    where that is above 0, so that ∇V need not be scaled, or a larger one where u would leave the range of
    the dtypes of ``entries``. Π = 0 gives factor 0, and a σ ``unit`` times as large, a power of two that
    brings a small or large ∇V near 1. Returns the factor and σ > 0.
    """
    some = (length2 > 0) & (u2 > 0)
    if isinstance(u2, Tensor):
        return where(some, at_least(u2, TINY).rsqrt(), 0.0), where(some, sqrt(length2), unit)
    sigma = np.float64(pull if pull > 0 else 1.0)
    if length2 > (LONGEST * sigma) ** 2:
        half = any(e.momentum.dtype == torch.float16 for e in entries)
        sigma = np.maximum(sigma, np.sqrt(length2) / (LONGEST if half else LONGEST_ELSEWHERE))
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
        return batch_squares(us)
    if factor != 1.0:
        torch._foreach_mul_(us, factor)
    if pull:
        torch._foreach_add_(us, grads, alpha=pull)
        if decay:
            torch._foreach_add_(us, params, alpha=pull * decay)
    if push:
        torch._foreach_add_(params, us, alpha=-push)
    return batch_squares(us)


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


def average(value: Tensor, device: torch.device, group: Any) -> Tensor:
    """The mean of a loss over the ranks of a group, with the same bits on each; False is this rank alone."""
    if group is False or not (dist.is_available() and dist.is_initialized()):
        return value
    total = value.to(device, copy=True)
    dist.all_reduce(total, group=group)
    return total / dist.get_world_size(group)
