"""The tensors' part of a step: kick, drift, sums of squares, redraws, in place and in few passes.

Momenta are stored as Π = -σ u with one length σ for all: what Algorithm 1 does to the length of Π,
restoring the energy and bouncing, is then a matter of scalars. A step is

    u ← factor u + (Δt H_V/σ) ∇V,        Θ ← Θ - (Δt 2H_P σ) u,

which is that of SGD with momentum, by a factor and a step size that change from step to step.

On the CPU one run's coefficients are Python floats, σ is chosen so that ∇V enters as it is, and
torch's own fused kernel of SGD does both passes at once, in batches that stay in the cache while
|u|² is summed: small tensors together, large ones in slices. Everywhere else coefficients are
tensors on the device, u is kept at norm 1, and nothing waits for the CPU.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from bbi.noise import replica_keys
from bbi.scalars import Flag, Scalar, at_least, sqrt, where
from bbi.step import TINY, draw

SLICE = 2**19
"""Elements worked on at a time: 2 MiB of float32."""
SMALL = 2**14
"""Elements of a tensor that is copied to be summed with others."""


class Slot(NamedTuple):
    """A parameter that takes part in a step; complex ones as their real view."""

    param: Tensor
    grad: Tensor
    momentum: Tensor
    lr: float | Tensor
    """Its group's Δt."""
    weight_decay: float
    """Its group's w in the potential ½ w |Θ|²."""
    first: int
    """Number of its first element among all elements of a replica: its address for random numbers."""


def _in_memory_order(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Contiguous views of tensors that are all in channels_last; others as they are."""
    if all(not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last) for x in tensors):
        return tuple(x.permute(0, 2, 3, 1) for x in tensors)
    return tensors


def _batches(slots: list[Slot]) -> Iterator[list[Slot]]:
    """Tensors of one group and dtype up to SLICE elements together; larger ones cut into slices."""
    batch: list[Slot] = []
    size = 0
    for slot in slots:
        p, g, m = _in_memory_order(*slot[:3])
        slot = slot._replace(param=p, grad=g, momentum=m)
        length = p.numel()
        if length > SLICE and p.is_contiguous() and g.is_contiguous() and m.is_contiguous():
            for parts in zip(*(torch.split(t.view(-1), SLICE) for t in (p, g, m)), strict=True):
                yield [slot._replace(param=parts[0], grad=parts[1], momentum=parts[2])]
            continue
        if batch:
            last = batch[-1]
            same = (
                slot.lr is last.lr and slot.weight_decay == last.weight_decay and p.dtype == last.param.dtype
            )
            if not same or size + length > SLICE:
                yield batch
                batch, size = [], 0
        batch.append(slot)
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


def _flat_parts(x: Tensor) -> tuple[Tensor, ...]:
    return torch.split(x.view(-1), SLICE) if x.is_contiguous() else (x,)


def fit(scalar: Scalar, like: Tensor, dtype: torch.dtype | None = None) -> Scalar:
    """Shape a coefficient (R,) to multiply a tensor (R, …), in its dtype; numbers and () pass."""
    if not isinstance(scalar, Tensor) or scalar.dim() == 0:
        return scalar
    return scalar.to(dtype or like.dtype).reshape(-1, *[1] * (like.dim() - 1))


def sum_squares(tensors: list[Tensor], like: Scalar) -> Scalar:
    """Σ x² over all tensors: a float, or float64 () or (R,) like ``like``."""
    if not isinstance(like, Tensor):
        flat = (y for x in tensors for y in _in_memory_order(x))
        parts = (part for x in flat for part in (_flat_parts(x) if x.numel() > SLICE else (x,)))
        return sum((_norms2([part]) for part in parts), 0.0)
    total = torch.zeros_like(like)
    for x in tensors:
        rows = x.reshape(len(x), -1) if like.dim() else x.reshape(1, -1)
        norm = torch.linalg.vector_norm(rows, dim=1, dtype=torch.float64)
        total = total + norm.square().reshape(like.shape)
    return total


def weight_energy(slots: list[Slot], like: Scalar) -> Scalar:
    """½ Σ w |Θ|² over the parameters whose group has a weight decay."""
    total = 0.0 * like
    for slot in slots:
        if slot.weight_decay:
            total = total + 0.5 * slot.weight_decay * sum_squares([slot.param], like)
    return total


def split(length2: Scalar, u2: Scalar, pull: Scalar) -> tuple[Scalar, Scalar]:
    """Π of squared length ``length2`` along -u, of squared norm ``u2``, as -σ (factor u).

    Tensors are normalised in each step, since nobody may look. A run on the CPU takes σ = ``pull``,
    the largest Δt H_V of a group, where that is above 0, so that ∇V need not be scaled.
    Π = 0 is factor 0.

    :returns: factor and σ > 0.
    """
    some = (length2 > 0) & (u2 > 0)
    if isinstance(u2, Tensor):
        return where(some, at_least(u2, TINY).rsqrt(), 0.0), where(some, sqrt(length2), 1.0)
    sigma = pull if pull > 0 else 1.0
    return (float(length2 / u2) ** 0.5 / sigma if some else 0.0), sigma


def kick(slots: list[Slot], factor: Scalar, kick: Scalar, drift: Scalar | None, moved: Flag) -> Scalar:
    """u ← factor u + Δt kick (∇F + w Θ), and Θ ← Θ - Δt drift u unless ``drift`` is None, in place.

    :param moved: whose gradients count; those of the others may be NaN.
    :returns: the new |u|², of the kind of the coefficients.
    """
    if not isinstance(factor, Tensor):
        return sum((_kick_batch(batch, factor, kick, drift) for batch in _batches(slots)), 0.0)
    for p, g, u, lr, decay, _ in slots:
        force = torch.where(fit(moved, u, torch.bool), g.to(u.dtype), 0.0)
        u.mul_(fit(factor, u)).addcmul_(force, fit(lr * kick, u))
        if decay:
            u.addcmul_(p, fit(lr * decay * kick, u))
        if drift is not None:
            p.addcmul_(u, fit(-lr * drift, p))
    return sum_squares([slot.momentum for slot in slots], factor)


def _kick_batch(batch: list[Slot], factor: float, kick: float, drift: float | None) -> float:
    params, grads, us, lrs, decays, _ = map(list, zip(*batch, strict=True))
    lr, decay = float(lrs[0]), decays[0]
    pull, push = lr * kick, lr * (drift or 0.0)
    plain = all(t.is_contiguous() and t.dtype == params[0].dtype for ts in (params, grads, us) for t in ts)
    # The kernel takes 1 - pull, so pull must be of order 1; and factor 0 means no buffer to it.
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


def drift(slots: list[Slot], drift: Scalar) -> None:
    """Θ ← Θ - Δt drift u in place."""
    for p, _, u, lr, _, _ in slots:
        step = fit(-lr * drift, p)
        if isinstance(step, Tensor):
            p.addcmul_(u, step)
        else:
            p.add_(u, alpha=step)


def downhill(slots: list[Slot], who: Flag) -> None:
    """u ← ∇F + w Θ, and so Π along -∇V, where ``who``, in place."""
    for p, g, u, _, decay, _ in slots:
        slope = g.to(u.dtype) + decay * p if decay else g.to(u.dtype)
        u.copy_(torch.where(fit(who, u, torch.bool), slope, u) if isinstance(who, Tensor) else slope)


def rescale(slots: list[Slot], factor: Scalar) -> None:
    """u ← factor u in place."""
    for slot in slots:
        slot.momentum.mul_(fit(factor, slot.momentum))


def redraw(
    slots: list[Slot], kind: str, seed: int, bounce: Flag, number: Scalar, stir: Scalar | None = None
) -> Scalar:
    """Replace Π by random vectors N, and so u by -N, where ``bounce``, in place.

    :param kind: ``"normal"`` or ``"cube"``.
    :param number: number of the draw.
    :param stir: if given, u - stir N takes the place of -N: a partial redraw.
    :returns: the squared norm of what is there now.
    """
    device = slots[0].momentum.device
    replicas = number.numel() if isinstance(number, Tensor) else 1
    keys = replica_keys(seed, torch.arange(replicas, device=device))[:, None]
    draws = _column(number, device)
    mask, share = _column(bounce, device).bool(), None if stir is None else _column(stir, device)
    for slot in slots:
        rows = slot.momentum.reshape(replicas, -1)
        for start in range(0, rows.shape[1], SLICE):
            part = rows[:, start : start + SLICE]
            index = torch.arange(part.shape[1], device=device) + (slot.first + start)
            fresh = -draw(kind, keys, draws, index)
            if share is not None:
                fresh = part + share * fresh
            part.copy_(torch.where(mask, fresh.to(part.dtype), part))
        if not slot.momentum.is_contiguous():  # reshape had to copy
            slot.momentum.copy_(rows.reshape(slot.momentum.shape))
    return sum_squares([slot.momentum for slot in slots], number)


def _column(x: Scalar | Flag, device: torch.device) -> Tensor:
    """A scalar as a float64 column (R, 1) or (1, 1), without asking a device."""
    if isinstance(x, Tensor):
        return x.to(torch.float64).reshape(-1, 1)
    return torch.full((1, 1), float(x), dtype=torch.float64, device=device)
