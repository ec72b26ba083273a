"""The figures of section 4.2, drawn from the tables."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from experiments.competitors import method
from experiments.harness.plotting import styles
from experiments.harness.tables import Tables, table_of, where
from experiments.landscapes.plots import searches
from experiments.zakharov.config import Config


def draw(tables: Tables, cfg: Config, published: dict[str, Any]) -> dict[str, Figure]:
    """Fig. 4, the random starts, and what the searches saw."""
    return {
        "fig4_long_runs": _long_runs(tables, cfg),
        "random_starts": _random_starts(tables, cfg),
        "searches": searches(table_of(tables, "trials", "competitor", "loss", "status"), cfg),
    }


def _long_runs(tables: Tables, cfg: Config) -> Figure:
    """Fig. 4: F against the step, with each competitor's best settings."""
    figure, axes = plt.subplots(figsize=(8.0, 4.2))
    curves = table_of(tables, "curves", "competitor")
    for name, look in styles(cfg.competitors).items():
        path = where(curves, competitor=name)
        if len(path):
            axes.plot(path["step"], path["loss"], label=cfg.competitors[name].label, **look)
    floor = cfg.competitors[method(cfg.competitors)].fixed.get("delta_v", 0.0)
    if floor > 0:
        axes.axhline(floor, color="black", linewidth=0.8, linestyle=":", label="ΔV")
    axes.set(xlabel="step", ylabel="F", yscale="log", title=f"Zakharov function, n = {len(cfg.start)}")
    if axes.lines:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _random_starts(tables: Tables, cfg: Config) -> Figure:
    """Each competitor's lowest F from the random points, sorted; diverged runs are missing at the right."""
    runs = where(table_of(tables, "runs", "stage", "competitor", "side", "best", "status"), stage="random")
    figure, panels = plt.subplots(1, len(cfg.random.sides), figsize=(9.6, 4.2), sharey=True, squeeze=False)
    for axes, side in zip(panels[0], cfg.random.sides, strict=True):
        for name, look in styles(cfg.competitors).items():
            mine = where(runs, competitor=name, side=side)
            if len(mine):
                good = np.sort(mine["best"][mine["status"] != "diverged"])
                # Solid lines are wide and pale, so that others on top of them can be seen.
                wide = {"linewidth": 4.0, "alpha": 0.4} if look["linestyle"] == "-" else {}
                number = np.arange(1, len(good) + 1)
                axes.plot(number, good, label=cfg.competitors[name].label, **look, **wide)
        axes.set(xlabel="starting points, sorted", yscale="log", title=f"starts in [−{side:g}, {side:g}]ⁿ")
    panels[0][0].set_ylabel(f"lowest F in {cfg.random.steps:,} steps, diverged runs left out")
    if panels[0][-1].lines:
        panels[0][-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
