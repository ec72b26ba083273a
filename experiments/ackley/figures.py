"""The figures of section 4.1, drawn from the tables."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from experiments.ackley.config import REGIMES, Config
from experiments.ackley.estimates import solved_points, threshold
from experiments.competitors import method
from experiments.harness.plotting import PALETTE, styles
from experiments.harness.statistics import wilson
from experiments.harness.tables import Tables, table_of, where
from experiments.landscapes.functions import Ackley
from experiments.landscapes.plots import contours, three_landscapes


def draw(tables: Tables, cfg: Config, published: dict[str, Any]) -> dict[str, Figure]:
    """Figs. 1 to 3, the barrier, the regimes, and who solves from how many points, for each coefficient."""
    drawn = {"fig1_landscapes": three_landscapes(cfg.coefficients[0])}
    all_runs = table_of(tables, "runs", "point", "regime", "left", "delta_e", "momentum")
    all_curves = table_of(tables, "curves", "coefficient", "competitor", "run", "step", "loss", "x1", "x2")
    for coefficient in cfg.coefficients:
        runs, curves = (where(table, coefficient=coefficient) for table in (all_runs, all_curves))
        tag = f"a{coefficient:g}"
        drawn[f"fig2_trajectory_{tag}"] = _trajectory(curves, cfg, coefficient)
        drawn[f"fig3_long_runs_{tag}"] = _long_runs(curves, runs, cfg, coefficient)
        drawn[f"barrier_{tag}"] = _barrier(runs, cfg, coefficient)
        drawn[f"regimes_{tag}"] = _regimes(runs, cfg, coefficient)
    drawn["success"] = _success(all_runs, cfg, published)
    return drawn


def _trajectory(curves: pd.DataFrame, cfg: Config, coefficient: float) -> Figure:
    """Fig. 2: the run of the method in Fig. 3 that came lowest, over the landscape."""
    name = method(cfg.competitors)
    mine = where(curves, competitor=name)
    best = mine["run"][mine["loss"] == mine["loss"].min()]
    path = mine[mine["run"].isin(best[:1])]  # empty if the search found no settings
    side = 1.1 * max([4.5, *path[["x1", "x2"]].abs().max()])
    figure, axes = plt.subplots(figsize=(5.6, 4.8))
    filled = contours(axes, Ackley(coefficient), (-side, side, -side, side))
    figure.colorbar(filled, ax=axes, label="F")
    points = axes.scatter(path["x1"], path["x2"], c=path["step"], s=3, cmap="viridis", rasterized=True)
    figure.colorbar(points, ax=axes, label="step")
    axes.plot(*cfg.start, marker="s", color=PALETTE[1], label="start", linestyle="")
    axes.plot(0, 0, marker="*", color=PALETTE[1], markersize=12, label="global minimum", linestyle="")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
    label, count = cfg.competitors[name].label, mine["run"].nunique()
    axes.set_title(f"The lowest of {count} runs of {label}, coefficient {coefficient:g}")
    return figure


def _long_runs(curves: pd.DataFrame, runs: pd.DataFrame, cfg: Config, coefficient: float) -> Figure:
    """Fig. 3: lowest F so far against the step, with each competitor's best settings.

    Curves have some steps only, and an erratic run is lowest between two of them: a dot shows that.
    """
    figure, axes = plt.subplots(figsize=(8.4, 4.2))
    lowest = where(runs, stage="long").set_index(["competitor", "run"])["best"]
    for name, look in styles(cfg.competitors).items():
        label = cfg.competitors[name].label
        for number, (run, path) in enumerate(where(curves, competitor=name).groupby("run")):
            axes.plot(path["step"].max(), lowest[name, run], ".", color=look["color"])
            once = None if number else label
            axes.plot(path["step"], path["loss"].cummin(), linewidth=1.0, label=once, **look)
    axes.set(
        xlabel="step",
        ylabel=f"lowest F so far of every {cfg.long.record_every}th step (dot: of all)",
        yscale="log",
        title=f"Ackley, coefficient {coefficient:g}",
    )
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _barrier(runs: pd.DataFrame, cfg: Config, coefficient: float) -> Figure:
    """Share of the runs that leave the first basin against δE, and the height of the pass."""
    mine = where(runs, stage="barrier")
    left = mine.assign(left=mine["left"] == 1).groupby("delta_e")["left"].agg(["sum", "count"])
    figure, axes = plt.subplots()
    share = left["sum"] / left["count"]
    ends = np.array([wilson(int(k), int(n)) for k, n in left.itertuples(index=False)]).T.reshape(2, -1)
    ours = cfg.competitors[method(cfg.competitors)]
    axes.fill_between(left.index, *ends, color=ours.color, alpha=0.2, linewidth=0)
    label = f"runs of {ours.label} (95 % interval)"
    axes.plot(left.index, share, color=ours.color, marker=".", label=label)
    edge = threshold(cfg, coefficient)
    axes.axvline(edge, color=PALETTE[6], linestyle=":", label=f"lowest pass − F(Θ₀) = {edge:.3f}")
    steps = cfg.barrier.steps
    axes.set(
        xlabel="δE",
        ylabel="share that leaves the first basin",
        title=f"Ackley, coefficient {coefficient:g}: {steps:,} steps",
    )
    axes.legend()
    return figure


def _regimes(runs: pd.DataFrame, cfg: Config, coefficient: float) -> Figure:
    """What becomes of a baseline from the start, over its two settings; those of the long runs are marked."""
    mine = where(runs, stage="regimes")
    figure, axes = plt.subplots(figsize=(7.6, 4.4))
    if len(mine):
        codes = mine.assign(code=mine["regime"].map(REGIMES.index)).pivot(
            index="momentum", columns="lr", values="code"
        )
        colors = ListedColormap([PALETTE[4], PALETTE[5], PALETTE[3], "#BBBBBB", PALETTE[2]])
        norm = BoundaryNorm(np.arange(-0.5, len(REGIMES)), colors.N)
        mesh = axes.pcolormesh(
            codes.columns, codes.index, codes, cmap=colors, norm=norm, shading="nearest", rasterized=True
        )
        bar = figure.colorbar(mesh, ax=axes, ticks=range(len(REGIMES)))
        bar.ax.set_yticklabels(REGIMES)
    tuned = runs[(runs["stage"] == "long") & runs["regime"].isin(REGIMES)]
    axes.plot(tuned["lr"], tuned["momentum"], "k*", markersize=10, label="settings of the long runs")
    of = ", ".join(cfg.competitors[name].label for name in mine["competitor"].unique())
    axes.set(xscale="log", xlabel="step size η", ylabel="momentum μ")
    axes.set_title(f"{of} on Ackley, coefficient {coefficient:g}")
    axes.legend(loc="lower left")
    axes.grid(False)
    return figure


def _success(runs: pd.DataFrame, cfg: Config, published: dict[str, Any]) -> Figure:
    """Points solved by each competitor, for each coefficient, beside the published numbers."""
    names = list(cfg.competitors)
    figure, axes = plt.subplots(figsize=(8.4, 4.2))
    width = 0.8 / len(cfg.coefficients)
    for i, coefficient in enumerate(cfg.coefficients):
        mine = where(runs, coefficient=coefficient)
        points = [solved_points(mine, name, cfg.robust.success) for name in names]
        counts = [(int(solved.sum()), len(solved)) for solved in points]
        share = np.array([k / n if n else 0.0 for k, n in counts])
        ends = np.array([wilson(k, n) if n else (0.0, 0.0) for k, n in counts]).T
        place = np.arange(len(names)) + (i - (len(cfg.coefficients) - 1) / 2) * width
        axes.bar(
            place, share, width * 0.9, color=PALETTE[(0, 5)[i % 2]], label=f"coefficient {coefficient:g}"
        )
        axes.errorbar(place, share, abs(ends - share), fmt="none", ecolor="black", capsize=2, linewidth=1)
    for competitor in cfg.competitors.values():
        value = published.get(f"ackley-success-{competitor.paper}")
        if competitor.space and value is not None:  # the paper's numbers are those of searched settings
            axes.axhline(value, color=PALETTE[6], linestyle=":", linewidth=1)
            text = f"paper: {competitor.label} {100 * value:.0f} of 100"
            high = max(value, 0.05)  # above the error bars at 0
            axes.annotate(text, (len(names) - 0.5, high), ha="right", va="bottom", fontsize=9)
    axes.set_xticks(
        range(len(names)), [cfg.competitors[name].label for name in names], rotation=25, ha="right"
    )
    axes.set(ylabel="share of points solved", ylim=(0, 1.05))
    axes.legend(loc="center right")
    return figure
