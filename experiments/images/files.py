"""Files of MNIST and CIFAR-10: torchvision's, Parquet as Hugging Face has it, and torchvision's download.

What is read is whole: a file that is missing or damaged is named.
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
from pathlib import Path
from threading import Thread

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.datasets import CIFAR10, MNIST

from experiments.harness.errors import UserError
from experiments.images.batches import Split

PROBE_SECONDS = 3.0
DOWNLOAD_SECONDS = 10.0  # without a byte
AGAIN = "delete it and get the data set again, or set paths.data (or BBI_DATA) to another folder"
UNREADABLE = (OSError, SyntaxError, TypeError, ValueError)  # what Pillow raises for damaged images
COLUMNS = ("img.bytes", "image.bytes")  # CIFAR-10, MNIST
Bytes = NDArray[np.uint8]


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


@dataclass(frozen=True)
class Known:
    """What is known of a data set before it is read: the content of a module of :mod:`.datasets`.

    Attributes:
        name: Its name.
        shape: Channels, height and width of an image.
        counts: Images of each class, in the training and in the test set.
        mean: For each channel, of pixels in [0, 1], as the released code normalises.
        std: Likewise.
        loader: torchvision's class for it.
        folder: Where torchvision keeps its files.
        files: MD5 of each of them.
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
    """Read the files that torchvision keeps in ``folder``, or None if there are none.

    Raises:
        UserError: One of them is missing, or is not the published one.
    """
    home = folder / known.folder
    if not home.is_dir():
        return None
    for name, md5 in known.files.items():
        _verify(home / name, md5)
    splits = []
    for train in (True, False):
        part = known.loader(folder, train=train, download=False)
        pixels = np.asarray(part.data)  # MNIST (N, 28, 28), CIFAR-10 (N, 32, 32, 3)
        pixels = pixels[:, None] if pixels.ndim == 3 else pixels.transpose(0, 3, 1, 2)
        images = torch.from_numpy(np.ascontiguousarray(pixels))
        splits.append(Split(images, torch.as_tensor(part.targets, dtype=torch.int64)))
    return _complete(known, home, splits[0], splits[1])


def _verify(file: Path, md5: str) -> None:
    """Raise :class:`UserError` unless ``file`` is there and has this checksum."""
    if not file.is_file():
        packed = file.with_name(file.name + ".gz")
        todo = f"unpack {packed.name}" if packed.is_file() else f"get it, or remove {file.parent}"
        raise UserError(f"{file} is missing, though its folder is there: {todo}")
    with file.open("rb") as opened:
        found = hashlib.file_digest(opened, "md5").hexdigest()
    if found != md5:
        size = f"{file.stat().st_size:,} bytes"
        raise UserError(f"{file} is damaged or half downloaded ({size}, MD5 {found}, not {md5}): {AGAIN}")


def _complete(known: Known, where: Path, train: Split, test: Split, jpeg: bool = False) -> Images:
    """The pair, if it has as many images of each class as the data set."""
    for split, counts, what in ((train, known.counts[0], "training"), (test, known.counts[1], "test")):
        classes, found = np.unique(split.labels.numpy(), return_counts=True)
        if dict(zip(classes, found, strict=True)) != dict(enumerate(counts)):
            raise UserError(
                f"{where}: {len(split):,} {what} images with labels {classes[:12].tolist()} are not the "
                f"{sum(counts):,} of {known.name}: incomplete, or another data set; {AGAIN}"
            )
    name = f"{known.name} (JPEG)" if jpeg else known.name
    return Images(name, "", not jpeg, False, known.mean, known.std, train, test)


def from_parquet(known: Known, folder: Path) -> Images | None:
    """Read the pair ``train*.parquet`` and ``test*.parquet`` in ``folder``, or None if there is none.

    The columns are ``img`` or ``image``, a structure with ``bytes`` (a PNG or JPEG file), and ``label``.
    Which data set it is follows from the size of the first image.

    Raises:
        UserError: One of the pair is missing, or a file is damaged or holds only a part.
    """
    pair = {what: sorted(folder.glob(f"{what}*.parquet")) for what in ("train", "test")}
    first = next((file for files in pair.values() for file in files), None)
    column = None if first is None else _image_column(known, first)
    if first is None or column is None:
        return None
    splits: list[Split] = []
    jpeg = False
    for what, files in pair.items():
        if not files:
            raise UserError(
                f"{folder}: no {what}*.parquet beside {first.name}; get it, or remove {first.name}"
            )
        parts = [_read(known, file, column) for file in files]
        images, labels = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        splits.append(Split(torch.from_numpy(images), torch.from_numpy(labels)))
        jpeg = jpeg or any(part[2] for part in parts)
    return _complete(known, folder, splits[0], splits[1], jpeg)


def _image_column(known: Known, file: Path) -> str | None:
    """The column with the images, or None if ``file`` holds something else than images of this size."""
    try:
        with pq.ParquetFile(file) as opened:
            paths = [opened.schema.column(i).path for i in range(len(opened.schema))]
            column = next((name for name in COLUMNS if name in paths), None)
            if column is None or "label" not in paths:
                return None
            batch = next(opened.iter_batches(1, columns=[column]), None)
            pixels = None if batch is None else _decode(batch[0].field("bytes")[0].as_py())
    except (pa.ArrowException, *UNREADABLE) as error:
        raise UserError(f"{file} is damaged or half downloaded ({error}): {AGAIN}") from error
    return column if pixels is not None and pixels.shape == known.shape else None


def _read(known: Known, file: Path, column: str) -> tuple[Bytes, NDArray[np.int64], bool]:
    """Images (N, C, H, W), labels (N,), and whether any was a JPEG."""
    try:
        with pq.ParquetFile(file) as opened:
            table = opened.read([column, "label"]).flatten()  # fields of structures become columns
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{file} is damaged or half downloaded ({error}): {AGAIN}") from error
    blobs = table[column].to_pylist()
    images = np.empty((len(blobs), *known.shape), np.uint8)
    for row, blob in enumerate(blobs):
        try:
            pixels = _decode(blob)
        except UNREADABLE as error:
            raise UserError(f"{file}: image {row} is damaged ({error}): {AGAIN}") from error
        if pixels.shape != known.shape:
            raise UserError(
                f"{file}: image {row} is {pixels.shape}, not {known.shape} like the first; {AGAIN}"
            )
        images[row] = pixels
    labels = table["label"].to_numpy().astype(np.int64)
    return images, labels, any(blob.startswith(b"\xff\xd8") for blob in blobs)


def _decode(blob: bytes) -> Bytes:
    """Pixels (C, H, W) of a PNG or JPEG file."""
    with Image.open(io.BytesIO(blob)) as image:
        pixels = np.asarray(image)
    return pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)


def fetch(known: Known, folder: Path) -> str:
    """Let torchvision download a data set into ``folder``, which is left as it was unless all arrives.

    Returns:
        Why it did not work, in one line; empty if it did.
    """
    if not _answers(known.url):
        return "no network"
    print(f"downloading {known.name} into {folder}", file=sys.stderr, flush=True)
    patience = socket.getdefaulttimeout()
    socket.setdefaulttimeout(DOWNLOAD_SECONDS)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".download-", dir=folder) as spare:
            known.loader(spare, download=True)
            home = folder / known.folder
            home.parent.mkdir(parents=True, exist_ok=True)
            if not home.exists():  # nobody else was faster
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
