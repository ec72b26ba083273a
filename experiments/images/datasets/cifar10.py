"""CIFAR-10, and synthetic pictures in its place."""

from torchvision.datasets import CIFAR10

from experiments.images.batches import Split
from experiments.images.files import Images, Known
from experiments.images.synthetic import draw

SIZES = (10_000, 2_000)
"""Synthetic pictures to train and to test on."""


def pictures() -> Images:
    """Synthetic pictures, which need no file."""
    train, test = (Split(*draw(size, seed)) for seed, size in enumerate(SIZES))
    source = "pictures drawn in place of CIFAR-10"
    return Images("drawn stand-in", source, False, True, DATASET.mean, DATASET.std, train, test)


DATASET = Known(
    name="CIFAR-10",
    shape=(3, 32, 32),
    counts=((5000,) * 10, (1000,) * 10),
    mean=(0.4914, 0.4822, 0.4465),
    std=(0.2023, 0.1994, 0.2010),
    loader=CIFAR10,
    folder=CIFAR10.base_folder,
    files={
        **dict((*CIFAR10.train_list, *CIFAR10.test_list)),
        CIFAR10.meta["filename"]: CIFAR10.meta["md5"],
    },
    url=CIFAR10.url,
    stand_in=pictures,
)
