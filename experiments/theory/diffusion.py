"""How far a network still moves: mean squared displacement late in a training on minibatches (A.4)."""

from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from experiments.competitors import create
from experiments.harness.settings import Count, Seed
from experiments.harness.tables import Tables
from experiments.images import sources
from experiments.images.batches import Batches, Split
from experiments.images.config import Engine
from experiments.images.networks import paper_cnn
from experiments.images.training import Trainer

ENGINE = Engine(device="cpu", bf16=False, channels_last=True, compile=False)  # what is measured is small


def displacements(
    optimizer: dict[str, Any], images: Count, batch: Count, epochs: Count, lags: list[Count],
    dataset: str, checksum: str, seed: Seed,
) -> Tables:  # fmt: skip
    """A unit of work: one training, at t0 after ``epochs``; see :class:`experiments.theory.config.Diffusion`.

    ``checksum`` is that of the data set's images; network, batches and optimizer share the ``seed``.

    Returns:
        ``runs``: the name of the ``data``, and the mean ``loss`` of the last epoch before t0, NaN once the
        training has diverged. ``curves``, one row a lag: ``distance2`` = |Θ(t0 + lag) - Θ(t0)|².
    """
    data = sources.here(dataset, checksum)
    split = Split(data.train.images[:images], data.train.labels[:images])
    batches = Batches(split, data.mean, data.std, batch, seed, channels_last=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = paper_cnn(120)
    trainer = Trainer(network, lambda made: create(optimizer, made.parameters(), seed), batches, ENGINE)
    loss = [trainer.epoch() for _ in range(epochs)][-1]
    distances = _distances(trainer, batches, epochs, lags)
    return {
        "runs": pd.DataFrame([{"data": data.name, "loss": loss}]),
        "curves": pd.DataFrame({"lag": distances.keys(), "distance2": distances.values()}),
    }


def _distances(trainer: Trainer, batches: Batches, epochs: int, lags: list[int]) -> dict[int, float]:
    """Squared distances from the present position after each of ``lags`` further steps."""
    start, found, step = _position(trainer.network), {}, 0
    for epoch in range(epochs, epochs + 1 + max(lags) // len(batches)):
        for images, labels in batches.epoch(epoch):
            trainer.step(images, labels)
            step += 1
            if step in lags:
                found[step] = float((_position(trainer.network) - start).square().sum())
    return found


def _position(network: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()]).double()
