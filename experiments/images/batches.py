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


class Batches:
    """An endless supply of epochs over a training set: each one a new order, new crops and new flips.

    An epoch follows from (seed, number) alone, on every device, so that a run may go on from any epoch. The
    last batch of an epoch is smaller when ``batch`` does not divide the number of images. A crop is a window
    of the picture's size, with ``crop_padding`` pixels of black around it; a flip mirrors every other
    picture, by chance.
    """

    def __init__(
        self,
        split: Split,
        mean: Sequence[float],
        std: Sequence[float],
        batch: int,
        seed: int,
        *,
        crop_padding: int = 0,
        flip: bool = False,
        device: torch.device | str = "cpu",
        channels_last: bool = False,
    ) -> None:
        self._device = torch.device(device)
        self._split = split.to(self._device)
        self._mean, self._std = (torch.tensor(values, device=self._device) for values in (mean, std))
        self._batch, self._channels_last, self._seed = batch, channels_last, seed
        self._padding, self._flip = crop_padding, flip

    def __len__(self) -> int:
        """Batches in an epoch."""
        return -(-len(self._split) // self._batch)

    def epoch(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches of one epoch: images float32 (batch, C, H, W) and labels int64 (batch,)."""
        n, random = len(self._split), np.random.default_rng((self._seed, number))
        by_place = (
            random.permutation(n),
            random.integers(0, 2 * self._padding + 1, (n, 2)),
            random.random(n) < 0.5,
        )
        order, corners, flips = (torch.from_numpy(part).to(self._device) for part in by_place)
        for start in range(0, n, self._batch):
            chosen = slice(start, start + self._batch)
            index = order[chosen]
            images = self._split.images.index_select(0, index)
            if self._padding:
                images = self._crop(images, corners[chosen])
            if self._flip:
                mirror = flips[chosen][:, None, None, None]
                images = torch.where(mirror, images.flip(-1), images)
            images = normalised(images, self._mean, self._std, channels_last=self._channels_last)
            yield images, self._split.labels.index_select(0, index)

    def _crop(self, images: Tensor, corners: Tensor) -> Tensor:
        """The windows of ``images`` (N, C, H, W), padded, whose top left corners are ``corners`` (N, 2)."""
        height, width = images.shape[-2:]
        padded = F.pad(images, (self._padding,) * 4)
        windows = padded.unfold(2, height, 1).unfold(3, width, 1)  # a view of every window there is
        return windows[torch.arange(len(images), device=self._device), :, corners[:, 0], corners[:, 1]]
