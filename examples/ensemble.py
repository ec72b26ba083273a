"""
Twenty trainings at once
========================

They have twenty energies: python examples/ensemble.py

``replicas`` makes the first axis of every parameter that of independent runs. torch.func evaluates one
network with all sets of parameters. Losses stay separate, and so do energies, clocks and random directions.
"""

import torch
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from bbi import BBI


def main(runs: int = 20, steps: int = 400) -> Tensor:
    """Fit x₁x₂ with as many networks, each with its own spare energy; return their last losses."""
    torch.manual_seed(0)
    networks = [
        torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))
        for _ in range(runs)
    ]
    params, _ = stack_module_state(networks)  # {name: (runs, ...)}
    x = torch.randn(128, 2)
    y = x.prod(1, keepdim=True)

    def loss_of_one(own: dict[str, Tensor]) -> Tensor:
        return (functional_call(networks[0], own, (x,)) - y).square().mean()

    delta_e = torch.linspace(0, 2, runs)
    optimizer = BBI(params.values(), lr=0.1, delta_e=delta_e, t0=100, n_bounces=2, replicas=runs)
    for _ in range(steps):
        optimizer.zero_grad()
        losses = vmap(loss_of_one)(params)  # (runs,)
        losses.sum().backward()  # each replica's gradient is that of its own loss
        optimizer.step(loss=losses)
    for extra, energy, loss in zip(delta_e.tolist(), optimizer.energy.tolist(), losses.tolist(), strict=True):
        print(f"delta_e {extra:.2f}: E = {energy:.3f}, loss {loss:.2e}")
    return losses.detach()


if __name__ == "__main__":
    main()
