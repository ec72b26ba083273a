"""Section 4.5, MNIST: a small CNN, settings from a grid, then long evolutions (Table 2)."""

from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.competitors import LIMITS, check_complete, check_known, check_parameter
from experiments.harness.errors import UserError
from experiments.harness.settings import at_least, one_of
from experiments.harness.statistics import Estimate
from experiments.harness.store import Lab, Tables
from experiments.harness.verdicts import load_paper
from experiments.images import estimates as classification_claims
from experiments.images import sources as images
from experiments.images.config import ClassificationConfig
from experiments.images.figures import heat_maps, table2, training_curves
from experiments.images.networks import paper_cnn
from experiments.images.selection import evolve
from experiments.images.study import Study


@dataclass
class Grid:
    """Settings tried: every combination of ``values``, by contender and parameter, for ``epochs`` epochs."""

    epochs: int
    values: dict[str, dict[str, list[Any]]]  # numbers; with list[float] OmegaConf would refuse whole ones

    def check(self, name: str) -> None:
        """Raise :class:`UserError` for no epochs, no values or values out of range."""
        at_least(f"{name}.epochs", self.epochs, 1)
        for contender, axes in self.values.items():
            for parameter, values in axes.items():
                if not values:
                    raise UserError(f"{name}.values.{contender}.{parameter}=[]: give one value or more")
                for value in values:
                    key = f"{name}.values.{contender}.{parameter}"
                    if isinstance(value, bool) or not isinstance(value, int | float):
                        raise UserError(f"{key}={value}: must be a number")
                    if parameter in LIMITS:  # an unknown one is refused where the optimizer is known
                        check_parameter(key, parameter, value)


@dataclass(kw_only=True)
class Config(ClassificationConfig):
    """Settings of section 4.5 for MNIST."""

    outputs: int
    grid: Grid

    def validate(self) -> None:
        """An output for each class; for every contender a grid of two axes that gives what it needs."""
        super().validate()
        at_least("outputs", self.outputs, 10)
        for name in self.grid.values:
            one_of("grid.values", name, tuple(self.contenders))
        for name, contender in self.contenders.items():
            axes, key = self.grid.values.get(name, {}), f"grid.values.{name}"
            if len(axes) != 2:
                raise UserError(f"{key}: two parameters make a grid, here are {len(axes)}")
            for parameter in axes:
                check_known(key, contender.optimizer, parameter)
                if parameter in contender.fixed:
                    raise UserError(f"{key}.{parameter}: is in contenders.{name}.fixed; keep one of the two")
            check_complete(f"contenders.{name}", contender.optimizer, {*axes, *contender.fixed}, key)


def run(cfg: Config, lab: Lab) -> None:
    """Try the grid under each protocol, then evolve what each chose."""
    study = Study(
        lab,
        images.load_for(lab, "mnist"),
        cfg.recipe,
        partial(paper_cnn, cfg.outputs),
        f"paper_cnn({cfg.outputs})",
        cfg.engine,
    )
    study.check(cfg.protocols)
    cells = {
        name: [dict(zip(axes, map(float, point), strict=True)) for point in product(*axes.values())]
        for name, axes in cfg.grid.values.items()
    }
    tried = sum(map(len, cells.values())) * len(cfg.protocols) * cfg.grid.epochs
    study.announce(tried + cfg.evolved_epochs)
    units = [
        unit
        for by in cfg.protocols.values()
        for name, choices in cells.items()
        for unit in study.trials(name, cfg.contenders[name], choices, cfg.grid.epochs, by)
    ]
    trials = pd.concat([tables["trials"] for tables in lab.units(units, "grid")])
    evolve(study, cfg, trials)


def figures(tables: Tables, cfg: Config) -> dict[str, Figure]:
    """The grid, the training curves and the distributions behind Table 2."""
    images = classification_claims.trained_on(tables, cfg)
    title = f"{images}, {cfg.epochs} epochs"
    return {
        "grid": heat_maps(tables["trials"], cfg, cfg.grid.values, f"{images}, {cfg.grid.epochs} epochs"),
        "table2_mnist": table2(tables, cfg, title),
        "training_curves": training_curves(tables, cfg, title),
    }


def claims(tables: Tables, cfg: Config) -> list[Estimate]:
    """Table 2's MNIST row, the difference between the optimizers, and the released code's grid."""
    found = classification_claims.claims(tables, cfg)
    if "published" not in cfg.protocols:
        return found
    trials = tables["trials"]
    grid = trials[trials["protocol"] == cfg.protocols["published"].label]
    reduced = {name: classification_claims.reduction(tables, cfg, (name,)) for name in ("sgd", "bbi")}
    for name, why in reduced.items():
        mine = grid[grid["contender"] == name]
        best = float(mine["test_accuracy"].max())
        found.append(Estimate(f"mnist-grid-{name}", best, np.nan, np.nan, len(mine), reduced=why))
    listed = {number["id"] for number in load_paper()[1]["mnist"]}
    for lr, mine in grid[grid["contender"] == "bbi"].groupby("lr"):
        if (name := f"mnist-grid-bbi-{lr:g}") in listed:
            values = mine["test_accuracy"]
            note = f"{values.min():.2f} to {values.max():.2f} by δE"
            mean = values.mean()
            found.append(Estimate(name, mean, np.nan, np.nan, len(mine), note, reduced=reduced["bbi"]))
    large = grid[(grid["contender"] == "sgd") & (grid["lr"] >= 0.1)]
    note = f"{(large['status'] == 'diverged').sum()} of {len(large)} diverged; the median accuracy of all"
    median = large["test_accuracy"].median()
    name = "mnist-grid-sgd-diverged"
    found.append(Estimate(name, median, np.nan, np.nan, len(large), note, reduced=reduced["sgd"]))
    return found
