"""The drawn pictures: repeatable, balanced, and a task that needs shapes."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from experiments.images.synthetic import draw


@pytest.mark.parametrize("count", [0, 10, 1005])
def test_pictures_are_as_many_of_each_class(count):
    images, labels = draw(count, 0)
    assert images.dtype == torch.uint8 and images.shape == (count, 3, 32, 32)
    assert labels.dtype == torch.int64 and labels.shape == (count,)
    assert set(labels.bincount(minlength=10).tolist()) <= {count // 10, -(-count // 10)}
    assert labels.tolist() != sorted(labels.tolist()) or count == 0


def test_pictures_follow_from_the_seed():
    images, labels = draw(1200, 1)
    again, labels_again = draw(1200, 1)
    assert torch.equal(images, again) and torch.equal(labels, labels_again)
    other, _ = draw(1200, 2)
    different = torch.cat([images, other]).flatten(1).unique(dim=0)
    assert len(different) == 2400  # pictures to test on are not among those trained on


def test_brightness_and_contrast_are_those_of_photographs():
    pixels = draw(1000, 0)[0].float() / 255
    assert ((pixels.mean((0, 2, 3)) - 0.5).abs() < 0.05).all()
    assert ((pixels.std((0, 2, 3)) > 0.2) & (pixels.std((0, 2, 3)) < 0.3)).all()


def linear(x: Tensor, y: Tensor, test: Tensor) -> Tensor:
    """Scores of ridge regression on pictures of half the width; ``y`` (N, classes) is one-hot."""
    x, test = (F.pad(F.avg_pool2d(part, 2).flatten(1), (0, 1), value=1.0) for part in (x, test))
    return test @ torch.linalg.solve(x.T @ x + 100 * torch.eye(x.shape[1]), x.T @ y)


def accuracy(scores: Tensor, labels: Tensor) -> float:
    return float((scores.argmax(1) == labels).float().mean())


def test_a_linear_classifier_finds_little():
    (x, y), (test, labels) = draw(2000, 0), draw(1000, 1)
    scores = linear(x / 255 - 0.5, F.one_hot(y, 10).float(), test / 255 - 0.5)
    assert 0.15 < accuracy(scores, labels) < 0.4


def test_a_small_network_tells_shapes_where_a_linear_classifier_cannot():
    def discs_and_rings(count: int, seed: int) -> tuple[Tensor, Tensor]:
        images, labels = draw(count, seed)
        mine = labels % 5 == 0
        return images[mine].float().mean(1, keepdim=True) / 128 - 1, labels[mine] // 5  # without colours

    (x, y), (test, labels) = discs_and_rings(4000, 0), discs_and_rings(1000, 1)
    assert accuracy(linear(x, F.one_hot(y, 2).float(), test), labels) < 0.6
    generator = torch.manual_seed(0)
    network = nn.Sequential(
        *(nn.Conv2d(1, 12, 5, stride=2, padding=2), nn.BatchNorm2d(12), nn.ReLU()),
        *(nn.Conv2d(12, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(24, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(24 * 4 * 4, 2)),
    )
    optimizer = torch.optim.AdamW(network.parameters(), 1e-2)
    for _ in range(6):
        for index in torch.randperm(len(x), generator=generator).split(30):
            optimizer.zero_grad()
            F.cross_entropy(network(x[index]), y[index]).backward()
            optimizer.step()
    with torch.no_grad():
        assert accuracy(network.eval()(test), labels) > 0.7
