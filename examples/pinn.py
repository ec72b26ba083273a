"""
A differential equation solved by a network
===========================================

To run it: python examples/pinn.py

-u'' = π² sin πx on [0, 1] with u(0) = u(1) = 0, whose solution is sin πx. The loss is the mean square of the
residual, in the full batch and in float64: there is no noise, and BBI keeps its energy to rounding.
"""

import math

import torch
from torch import Tensor

from bbi import BBI


def main(steps: int = 2000) -> float:
    """Solve the equation and return the relative error of u in the mean square."""
    torch.manual_seed(0)
    network = torch.nn.Sequential(
        torch.nn.Linear(1, 32),
        torch.nn.Tanh(),
        torch.nn.Linear(32, 1),
    ).double()
    x = torch.linspace(0, 1, 50, dtype=torch.float64)[:, None].requires_grad_()
    force = math.pi**2 * torch.sin(math.pi * x.detach())

    def solution() -> Tensor:
        return x * (1 - x) * network(x)  # the boundary values hold by construction

    def slope(y: Tensor) -> Tensor:
        (dy,) = torch.autograd.grad(y.sum(), x, create_graph=True)
        return dy

    optimizer = BBI(network.parameters(), lr=0.03, n_bounces=0)
    for step in range(steps):
        optimizer.zero_grad()
        loss = (slope(slope(solution())) + force).square().mean()
        loss.backward()
        optimizer.step(loss=loss)
        if step % 500 == 0:
            print(f"step {step:4d}: loss {loss:.2e}")
    with torch.no_grad():
        exact = torch.sin(math.pi * x)
        error = ((solution() - exact).norm() / exact.norm()).item()
    print(f"relative error {error:.1e}")
    return error


if __name__ == "__main__":
    main()
