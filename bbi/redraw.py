"""Random vectors in the place of momenta, computed in pieces that stay in the cache."""

from collections.abc import Iterator
from typing import cast

import numpy as np
import torch
from torch import Tensor

from bbi.algorithm import Algorithm
from bbi.entries import SLICE, Entry
from bbi.noise import replica_keys
from bbi.norms import sum_squares
from bbi.scalars import Flag, S

NOISE = 2**16
"""Random numbers that a thread computes at a time, in some forty passes: 512 KiB of float64."""


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
