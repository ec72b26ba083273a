"""Files of MNIST and CIFAR-10: torchvision's, Parquet as Hugging Face has it, and torchvision's download.

A file that is missing or damaged is named.
"""

import hashlib
import io
import os
import socket
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPException
from itertools import chain
from pathlib import Path
from threading import Thread

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch import Tensor
from torchvision.datasets import CIFAR10, MNIST
from torchvision.datasets.utils import check_md5
from torchvision.transforms.functional import pil_to_tensor

from experiments.harness.errors import UserError
from experiments.images.batches import Split

PROBE_SECONDS = 3.0
DOWNLOAD_SECONDS = 10.0  # without a byte
AGAIN = "delete it and get the data set again, or set paths.data (or BBI_DATA) to another folder"
COLUMNS = ("img.bytes", "image.bytes")  # CIFAR-10, MNIST


@dataclass(frozen=True, eq=False)
class Images:
    """A data set in memory, with the mean and spread of its pixels by channel.

    Attributes:
        name: What to call it in tables and figures.
        source: Where it came from, without the path of the data folder.
        comparable: Whether accuracies may be set beside the paper's: all images, in their own pixels.
        stand_in: Whether these take the place of images that were not to be had.
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


@dataclass(frozen=True)
class Known:
    """What is known of a data set before it is read: the content of a module of :mod:`.datasets`.

    Attributes:
        name: Its name.
        shape: Channels, height and width of an image.
        counts: Images of each class, in the training and in the test set.
        mean: For each channel, of pixels in [0, 1], as the released code normalises; likewise ``std``.
        loader: torchvision's class for it.
        folder: Where torchvision keeps its ``files``, which have these MD5 sums.
        url: What torchvision downloads first.
        stand_in: Makes images that take the place of the data set where it is not to be had.
    """

    name: str
    shape: tuple[int, int, int]
    counts: tuple[tuple[int, ...], tuple[int, ...]]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    loader: type[MNIST] | type[CIFAR10]
    folder: str
    files: dict[str, str]
    url: str
    stand_in: Callable[[], Images]


def from_torchvision(known: Known, folder: Path) -> Images | None:
    """Read the files that torchvision keeps in ``folder``, or None if there are none."""
    home = folder / known.folder
    if not home.is_dir():
        return None
    for name, md5 in known.files.items():
        _verify(home / name, md5)
    splits = []
    for train in (True, False):
        part = known.loader(folder, train=train, download=False)
        pixels = torch.as_tensor(part.data)  # MNIST (N, 28, 28), CIFAR-10 (N, 32, 32, 3)
        images = pixels[:, None] if pixels.ndim == 3 else pixels.permute(0, 3, 1, 2).contiguous()
        splits.append(Split(images, torch.as_tensor(part.targets, dtype=torch.int64)))
    return Images(known.name, "", True, False, known.mean, known.std, *splits)


def _verify(file: Path, md5: str) -> None:
    """Raise :class:`UserError` unless ``file`` is there and has this checksum."""
    if not file.is_file():
        packed = file.with_name(file.name + ".gz")
        todo = f"unpack {packed.name}" if packed.is_file() else f"get it, or remove {file.parent}"
        raise UserError(f"{file} is missing, though its folder is there: {todo}")
    if not check_md5(file, md5):
        size = f"{file.stat().st_size:,} bytes"
        raise UserError(f"{file} is damaged or half downloaded ({size}, MD5 is not {md5}): {AGAIN}")


def from_parquet(known: Known, folder: Path) -> Images | None:
    """Read the pair ``train*.parquet`` and ``test*.parquet`` in ``folder``, or None if there is none.

    The columns are ``img`` or ``image``, a structure with ``bytes`` (a PNG or JPEG file), and ``label``.
    Which data set it is follows from the size of the first image.
    """
    pair = {what: sorted(folder.glob(f"{what}*.parquet")) for what in ("train", "test")}
    first = next(chain(*pair.values()), None)
    if first is None:
        return None
    table = _table(first)
    if table.num_columns < 2 or not len(table) or _decode(first, 0, table[0][0].as_py()).shape != known.shape:
        return None
    splits, jpegs = [], 0
    for (what, files), counts in zip(pair.items(), known.counts, strict=True):
        if not files:
            raise UserError(
                f"{folder}: no {what}*.parquet beside {first.name}; get it, or remove {first.name}"
            )
        images, labels, are_jpegs = zip(*(_read(known, file) for file in files), strict=True)
        split = Split(torch.cat(images), torch.cat(labels))
        classes, found = torch.unique(split.labels, return_counts=True)
        if dict(zip(classes.tolist(), found.tolist(), strict=True)) != dict(enumerate(counts)):
            raise UserError(
                f"{folder}: {len(split):,} {what} images with labels {classes[:12].tolist()} are not the "
                f"{sum(counts):,} of {known.name}: incomplete, or another data set; {AGAIN}"
            )
        splits.append(split)
        jpegs += sum(are_jpegs)
    name = f"{known.name} (JPEG)" if jpegs else known.name
    return Images(name, "", not jpegs, False, known.mean, known.std, *splits)


def _table(file: Path) -> pa.Table:
    """The contents of the image files and ``label``, or fewer columns if ``file`` holds something else."""
    try:
        with pq.ParquetFile(file) as opened:
            return opened.read([*COLUMNS, "label"]).flatten()  # fields of structures become columns
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{file} is damaged or half downloaded ({error}): {AGAIN}") from error


def _read(known: Known, file: Path) -> tuple[Tensor, Tensor, int]:
    """Images (N, C, H, W), labels (N,), and how many of the images were JPEGs."""
    table = _table(file)
    blobs = table[0].to_pylist()
    images = [_decode(file, row, blob) for row, blob in enumerate(blobs)]
    for row, image in enumerate(images):
        if image.shape != known.shape:
            raise UserError(
                f"{file}: image {row} is {tuple(image.shape)}, not {known.shape} like the first; {AGAIN}"
            )
    labels = torch.tensor(table["label"].to_pylist(), dtype=torch.int64)
    return torch.stack(images), labels, sum(blob.startswith(b"\xff\xd8") for blob in blobs)


def _decode(file: Path, row: int, blob: bytes) -> Tensor:
    """Pixels (C, H, W) of a PNG or JPEG file."""
    try:
        with Image.open(io.BytesIO(blob)) as image:
            pixels: Tensor = pil_to_tensor(image)
            return pixels
    except (OSError, SyntaxError, TypeError, ValueError) as error:  # what Pillow raises for damaged images
        raise UserError(f"{file}: image {row} is damaged ({error}): {AGAIN}") from error


def fetch(known: Known, folder: Path) -> str:
    """Let torchvision download a data set into ``folder``, which is left as it was unless all arrives.

    Returns:
        Why it did not work, in one line; empty if it did.
    """
    if not _answers(known.url):
        return "no network"
    print(f"downloading {known.name} into {folder}", file=sys.stderr, flush=True)
    home, patience = folder / known.folder, socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_SECONDS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as spare:
            known.loader(spare, download=True)
            home.parent.mkdir(parents=True, exist_ok=True)
            if not home.exists():  # another process may have been faster
                os.rename(Path(spare) / known.folder, home)
    except (OSError, RuntimeError, HTTPException) as error:
        return f"no download: {' '.join(str(error).split())}"
    finally:
        socket.setdefaulttimeout(patience)
    return ""


def _answers(url: str) -> bool:
    """Whether a server can be reached; asked in a thread, as looking up its name knows no time limit."""
    answers = []

    def ask() -> None:
        request = urllib.request.Request(url, method="HEAD")
        with suppress(Exception), urllib.request.urlopen(request, timeout=PROBE_SECONDS):
            answers.append(True)

    thread = Thread(target=ask, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return bool(answers)
