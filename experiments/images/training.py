"""Training a network on labelled images: one loop for both data sets and every optimizer."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from experiments.harness import checkpoint
from experiments.harness.devices import check_device, device
from experiments.images.batches import Batches
from experiments.images.networks import step

LOOK_EVERY = 100  # steps between looks at whether the loss is still a number, each of which a GPU waits for


@dataclass
class Engine:
    """How the arithmetic is done.

    Attributes:
        device: ``cpu``, ``cuda``, or ``auto``: the GPU if there is one.
        bf16: Forward and backward pass under bfloat16 autocast, with 8 significant bits, where the paper has
            float32; parameters, their updates and the loss stay float32.
        channels_last: Memory layout of images and convolutions.
        compile: Compile the network.
    """

    device: str
    bf16: bool
    channels_last: bool
    compile: bool

    def check(self, name: str) -> None:
        """Raise :class:`UserError` for an unknown device."""
        check_device(f"{name}.device", self.device)

    @property
    def where(self) -> torch.device:
        """The device itself."""
        return device(self.device)


class Trainer:
    """A network, its optimizer and its batches.

    Args:
        network: Moved to the engine's device and layout.
        make_optimizer: From the moved network.
        batches: What it is trained on.
        engine: How.

    Attributes:
        epochs: Epochs done.
        finite: Whether every loss so far was a finite number; nothing is computed after one that was not.
    """

    def __init__(
        self,
        network: nn.Module,
        make_optimizer: Callable[[nn.Module], torch.optim.Optimizer],
        batches: Batches,
        engine: Engine,
    ) -> None:
        layout = torch.channels_last if engine.channels_last else torch.preserve_format
        self.network = network.to(engine.where).to(memory_format=layout)
        self.optimizer = make_optimizer(self.network)
        self.epochs, self.finite = 0, True
        self._forward: Callable[[Tensor], Tensor] = (
            torch.compile(self.network) if engine.compile else self.network
        )
        self._batches, self._engine = batches, engine

    def logits(self, images: Tensor) -> Tensor:
        """The network's answers, under the engine's precision: (N, C, H, W) float32 to (N, classes)."""
        with torch.autocast(self._engine.where.type, torch.bfloat16, enabled=self._engine.bf16):
            logits = self._forward(images)
        return logits.float() if self._engine.bf16 else logits  # a loss of 8 bits makes a poor potential

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """One step on one batch; the loss before it, float32 ()."""
        self.optimizer.zero_grad()
        loss = cross_entropy(self.logits(images), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        step(self.optimizer, loss)
        return loss.detach()

    def epoch(self) -> float:
        """One pass over the training images; the mean loss on the way, NaN once it was no finite number."""
        self.network.train()
        total = torch.zeros((), dtype=torch.float64, device=self._engine.where)
        seen = 0
        for number, (images, labels) in enumerate(self._batches.epoch(self.epochs), 1):
            total += self.step(images, labels) * len(labels)
            seen += len(labels)
            if number % LOOK_EVERY == 0 and not math.isfinite(total.item()):
                break
        self.epochs += 1
        mean = total.item() / seen
        self.finite &= math.isfinite(mean)
        return mean if self.finite else math.nan

    @torch.no_grad()
    def accuracy(self, images: Tensor, labels: Tensor, chunk: int = 250) -> float:
        """Percentage of ``images`` (N, C, H, W), normalised, that the network labels rightly; eval mode."""
        self.network.eval()
        right = torch.zeros((), dtype=torch.int64, device=images.device)
        for some, truth in zip(torch.split(images, chunk), torch.split(labels, chunk), strict=True):
            right += (self.logits(some).argmax(1) == truth).sum()
        return 100.0 * int(right) / len(labels)

    def state_dict(self) -> dict[str, Any]:
        """All that the next epoch depends on."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epochs": self.epochs,
            "finite": self.finite,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what :meth:`state_dict` gave."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epochs, self.finite = state["epochs"], state["finite"]


Row = dict[str, float]


def train(trainer: Trainer, epochs: int, measure: Callable[[Trainer], Row], keep: Path | None) -> list[Row]:
    """Train for some epochs, or until the loss is no finite number.

    Args:
        trainer: What is trained.
        epochs: How many.
        measure: Called after each epoch; what it returns joins the row.
        keep: Where the state is kept after each epoch, and looked for at the start: an interrupted training
            goes on with the same bits. None for a short one.

    Returns:
        One row an epoch: ``epoch`` (1 for the first), ``train_loss`` (mean over its batches), the measures.
    """
    rows: list[Row] = []
    if keep is not None and (state := checkpoint.load(keep)) is not None:
        trainer.load_state_dict(state["trainer"])
        rows = state["rows"]
    while trainer.epochs < epochs and trainer.finite:
        loss = trainer.epoch()
        rows.append({"epoch": trainer.epochs, "train_loss": loss, **measure(trainer)})
        if keep is not None:
            checkpoint.save(keep, {"trainer": trainer.state_dict(), "rows": rows})
    return rows
