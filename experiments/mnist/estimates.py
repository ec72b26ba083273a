"""What the tables of section 4.5 say of its claims, for MNIST."""

import pandas as pd

from experiments.harness.claims import published
from experiments.harness.statistics import Estimate
from experiments.harness.tables import Tables, table_of, where
from experiments.images.config import PAPER
from experiments.images.estimates import Reduced, table2
from experiments.mnist.config import Config

LARGE = 0.1
"""Step sizes from this on make SGD diverge in the released code's grid."""


def estimate(tables: Tables, cfg: Config) -> list[Estimate]:
    """Table 2's MNIST row, the difference between the optimizers, and the released code's grid."""
    found = table2(tables, cfg)
    if PAPER not in cfg.protocols:
        return found
    trials = table_of(tables, "trials", "competitor", "protocol", "lr", "test_accuracy", "status")
    reduced = Reduced(tables, cfg)
    for name, competitor in cfg.competitors.items():
        mine = where(trials, competitor=name, protocol=cfg.protocols[PAPER].label)
        if competitor.paper and len(mine):
            found += _grid(mine, f"mnist-grid-{competitor.paper}", reduced.accuracies(name))
    return found


def _grid(trials: pd.DataFrame, prefix: str, reduced: str) -> list[Estimate]:
    """The accuracies of a competitor's trials beside those that the released code prints."""
    values = trials["test_accuracy"]
    found = [Estimate(prefix, values.max(), n=len(trials))]
    for lr, some in values.groupby(trials["lr"]):
        numbers = {"lowest": float(some.min()), "highest": float(some.max())}
        found.append(Estimate(f"{prefix}-{lr:g}", some.mean(), n=len(some), numbers=numbers))
    large = trials[trials["lr"] >= LARGE]
    numbers = {"diverged": int((large["status"] == "diverged").sum())}
    median = large["test_accuracy"].median()
    found.append(Estimate(f"{prefix}-diverged", median, n=len(large), numbers=numbers))
    return [one._replace(reduced=reduced) for one in found if one.claim in published()]
