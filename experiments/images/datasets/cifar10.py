"""CIFAR-10, and coloured digits in its place."""

import torch
from torch import Tensor
from torch.nn.functional import pad
from torchvision.datasets import CIFAR10

from experiments.images.batches import Split
from experiments.images.datasets.mnist import digits
from experiments.images.files import Images, Known

SIZES = (10_000, 2_000)
"""Synthetic pictures to train and to test on."""


def coloured(plain: Split, count: int, seed: int) -> Split:
    """Pictures uint8 (count, 3, 32, 32) of digits: one colour on another, both random, with noise.

    Where ``count`` exceeds the number of digits, they come again in other colours.
    """
    random = torch.Generator().manual_seed(seed)
    chosen = torch.arange(count) % len(plain)
    ground, step = torch.rand(2, count, 3, 1, 1, generator=random)
    colour = (ground + 0.3 + 0.4 * step) % 1  # every channel differs by 0.3 or more
    pictures: Tensor = torch.lerp(ground, colour, pad(plain.images[chosen], (2, 2, 2, 2)) / 255)
    pictures += 0.05 * torch.randn(pictures.shape, generator=random)
    return Split((255 * pictures.clamp(0, 1)).byte(), plain.labels[chosen])


def pictures() -> Images:
    """Synthetic pictures, which need no file; accuracies say nothing about CIFAR-10."""
    plain = digits()
    train, test = map(coloured, (plain.train, plain.test), SIZES, range(2))
    source = "coloured digits in place of CIFAR-10"
    return Images("synthetic stand-in", source, False, True, DATASET.mean, DATASET.std, train, test)


DATASET = Known(
    name="CIFAR-10",
    shape=(3, 32, 32),
    counts=((5000,) * 10, (1000,) * 10),
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2023, 0.1994, 0.2010),
    loader=CIFAR10,
    folder=CIFAR10.base_folder,
    files=dict((*CIFAR10.train_list, *CIFAR10.test_list, (CIFAR10.meta["filename"], CIFAR10.meta["md5"]))),
    url=CIFAR10.url,
    stand_in=pictures,
)
