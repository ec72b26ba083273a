"""How contenders train on labelled images: trials of settings, long evolutions, and what is conserved."""

import math
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from itertools import chain, count, islice
from typing import Any

import pandas as pd
import torch
from torch import Tensor, nn

from bbi import BBI
from experiments.competitors import Contender
from experiments.harness.errors import UserError
from experiments.harness.store import Lab, Tables, Unit
from experiments.images.batches import Batches, Split, normalised
from experiments.images.config import CRITERIA, Protocol, Recipe
from experiments.images.networks import optimizer_for
from experiments.images.sources import Images
from experiments.images.training import Engine, Row, Trainer, train


def setting(settings: Mapping[str, float]) -> str:
    """Settings in one word for a column: ``lr=0.1 momentum=0.9``."""
    return " ".join(f"{name}={value:.6g}" for name, value in settings.items())


class Study:
    """Trainings of one network on one data set.

    Args:
        lab: Store and seeds.
        images: The data set, of which the recipe takes a part.
        recipe: Which images, in which batches.
        build: The untrained network; its random numbers come from torch's global generator.
        network: What tells the network from others, for the keys of units.
        engine: How the arithmetic is done.
    """

    def __init__(
        self,
        lab: Lab,
        images: Images,
        recipe: Recipe,
        build: Callable[[], nn.Module],
        network: str,
        engine: Engine,
    ) -> None:
        self.lab, self.images = lab, images
        self._recipe, self._build, self._engine = recipe, build, engine
        plain = (0.0,) * len(images.mean), (1.0,) * len(images.std)
        self._mean, self._std = (images.mean, images.std) if recipe.normalise else plain
        self._train = _part(images.train, slice(recipe.train))
        self._test = _part(images.test, slice(recipe.test))
        where = {**asdict(engine), "device": engine.where.type}
        what = asdict(recipe)
        if recipe.normalise:  # the default is not named, so that stores from before the setting stay good
            del what["normalise"]
        self.key = {"data": images.checksum, "recipe": what, "network": network, "engine": where}

    def trials(
        self,
        name: str,
        contender: Contender,
        choices: Sequence[Mapping[str, float]],
        epochs: int,
        by: Protocol,
    ) -> list[Unit]:
        """Units of work that try settings: each a row of ``trials``."""

        def unit(number: int, searched: Mapping[str, float]) -> Unit:
            def compute() -> Tables:
                labels = {"contender": name, "protocol": by.label, "trial": number}
                return {"trials": pd.DataFrame([{**labels, **self.attempt(contender, searched, epochs, by)}])}

            judged = {"label": by.label, "criterion": by.criterion, "held_out": by.held_out}
            key = {"trial": {"contender": name, "number": number}, "epochs": epochs, "by": judged}
            settings = {
                "optimizer": contender.optimizer,
                "fixed": contender.fixed,
                "searched": dict(searched),
            }
            return {**key, **settings, **self.key}, compute

        return [unit(number, searched) for number, searched in enumerate(choices)]

    def attempt(
        self, contender: Contender, searched: Mapping[str, float], epochs: int, by: Protocol
    ) -> dict[str, Any]:
        """Train for some epochs: the settings, the accuracies at the end, and the loss that is minimised.

        All trials start from the same network and see the same batches.
        """
        seed = self.lab.seed("trials")
        trainer = self._trainer(contender, {**contender.fixed, **searched}, seed, by.held_out)

        def measure(trainer: Trainer) -> Row:
            if trainer.epochs < epochs and trainer.finite:
                return {}
            held = self._accuracy(trainer, self._held(by.held_out)) if by.held_out else math.nan
            return {"test_accuracy": self._accuracy(trainer, self._test), "held_accuracy": held}

        last = train(trainer, epochs, measure, None)[-1]
        found = {key: last.get(key, math.nan) for key in CRITERIA}
        status = "done" if trainer.finite else "diverged"
        return {**searched, "loss": CRITERIA[by.criterion] * found[by.criterion], "status": status, **found}

    def evolution(
        self, name: str, contender: Contender, settings: Mapping[str, float], run: int, epochs: int
    ) -> Unit:
        """A unit of work that trains for long: a row of ``runs`` and its ``curves``.

        Run number i starts from the same network and sees the same batches whatever the contender, so that
        contenders can be compared run by run.
        """
        key = {"evolve": run, "contender": name, "optimizer": contender.optimizer}
        key |= {"settings": dict(settings), "epochs": epochs, **self.key}

        def compute() -> Tables:
            trainer = self._trainer(contender, settings, self.lab.seed("run", run))
            rows = train(trainer, epochs, self._tested, self.lab.checkpoint(key))
            labels = {"stage": "evolve", "contender": name, "setting": setting(settings), "run": run}
            end = {"status": "done" if trainer.finite else "diverged", **rows[-1]}
            return {"runs": pd.DataFrame([{**labels, **end}]), "curves": pd.DataFrame(rows).assign(**labels)}

        return key, compute

    def conservation(
        self, name: str, contender: Contender, settings: Mapping[str, float], steps: int
    ) -> Unit:
        """A unit of work that trains with BBI in float64 and checks at every step what the paper says of it.

        The row of ``runs`` holds the extremes over the steps, with V that of the batch at hand and Π the
        rescaled momentum, got back from that after the step by undoing the kick: ``speed``, the largest
        |dΘ/dt|²/V by eq. (3); ``stride``, the largest |ΔΘ|²/(Δt² V) from the parameters before and after a
        step, which may exceed 1 by O(Δt); ``energy``, the largest relative deviation of √(V(V + Π²)) from the
        first E, across all changes of batch (eq. (48)), where a batch has V ≤ E; ``above``, the steps with
        V > E, where no momentum can restore the energy. A batch with V ≤ 0, at which BBI stands still, or
        with V = NaN or ∞ is none of the ``steps``.
        """

        def compute() -> Tables:
            exact = replace(self._engine, bf16=False, compile=False)
            trainer = self._trainer(contender, settings, self.lab.seed("conservation"), engine=exact)
            epochs = map(self._batches(self._train, 0).epoch, count())
            batches = islice(chain.from_iterable(epochs), steps)
            found = _conservation(trainer, batches, settings["lr"])
            row = {"stage": "conservation", "contender": name, "setting": setting(settings)}
            return {"runs": pd.DataFrame([{**row, **found}])}

        return {"conservation": name, "settings": dict(settings), "steps": steps, **self.key}, compute

    @property
    def train_images(self) -> int:
        """How many training images there are of those that the recipe asks for."""
        return len(self._train.labels)

    def check(self, protocols: Mapping[str, Protocol]) -> None:
        """Raise :class:`UserError` if a protocol would hold out all the training images that there are."""
        there = len(self._train.labels)
        for name, by in protocols.items():
            if by.held_out >= there:
                raise UserError(
                    f"protocols.{name}.held_out={by.held_out}: must be below {there}, the training images "
                    f"used of {self.images.name}; hold out fewer, or set paths.data to all of it"
                )

    def announce(self, epochs: int, steps: int = 10) -> None:
        """Say on stderr how long so many epochs of training take, from the time of a few steps."""
        sgd = Contender("sgd", "", {"lr": 1e-3, "momentum": 0.9})
        trainer = self._trainer(sgd, sgd.fixed, 0)
        first = next(self._batches(self._train, 0).epoch(0))
        trainer.step(*first)
        start = time.perf_counter()
        for _ in range(steps):
            trainer.step(*first)
        rate = steps * len(first[1]) / (time.perf_counter() - start)
        duration = timedelta(seconds=round(epochs * len(self._train.labels) / rate))
        print(
            f"{self.lab.cfg.experiment}: {epochs:,} epochs of {len(self._train.labels):,} images, "
            f"{rate:,.0f} images/s in one process: about {duration} for all of it, shared by all "
            "processes at it; what is stored is not repeated",
            file=sys.stderr, flush=True,
        )  # fmt: skip

    def _trainer(
        self,
        contender: Contender,
        settings: Mapping[str, float],
        seed: int,
        held_out: int = 0,
        engine: Engine | None = None,
    ) -> Trainer:
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = self._build()
        split = _part(self._train, slice(len(self._train.labels) - held_out))

        def make(network: nn.Module) -> torch.optim.Optimizer:
            return optimizer_for(contender.optimizer, network, settings, seed)

        return Trainer(network, make, self._batches(split, seed), engine or self._engine)

    def _batches(self, split: Split, seed: int) -> Batches:
        plan, engine = self._recipe, self._engine
        return Batches(
            split, self._mean, self._std, plan.batch, seed, crop_padding=plan.crop_padding, flip=plan.flip,
            device=engine.where, channels_last=engine.channels_last,
        )  # fmt: skip

    def _tested(self, trainer: Trainer) -> Row:
        return {"test_accuracy": self._accuracy(trainer, self._test)}

    def _held(self, held_out: int) -> Split:
        return _part(self._train, slice(len(self._train.labels) - held_out, None))

    def _accuracy(self, trainer: Trainer, split: Split) -> float:
        layout = torch.channels_last if self._engine.channels_last else torch.contiguous_format
        where = self._engine.where
        images = normalised(split.images, self._mean, self._std).to(device=where, memory_format=layout)
        return trainer.accuracy(images, split.labels.to(where))


def _part(split: Split, which: slice) -> Split:
    return Split(split.images[which], split.labels[which])


def _conservation(trainer: Trainer, batches: Iterable[tuple[Tensor, Tensor]], lr: float) -> Row:
    """The extremes over the steps; see :meth:`Study.conservation`."""
    optimizer, parameters = trainer.optimizer, list(trainer.network.parameters())
    assert isinstance(optimizer, BBI)
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
