"""The networks against torchvision and the paper."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torchvision.models import resnet18

from experiments.images.networks import paper_cnn, small_resnet18
from tests.images.small_trainings import seeded


def test_the_cnn_is_the_papers() -> None:
    convolutions = (1 * 16 * 25 + 16) + (16 * 32 * 25 + 32)
    for outputs in (10, 120):
        network = paper_cnn(outputs)
        assert network(torch.zeros(2, 1, 28, 28)).shape == (2, outputs)
        assert sum(p.numel() for p in network.parameters()) == convolutions + (7 * 7 * 32 + 1) * outputs


def test_pooling_before_the_relu_changes_nothing() -> None:
    """Neither values nor gradients, against the order of the paper."""
    ours = seeded(0, lambda: paper_cnn(120))
    assert isinstance(ours, nn.Sequential)
    conv1, pool, relu, conv2, _, _, *rest = ours
    assert isinstance(pool, nn.MaxPool2d) and isinstance(relu, nn.ReLU)
    papers = nn.Sequential(conv1, relu, pool, conv2, relu, pool, *rest)
    images = torch.randn(5, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    found = []
    for network in (ours, papers):
        loss = cross_entropy(network(images), torch.arange(5))
        found.append((loss, torch.autograd.grad(loss, list(ours.parameters()))))
    assert torch.equal(found[0][0], found[1][0])
    assert all(map(torch.equal, found[0][1], found[1][1])) and all(g.any() for g in found[0][1])


def test_resnet18_is_torchvisions_with_a_small_stem() -> None:
    ours, theirs = seeded(0, small_resnet18), resnet18(num_classes=10)
    theirs.conv1, theirs.maxpool = nn.Conv2d(3, 64, 3, padding=1, bias=False), nn.Identity()
    assert sum(p.numel() for p in ours.parameters()) == 11_173_962
    assert sum(p.numel() for p in theirs.parameters()) == 11_173_962
    values, names = ours.state_dict().values(), theirs.state_dict().keys()
    theirs.load_state_dict(dict(zip(names, values, strict=True)))
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    for mode in (True, False):  # batch statistics, which both then remember, and running ones
        with torch.no_grad():
            torch.testing.assert_close(ours.train(mode)(images), theirs.train(mode)(images))


def test_resnet_of_another_width() -> None:
    network = seeded(0, lambda: small_resnet18(4, classes=3))
    assert network(torch.zeros(2, 3, 32, 32)).shape == (2, 3)
    widths = [m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert widths == [4] * 5 + [8] * 5 + [16] * 5 + [32] * 5  # stem, pairs of pairs, shortcuts


def test_resnet_starts_as_the_released_one_does() -> None:
    """Uniform within 1/√fan_in, torch's default; the spread within five standard errors."""
    for module in seeded(0, lambda: small_resnet18(16)).modules():
        if isinstance(module, nn.Conv2d):
            n, fan_in = module.weight.numel(), module.in_channels * math.prod(module.kernel_size)
            assert module.weight.abs().max().item() <= 1 / math.sqrt(fan_in)
            assert module.weight.std().item() == pytest.approx(
                1 / math.sqrt(3 * fan_in), rel=5 / math.sqrt(2 * n)
            )
