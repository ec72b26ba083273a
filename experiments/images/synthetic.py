"""A stand-in for CIFAR-10 that needs no file: ten classes of drawn 32 × 32 colour pictures.

A class is one of five outlines, filled or hollow. Place, size, angle, shading and noise say nothing about it,
and the colour of the ground a little, so that a network finds a first slope soon and then must learn shapes.
Accuracies say nothing about CIFAR-10.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

SIDE = 32
CLASSES = 10
TINT = 0.2  # of the ground, by class: a linear classifier is right one time in three
CHUNK = 1000  # pictures drawn at once: 4 MB an array
Floats = NDArray[np.float32]


def draw(count: int, seed: int) -> tuple[Tensor, Tensor]:
    """Draw pictures, as many of each class as of the others.

    Args:
        count: How many.
        seed: What they follow from, 0 or more.

    Returns:
        Images uint8 (count, 3, 32, 32) and labels int64 (count,) in [0, 10), in a random order.
    """
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(count) % CLASSES)
    parts = [_pictures(random, labels[at : at + CHUNK]) for at in range(0, count, CHUNK)]
    images = np.concatenate(parts) if parts else np.empty((0, 3, SIDE, SIDE), np.uint8)
    return torch.from_numpy(images), torch.from_numpy(labels)


def _uniform(random: np.random.Generator, low: float, high: float, *shape: int) -> Floats:
    return (low + (high - low) * random.random(shape, dtype=np.float32)).astype(np.float32)


def _pictures(random: np.random.Generator, labels: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Pictures (n, 3, 32, 32) of ``labels`` (n,): a shaded shape on a shaded ground, with noise."""
    n = len(labels)
    inside = _cover(random, labels)[:, None]
    ground, shape = (_uniform(random, 0.1, 0.9, n, 3, 1, 1) for _ in range(2))
    ground += TINT * _hues()[labels]
    away = np.where(shape > ground, np.float32(1), np.float32(-1)) * np.float32(0.1)  # never the same colour
    picture = ground + _shading(random, n)
    picture += inside * (shape + away + _shading(random, n) - picture)
    picture += _uniform(random, 0.02, 0.12, n, 1, 1, 1) * random.standard_normal(picture.shape, np.float32)
    pixels: NDArray[np.uint8] = np.rint(255 * picture.clip(0, 1)).astype(np.uint8)
    return pixels


def _hues() -> Floats:
    """A direction in colour space for each class, (10, 3, 1, 1), of zero sum."""
    hue, channel = 2 * np.pi * np.arange(CLASSES) / CLASSES, 2 * np.pi * np.arange(3) / 3
    return np.cos(hue[:, None] - channel).astype(np.float32)[:, :, None, None]


def _grid() -> tuple[Floats, Floats]:
    """Coordinates y and x of the pixels, (32, 32), from the middle of the picture."""
    y, x = np.indices((SIDE, SIDE), dtype=np.float32) - np.float32((SIDE - 1) / 2)
    return y, x


def _cover(random: np.random.Generator, labels: NDArray[np.int64]) -> Floats:
    """How much of each pixel lies in the shape, (n, 32, 32): turned, stretched and moved at random."""
    n, (y, x) = len(labels), _grid()
    size, stretch, turn = (
        _uniform(random, low, high, n, 1, 1) for low, high in ((7, 13), (0.8, 1.25), (0, 2 * np.pi))
    )
    x, y = x - _uniform(random, -4, 4, n, 1, 1), y - _uniform(random, -4, 4, n, 1, 1)
    along, across = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    along, across = along * stretch, across / stretch
    edge = size * _outline(np.arctan2(across, along), labels[:, None, None] % 5)
    radius = np.hypot(along, across)
    cover = (edge - radius + 0.5).clip(0, 1)
    hollow = labels[:, None, None] >= 5
    hole = (0.6 * edge - radius + 0.5).clip(0, 1)
    return cover - np.where(hollow, hole, np.float32(0))


def _outline(angle: Floats, kind: NDArray[np.int64]) -> Floats:
    """Radius of an outline at each angle: circle, triangle, square, and flowers of three and five petals."""
    radii: list[Floats] = [
        np.full_like(angle, 0.8),
        _polygon(angle, 3),
        _polygon(angle, 4),
        _flower(angle, 3, 0.3),
        _flower(angle, 5, 0.25),
    ]
    return np.choose(kind, radii)


def _flower(angle: Floats, petals: int, depth: float) -> Floats:
    """Radius of a flower whose petals end at distance 1 and are ``2 depth`` long."""
    return np.float32(1 - depth) + np.float32(depth) * np.cos(petals * angle)


def _polygon(angle: Floats, corners: int) -> Floats:
    """Radius of a regular polygon with its corners at distance 1."""
    sector = 2 * np.pi / corners
    radius: Floats = np.cos(sector / 2) / np.cos(angle % sector - sector / 2)
    return radius


def _shading(random: np.random.Generator, n: int) -> Floats:
    """Waves in random directions and colours, (n, 3, 32, 32): from a slope to stripes."""
    y, x = _grid()
    waves = [_uniform(random, -0.6, 0.6, n, 1, 1, 1) for _ in range(2)]
    phase = waves[0] * x + waves[1] * y + _uniform(random, 0, 2 * np.pi, n, 1, 1, 1)
    return _uniform(random, -0.25, 0.25, n, 3, 1, 1) * np.sin(phase)
