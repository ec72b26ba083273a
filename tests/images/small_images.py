"""MNIST and CIFAR-10 with thirty images each, in files of the real formats."""

import hashlib
import io
import pickle
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

COUNTS = ((2,) * 10, (1,) * 10)
LABELS = {"train": np.arange(20) % 10, "test": np.arange(10)[::-1]}
SHAPES = {"mnist": (28, 28), "cifar10": (32, 32, 3)}
STEMS = {"train": "train", "test": "t10k"}


def pixels(dataset: str, part: str) -> np.ndarray:
    """Smooth pictures, so that JPEG changes them little: (N, H, W) or (N, H, W, 3)."""
    shape, start = SHAPES[dataset], 0 if part == "train" else 100
    ramp = np.arange(np.prod(shape)).reshape(shape) // 30
    return np.stack([(start + 7 * index + ramp) % 256 for index in range(len(LABELS[part]))]).astype(np.uint8)


def md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def idx_files() -> dict[str, bytes]:
    """MNIST's four files."""
    files = {}
    for part, stem in STEMS.items():
        images, labels = pixels("mnist", part), LABELS[part].astype(np.uint8)
        files[f"{stem}-images-idx3-ubyte"] = struct.pack(">4i", 0x803, *images.shape) + images.tobytes()
        files[f"{stem}-labels-idx1-ubyte"] = struct.pack(">2i", 0x801, len(labels)) + labels.tobytes()
    return files


def batch_files() -> dict[str, bytes]:
    """CIFAR-10's files, with two batches to train on."""

    def batch(part: str, chosen: slice) -> bytes:
        rows = pixels("cifar10", part)[chosen].transpose(0, 3, 1, 2).reshape(-1, 3072)
        return pickle.dumps({"data": rows, "labels": LABELS[part][chosen].tolist()})

    return {
        "data_batch_1": batch("train", slice(0, 12)),
        "data_batch_2": batch("train", slice(12, 20)),
        "test_batch": batch("test", slice(None)),
        "batches.meta": pickle.dumps({"label_names": list("0123456789")}),
    }


def write(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)
    return folder


def write_torchvision(dataset: str, folder: Path) -> Path:
    if dataset == "mnist":
        return write(folder / "MNIST" / "raw", idx_files())
    return write(folder / "cifar-10-batches-py", batch_files())


def encoded(image: np.ndarray, form: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, form)
    return buffer.getvalue()


def write_parquet(dataset: str, folder: Path, form: str = "PNG", shards: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    column = {"mnist": "image", "cifar10": "img"}[dataset]
    for part, labels in LABELS.items():
        rows = [{"bytes": encoded(image, form), "path": None} for image in pixels(dataset, part)]
        for shard, index in enumerate(np.array_split(np.arange(len(rows)), shards)):
            table = pa.table({column: [rows[i] for i in index], "label": labels[index]})
            pq.write_table(table, folder / f"{part}-{shard:05d}-of-{shards:05d}.parquet")
    return folder
