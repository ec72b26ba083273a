"""Data sets of thirty images, and the real ones."""

import os
import urllib.request
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

import pytest
from torchvision.datasets import CIFAR10

from experiments.images import sources
from experiments.images.datasets import cifar10, mnist
from tests.images.small_images import COUNTS, batch_files, idx_files, md5


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Data sets of thirty images, an empty home, and no network."""
    idx, batches = idx_files(), batch_files()
    sums = {name: md5(data) for name, data in batches.items()}
    monkeypatch.setattr(
        CIFAR10, "train_list", [[name, sums[name]] for name in ("data_batch_1", "data_batch_2")]
    )
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    monkeypatch.setitem(CIFAR10.meta, "md5", sums["batches.meta"])
    for module, files in ((mnist, idx), (cifar10, batches)):
        sums = {name: md5(data) for name, data in files.items()}
        monkeypatch.setattr(module, "DATASET", replace(module.DATASET, counts=COUNTS, files=sums))
    monkeypatch.setattr(cifar10, "SIZES", (200, 50))
    sources._read.cache_clear()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))

    def refuse(*request, **options):
        raise URLError("no network in tests")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    yield
    sources._read.cache_clear()


@pytest.fixture
def root(tmp_path, small) -> Path:
    """An empty data folder, for the small data sets."""
    folder = tmp_path / "data"
    folder.mkdir()
    return folder


@pytest.fixture
def data() -> str:
    """The folder of the real data sets."""
    folder = os.environ.get("BBI_DATA")
    if not folder:
        pytest.skip("BBI_DATA is not set: no folder with MNIST or CIFAR-10")
    return folder
