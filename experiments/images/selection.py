"""The course of an experiment on images: data, choice of settings by trials, training runs."""

import sys
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from itertools import product
from typing import NamedTuple

import hydra.utils
import pandas as pd
import torch

from bbi import BBI
from experiments.competitors import Optimizer, numbers
from experiments.harness.errors import UserError
from experiments.harness.search import best
from experiments.harness.session import Compute
from experiments.harness.tables import Tables, join, labelled, where
from experiments.harness.units import Unit, unit
from experiments.images import study
from experiments.images.config import ClassificationConfig, Task
from experiments.images.sources import Images, load

PROBE_STEPS, PROBE_SECONDS = 10, 5.0
"""How many steps, and for how long at most, are timed before the start."""


def prepare(cfg: ClassificationConfig, compute: Compute, trial_epochs: int) -> tuple[Task, Images]:
    """Load the images, check that network and protocols suit them, and print how long all of it will take.

    Raises:
        UserError: A protocol leaves nothing to train on, or the network does not take the images.
    """
    images = load(cfg.dataset, cfg.paths.data, cfg.paths.download)
    compute.stand_in = images.stand_in
    engine = cfg.engine.model_copy(update={"device": cfg.engine.where.type})
    task = Task(
        dataset=cfg.dataset, checksum=images.checksum, recipe=cfg.recipe, network=cfg.network, engine=engine
    )
    there = min(cfg.recipe.train, len(images.train))
    for name, by in cfg.protocols.items():
        if by.validation_images >= there:
            raise UserError(
                f"protocols.{name}.validation_images={by.validation_images}: must be below {there}, the "
                f"training images used of {images.name}; take fewer, or set paths.data to all of it"
            )
    runs = sum(by.runs for by in cfg.protocols.values()) * len(cfg.competitors)
    epochs = trial_epochs + runs * cfg.epochs
    rate = _images_per_second(task, images)
    print(
        f"{cfg.experiment}: {epochs:,} epochs of {there:,} images, {rate:,.0f} images/s in one process: "
        f"about {timedelta(seconds=round(epochs * there / rate))} for all of it, shared by all processes; "
        "what is stored is not repeated",
        file=sys.stderr, flush=True,
    )  # fmt: skip
    return task, images


def _images_per_second(task: Task, images: Images) -> float:
    """The rate of training on one core, from a few steps."""
    data = study.Data(task, images)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        trainer = data.trainer({"_target_": "torch.optim.SGD", "lr": 1e-3, "momentum": 0.9, "fused": True}, 0)
        batch = next(data.batches(data.train, 0).epoch(0))
        trainer.step(*batch)
        start, steps = time.perf_counter(), 0
        while steps < PROBE_STEPS and time.perf_counter() - start < PROBE_SECONDS:
            trainer.step(*batch)
            steps += 1
    except Exception as error:  # a network may refuse its arguments or the images in any way
        raise UserError(f"network={task.network}: cannot train on {images.name}: {error}") from error
    finally:
        torch.set_num_threads(threads)
    return steps * len(batch[1]) / (time.perf_counter() - start)


class Choice(NamedTuple):
    """What a protocol chose for a competitor: the settings found, and the optimizer with all settings."""

    protocol: str
    competitor: str
    found: dict[str, float]
    optimizer: Optimizer

    @property
    def labels(self) -> dict[str, str]:
        """The competitor, and all its settings in one phrase: ``lr=0.1 momentum=0.9``."""
        words = (f"{name}={value:.6g}" for name, value in numbers(self.optimizer).items())
        return {"competitor": self.competitor, "setting": " ".join(words)}


def train_chosen(
    cfg: ClassificationConfig, compute: Compute, task: Task, images: Images, tried: Sequence[pd.DataFrame]
) -> Tables:
    """Train with the best settings of every competitor under every protocol, and check what BBI conserves.

    Where two protocols choose the same settings, they share the runs. A competitor whose trials all failed is
    left out. The choices are rows of ``runs`` too (stage ``selected``).
    """
    trials = pd.concat(tried, ignore_index=True) if tried else pd.DataFrame()
    choices = []
    for by, (name, competitor) in product(cfg.protocols.values(), cfg.competitors.items()):
        found: dict[str, float] | None = {}
        if cfg.searched(name):
            found = best(where(trials, competitor=name, protocol=by.label), cfg.searched(name))
        if found is not None:
            choices.append(Choice(by.label, name, found, competitor.optimizer(found)))
    work: list[tuple[Mapping[str, object], Unit]] = []
    for run, one in _plan(cfg, choices):
        seed = compute.seed("run", run)
        call = unit(study.training_run, task=task, optimizer=one.optimizer, epochs=cfg.epochs, seed=seed)
        work.append(({"stage": "train", **one.labels, "run": run}, call))
    first = {one.competitor: one for one in reversed(choices)}  # with which conservation is checked
    for one in first.values():
        if issubclass(hydra.utils.get_class(one.optimizer["_target_"]), BBI):
            steps, seed = cfg.checked_steps, compute.seed("conservation")
            call = unit(study.conservation, task=task, optimizer=one.optimizer, steps=steps, seed=seed)
            work.append(({"stage": "conservation", **one.labels}, call))
    parts: list[Tables] = [{"trials": trials}, {"runs": _selected(images, cfg.recipe.train, choices)}]
    for (labels, _), tables in zip(work, compute([call for _, call in work], "training runs"), strict=True):
        parts.append({"runs": labelled(tables["runs"], **labels)})
        if "curves" in tables:
            parts.append({"curves": tables["curves"].assign(**labels)})
    return join(parts)


def _plan(cfg: ClassificationConfig, choices: Collection[Choice]) -> list[tuple[int, Choice]]:
    """The training runs, each once, and run by run: at any moment all competitors have about equally many."""
    runs = {by.label: by.runs for by in cfg.protocols.values()}
    plan: dict[tuple[object, ...], tuple[int, Choice]] = {}
    for run, one in product(range(max(runs.values())), choices):
        if run < runs[one.protocol]:
            plan.setdefault((run, *one.labels.values()), (run, one))
    return list(plan.values())


def _selected(images: Images, train: int, choices: Collection[Choice]) -> pd.DataFrame:
    """What was trained on (stage ``data``, there even if nothing could be chosen), and what was chosen."""
    used = min(train, len(images.train))
    data = {"data": images.name, "comparable": images.comparable, "train_images": used}
    rows = [{"stage": "data", **data, "protocol": "", "competitor": "", "setting": ""}]
    for one in choices:
        rows.append({"stage": "selected", **data, "protocol": one.protocol, **one.labels, **one.found})
    return pd.DataFrame(rows)
