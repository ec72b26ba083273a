"""What the tables of section 4.5 say of its claims, for CIFAR-10."""

from experiments.cifar.config import Config
from experiments.harness.claims import published
from experiments.harness.statistics import Estimate, of_mean
from experiments.harness.tables import Tables
from experiments.images.config import PAPER
from experiments.images.estimates import Reduced, chosen, table2, trained


def estimate(tables: Tables, cfg: Config) -> list[Estimate]:
    """Table 2's CIFAR-10 row, the difference between the optimizers, and the released code's settings."""
    found = table2(tables, cfg)
    if PAPER in cfg.protocols:
        reduced = Reduced(tables, cfg)
        for name in cfg.released:
            if name in cfg.competitors:
                found += _released(tables, cfg, name, reduced.accuracies(name))
    return found


def _released(tables: Tables, cfg: Config, name: str, reduced: str) -> list[Estimate]:
    """The settings chosen, the accuracies and the losses beside those of the released code."""
    by, competitor = cfg.protocols[PAPER], cfg.competitors[name]
    settings, runs = chosen(tables, by, name), trained(tables, by, name)
    found = [
        Estimate(f"cifar-{competitor.paper}-{key}", value, n=cfg.search.trials)
        for key in competitor.space
        if key in settings
        for value in settings[key]
    ]
    for what, column in (("mean", "test_accuracy"), ("loss", "train_loss")):
        values = runs[column].to_numpy()
        if len(values):
            number = (values.mean(), *of_mean(values, seed=0), len(values))
            found.append(Estimate(f"cifar-{competitor.paper}-{what}", *number))
    return [one._replace(reduced=reduced) for one in found if one.claim in published()]
