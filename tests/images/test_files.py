"""Damaged and incomplete files are named; the real data sets are what they should be."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from experiments.harness.errors import UserError
from experiments.images.sources import load
from tests.images.small_images import encoded, write_parquet, write_torchvision


@pytest.mark.parametrize(
    ("dataset", "file"),
    [("mnist", "t10k-labels-idx1-ubyte"), ("cifar10", "data_batch_2"), ("cifar10", "batches.meta")],
)
@pytest.mark.parametrize("damage", ["missing", "truncated", "changed"])
def test_a_damaged_file_of_torchvision_is_named(dataset, file, damage, root):
    home = write_torchvision(dataset, root)
    data = bytearray((home / file).read_bytes())
    if damage == "missing":
        (home / file).unlink()
    else:
        data[-1] ^= 1
        (home / file).write_bytes(data[:-3] if damage == "truncated" else data)
    with pytest.raises(UserError, match=f"{home / file} is (missing|damaged).*(get|delete) it"):
        load(dataset, str(root))


def test_a_file_that_is_still_packed_is_named(root):
    home = write_torchvision("mnist", root)
    (home / "t10k-labels-idx1-ubyte").rename(home / "t10k-labels-idx1-ubyte.gz")
    with pytest.raises(UserError, match=r"unpack t10k-labels-idx1-ubyte\.gz"):
        load("mnist", str(root))


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_truncated_parquet_file_is_named(part, root):
    file = write_parquet("cifar10", root) / f"{part}-00000-of-00001.parquet"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(UserError, match=f"{file} is damaged or half downloaded.*delete it"):
        load("cifar10", str(root))


@pytest.mark.parametrize("part", ["train", "test"])
def test_half_a_pair_of_parquet_files_is_named(part, root):
    (write_parquet("cifar10", root) / f"{part}-00000-of-00001.parquet").unlink()
    with pytest.raises(UserError, match=rf"{root}: no {part}\*.parquet beside"):
        load("cifar10", str(root))


def test_missing_shards_are_noticed(root):
    (write_parquet("cifar10", root, shards=3) / "train-00001-of-00003.parquet").unlink()
    with pytest.raises(
        UserError, match=rf"{root}: 13 train images .* are not the 20 of CIFAR-10: incomplete"
    ):
        load("cifar10", str(root))


@pytest.mark.parametrize(
    ("blob", "why"),
    [
        (encoded(np.zeros((32, 32, 3), np.uint8))[:60], "is damaged"),
        (b"", "is damaged"),
        (None, "is damaged"),
        (encoded(np.zeros((32, 32), np.uint8)), r"is \(1, 32, 32\), not \(3, 32, 32\)"),
    ],
)
def test_a_damaged_image_is_named(blob, why, root):
    file = write_parquet("cifar10", root) / "train-00000-of-00001.parquet"
    table = pq.read_table(file)
    rows = table["img"].to_pylist()
    rows[7]["bytes"] = blob
    pq.write_table(pa.table({"img": rows, "label": table["label"]}), file)
    with pytest.raises(UserError, match=f"{file}: image 7 {why}.*delete it"):
        load("cifar10", str(root))


@pytest.mark.parametrize("label", [-1, 10, 3])
def test_wrong_labels_are_noticed(label, root):
    file = write_parquet("mnist", root) / "test-00000-of-00001.parquet"
    table = pq.read_table(file)
    labels = table["label"].to_pylist()
    labels[0] = label
    pq.write_table(pa.table({"image": table["image"], "label": labels}), file)
    with pytest.raises(UserError, match=r"10 test images with labels .* are not the 10 of MNIST"):
        load("mnist", str(root))


def test_the_real_mnist(data):
    images = load("mnist", data, download=False)
    if not images.comparable:
        pytest.skip("no MNIST in BBI_DATA")
    assert images.train.labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert images.test.labels[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    train = images.train.images.float() / 255
    assert float(train.mean()) == pytest.approx(images.mean[0], abs=5e-5)
    assert float(train.std()) == pytest.approx(images.std[0], abs=5e-5)
    assert images.checksum == "35914650c8beaeed"


def test_the_real_cifar10(data):
    images = load("cifar10", data, download=False)
    if images.name == "synthetic stand-in":
        pytest.skip("no CIFAR-10 in BBI_DATA")
    assert images.train.images.shape == (50_000, 3, 32, 32)
    mean = torch.stack([images.train.images[:, c].float().mean() / 255 for c in range(3)])
    torch.testing.assert_close(mean, torch.tensor(images.mean), rtol=0, atol=2e-4)
    assert images.comparable == ("JPEG" not in images.name)
