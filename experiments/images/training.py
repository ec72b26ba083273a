"""Training a network on labelled images: one loop for all data sets and optimizers."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from experiments import competitors
from experiments.harness.checkpoint import Row
from experiments.images.batches import Batches, Split, normalised
from experiments.images.config import Engine

CHECK_EVERY = 100
"""Steps between checks of whether the loss is finite, at each of which a GPU is synchronised."""


class Trainer:
    """A network, its optimizer and its batches; ``epochs`` are done, and ``finite`` if all losses were."""

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
        if isinstance(self.optimizer, torch.optim.LBFGS):  # views gradients as vectors: plain layout only
            self.network.to(memory_format=torch.contiguous_format)
        self.epochs, self.finite = 0, True
        self._forward: Callable[[Tensor], Tensor] = (
            torch.compile(self.network) if engine.compile else self.network
        )
        self._batches, self._engine = batches, engine

    @property
    def status(self) -> str:
        """Of a run: ``done``, or ``diverged`` once the loss was no finite number."""
        return "done" if self.finite else "diverged"

    def logits(self, images: Tensor) -> Tensor:
        """The network's answers, under the engine's precision: (N, C, H, W) float32 to (N, classes)."""
        with torch.autocast(self._engine.where.type, torch.bfloat16, enabled=self._engine.bf16):
            logits = self._forward(images)
        return logits.float() if self._engine.bf16 else logits  # a loss of 8 bits makes a poor potential

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """One step on one batch; the loss before it, float32 ()."""

        def closure() -> Tensor:
            self.optimizer.zero_grad()
            loss = cross_entropy(self.logits(images), labels)
            loss.backward()  # type: ignore[no-untyped-call]
            return loss

        loss = closure()
        competitors.step(self.optimizer, loss, closure)
        return loss.detach()

    def epoch(self) -> float:
        """One pass over the training images; the mean loss on the way, NaN once it was no finite number."""
        self.network.train()
        total = torch.zeros((), dtype=torch.float64, device=self._engine.where)
        seen = 0
        for number, (images, labels) in enumerate(self._batches.epoch(self.epochs), 1):
            total += self.step(images, labels) * len(labels)
            seen += len(labels)
            if number % CHECK_EVERY == 0 and not math.isfinite(total.item()):
                break
        self.epochs += 1
        mean = total.item() / seen
        self.finite &= math.isfinite(mean)
        return mean if self.finite else math.nan

    @torch.no_grad()
    def accuracy(self, split: Split, chunk: int = 250) -> float:
        """Percentage of the images that the network labels rightly, in eval mode; NaN without images.

        They are normalised as those of the training are, and taken ``chunk`` at a time.
        """
        if not len(split):
            return math.nan
        self.network.eval()
        like, where = self._batches, self._engine.where
        images = normalised(split.images, like.mean, like.std, channels_last=like.channels_last).to(where)
        labels, right = split.labels.to(where), torch.zeros((), dtype=torch.int64, device=where)
        for some, truth in zip(torch.split(images, chunk), torch.split(labels, chunk), strict=True):
            right += (self.logits(some).argmax(1) == truth).sum()
        return 100.0 * int(right) / len(split)

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


class Training:
    """Some epochs, or those until the loss is no finite number, as resumable work: an epoch is a piece.

    A row has ``epoch`` (1 for the first), ``train_loss`` (mean over the batches) and what ``measure`` gives
    then.
    """

    def __init__(self, trainer: Trainer, epochs: int, measure: Callable[[], Row]) -> None:
        self.trainer, self._epochs, self._measure = trainer, epochs, measure
        self.state_dict, self.load_state_dict = trainer.state_dict, trainer.load_state_dict

    @property
    def finished(self) -> bool:
        """Whether the last epoch is done, or none can follow."""
        return self.trainer.epochs >= self._epochs or not self.trainer.finite

    def advance(self) -> list[Row]:
        """Train for an epoch."""
        loss = self.trainer.epoch()
        return [{"epoch": self.trainer.epochs, "train_loss": loss, **self._measure()}]
