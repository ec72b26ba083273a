"""Curves of an ensemble, from snapshots of its batch slots."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


class Curves(NamedTuple):
    """Recorded states, one row a point, sorted by replica and step; row 0 of a replica is its start."""

    replica: Tensor
    """int64 (N,), index into the replicas."""
    step: Tensor
    """int64 (N,)."""
    value: Tensor
    """float64 (N,), F."""
    theta: Tensor
    """float64 (N, n)."""
    momentum: Tensor
    """float64 (N, n), before the bounce of that step, if any."""
    best: Tensor
    """float64 (N,), lowest F of all steps up to here."""


class Records:
    """Snapshots of the batch slots."""

    def __init__(self, every: int) -> None:
        self.every = every
        self._rows: list[tuple[Tensor, ...]] = []

    def add(self, ids: Tensor, state: list[Tensor]) -> None:
        """Record the state of every occupied slot."""
        used = ids >= 0
        theta, momentum, best, steps = (state[i][..., used] for i in (0, 1, 3, 4))
        self._rows.append((ids[used], steps.to(torch.int64), theta.T, momentum.T, best))

    def curves(self, potential: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Curves:
        """All snapshots by replica and step; repeated ones of a replica that stands still are one row."""
        replica, step, theta, momentum, best = map(torch.cat, zip(*self._rows, strict=True))
        order = torch.argsort(replica * (int(step.max()) + 1) + step, stable=True)
        replica, step = replica[order], step[order]
        first = torch.ones_like(replica, dtype=torch.bool)
        first[1:] = (replica[1:] != replica[:-1]) | (step[1:] != step[:-1])
        theta, momentum, best = (column[order][first] for column in (theta, momentum, best))
        value = potential(theta)[0]
        best = torch.where(value < best, value, best)  # a slot's own is that of the steps before
        return Curves(replica[first], step[first], value, theta, momentum, best)
