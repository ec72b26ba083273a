"""
Two processes, one training
===========================

Processes speak over gloo: python examples/data_parallel.py

Each rank has half of the batch. DistributedDataParallel averages the gradients, and the optimizer's step the
losses; all ranks draw the same random directions, so that the models stay the same without being sent.
"""

import os
import tempfile

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch.nn.parallel import DistributedDataParallel

from bbi import BBI

RANKS = 2


def train(rank: int, folder: str, steps: int) -> None:
    """What every process does."""
    dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=RANKS)
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
    model = DistributedDataParallel(network)
    optimizer = BBI(model.parameters(), lr=0.1, delta_e=0.1, t0=100, n_bounces=2)
    x = torch.randn(256, 2)[rank::RANKS]
    y = x.prod(1, keepdim=True)
    for _ in range(steps):
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step(loss=loss)  # this rank's loss
    print(f"rank {rank}: V = {optimizer.potential:.6f} of E = {optimizer.energy:.6f}", flush=True)
    torch.save({"optimizer": optimizer.state_dict(), "network": network.state_dict()}, f"{folder}/{rank}.pt")
    dist.destroy_process_group()
    os._exit(0)  # threads of gloo may outlive the interpreter and abort it (pytorch issue 179291)


def main(steps: int = 300) -> list[dict[str, dict[str, torch.Tensor]]]:
    """Train on two processes and return what each of them saved."""
    with tempfile.TemporaryDirectory() as folder:
        mp.spawn(train, (folder, steps), nprocs=RANKS)
        return [torch.load(f"{folder}/{rank}.pt", weights_only=True) for rank in range(RANKS)]


if __name__ == "__main__":
    main()
