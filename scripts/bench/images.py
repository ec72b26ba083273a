"""The speed of training on images: the loop against the usual one, where its time goes, and the engines."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader
from torch.utils.flop_counter import FlopCounterMode
from torchvision.datasets import MNIST
from torchvision.transforms import Compose, Normalize, ToTensor

import bbi
from bench.timing import Row, compare, in_turn, threads
from experiments.harness.devices import native_bf16
from experiments.images.batches import Batches, Split
from experiments.images.config import Engine
from experiments.images.networks import paper_cnn, small_resnet18
from experiments.images.sources import Images, load
from experiments.images.training import Trainer

SETTINGS: Any = OmegaConf.load(Path(__file__).resolve().parents[2] / "conf" / "experiment" / "mnist.yaml")
PLAIN = Engine(device="cpu", bf16=False, channels_last=False, compile=False)
CHOSEN = Engine(**{**SETTINGS.engine, "device": "cpu", "bf16": native_bf16("cpu")})
# bfloat16 only where it is native: elsewhere ResNet-18 takes minutes a row.
ENGINES = [
    PLAIN.model_copy(update={"bf16": bf16, "channels_last": last})
    for bf16, last in product((False, True), repeat=2)
    if CHOSEN.bf16 or not bf16
]
ENGINES += [CHOSEN] * (CHOSEN not in ENGINES)
SGD, BBI = "SGD", "BBI"
# Steps so small that no loss overflows and none gets to 0, however long the bench.
PLAIN_SGD = {"lr": 1e-4, "momentum": 0.9}
OPTIMIZERS: dict[str, Callable[[nn.Module], torch.optim.Optimizer]] = {
    SGD: lambda network: torch.optim.SGD(network.parameters(), **PLAIN_SGD, fused=True),
    BBI: lambda network: bbi.BBI(
        network.parameters(), lr=1e-4, delta_e=1.0, **SETTINGS.competitors.bbi.fixed, seed=0
    ),
}
USUAL, RELU_FIRST = "DataLoader, float32, SGD", "ReLU before pooling"
ELSE, ALONE = "all but forward and backward", "BBI.step"
ENGINE, RATE = "ResNet-18, engine", "ResNet-18, rate"
EPOCH = 60_000  # images in one of MNIST
PER_EPOCH, PER_IMAGE, PER_GFLOP = "s per epoch", "ms per image", "ms per GFLOP"


@dataclass(frozen=True)
class Size:
    """How much is timed: the small network in turns of ``steps``, ResNet-18 in fewer, of one batch each."""

    steps: int = 80
    turns: int = 7
    slow_turns: int = 3
    width: int = 64
    batch: int = 128
    matrix: int = 2048


BENCH = Size()


class Pictures(MNIST):  # type: ignore[misc]
    """Images in memory as torchvision's MNIST, with its way from a picture to a normalised tensor."""

    def __init__(self, split: Split, mean: Sequence[float], std: Sequence[float]) -> None:
        super(MNIST, self).__init__("", transform=Compose([ToTensor(), Normalize(mean, std)]))
        self.data, self.targets = split.images[:, 0], split.labels


@dataclass(frozen=True)
class Task:
    """A network to train, and the images to train it on."""

    network: Callable[[], nn.Module]
    split: Split
    mean: Sequence[float]
    std: Sequence[float]
    batch: int
    augmented: bool = False

    def batches(self, engine: Engine) -> Batches:
        """In the engine's layout; ``augmented`` with the crops and flips of section 4.5."""
        return Batches(
            self.split, self.mean, self.std, self.batch, 0, crop_padding=4 * self.augmented,
            flip=self.augmented, channels_last=engine.channels_last,
        )  # fmt: skip

    def trainer(self, engine: Engine, name: str = SGD) -> Trainer:
        """A new network and the optimizer of that name."""
        return Trainer(self.network(), OPTIMIZERS[name], self.batches(engine), engine)


class Usual:
    """The usual loop: a DataLoader with two workers, torchvision's transforms, float32, the paper's layers.

    The workers stay from epoch to epoch, so that their start is not timed, which is in its favour.
    """

    def __init__(self, task: Task) -> None:
        self.network = paper_order()
        self.optimizer = torch.optim.SGD(self.network.parameters(), **PLAIN_SGD)
        pictures = Pictures(task.split, task.mean, task.std)
        self.loader: DataLoader[Any] = DataLoader(
            pictures, task.batch, shuffle=True, num_workers=2, persistent_workers=True
        )

    def epoch(self) -> float:
        """Train on all images once; the mean loss over the batches."""
        self.network.train()
        total = 0.0
        for images, labels in self.loader:
            self.optimizer.zero_grad()
            loss = cross_entropy(self.network(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimizer.step()
            total += loss.item()
        return total / len(self.loader)


def paper_order() -> nn.Sequential:
    """The small network with its layers in the paper's order: pooling after the ReLU."""
    layers = list(paper_cnn(SETTINGS.network.outputs))
    for i in range(1, len(layers)):
        if isinstance(layers[i], nn.ReLU):
            layers[i - 1], layers[i] = layers[i], layers[i - 1]
    return nn.Sequential(*layers)


def label(engine: Engine) -> str:
    """An engine's name in the rows."""
    options = ["channels_last"] * engine.channels_last + ["compiled"] * engine.compile
    return ", ".join(["bf16" if engine.bf16 else "float32", *options])


def digits(data: Images, steps: int) -> Task:
    """The small network, and the images of that many steps (or as many as there are)."""
    count = steps * SETTINGS.recipe.batch
    return Task(
        lambda: paper_cnn(SETTINGS.network.outputs), data.train[:count], data.mean, data.std,
        SETTINGS.recipe.batch,
    )  # fmt: skip


def noise(size: Size) -> Task:
    """ResNet-18 and one batch of noise, augmented as CIFAR-10 is."""
    images = torch.randint(256, (size.batch, 3, 32, 32), dtype=torch.uint8)
    split = Split(images, torch.randint(10, (size.batch,)))
    return Task(
        lambda: small_resnet18(size.width), split, (0.5,) * 3, (0.25,) * 3, size.batch, augmented=True
    )


def epochs(task: Task, turns: int, count: int) -> list[Row]:
    """An epoch of MNIST in the project's loop against the usual one, which has two workers more."""
    trainers = {f"{label(CHOSEN)}, {name}": task.trainer(CHOSEN, name) for name in OPTIMIZERS}
    trainers |= {f"{label(PLAIN)}, {SGD}": task.trainer(PLAIN)}
    runs = {key: trainer.epoch for key, trainer in trainers.items()} | {USUAL: Usual(task).epoch}
    with threads(count):
        times = in_turn(runs, turns)
    per = dict.fromkeys(runs, len(task.split) / EPOCH)
    asked = {f"{label(CHOSEN)}, {SGD}": 0.5}  # twice as fast, like against like
    return [
        compare("MNIST", times, key, USUAL, PER_EPOCH, per, count, ratio_limit=asked.get(key, math.nan))
        for key in trainers
    ]


def engines(task: Task, turns: int) -> list[Row]:
    """The small network in every engine, and in both orders of its layers, on one thread."""
    runs = {label(engine): task.trainer(engine).epoch for engine in ENGINES}
    paper = replace(task, network=paper_order)
    swapped = {f"{label(engine)}, {RELU_FIRST}": engine for engine in (PLAIN, CHOSEN)}
    runs |= {key: paper.trainer(engine).epoch for key, engine in swapped.items()}
    with threads(1):
        times = in_turn(runs, turns)
    per, plain = dict.fromkeys(runs, len(task.split) / EPOCH), label(PLAIN)
    pairs = [(label(engine), plain) for engine in ENGINES if engine != PLAIN]
    pairs += [(label(engine), key) for key, engine in swapped.items()]
    return [compare("MNIST, engine", times, what, other, PER_EPOCH, per, 1) for what, other in pairs]


def shares(task: Task, turns: int) -> list[Row]:
    """What the loop spends outside of forward and backward passes, on one thread."""
    kept = list(task.batches(CHOSEN).epoch(0))
    rows = []
    for name in OPTIMIZERS:
        whole, passes = f"{label(CHOSEN)}, {name}", _passes(task.trainer(CHOSEN, name), kept)
        with threads(1):
            times = in_turn({whole: task.trainer(CHOSEN, name).epoch, ELSE: passes}, turns)
        times[ELSE] = [a - b for a, b in zip(times[whole], times[ELSE], strict=True)]
        per = dict.fromkeys(times, len(task.split) / EPOCH)
        rows += [compare("MNIST, share", times, ELSE, whole, PER_EPOCH, per, 1, ratio_limit=0.15)]
    return rows


def _passes(trainer: Trainer, batches: Sequence[tuple[torch.Tensor, torch.Tensor]]) -> Callable[[], None]:
    def run() -> None:
        for images, labels in batches:
            trainer.optimizer.zero_grad()
            cross_entropy(trainer.logits(images), labels).backward()  # type: ignore[no-untyped-call]

    return run


def gflop(network: nn.Module, *shape: int) -> float:
    """10⁹ sums and products in the forward and backward pass of one image of that shape."""
    with FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, *shape)).sum().backward()
    return float(counter.get_total_flops()) / 1e9


def resnet(task: Task, some: Sequence[Engine], size: Size, count: int) -> list[Row]:
    """A step of ResNet-18 with BBI in some engines, BBI's share of it, and its operations beside matmul's."""
    trainers = {label(engine): task.trainer(engine, BBI) for engine in some}
    plain, chosen = label(PLAIN), label(CHOSEN)
    square, optimizer = torch.randn(size.matrix, size.matrix), trainers[chosen].optimizer
    assert isinstance(optimizer, bbi.ECD)
    factors = {"matmul, float32": square}
    if CHOSEN.bf16:
        factors["matmul, bf16"] = square.bfloat16()
    runs: dict[str, Callable[[], object]] = {key: trainer.epoch for key, trainer in trainers.items()}
    runs[ALONE] = partial(optimizer.step, loss=torch.tensor(2.3))  # on the gradients that the epoch left
    runs |= {key: partial(torch.matmul, factor, factor) for key, factor in factors.items()}
    with threads(count):
        times = in_turn(runs, size.slow_turns)
    images, work = dict.fromkeys(runs, float(size.batch)), size.batch * gflop(task.network(), 3, 32, 32)
    operations = dict.fromkeys(trainers, work) | dict.fromkeys(factors, 2e-9 * size.matrix**3)
    rows = [compare(ENGINE, times, key, plain, PER_IMAGE, images, count) for key in trainers if key != plain]
    rows += [
        compare(RATE, times, label(engine), kind, PER_GFLOP, operations, count)
        for engine in (PLAIN, CHOSEN)
        for kind in [f"matmul, {'bf16' if engine.bf16 else 'float32'}"]
    ]
    return [*rows, compare("ResNet-18, share", times, ALONE, chosen, PER_IMAGE, images, count)]


def training(cores: int, say: list[str], size: Size = BENCH) -> list[Row]:
    """All rows: MNIST on one thread and on all, ResNet-18 on all and in two engines on one.

    Args:
        cores: Number of threads for the rows on all.
        say: What the rows do not tell is appended.
        size: How much is timed.
    """
    data = load("mnist", os.environ.get("BBI_DATA"), download=False)
    whole, half, part = (digits(data, max(1, size.steps // share)) for share in (1, 2, 4))
    counts = sorted({1, cores})
    rows = [row for count in counts for row in epochs(whole, size.turns, count)]
    rows += engines(half, size.turns)
    rows += shares(part, 3 * size.turns)  # short turns and many, for a difference of two times
    large = noise(size)
    for count in reversed(counts):
        rows += resnet(large, ENGINES if count == cores else [PLAIN, CHOSEN], size, count)
    if not CHOSEN.bf16:
        say.append("This processor does not compute in bfloat16 by itself: those rows are left out.")
    say.append(
        f"MNIST's rows are scaled to the {EPOCH:,} images of an epoch from {len(whole.split):,} and fewer "
        f"({data.name}, {data.source}). {USUAL!r} has two workers beside its threads, torchvision's "
        "transforms and the paper's order of layers; the start of its workers is not counted. ResNet-18 "
        f"trains with BBI on noise, {size.batch} images a step, cropped and flipped: {rates(rows)}."
    )
    return rows


def rates(rows: Sequence[Row]) -> str:
    """Images a second of ResNet-18, beside the machine's own rate of multiplying matrices."""
    texts = []
    for count in dict.fromkeys(row.threads for row in rows if row.bench == RATE):
        mine = [row for row in rows if row.threads == count]
        images = {row.what: row.time for row in mine if row.bench == ENGINE}
        images |= {row.against: row.against_time for row in mine if row.bench == ENGINE}
        work = {row.against: row.against_time for row in mine if row.bench == RATE}
        parts = (
            ", ".join(f"{1e3 / time:.3g} {unit} ({key})" for key, time in times.items())
            for times, unit in ((images, "images/s"), (work, "GFLOP/s"))
        )
        texts.append(f"with {count} thread{'s' * (count > 1)} {' beside '.join(parts)}")
    return "; ".join(texts)
