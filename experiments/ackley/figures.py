"""The figures of section 4.1, drawn from the tables."""

from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import BoundaryNorm, ListedColormap
from matplotlib.figure import Figure

from experiments.ackley import estimates as ackley_claims
from experiments.ackley import units as ackley
from experiments.harness.plotting import COLOURS, LINES, PALETTE
from experiments.harness.statistics import wilson
from experiments.harness.tables import Tables, table_of
from experiments.landscapes import plots as draw
from experiments.landscapes.functions import Ackley

if TYPE_CHECKING:
    from experiments.ackley.units import Config


def figures(tables: Tables, cfg: "Config") -> dict[str, Figure]:
    """Figs. 1 to 3, the barrier, the regimes, and who solves from how many points, for each coefficient."""
    drawn = {"fig1_landscapes": draw.three_landscapes(cfg.coefficients[0])}
    all_runs = table_of(tables, "runs", "point")
    all_curves = table_of(tables, "curves", "coefficient", "contender", "run", "step", "loss", "x1", "x2")
    for coefficient in cfg.coefficients:
        runs = all_runs[all_runs["coefficient"] == coefficient]
        curves = all_curves[all_curves["coefficient"] == coefficient]
        tag = f"a{coefficient:g}"
        drawn[f"fig2_trajectory_{tag}"] = _trajectory(curves, cfg, coefficient)
        drawn[f"fig3_long_runs_{tag}"] = _long_runs(curves, runs, cfg, coefficient)
        drawn[f"barrier_{tag}"] = _barrier(runs, cfg, coefficient)
        drawn[f"regimes_{tag}"] = _regimes(runs, coefficient)
    drawn["success"] = _success(all_runs, cfg)
    return drawn


def _trajectory(curves: pd.DataFrame, cfg: "Config", coefficient: float) -> Figure:
    """Fig. 2: the BBI run of Fig. 3 that came lowest, over the landscape."""
    mine = curves[curves["contender"] == "bbi"]
    best = mine["run"][mine["loss"] == mine["loss"].min()]
    path = mine[mine["run"].isin(best[:1])]  # empty if the search found no settings
    side = 1.1 * max([4.5, *path[["x1", "x2"]].abs().max()])
    figure, axes = plt.subplots(figsize=(5.6, 4.8))
    filled = draw.contours(axes, Ackley(coefficient), (-side, side, -side, side))
    figure.colorbar(filled, ax=axes, label="F")
    points = axes.scatter(path["x1"], path["x2"], c=path["step"], s=3, cmap="viridis", rasterized=True)
    figure.colorbar(points, ax=axes, label="step")
    axes.plot(*cfg.start, marker="s", color=PALETTE[1], label="start", linestyle="")
    axes.plot(0, 0, marker="*", color=PALETTE[1], markersize=12, label="global minimum", linestyle="")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=2)
    axes.set_title(f"The lowest of {mine['run'].nunique()} runs of BBI, coefficient {coefficient:g}")
    return figure


def _long_runs(curves: pd.DataFrame, runs: pd.DataFrame, cfg: "Config", coefficient: float) -> Figure:
    """Fig. 3: lowest F so far against the step, with each contender's best settings.

    Curves have some steps only, which an erratic run of GDM passes its lowest F between: that is a dot.
    """
    figure, axes = plt.subplots()
    lowest = runs[runs["stage"] == "long"].set_index(["contender", "run"])["best"]
    drawn: dict[str, int] = {}
    for name, contender in cfg.contenders.items():
        mine = curves[curves["contender"] == name]
        order = drawn[contender.optimizer] = drawn.get(contender.optimizer, -1) + 1
        for number, (run, path) in enumerate(mine.groupby("run")):
            axes.plot(path["step"].max(), lowest[name, run], ".", color=COLOURS[contender.optimizer])
            axes.plot(
                path["step"],
                path["loss"].cummin(),
                color=COLOURS[contender.optimizer],
                linestyle=LINES[order % len(LINES)],
                alpha=1.0 if order < len(LINES) else 0.5,
                linewidth=1.0,
                label=contender.label if number == 0 else None,
            )
    axes.set(
        xlabel="step",
        ylabel=f"lowest F so far of every {cfg.long.record_every}th step (dot: of all)",
        yscale="log",
        title=f"Ackley, coefficient {coefficient:g}",
    )
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.set_size_inches(8.4, 4.2)
    return figure


def _barrier(runs: pd.DataFrame, cfg: "Config", coefficient: float) -> Figure:
    """Share of the runs that leave the first basin against δE, and the height of the pass."""
    mine = runs[runs["stage"] == "barrier"]
    left = mine.assign(left=mine["left"] == 1).groupby("delta_e")["left"].agg(["sum", "count"])
    figure, axes = plt.subplots()
    share = left["sum"] / left["count"]
    ends = np.array([wilson(int(k), int(n)) for k, n in left.itertuples(index=False)]).T
    axes.fill_between(left.index, *ends, color=COLOURS["bbi"], alpha=0.2, linewidth=0)
    axes.plot(left.index, share, color=COLOURS["bbi"], marker=".", label="runs of BBI (95 % interval)")
    edge = ackley_claims.threshold(cfg, coefficient)
    axes.axvline(edge, color=PALETTE[6], linestyle=":", label=f"lowest pass − F(Θ₀) = {edge:.3f}")
    steps = cfg.barrier.steps
    axes.set(
        xlabel="δE",
        ylabel="share that leaves the first basin",
        title=f"Ackley, coefficient {coefficient:g}: {steps:,} steps",
    )
    axes.legend()
    return figure


def _regimes(runs: pd.DataFrame, coefficient: float) -> Figure:
    """What becomes of GDM from the start, over its two settings; tuned ones marked."""
    mine = runs[runs["stage"] == "regimes"]
    codes = mine.assign(code=mine["regime"].map(ackley.REGIMES.index)).pivot(
        index="momentum", columns="lr", values="code"
    )
    colours = ListedColormap([PALETTE[4], PALETTE[5], PALETTE[3], "#BBBBBB", PALETTE[2]])
    figure, axes = plt.subplots(figsize=(7.6, 4.4))
    norm = BoundaryNorm(np.arange(-0.5, len(ackley.REGIMES)), colours.N)
    mesh = axes.pcolormesh(
        codes.columns, codes.index, codes, cmap=colours, norm=norm, shading="nearest", rasterized=True
    )
    bar = figure.colorbar(mesh, ax=axes, ticks=range(len(ackley.REGIMES)))
    bar.ax.set_yticklabels(ackley.REGIMES)
    tuned = runs[(runs["stage"] == "long") & (runs["regime"] != "")]
    axes.plot(tuned["lr"], tuned["momentum"], "k*", markersize=10, label="settings of the long runs")
    axes.set(
        xscale="log",
        xlabel="step size η",
        ylabel="momentum μ",
        title=f"GDM on Ackley, coefficient {coefficient:g}",
    )
    axes.legend(loc="lower left")
    axes.grid(False)
    return figure


def _success(runs: pd.DataFrame, cfg: "Config") -> Figure:
    """Points solved by each contender, for each coefficient, beside the published numbers."""
    names = list(cfg.contenders)
    figure, axes = plt.subplots(figsize=(8.4, 4.2))
    width = 0.8 / len(cfg.coefficients)
    for i, coefficient in enumerate(cfg.coefficients):
        mine = runs[runs["coefficient"] == coefficient]
        points = [ackley_claims.solved_points(mine, name, cfg.robust.success) for name in names]
        counts = [(int(solved.sum()), len(solved)) for solved in points]
        share = np.array([k / n if n else 0.0 for k, n in counts])
        ends = np.array([wilson(k, n) if n else (0.0, 0.0) for k, n in counts]).T
        place = np.arange(len(names)) + (i - (len(cfg.coefficients) - 1) / 2) * width
        axes.bar(
            place, share, width * 0.9, color=PALETTE[(0, 5)[i % 2]], label=f"coefficient {coefficient:g}"
        )
        axes.errorbar(place, share, abs(ends - share), fmt="none", ecolor="black", capsize=2, linewidth=1)
    for value, text in ((0.90, "paper: BBI 90 of 100"), (0.02, "paper: GDM 2 of 100")):
        axes.axhline(value, color=PALETTE[6], linestyle=":", linewidth=1)
        high = max(value, 0.05)  # above the error bars of who solves nothing
        axes.annotate(text, (len(names) - 0.5, high), ha="right", va="bottom", fontsize=9)
    axes.set_xticks(
        range(len(names)), [cfg.contenders[name].label for name in names], rotation=25, ha="right"
    )
    axes.set(ylabel="share of points solved", ylim=(0, 1.05))
    axes.legend(loc="center right")
    return figure
