"""BBI in a training loop of Accelerate, whose optimizer's ``step`` takes a closure and nothing else."""

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

from bbi import BBI

accelerate = pytest.importorskip("accelerate", reason="pip install 'bbi[frameworks]'")


def data():
    x = torch.randn(256, 2, generator=torch.Generator().manual_seed(2))
    return DataLoader(TensorDataset(x, x.prod(1, keepdim=True)), batch_size=64)


def network():
    torch.manual_seed(1)
    return torch.nn.Sequential(torch.nn.Linear(2, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1))


@pytest.fixture(autouse=True)
def alone():
    """Accelerate keeps its state for the whole process."""
    yield
    accelerate.state.AcceleratorState._reset_state(reset_partial_state=True)
    accelerate.state.GradientState._reset_state()


def train(accelerator, net, opt, batches, epochs, clip=None):
    losses = []
    for _ in range(epochs):
        for x, y in batches:
            with accelerator.accumulate(net):
                loss = torch.nn.functional.mse_loss(net(x).float(), y)
                accelerator.backward(loss)
                if clip and accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(net.parameters(), clip)
                opt.step(lambda loss=loss: loss)
                opt.zero_grad()
                losses.append(loss.item())
    return losses


@pytest.mark.parametrize(
    ("settings", "clip"),
    [({}, None), ({}, 1.0), ({"mixed_precision": "bf16"}, None), ({"gradient_accumulation_steps": 2}, None)],
    ids=["plain", "clipped", "bf16", "accumulated"],
)
def test_the_loss_falls(settings, clip):
    accelerator = accelerate.Accelerator(cpu=True, **settings)
    net = network()
    net, opt, batches = accelerator.prepare(net, BBI(net.parameters(), 0.1), data())
    epochs = 30 * settings.get("gradient_accumulation_steps", 1)
    losses = train(accelerator, net, opt, batches, epochs, clip)
    assert isinstance(opt.optimizer, BBI)
    assert sum(losses[-4:]) < 0.2 * sum(losses[:4])


def test_a_saved_state_goes_on_as_if_nothing_happened(tmp_path):
    accelerator = accelerate.Accelerator(cpu=True)
    net = network()
    net, opt, batches = accelerator.prepare(net, BBI(net.parameters(), 0.1, t0=8, n_bounces=5), data())
    train(accelerator, net, opt, batches, 3)
    accelerator.save_state(tmp_path)
    train(accelerator, net, opt, batches, 3)
    end, energy = [p.detach().clone() for p in net.parameters()], opt.optimizer.energy
    accelerator.load_state(tmp_path)
    train(accelerator, net, opt, batches, 3)
    for p, q in zip(net.parameters(), end, strict=True):
        assert torch.equal(p, q)
    assert torch.equal(opt.optimizer.energy, energy)
