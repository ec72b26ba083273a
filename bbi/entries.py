"""The tensors that take part in a step, and the batches in which one run on the CPU works on them."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

SLICE = 2**19
"""Elements worked on at a time: 2 MiB of float32."""


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
        if p is not entry.param:
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
