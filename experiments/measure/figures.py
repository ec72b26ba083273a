"""The figures of the measure, drawn from the tables."""

import math
from collections.abc import Sequence
from itertools import product
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.ticker import NullFormatter

from experiments.competitors import method
from experiments.harness.plotting import Picture
from experiments.harness.statistics import ratio
from experiments.harness.tables import Tables, table_of, where
from experiments.landscapes.basins import volume_ratio
from experiments.measure.config import Config
from experiments.measure.estimates import counted, dimensions, law, medians, shares


def draw(tables: Tables, cfg: Config, published: dict[str, Any]) -> dict[str, Picture]:
    """Shares of time against the law, first entries, and steps against the height of the barrier."""
    return {
        "occupation": _occupation(tables, cfg),
        "entries": _entries(tables, cfg),
        "barriers": _barriers(tables, cfg),
    }


def _occupation(tables: Tables, cfg: Config) -> Picture:
    plan = cfg.occupation
    names = [f"in_{i + 1}" for i in range(len(plan.bottoms))]
    runs = where(table_of(tables, "runs", "stage", "name", "dimension", "energy", *names), stage="occupation")
    panels = list(product(dimensions(cfg), plan.energies))
    figure, grid = plt.subplots(1, len(panels), figsize=(2.4 * len(panels), 3.2), sharey=True, squeeze=False)
    worst = 0.0
    for axes, (n, energy) in zip(grid[0], panels, strict=True):
        expected = law(cfg, n, energy)
        for number, (name, competitor) in enumerate(plan.competitors.items()):
            mine = where(runs, dimension=n, energy=energy, name=name)[names].to_numpy()
            if len(mine) < 2 or np.isnan(mine).any() or not mine.mean(0).all():
                continue
            share, spread = shares(mine)
            off = 100 * (share / expected - 1)
            half = 196 * spread.std(0, ddof=1) / expected / np.sqrt(len(mine))
            x = np.arange(len(names)) + 0.2 * (number - (len(plan.competitors) - 1) / 2)
            axes.errorbar(x, off, half, fmt=competitor.marker, color=competitor.color, label=competitor.label,
                          markersize=4, capsize=2)  # fmt: skip
            worst = max(worst, float(np.abs(off).max()))
        axes.axhline(0, color="black", linewidth=0.8)
        axes.set(title=f"n = {n}, E = {energy:g}", xlabel="height $V_I$ of the minimum")
        axes.set_xticks(range(len(names)), [f"{v:g}" for v in plan.bottoms])
    grid[0][0].set_ylabel("share of time over eq. (40), minus 1, in %")
    if grid[0][0].containers:
        figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return Picture(
        figure,
        "Share of the time in all wells that runs spend in each: relative deviation from the share of its "
        "phase-space volume, eq. (40). Bars are 95 % intervals over runs.",
        f"Points around zero, one for each well and optimizer, in {len(panels)} panels; the furthest is "
        f"{worst:.1f} % away.",
    )


def _entries(tables: Tables, cfg: Config) -> Picture:
    plan, rows = cfg.entries, counted(tables)
    axis_of: dict[str, tuple[str, Sequence[float]]] = {
        "lr": ("step size Δt", plan.lr),
        "t0": (f"$T_0$ at Δt = {plan.lr[0]:g}", plan.t0),
        "n_bounces": ("scheduled bounces $N_b$", plan.n_bounces),
    }
    usual = dict(zip(axis_of, plan.settings()[0], strict=True))
    figure, panels = plt.subplots(1, 3, figsize=(7.0, 2.9), sharey=True)
    lowest = highest = math.nan
    for axes, (column, (words, values)) in zip(panels, axis_of.items(), strict=True):
        others = {name: value for name, value in usual.items() if name != column}
        for name, competitor in plan.competitors.items():
            mine = where(rows, name=name, **others).sort_values(column)
            mine = mine[(mine["first_1"] > 0) & (mine["first_2"] > 0)]
            if not len(mine):
                continue
            value = (mine["first_1"] / mine["first_2"]).to_numpy()
            pairs = mine[["first_1", "first_2"]].astype(int).to_numpy()
            ends = np.array([ratio(*pair) for pair in pairs])
            axes.errorbar(mine[column], value, np.abs(ends.T - value), marker=competitor.marker, capsize=2,
                          color=competitor.color, label=competitor.label, markersize=4)  # fmt: skip
            lowest, highest = np.nanmin([lowest, *value]), np.nanmax([highest, *value])
        axes.set(xlabel=words, xscale="log")
        axes.set_xticks(values, [f"{one:g}" for one in values], minor=False)
        axes.xaxis.set_minor_formatter(NullFormatter())
    panels[0].set_ylabel("first entries, basin 1 / basin 2")
    for axes in panels:
        axes.axhline(volume_ratio(), color="black", linestyle="--", linewidth=0.8, label="volumes, eq. (18)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return Picture(
        figure,
        "Ratio of first entries into the two basins of section 4.3, when one of the paper's settings is "
        "changed. Bars are 95 % intervals.",
        f"Three panels of points; the ratios lie between {lowest:.2f} and {highest:.2f}.",
    )


def _barriers(tables: Tables, cfg: Config) -> Picture:
    plan = cfg.escape
    runs = where(table_of(tables, "runs", "stage", "name", "barrier", "steps", "crossed"), stage="escape")
    figure, axes = plt.subplots(figsize=(5.2, 3.4))
    words, late = [], 0
    for name, competitor in plan.competitors.items():
        median = medians(runs, name)
        passed = median[np.isfinite(median)]
        if len(passed):
            axes.plot(passed.index, passed, marker=competitor.marker, color=competitor.color,
                      label=competitor.label, markersize=4)  # fmt: skip
        stopped = median.index[~np.isfinite(median)]
        if len(stopped):
            late += 1  # each on a line of its own, or they would hide one another
            axes.plot(stopped, [plan.steps * 1.5**late] * len(stopped), linestyle="none",
                      color=competitor.color, marker=competitor.marker, markerfacecolor="none", markersize=5,
                      label=None if len(passed) else competitor.label)  # fmt: skip
        ends = f"{passed.min():,.0f} to {passed.max():,.0f} steps" if len(passed) else "never"
        words.append(f"{competitor.label}: {ends}")
    axes.axhline(plan.steps, color="black", linewidth=0.8, linestyle=":")
    axes.set(xlabel="height of the barrier", ylabel="median steps to the lower minimum", yscale="log")
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    ours = plan.competitors[method(plan.competitors)].label
    return Picture(
        figure,
        "Median steps from the higher minimum of a double well to the lower one. Hollow points above the "
        f"dotted line, the budget: less than half of the runs arrive. {ours} starts with spare energy in "
        "proportion to the barrier.",
        "; ".join(words) + ".",
    )
