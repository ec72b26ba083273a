"""Small networks on forty drawn pictures, which train in milliseconds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from experiments.competitors import Contender
from experiments.harness.settings import Base, Paths
from experiments.harness.store import Lab
from experiments.images.batches import Batches, Split
from experiments.images.config import Recipe
from experiments.images.networks import optimizer_for
from experiments.images.sources import Images
from experiments.images.study import Study
from experiments.images.synthetic import draw
from experiments.images.training import Engine, Trainer

PLAIN = Engine("cpu", bf16=False, channels_last=False, compile=False)
MEAN, STD = (0.49, 0.48, 0.45), (0.2, 0.2, 0.2)
SGD = {"lr": 0.05, "momentum": 0.9}
BOUNCING = {"lr": 0.05, "delta_e": 0.5, "t0": 2, "t1": 4, "n_bounces": 5}
TRAIN, TEST = Split(*draw(40, 0)), Split(*draw(30, 1))
CONTENDERS = {
    "sgd": Contender("sgd", "SGD", {"momentum": 0.5}),
    "bbi": Contender("bbi", "BBI", {"delta_e": 0.5, "t0": 3, "t1": 4, "n_bounces": 2}),
}


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


def trainer(
    name: str = "sgd",
    settings: dict[str, float] = SGD,
    seed: int = 0,
    engine: Engine = PLAIN,
) -> Trainer:
    return Trainer(seeded(seed, tiny), lambda net: optimizer_for(name, net, settings, 7), batches(), engine)


def same(mine: Any, theirs: Any) -> bool:
    """Whether two nested states agree to the last bit."""
    if isinstance(mine, Tensor):
        return torch.equal(mine, theirs) and mine.dtype == theirs.dtype
    if isinstance(mine, dict):
        return mine.keys() == theirs.keys() and all(same(mine[key], theirs[key]) for key in mine)
    if isinstance(mine, list):
        return len(mine) == len(theirs) and all(map(same, mine, theirs))
    return bool(mine == theirs)


def images(train: Split = TRAIN) -> Images:
    return Images("drawn", "here", False, False, MEAN, STD, train, TEST)


def opened(root: Path) -> Lab:
    return Lab(Base(experiment="hill", title="t", section="1", profile="quick", paths=Paths(str(root))))


def study(
    lab: Lab,
    data: Images | None = None,
    build: Callable[[], nn.Module] = tiny,
    engine: Engine = PLAIN,
) -> Study:
    return Study(lab, data or images(), Recipe(40, 30, 16), build, build.__name__, engine)
