"""Batches of images in memory: shuffled, augmented and normalised on their device, a batch at a time.

On a CPU the pixels agree to the last bit with torchvision's usual recipe, RandomCrop(32, padding=4) and
RandomHorizontalFlip of the picture, then ToTensor and Normalize: the border is black before it is normalised.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Numbers = Sequence[float] | Tensor


@dataclass(frozen=True, eq=False)
class Split:
    """Images uint8 (N, C, H, W) and their labels int64 (N,)."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, part: slice) -> "Split":
        return Split(self.images[part], self.labels[part])

    def to(self, device: torch.device | str) -> "Split":
        """The same on ``device``, not copied if it is there already."""
        return Split(self.images.to(device), self.labels.to(device))


def normalised(images: Tensor, mean: Numbers, std: Numbers, *, channels_last: bool = False) -> Tensor:
    """(images / 255 - mean) / std, as a network takes them: with torchvision's operations in their order.

    From uint8 (N, C, H, W) to float32, with (N, H, W, C) in memory if ``channels_last``.
    """
    layout = torch.channels_last if channels_last else torch.contiguous_format
    shift, scale = (
        torch.as_tensor(values, dtype=torch.float32, device=images.device)[:, None, None]
        for values in (mean, std)
    )
    return images.to(torch.float32, memory_format=layout).div_(255).sub_(shift).div_(scale)


@dataclass(frozen=True, eq=False)
class Batches:
    """An endless supply of epochs over a training set: each one a new order, new crops and new flips.

    An epoch follows from (seed, number) alone, on every device, so that a run may go on from any epoch. The
    last batch of an epoch is smaller when ``batch`` does not divide the number of images. A crop is a window
    of the picture's size in the picture with a black border, ``crop_padding`` pixels wide; a flip mirrors
    every other picture, by chance. Batches are made on the device of the ``split``.
    """

    split: Split
    mean: Numbers
    std: Numbers
    batch: int
    seed: int
    crop_padding: int = 0
    flip: bool = False
    channels_last: bool = False

    def __len__(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.split) // self.batch)

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of one epoch: images float32 (batch, C, H, W) and labels int64 (batch,)."""
        n, random = len(self.split), np.random.default_rng((self.seed, number))
        by_place = (
            random.permutation(n),
            random.integers(0, 2 * self.crop_padding + 1, (n, 2)),
            random.random(n) < 0.5,
        )
        order, corners, flips = (torch.from_numpy(part).to(self.split.labels.device) for part in by_place)
        for start in range(0, n, self.batch):
            chosen = slice(start, start + self.batch)
            index = order[chosen]
            images = self.split.images.index_select(0, index)
            if self.crop_padding:
                images = self._crop(images, corners[chosen])
            if self.flip:
                mirror = flips[chosen][:, None, None, None]
                images = torch.where(mirror, images.flip(-1), images)
            images = normalised(images, self.mean, self.std, channels_last=self.channels_last)
            yield images, self.split.labels.index_select(0, index)

    def _crop(self, images: Tensor, corners: Tensor) -> Tensor:
        """The windows of ``images`` (N, C, H, W), padded, whose top left corners are ``corners`` (N, 2)."""
        height, width = images.shape[-2:]
        padded = F.pad(images, (self.crop_padding,) * 4)
        windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view of every window there is
        return windows[torch.arange(len(images), device=images.device), :, corners[:, 0], corners[:, 1]]
