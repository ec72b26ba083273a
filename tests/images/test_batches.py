"""Batches against torchvision's transforms, pixel for pixel, and against what an epoch must be."""

import numpy as np
import pytest
import scipy.stats
import torch
import torchvision.transforms.functional as vision

from experiments.images.batches import Batches, Split, normalised

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)


def pictures(n: int, channels: int = 3, side: int = 32) -> Split:
    """Noise; each label is the index of its image."""
    generator = torch.Generator().manual_seed(5)
    images = torch.randint(0, 256, (n, channels, side, side), generator=generator, dtype=torch.uint8)
    return Split(images, torch.arange(n))


def batches(split: Split, batch: int = 10, seed: int | list[int] = 0, **options) -> Batches:
    channels = split.images.shape[1]
    return Batches(split, MEAN[:channels], STD[:channels], batch, seed, **options)


def recipe(image: torch.Tensor, top: int, left: int, flip: bool) -> torch.Tensor:
    """torchvision's transforms of one image (C, H, W), as they act on a picture of Pillow."""
    picture = vision.pad(vision.to_pil_image(image), [4])
    picture = vision.crop(picture, top, left, *image.shape[1:])
    if flip:
        picture = vision.hflip(picture)
    return vision.normalize(vision.to_tensor(picture), MEAN[: len(image)], STD[: len(image)])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("layout", [False, True])
def test_normalised_pixels_are_those_of_torchvision(channels, layout):
    images = pictures(4, channels).images
    images[0].flatten()[:256] = torch.arange(256, dtype=torch.uint8)  # every value there is
    ours = normalised(images, MEAN[:channels], STD[:channels], channels_last=layout)
    assert ours.dtype == torch.float32
    theirs = torch.stack([recipe(image, 4, 4, False) for image in images])
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("layout", [False, True])
def test_a_batch_is_what_torchvision_makes_with_some_crop_and_flip(flip, layout):
    split = pictures(12)
    [(images, labels)] = batches(split, 12, crop_padding=4, flip=flip, channels_last=layout).epoch(3)
    assert images.is_contiguous(memory_format=torch.channels_last if layout else torch.contiguous_format)
    assert torch.equal(split.images, pictures(12).images)  # those of the data set stay as they are
    seen = set()
    for image, label in zip(images, labels, strict=True):
        matches = [
            (top, left, mirrored)
            for top in range(9)
            for left in range(9)
            for mirrored in {False, flip}
            if torch.equal(image, recipe(split.images[label], top, left, mirrored))
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    assert len(seen) > 6
    assert {mirrored for *_, mirrored in seen} == {False, flip}


def test_crops_and_flips_are_uniform_and_independent():
    # Pixels tell their place: channel 0 holds the row, channel 1 the column, both from 1; the border is 0.
    n, side, padding = 8100, 9, 2
    row, column = np.indices((side, side)) + 1
    image = torch.from_numpy(np.stack([row, column, column]).astype(np.uint8))
    split = Split(image.expand(n, 3, side, side), torch.zeros(n, dtype=torch.int64))
    loader = Batches(split, (0,) * 3, (1,) * 3, 1000, 0, crop_padding=padding, flip=True)
    pixels = torch.cat([images for images, _ in loader.epoch(0)]).mul(255).round().long()
    middle = pixels[:, :, side // 2, side // 2]
    top, left = middle[:, 0] - 3, middle[:, 1] - 3
    mirrored = pixels[:, 1, side // 2, side // 2 + 1] < middle[:, 1]
    assert ((top >= 0) & (top <= 4) & (left >= 0) & (left <= 4)).all()
    counts = torch.bincount(top * 10 + left * 2 + mirrored, minlength=50)
    assert scipy.stats.chisquare(counts.numpy()).pvalue > 1e-3


@pytest.mark.parametrize(("n", "batch", "sizes"), [(10, 4, [4, 4, 2]), (8, 4, [4, 4]), (3, 4, [3])])
def test_an_epoch_holds_every_image_once(n, batch, sizes):
    split = pictures(n, 1, 4)
    loader = batches(split, batch)
    images, labels = zip(*loader.epoch(0), strict=True)
    assert [len(part) for part in labels] == sizes
    assert len(loader) == len(sizes)
    order = torch.cat(labels)
    assert order.sort().values.tolist() == list(range(n))
    assert torch.equal(torch.cat(images), normalised(split.images[order], MEAN[:1], STD[:1]))


def test_an_epoch_follows_from_seed_and_number_alone():
    split = pictures(200, 1, 4)

    def epoch(seed, number, before=0):
        loader = batches(split, 50, seed, crop_padding=1, flip=True)
        for earlier in range(before):
            list(loader.epoch(earlier))
        images, labels = zip(*loader.epoch(number), strict=True)
        return torch.cat(images), torch.cat(labels)

    reference = epoch(7, 3)
    for mine, again in zip(reference, epoch(7, 3, before=3), strict=True):
        assert torch.equal(mine, again)
    orders = [
        epoch(seed, number)[1].tolist() for seed, number in ((7, 3), (7, 4), (8, 3), (3, 7), (2**62, 3))
    ]
    assert len({tuple(order) for order in [*orders, list(range(200))]}) == 6


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_every_device_makes_the_same_batches():
    split = pictures(20)
    here, there = (batches(split, 8, crop_padding=4, flip=True, device=at).epoch(2) for at in ("cpu", "cuda"))
    for (images, labels), (images_there, labels_there) in zip(here, there, strict=True):
        assert images_there.is_cuda
        torch.testing.assert_close(images_there.cpu(), images, rtol=1e-6, atol=1e-6)
        assert torch.equal(labels_there.cpu(), labels)
