"""What is shared between the ranks of a distributed training."""

import torch
import torch.distributed as dist
from torch import Tensor


def average(value: Tensor, device: torch.device) -> Tensor:
    """The mean of a loss over all ranks, the same to the last bit on each; itself where there is one."""
    if not (dist.is_available() and dist.is_initialized()):
        return value
    total = value.to(device, copy=True)
    dist.all_reduce(total)
    return total / dist.get_world_size()
