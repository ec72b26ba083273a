"""Where the images come from, in what order, and what is said about it."""

import gzip
import io
import os
import socket
import threading
import time
import urllib.request
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from torchvision.datasets import MNIST

from experiments.harness.errors import UserError
from experiments.harness.units import Surroundings, within
from experiments.images import files as image_files
from experiments.images import sources
from experiments.images.datasets import mnist
from experiments.images.sources import here, load
from tests.images.small_images import (
    LABELS,
    encoded,
    idx_files,
    md5,
    pixels,
    write,
    write_parquet,
    write_torchvision,
)

pytestmark = pytest.mark.usefixtures("small")


def assert_pixels(images, dataset: str) -> None:
    for part, split in (("train", images.train), ("test", images.test)):
        expected = pixels(dataset, part)
        expected = expected[..., None] if expected.ndim == 3 else expected
        assert split.images.dtype == torch.uint8 and split.labels.dtype == torch.int64
        assert split.images.is_contiguous()
        np.testing.assert_array_equal(split.images.permute(0, 2, 3, 1).numpy(), expected)
        np.testing.assert_array_equal(split.labels.numpy(), LABELS[part])


@pytest.mark.parametrize("dataset", ["mnist", "cifar10"])
@pytest.mark.parametrize("below", ["", "one", "one/two"])
def test_files_of_torchvision(dataset, below, root, capsys):
    write_torchvision(dataset, root / below)
    images = load(dataset, str(root))
    assert_pixels(images, dataset)
    name = {"mnist": "MNIST", "cifar10": "CIFAR-10"}[dataset]
    assert (images.name, images.comparable) == (name, True)
    assert images.source == f"torchvision files in {below or 'the data folder'}"
    said = capsys.readouterr().err
    assert said == f"{dataset}: {name}, 20 + 10 images, {images.source}\n"


@pytest.mark.parametrize("dataset", ["mnist", "cifar10"])
@pytest.mark.parametrize("shards", [1, 3])
def test_parquet_of_png_holds_the_original_pixels(dataset, shards, root):
    write_parquet("mnist", root / "a" / "plain", shards=shards)
    write_parquet("cifar10", root / "b", shards=shards)
    images = load(dataset, str(root))
    assert_pixels(images, dataset)
    assert images.comparable
    assert images.source == f"Parquet files in {'a/plain' if dataset == 'mnist' else 'b'}"


def test_parquet_of_jpeg_is_called_so_and_compares_with_nothing(root, capsys):
    write_parquet("cifar10", root, "JPEG")
    images = load("cifar10", str(root))
    assert (images.name, images.comparable) == ("CIFAR-10 (JPEG)", False)
    assert "not comparable with the paper" in capsys.readouterr().err
    for part, split in (("train", images.train), ("test", images.test)):
        expected = [np.asarray(Image.open(io.BytesIO(encoded(x, "JPEG")))) for x in pixels("cifar10", part)]
        np.testing.assert_array_equal(split.images.permute(0, 2, 3, 1).numpy(), np.stack(expected))


def test_files_of_torchvision_come_before_parquet(root):
    write_parquet("mnist", root / "a")
    write_torchvision("mnist", root / "b")
    assert load("mnist", str(root)).source == "torchvision files in b"


def test_the_checksum_follows_the_pixels_and_not_their_source(root):
    write_torchvision("cifar10", root)
    reference = load("cifar10", str(root)).checksum
    write_parquet("cifar10", root / "png")
    assert load("cifar10", str(root / "png")).checksum == reference
    write_parquet("cifar10", root / "jpeg", "JPEG")
    assert load("cifar10", str(root / "jpeg")).checksum != reference
    write_torchvision("mnist", root)
    assert load("mnist", str(root)).checksum != reference


def test_other_data_in_the_folder_is_passed_over(root):
    write(root / "prices", {"notes.txt": b""})
    pq.write_table(pa.table({"price": [1.0]}), root / "prices" / "train.parquet")
    pq.write_table(pa.table({"image": ["a.png"], "label": [0]}), root / "train.parquet")
    write_parquet("mnist", root / "digits")
    assert load("cifar10", str(root)).name == "synthetic stand-in"
    assert load("mnist", str(root)).source == "Parquet files in digits"


class Server:
    """Serves MNIST's compressed files in place of ``urlopen``, and breaks off in the one named ``broken``."""

    def __init__(self, broken: str = "") -> None:
        self.files = {f"{name}.gz": gzip.compress(data) for name, data in idx_files().items()}
        self.broken, self.asked = broken, []

    def __call__(self, request, timeout=None):
        self.asked.append(request.full_url)
        name = request.full_url.rpartition("/")[2]
        data = self.files[name]
        response = io.BytesIO(data)
        response.url, response.length = request.full_url, len(data)
        if name == self.broken:
            response.read = self.fail
        return response

    def fail(self, *size):
        raise IncompleteRead(b"")


@pytest.fixture
def server(monkeypatch):
    def start(broken: str = "") -> Server:
        serving = Server(broken)
        resources = [(name, md5(data)) for name, data in serving.files.items()]
        monkeypatch.setattr(MNIST, "resources", resources)
        monkeypatch.setattr(urllib.request, "urlopen", serving)
        return serving

    return start


@pytest.mark.parametrize("place", ["root", "cache", "read-only"])
def test_the_download_is_kept(place, root, server, monkeypatch, tmp_path, capfd):
    serving = server()
    if place == "read-only":
        monkeypatch.setattr(os, "access", lambda *request: False)
    given = None if place == "cache" else str(root)
    images = load("mnist", given)
    assert_pixels(images, "mnist")
    assert (images.name, images.source, images.comparable) == ("MNIST", "torchvision's download", True)
    kept = root if place == "root" else tmp_path / "home" / ".cache" / "bbi"
    assert [path.name for path in kept.iterdir()] == ["MNIST"]
    assert f"downloading MNIST into {kept}" in capfd.readouterr().err
    before = len(serving.asked)
    sources._read.cache_clear()
    assert_pixels(load("mnist", given), "mnist")
    assert len(serving.asked) == before


def test_a_download_that_breaks_off_leaves_nothing_behind(root, server):
    server(broken="t10k-images-idx3-ubyte.gz")
    why = image_files.fetch(mnist.DATASET, root)
    assert why.startswith("no download: ") and "\n" not in why
    assert list(root.iterdir()) == []
    assert socket.getdefaulttimeout() is None


def test_no_download_when_none_is_wanted(root, server):
    serving = server()
    assert load("cifar10", str(root), download=False).name == "synthetic stand-in"
    assert serving.asked == []


def test_a_name_server_that_never_answers_is_not_waited_for(monkeypatch):
    late = threading.Event()

    def hang(*request, **options):
        late.wait()
        raise URLError("too late")

    monkeypatch.setattr(urllib.request, "urlopen", hang)
    monkeypatch.setattr(image_files, "PROBE_SECONDS", 0.1)
    start = time.monotonic()
    assert image_files.fetch(mnist.DATASET, Path("nowhere")) == "no network"
    assert time.monotonic() - start < 5
    late.set()


def test_digits_without_files_and_network(capfd):
    images = load("mnist", None)
    assert (images.name, images.comparable, images.stand_in) == ("MNIST (5,000 digits)", False, True)
    assert images.train.images.shape == (4000, 1, 28, 28) and images.test.images.shape == (1000, 1, 28, 28)
    assert images.train.labels.bincount().tolist() == [400] * 10
    assert images.test.labels.bincount().tolist() == [100] * 10
    everything = torch.cat([images.train.images, images.test.images]).flatten(1)
    assert len(everything.unique(dim=0)) == 5000
    for labels in (images.train.labels, images.test.labels):  # a recipe takes the first, a protocol the last
        assert (
            labels[:200].bincount(minlength=10).min() > 5 and labels[-200:].bincount(minlength=10).min() > 5
        )
    # Pixels are scaled and digits are upright as in MNIST: its mean, and the released code's numbers for it.
    assert float(everything.float().mean() / 255) == pytest.approx(images.mean[0], abs=0.003)
    assert float(everything.float().std() / 255) == pytest.approx(images.std[0], abs=0.003)
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "not comparable with the paper; no network" in said and "BBI_DATA" in said


def test_a_stand_in_without_files():
    images = load("cifar10", None, download=False)
    assert (images.name, images.comparable, images.stand_in) == ("synthetic stand-in", False, True)
    assert images.train.images.shape == (200, 3, 32, 32) and images.test.images.shape == (50, 3, 32, 32)


def test_a_worker_uses_the_same_images_or_none(root, tmp_path):
    """The error names both checksums."""
    write_torchvision("mnist", root)
    images = load("mnist", str(root))
    with within(Surroundings(data=str(root))):
        assert here("mnist", images.checksum) is images
    (tmp_path / "elsewhere").mkdir()
    with (
        within(Surroundings(data=str(tmp_path / "elsewhere"), download=False)),
        pytest.raises(UserError, match=rf"5,000 digits.* checksum \w+, .*{images.checksum}; give every"),
    ):
        here("mnist", images.checksum)


def test_what_the_user_mistypes():
    with pytest.raises(UserError, match=r"minst: no such data set \(did you mean 'mnist'"):
        load("minst", None)
    with pytest.raises(UserError, match=r"paths\.data=/no/such/folder: no such folder; make it"):
        load("mnist", "/no/such/folder")
