"""The tensor part of an isokinetic law: only the force across Π acts, of all parameters together."""

import torch
from torch import Tensor

from bbi.algorithm import TINY
from bbi.entries import SLICE, Entry, in_memory_order
from bbi.scalars import S, as_kind, at_least, where


def elements(entries: list[Entry], like: S) -> int:
    """d: how many numbers take part in the motion of one run; a complex one counts as two."""
    replicas = like.numel() if isinstance(like, Tensor) else 1
    return sum(entry.momentum.numel() for entry in entries) // replicas


def across(entries: list[Entry], factor: S, kick: S, u2: S) -> tuple[S, S]:
    """The factor and the kick with which only the part of the force across Π acts, times d/(d-1).

    With f = Δt ∇V, Δt being that of each group, the step u ← factor u + kick f becomes

        u ← factor u + kick d/(d-1) (f - u (u·f)/|u|²),

    where u·f is the sum over all parameters. The mean of the bracket over all directions of u is (d-1)/d f.

    Raises:
        ValueError: For a single element, which has no other direction.
    """
    d = elements(entries, u2)
    if d < 2:
        raise ValueError(
            f"an isokinetic law turns a direction, which takes 2 elements or more, and only {d} has a "
            "gradient: use another optimizer for it"
        )
    kick = kick * (d / (d - 1))
    along = 0.0 * u2
    for p, g, u, lr, decay, _ in entries:
        pull = _dot(g, u, u2)
        if decay:
            pull = pull + decay * _dot(p, u, u2)
        along = along + (pull * lr if isinstance(pull, Tensor) else pull * float(lr))
    # The gradients of runs that do not move, whose kick is 0, may be NaN.
    return factor - where(kick > 0, kick * along / at_least(u2, TINY), 0.0), kick


def _dot(x: Tensor, u: Tensor, like: S) -> S:
    """Σ x u for each run, of the kind of ``like``: np.float64, or float64 () or (R,)."""
    if isinstance(like, Tensor):
        products = x * u.to(torch.promote_types(u.dtype, torch.float32))
        rows = products.reshape(len(u) if like.dim() else 1, -1)
        return rows.sum(1, dtype=torch.float64).reshape(like.shape)
    x, u = in_memory_order(x, u)
    if x.is_contiguous() and u.is_contiguous() and x.dtype == u.dtype in (torch.float32, torch.float64):
        slices = zip(*(torch.split(t.view(-1), SLICE) for t in (x, u)), strict=True)
        total = sum((float(torch.dot(a, b)) for a, b in slices), 0.0)
        if 1e-30 < abs(total) < 1e30:  # products are far from float32's limits
            return as_kind(total, like)
    return as_kind((x.double() * u.double()).sum(), like)
