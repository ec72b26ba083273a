"""How far a network still wanders: mean squared displacement late in a training on minibatches (A.4)."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import pandas as pd
import torch
from torch import Tensor, nn

from experiments.competitors import Contender
from experiments.harness.settings import at_least
from experiments.harness.store import Lab, Tables, Unit
from experiments.images.batches import Batches, Split
from experiments.images.networks import optimizer_for, paper_cnn
from experiments.images.sources import Images
from experiments.images.training import Engine, Trainer
from experiments.theory.stopping import check_fit, check_given

ENGINE = Engine(device="cpu", bf16=False, channels_last=True, compile=False)  # what is measured is small


@dataclass
class Diffusion:
    """Trainings of the paper's CNN on digits, and how far each goes from where it was after ``epochs``.

    Attributes:
        runs: Trainings of each contender; training i starts from the same network, with the same batches.
        images: Training images, the first ones.
        batch: Images a step.
        epochs: Length of the training before the displacement is measured.
        lags: Steps after which it is.
        contenders: Who trains, with all its settings.
    """

    runs: int
    images: int
    batch: int
    epochs: int
    lags: list[int]
    contenders: dict[str, Contender]

    def check(self, name: str) -> None:
        """Raise :class:`UserError` for budgets below 1, fewer than three lags, or nobody to compare."""
        for key in ("runs", "images", "batch", "epochs"):
            at_least(f"{name}.{key}", getattr(self, key), 1)
        check_fit(f"{name}.lags", [float(lag) for lag in self.lags])
        check_given(name, self.contenders, ("bbi", "sgd"))


def diffusion(plan: Diffusion, lab: Lab, data: Images) -> Iterator[Unit]:
    """Units of work, one a training: a row of ``runs`` and ``curves`` (stage ``diffusion``), one row a lag.

    ``distance2`` is |Θ(t0 + lag) - Θ(t0)|², ``loss`` the mean loss of the last epoch before t0.
    """

    def unit(name: str, contender: Contender, run: int) -> Unit:
        def compute() -> Tables:
            loss, distances = _wander(plan, contender, data, lab.seed("diffusion", run))
            labels = {"stage": "diffusion", "name": name, "run": run}
            curve = pd.DataFrame({"lag": distances.keys(), "distance2": distances.values()}).assign(**labels)
            row = {**labels, "data": data.name, "loss": loss}
            return {"runs": pd.DataFrame([row]), "curves": curve}

        who = {"optimizer": contender.optimizer, "fixed": contender.fixed}
        budget = {key: value for key, value in asdict(plan).items() if key not in ("runs", "contenders")}
        key = {"stage": "diffusion", "contender": who, "run": run, "budget": budget, "data": data.checksum}
        return {**key, "name": name}, compute

    for run in range(plan.runs):
        for name, contender in plan.contenders.items():
            yield unit(name, contender, run)


def _wander(plan: Diffusion, contender: Contender, data: Images, seed: int) -> tuple[float, dict[int, float]]:
    """The loss before, and squared displacements by lag; NaN once the training has diverged."""
    split = Split(data.train.images[: plan.images], data.train.labels[: plan.images])
    batches = Batches(split, data.mean, data.std, plan.batch, seed, channels_last=True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = paper_cnn(120)

    def make(network: nn.Module) -> torch.optim.Optimizer:
        return optimizer_for(contender.optimizer, network, contender.fixed, seed)

    trainer = Trainer(network, make, batches, ENGINE)
    loss = [trainer.epoch() for _ in range(plan.epochs)][-1]
    start, distances, step = _position(network), {}, 0
    for epoch in range(plan.epochs, plan.epochs + 1 + max(plan.lags) // len(batches)):
        for images, labels in batches.epoch(epoch):
            trainer.step(images, labels)
            step += 1
            if step in plan.lags:
                distances[step] = float((_position(network) - start).square().sum())
    return loss, distances


def _position(network: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in network.parameters()]).double()
