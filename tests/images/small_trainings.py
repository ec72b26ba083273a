"""Small networks on forty synthetic pictures, which train in milliseconds."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from experiments.competitors import create
from experiments.harness.tables import Tables
from experiments.harness.units import Surroundings, perform, unit
from experiments.images.batches import Batches
from experiments.images.config import Engine, Recipe, Task
from experiments.images.datasets import cifar10, mnist
from experiments.images.sources import Images, load
from experiments.images.training import Trainer

HERE = "tests.images.small_trainings"
PLAIN = Engine(device="cpu", bf16=False, channels_last=False, compile=False)
CHANNELS_LAST = PLAIN.model_copy(update={"channels_last": True})
MEAN, STD = (0.49, 0.48, 0.45), (0.2, 0.2, 0.2)
DIGITS = mnist.digits()
# With this seed the first batch's first loss is not the lowest, as tests of conservation need.
TRAIN, TEST = cifar10.coloured(DIGITS.train, 40, 41), cifar10.coloured(DIGITS.test, 30, 1)
# A data set of its own, without files.
DATASET = replace(
    cifar10.DATASET, folder="nowhere", shape=(0, 0, 0), mean=MEAN, std=STD,
    stand_in=lambda: Images("synthetic", "here", False, True, MEAN, STD, TRAIN, TEST),
)  # fmt: skip
RECIPE = {"train": 40, "test": 30, "batch": 16, "crop_padding": 0, "flip": False, "normalise": True}
SGD = {"_target_": "torch.optim.SGD", "lr": 0.05, "momentum": 0.9}
BBI = {"_target_": "bbi.BBI", "lr": 0.05, "delta_e": 0.5, "t0": 2, "t1": 4, "n_bounces": 5}
ADAM = {"_target_": "torch.optim.Adam", "lr": 0.01}
LBFGS = {"_target_": "torch.optim.LBFGS", "lr": 0.1, "max_iter": 2}


def seeded(seed: int, build: Callable[[], nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


def tiny() -> nn.Module:
    """A network with all that a state can hold: weights and running statistics."""
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, stride=4, bias=False),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(4 * 8 * 8, 10),
    )


def deep() -> nn.Module:
    """Grows without bound at a large lr."""
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 8), nn.Linear(8, 8), nn.Linear(8, 10))


def linear() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(3072, 10))


def batches() -> Batches:
    return Batches(TRAIN, MEAN, STD, 16, 0, crop_padding=2, flip=True)


def trainer(optimizer: dict[str, Any] = SGD, seed: int = 0, engine: Engine = PLAIN) -> Trainer:
    return Trainer(seeded(seed, tiny), lambda net: create(optimizer, net.parameters(), 7), batches(), engine)


def images() -> Images:
    return load(HERE, None, download=False)


def task(build: Callable[[], nn.Module] = tiny, engine: Engine = PLAIN, **recipe: Any) -> Task:
    return Task(
        dataset=HERE,
        checksum=images().checksum,
        recipe=Recipe(**{**RECIPE, **recipe}),
        network={"_target_": f"{HERE}.{build.__name__}"},
        engine=engine,
    )


def computed(function: Callable[..., Tables], checkpoint: Path | None = None, **arguments: Any) -> Tables:
    """The tables of a unit of work, computed from its key as in a worker."""
    return perform(unit(function, **arguments).key, Surroundings(None, False, checkpoint)).tables
