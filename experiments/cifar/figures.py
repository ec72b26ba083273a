"""The figures of section 4.5 for CIFAR-10, drawn from the tables."""

from typing import Any

from experiments.cifar.config import Config
from experiments.harness.plotting import Picture
from experiments.harness.tables import Tables
from experiments.images.estimates import trained_on
from experiments.images.figures import table2, training_curves


def draw(tables: Tables, cfg: Config, published: dict[str, Any]) -> dict[str, Picture]:
    """The training curves and the distributions behind Table 2."""
    network = f"ResNet-18 ({cfg.network.get('width', '?')} channels)"
    title = f"{trained_on(tables, cfg)}, {cfg.epochs} epochs, {network}"
    return {
        "table2_cifar": table2(tables, cfg, title, published),
        "training_curves": training_curves(tables, cfg, title),
    }
