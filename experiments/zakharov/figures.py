"""The figures of section 4.2, drawn from the tables."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from experiments.competitors import method
from experiments.harness.plotting import COLUMN, PAGE, Picture, legend_below, styles
from experiments.harness.tables import Tables, table_of, where
from experiments.landscapes.plots import repeated, searches
from experiments.zakharov.config import Config

WINDOWS = 60
"""Parts of the long runs for which the envelope of F is drawn."""


def draw(tables: Tables, cfg: Config, published: dict[str, Any]) -> dict[str, Picture]:
    """Fig. 4, the random starts, and what the searches saw."""
    again = where(table_of(tables, "runs", "stage", "competitor", "search", "where"), stage="search")
    place = f"side {cfg.random.sides[0]:g}"

    def middle(rows: pd.DataFrame) -> float:
        return float(rows["best"].median())

    return {
        "fig4_long_runs": _long_runs(tables, cfg),
        "random_starts": _random_starts(tables, cfg),
        "searches": searches(table_of(tables, "trials", "competitor", "loss", "status"), cfg),
        **repeated(again, cfg, place, middle, f"median lowest F, starts in ±{cfg.random.sides[0]:g}"),
    }


def _long_runs(tables: Tables, cfg: Config) -> Picture:
    """Fig. 4: F against the step, with each competitor's best settings: envelope and lowest so far."""
    figure, axes = plt.subplots(figsize=(COLUMN, 3.2))
    curves = table_of(tables, "curves", "competitor")
    ends = where(table_of(tables, "runs", "stage", "competitor", "best", "steps"), stage="long")
    said = []
    for name, look in styles(cfg.competitors).items():
        path, label = where(curves, competitor=name), cfg.competitors[name].label
        if len(path):
            _envelope(axes, path, label, look)
            end = where(ends, competitor=name).iloc[0]
            said.append(f"{label} {end['best']:.1e} after {end['steps']:,} steps")
    missing = [c.label for name, c in cfg.competitors.items() if not (ends["competitor"] == name).any()]
    floor = cfg.competitors[method(cfg.competitors)].fixed.get("delta_v", 0.0)
    if floor > 0:
        axes.axhline(floor, color="black", linewidth=0.8, linestyle=":", label="ΔV")
    axes.set(xlabel="step", ylabel="F", title=f"Zakharov function, n = {len(cfg.start)}")
    axes.set_yscale("log" if axes.lines else "linear")
    legend_below(figure, axes, handlelength=4.5)  # the dashes tell two of GDM apart
    trials = (
        f"All {cfg.search.trials} trials of the search for {', '.join(missing)} diverged: it has no line."
    )
    caption = (
        f"F against the step. Band: the range of F in each of {WINDOWS} equal parts of the budget; line: "
        "the lowest "
        f"F so far. {trials * bool(missing)}".strip()
    )
    return Picture(figure, caption, f"All curves fall. The lowest F: {'; '.join(said)}.")


def _envelope(axes: Axes, path: pd.DataFrame, label: str, look: dict[str, Any]) -> None:
    """The range of F in windows of steps, and the lowest F so far."""
    window = max(1, -(-int(path["step"].max() + 1) // WINDOWS))
    parts = path.groupby(path["step"] // window)
    middle = (parts["step"].min() + parts["step"].max()) / 2
    axes.fill_between(
        middle, parts["loss"].min(), parts["loss"].max(), color=look["color"], alpha=0.2, linewidth=0
    )
    axes.plot(path["step"], path["lowest"], label=label, **look)


def _random_starts(tables: Tables, cfg: Config) -> Picture:
    """Each competitor's lowest F from the random points, sorted; diverged runs on top."""
    runs = where(table_of(tables, "runs", "stage", "competitor", "side", "best", "status"), stage="random")
    figure, panels = plt.subplots(1, len(cfg.random.sides), figsize=(PAGE, 3.0), sharey=True, squeeze=False)
    good = runs["best"][(runs["status"] != "diverged") & np.isfinite(runs["best"])]
    top, said = 1e3 * (good.max() if len(good) else 1.0), []
    for axes, side in zip(panels[0], cfg.random.sides, strict=True):
        for place, (name, look) in enumerate(styles(cfg.competitors).items()):
            mine = where(runs, competitor=name, side=side)
            if mine.empty:
                continue
            label, bad = cfg.competitors[name].label, mine["status"] == "diverged"
            number = np.arange(1, len(mine) + 1)
            values = np.concatenate([np.sort(mine["best"][~bad]), np.full(bad.sum(), np.nan)])
            axes.plot(number, values, label=label, **look)
            lost = number[len(mine) - bad.sum() :]
            marks = {key: look[key] for key in ("color", "marker", "markerfacecolor")}
            axes.plot(lost, np.full(len(lost), top * 30**place), linestyle="", markersize=2, **marks)
            middle = f"median {np.median(mine['best'][~bad]):.0e}" if (~bad).any() else "no end"
            said.append(f"{label} in ±{side:g}: {middle}, {bad.sum()} of {len(mine)} diverged")
        axes.set(xlabel="starting points, sorted", title=f"starts in [−{side:g}, {side:g}]ⁿ")
        axes.axhspan(top / 5, top * 30 ** len(cfg.competitors), color="0.9", linewidth=0, zorder=0)
        axes.annotate("diverged", (2, top), fontsize=7, va="bottom")
    panels[0][0].set(ylabel="lowest F", yscale="log")
    legend_below(figure, panels, ncols=3)
    caption = (
        f"The lowest F in {cfg.random.steps:,} steps from {cfg.random.points} random points, sorted for each "
        "optimizer by itself. Its diverged runs follow at the right, as marks in the grey area, whose height "
        "has no meaning."
    )
    return Picture(figure, caption, "; ".join(said) + ".")
