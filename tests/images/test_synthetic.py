"""The coloured digits: repeatable, varied, and a task that can be learnt."""

import torch
from torch import nn
from torch.nn.functional import cross_entropy

from experiments.images.batches import Split
from experiments.images.datasets.cifar10 import coloured
from experiments.images.datasets.mnist import digits

PLAIN = digits()


def test_pictures_follow_from_the_seed() -> None:
    train, again, other = (coloured(PLAIN.train, 4500, seed) for seed in (0, 0, 1))
    assert torch.equal(train.images, again.images) and torch.equal(train.labels, again.labels)
    assert train.images.dtype == torch.uint8 and train.images.shape == (4500, 3, 32, 32)
    assert len(torch.cat([train.images, other.images]).flatten(1).unique(dim=0)) == 9000
    assert torch.equal(train.labels[:500], train.labels[4000:])  # the same digits in other colours


def test_a_small_network_learns_the_digits_and_a_linear_one_cannot() -> None:
    def accuracy(network: nn.Module) -> float:
        optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
        for _ in range(3):
            for images, labels in zip(x.split(50), train.labels.split(50), strict=True):
                optimizer.zero_grad()
                torch.autograd.backward(cross_entropy(network(images), labels))
                optimizer.step()
        with torch.no_grad():
            return float((network.eval()(scaled(test)).argmax(1) == test.labels).float().mean())

    def scaled(split: Split) -> torch.Tensor:
        return split.images / 128 - 1

    train, test = coloured(PLAIN.train, 4000, 0), coloured(PLAIN.test, 1000, 1)
    x = scaled(train)
    torch.manual_seed(0)
    assert accuracy(nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))) < 0.3
    small = nn.Sequential(
        *(nn.Conv2d(3, 12, 5, stride=2, padding=2), nn.BatchNorm2d(12), nn.ReLU()),
        *(nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(24 * 8 * 8, 10)),
    )
    assert accuracy(small) > 0.7
