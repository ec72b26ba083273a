"""A small regression, and the plain loop that a framework's training has to agree with, bit for bit."""

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from bbi import BBI


class Problem:
    """x₁x₂ from 96 points in 6 batches, in float32; every call makes the same things anew."""

    def network(self):
        torch.manual_seed(1)
        return torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))

    def dataset(self):
        x = torch.randn(96, 2, generator=torch.Generator().manual_seed(2))
        return TensorDataset(x, x.prod(1, keepdim=True))

    def batches(self):
        return DataLoader(self.dataset(), batch_size=16)

    def optimizer(self, params, **settings):
        return BBI(params, **{"lr": 0.1, "delta_e": 0.1, "t0": 4, "n_bounces": 3, "seed": 3} | settings)

    def windows(self, accumulate=1):
        """The batches of an epoch by steps; with 4 a step there are two steps, the second with 2."""
        batches = list(self.batches())
        return [batches[k : k + accumulate] for k in range(0, len(batches), accumulate)]

    def plain(self, epochs, accumulate=1, clip=None, schedule=None):
        """The network and the optimizer after a loop in torch alone: the loss of a step is the mean."""
        net = self.network()
        opt = self.optimizer(net.parameters())
        scheduler = schedule(opt) if schedule else None
        for window in epochs * self.windows(accumulate):
            opt.zero_grad()
            total = 0.0
            for x, y in window:
                loss = torch.nn.functional.mse_loss(net(x), y) / len(window)
                loss.backward()
                total += loss.detach()
            if clip:
                torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
            opt.step(loss=total)
            if scheduler:
                scheduler.step()
        return net, opt

    def agree(self, net, opt, expected):
        """Assert that parameters, E, V and bounces are those of ``expected``, and that it was a training."""
        other, plain = expected
        for p, q, start in zip(
            net.parameters(), other.parameters(), self.network().parameters(), strict=True
        ):
            assert torch.equal(p, q)
            assert not torch.equal(p, start)
        for name in ("energy", "potential", "bounces"):
            assert torch.equal(getattr(opt, name), getattr(plain, name)), name


@pytest.fixture
def problem():
    return Problem()
