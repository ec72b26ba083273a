"""Section 4.5, CIFAR-10: ResNet-18, settings by TPE, then long evolutions (Table 2)."""

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.competitors import check_complete
from experiments.harness.search import tpe
from experiments.harness.settings import at_least
from experiments.harness.statistics import Estimate, bootstrap
from experiments.harness.store import Lab, Tables
from experiments.images import estimates as classification_claims
from experiments.images import sources as images
from experiments.images.config import ClassificationConfig
from experiments.images.figures import table2, training_curves
from experiments.images.networks import small_resnet18
from experiments.images.selection import evolve
from experiments.images.study import Study


@dataclass
class Trials:
    """The budget of a search: ``trials`` of ``epochs`` epochs each, ``batch`` of them suggested at a time."""

    trials: int
    epochs: int
    batch: int

    def check(self, name: str) -> None:
        """Raise :class:`UserError` unless all are 1 or more."""
        for key in ("trials", "epochs", "batch"):
            at_least(f"{name}.{key}", getattr(self, key), 1)


@dataclass(kw_only=True)
class Config(ClassificationConfig):
    """Settings of section 4.5 for CIFAR-10."""

    width: int
    search: Trials

    def validate(self) -> None:
        """A channel or more, and all that the contenders need."""
        super().validate()
        at_least("width", self.width, 1)
        for name, contender in self.contenders.items():
            given = {*contender.fixed, *contender.space}
            check_complete(f"contenders.{name}", contender.optimizer, given, "its fixed or space")


def run(cfg: Config, lab: Lab) -> None:
    """Search under each protocol, then evolve what each chose."""
    data = images.load_for(lab, "cifar10")
    build = partial(small_resnet18, cfg.width)
    study = Study(
        lab, data, cfg.recipe, build, f"small_resnet18({cfg.width}), torch's initialisation", cfg.engine
    )
    study.check(cfg.protocols)
    pairs = [(protocol, name) for protocol in cfg.protocols for name in cfg.contenders]
    study.announce(len(pairs) * cfg.search.trials * cfg.search.epochs + cfg.evolved_epochs)
    found = {pair: _search(cfg, study, *pair) for pair in lab.in_turn(pairs)}
    trials = pd.concat([found[pair] for pair in pairs], ignore_index=True)
    evolve(study, cfg, trials)


def _search(cfg: Config, study: Study, protocol: str, name: str) -> pd.DataFrame:
    contender, by, plan = cfg.contenders[name], cfg.protocols[protocol], cfg.search

    def evaluate(points: list[dict[str, float]]) -> pd.DataFrame:
        return pd.DataFrame([study.attempt(contender, point, plan.epochs, by) for point in points])

    judged = {"criterion": by.criterion, "held_out": by.held_out}
    depends = {"optimizer": contender.optimizer, "fixed": contender.fixed, "epochs": plan.epochs}
    depends |= {"by": judged, **study.key}
    labels = {"contender": name, "protocol": by.label}
    return tpe(study.lab, labels, contender.space, evaluate, plan.trials, plan.batch, depends)


def figures(tables: Tables, cfg: Config) -> dict[str, Figure]:
    """The training curves and the distributions behind Table 2."""
    title = (
        f"{classification_claims.trained_on(tables, cfg)}, {cfg.epochs} epochs, ResNet-18, {cfg.width} wide"
    )
    return {
        "table2_cifar": table2(tables, cfg, title),
        "training_curves": training_curves(tables, cfg, title),
    }


def claims(tables: Tables, cfg: Config) -> list[Estimate]:
    """Table 2's CIFAR-10 row, the difference between the optimizers, and the released code's settings."""
    found = classification_claims.claims(tables, cfg)
    if (by := cfg.protocols.get("published")) is None:
        return found
    # The released code runs BBI with T1 = 2000, and its numbers are those beside ours.
    for who, name, parameters in (("sgd", "sgd", ("lr", "momentum")), ("bbi", "bbi_2000", ("lr",))):
        if name not in cfg.contenders:
            continue
        reduced = classification_claims.reduction(tables, cfg, (name,))
        chosen, trials = classification_claims.chosen(tables, by, name), tables["trials"]
        trials = trials[(trials["contender"] == name) & (trials["protocol"] == by.label)]
        for parameter in (key for key in parameters if key in chosen):
            for value in chosen[parameter]:
                number = Estimate(f"cifar-{who}-{parameter}", value, np.nan, np.nan, len(trials))
                found.append(number._replace(reduced=reduced))
        runs = classification_claims.evolved(tables, by, name)
        for what, column in (("mean", "test_accuracy"), ("loss", "train_loss")):
            values = runs[column].to_numpy()
            if len(values):
                interval = bootstrap(values, np.mean, seed=0)
                found.append(
                    Estimate(f"cifar-{who}-{what}", values.mean(), *interval, len(values), reduced=reduced)
                )
    return found
