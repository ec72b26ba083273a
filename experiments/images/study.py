"""Units of work on labelled images: trials of settings, long training runs, and what BBI conserves."""

import math
from collections.abc import Iterable
from itertools import chain, count, islice
from typing import Any

import hydra.utils
import pandas as pd
import torch
from torch import Tensor, nn

from bbi import BBI
from experiments.competitors import Optimizer, create
from experiments.harness import checkpoint
from experiments.harness.checkpoint import Row
from experiments.harness.ranges import Range
from experiments.harness.search import tpe
from experiments.harness.settings import Count, Seed
from experiments.harness.tables import Tables
from experiments.images.batches import Batches, Split
from experiments.images.config import Task, Trial
from experiments.images.sources import Images, here
from experiments.images.training import Trainer, Training

ONEDNN_BLOCK = 16
"""Channels that oneDNN handles at once in float32, at most."""


def trial(task: Task, optimizer: Optimizer, plan: Trial) -> Tables:
    """Try settings for some epochs.

    Returns:
        ``trials`` with one row: ``loss``, ``status``, and at the end of the training ``test_accuracy``,
        ``validation_accuracy`` (NaN without validation images) and ``train_loss``.
    """
    data = _data(task)
    trainer = data.trainer(optimizer, plan.seed, plan.validation_images)
    work = Training(trainer, plan.epochs, dict)
    while not work.finished:
        [last] = work.advance()
    found = {
        "test_accuracy": trainer.accuracy(data.test),
        "validation_accuracy": trainer.accuracy(data.train[len(data.train) - plan.validation_images :]),
        "train_loss": last["train_loss"],
    }
    loss = found[plan.criterion] if plan.criterion == "train_loss" else -found[plan.criterion]
    return {"trials": pd.DataFrame([{"loss": loss, "status": trainer.status, **found}])}


def search(
    task: Task,
    optimizer: Optimizer,
    space: dict[str, Range],
    trials: Count,
    batch: Count,
    plan: Trial,
    stream: list[Any],
) -> Tables:
    """Search settings by TPE; all trials start from the same network and see the same batches.

    Returns:
        ``trials``, one row a trial: ``trial``, the settings searched, and the columns of :func:`trial`.
    """

    def evaluate(points: list[dict[str, float]]) -> pd.DataFrame:
        rows = [trial(task, {**optimizer, **point}, plan)["trials"] for point in points]
        return pd.concat(rows, ignore_index=True)

    return {"trials": tpe(space, evaluate, trials, stream, batch)}


def training_run(task: Task, optimizer: Optimizer, epochs: Count, seed: Seed) -> Tables:
    """Train for long, unless the loss is no finite number before.

    With the same ``seed``, two optimizers start from the same network and see the same batches.

    Returns:
        ``curves``, one row an epoch: ``epoch``, ``train_loss``, ``test_accuracy``; ``runs``, the last of them
        and the ``status``.
    """
    data = _data(task)
    trainer = data.trainer(optimizer, seed)
    rows = checkpoint.run(Training(trainer, epochs, lambda: {"test_accuracy": trainer.accuracy(data.test)}))
    end = {"status": trainer.status, **rows[-1]}
    return {"runs": pd.DataFrame([end]), "curves": pd.DataFrame(rows)}


def conservation(task: Task, optimizer: Optimizer, steps: Count, seed: Seed) -> Tables:
    """Train with BBI in float64 and check at every step what the paper says of it.

    V is that of the batch at hand and Π the rescaled momentum, got back from that after the step by undoing
    the kick. A batch with V ≤ 0, at which BBI stands still, or with V = NaN or ∞ is none of the ``steps``.

    Returns:
        ``runs`` with one row, the extremes over the ``steps``: ``speed``, the largest |dΘ/dt|²/V by eq. (3);
        ``stride``, the largest |ΔΘ|²/(Δt² V) from the parameters before and after a step, which may exceed 1
        by O(Δt); ``energy``, the largest relative deviation of √(V(V + Π²)) from the first E, across all
        changes of batch (eq. (48)), where a batch has V ≤ E; ``above``, the steps with V > E, where no
        momentum can restore the energy.
    """
    exact = task.engine.model_copy(update={"bf16": False, "compile": False})
    data = _data(task.model_copy(update={"engine": exact}))
    epochs = map(data.batches(data.train, 0).epoch, count())
    batches = islice(chain.from_iterable(epochs), steps)
    return {"runs": pd.DataFrame([_extremes(data.trainer(optimizer, seed), batches)])}


def _extremes(trainer: Trainer, batches: Iterable[tuple[Tensor, Tensor]]) -> Row:
    """The row of :func:`conservation`."""
    optimizer, parameters = trainer.optimizer, list(trainer.network.parameters())
    assert isinstance(optimizer, BBI)
    lr = float(optimizer.param_groups[0]["lr"])
    trainer.network.train().double()
    found = {"steps": 0.0, "speed": 0.0, "stride": 0.0, "energy": 0.0, "above": 0.0}
    first = math.nan
    for images, labels in batches:
        before = [p.detach().clone() for p in parameters]
        trainer.step(images.double(), labels)
        v, e = float(optimizer.potential), float(optimizer.energy)
        if not 0 < v < math.inf:
            continue
        kick = 0.5 * lr * (v / e + e / v)  # eq. (11)
        pairs = [(p.grad, optimizer.momentum(p)) for p in parameters if p.grad is not None]
        p2 = sum(_square(pi.double() + kick * grad.double()) for grad, pi in pairs)
        moved = sum(
            _square(p.detach().double() - q.double()) for p, q in zip(parameters, before, strict=True)
        )
        energy = math.sqrt(v * (v + p2))
        first = e if math.isnan(first) else first
        found["steps"] += 1
        found["speed"] = max(found["speed"], v * p2 / e**2)  # |dΘ/dt|²/V with eq. (3)
        found["stride"] = max(found["stride"], moved / (lr**2 * v))
        if v > e:  # no momentum has this energy then: Algorithm 1 leaves Π as it is
            found["above"] += 1
        else:
            found["energy"] = max(found["energy"], abs(energy / first - 1))
    return found


def _square(tensor: Tensor) -> float:
    return float(tensor.square().sum())


class Data:
    """The images of a task, as many as its recipe asks for and there are, and trainers on them."""

    def __init__(self, task: Task, images: Images) -> None:
        self._task, recipe = task, task.recipe
        plain = (0.0,) * len(images.mean), (1.0,) * len(images.std)
        numbers = (images.mean, images.std) if recipe.normalise else plain
        self._mean, self._std = (torch.tensor(values, device=task.engine.where) for values in numbers)
        self.train, self.test = images.train[: recipe.train], images.test[: recipe.test]

    def trainer(self, optimizer: Optimizer, seed: int, validation_images: int = 0) -> Trainer:
        """A trainer on all training images but the last ones."""
        batches = self.batches(self.train[: len(self.train) - validation_images], seed)
        return Trainer(
            self.network(seed), lambda network: create(optimizer, network.parameters(), seed), batches,
            self._task.engine,
        )  # fmt: skip

    def network(self, seed: int) -> nn.Module:
        """The untrained network.

        Raises:
            ValueError: oneDNN would write past its memory: a crash, or wrong gradients.
        """
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            made: nn.Module = hydra.utils.instantiate(self._task.network)
        engine = self._task.engine
        if engine.channels_last and engine.where.type == "cpu" and any(map(_overruns, made.modules())):
            raise ValueError(
                f"channels_last on a CPU needs {ONEDNN_BLOCK} channels before a 1×1 convolution with a "
                "stride; set engine.channels_last=false, or take a wider network"
            )
        return made

    def batches(self, split: Split, seed: int) -> Batches:
        """Batches of a part of the images."""
        plan, engine = self._task.recipe, self._task.engine
        return Batches(
            split.to(engine.where), self._mean, self._std, plan.batch, seed, plan.crop_padding, plan.flip,
            engine.channels_last,
        )  # fmt: skip


def _overruns(module: nn.Module) -> bool:
    """Whether oneDNN gets the gradient of this layer wrong in channels_last: its issue 6035."""
    return (
        isinstance(module, nn.Conv2d)
        and module.kernel_size == (1, 1)
        and module.stride != (1, 1)
        and module.in_channels < ONEDNN_BLOCK
    )


def _data(task: Task) -> Data:
    return Data(task, here(task.dataset, task.checksum))
