"""What is shared between the ranks of a distributed training."""

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def check(group: Any) -> None:
    """Check a process group that a user passes: None, False, or one that this rank belongs to.

    :raises ValueError: for anything else.
    """
    kind = dist.ProcessGroup if dist.is_available() else ()
    if group is not None and group is not False and not isinstance(group, kind):
        raise ValueError(
            f"Invalid process_group: {group!r} (a group that this rank belongs to, None for the default "
            "group, or False for a run of this rank alone)"
        )


def average(value: Tensor, device: torch.device, group: Any) -> Tensor:
    """The mean of a loss over the ranks of a group, the same to the last bit on each; itself if there is one.

    :param group: None for the default group, False for no mean.
    """
    if group is False or not (dist.is_available() and dist.is_initialized()):
        return value
    total = value.to(device, copy=True)
    dist.all_reduce(total, group=group)
    return total / dist.get_world_size(group)
