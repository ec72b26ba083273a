"""The figures of section 4.5 for MNIST, drawn from the tables."""

from typing import Any

from experiments.harness.plotting import Picture
from experiments.harness.tables import Tables, table_of
from experiments.images.estimates import trained_on
from experiments.images.figures import has_grid, heat_maps, table2, training_curves
from experiments.mnist.config import Config


def draw(tables: Tables, cfg: Config, published: dict[str, Any]) -> dict[str, Picture]:
    """The grid, the training curves and the distributions behind Table 2."""
    images = trained_on(tables, cfg)
    title = f"{images}, {cfg.epochs} epochs"
    trials = table_of(tables, "trials", "competitor", "protocol", "status")
    drawn = {}
    if has_grid(trials, cfg):
        drawn["grid"] = heat_maps(trials, cfg, f"{images}, {cfg.grid.epochs} epochs")
    drawn["table2_mnist"] = table2(tables, cfg, title, published)
    drawn["training_curves"] = training_curves(tables, cfg, title)
    return drawn
