"""The figures of section 4.1, drawn from the tables."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import BoundaryNorm, ListedColormap

from experiments.ackley.config import REGIMES, Config
from experiments.ackley.estimates import solved_runs, threshold
from experiments.competitors import method
from experiments.harness.plotting import COLUMN, PAGE, PALETTE, SMALL, Picture, legend_below
from experiments.harness.statistics import wilson
from experiments.harness.tables import Tables, table_of, where
from experiments.landscapes.functions import Ackley
from experiments.landscapes.plots import contours, repeated, three_landscapes

COLUMNS = ("coefficient", "competitor", "run", "step", "lowest", "x1", "x2")


def draw(tables: Tables, cfg: Config, published: dict[str, Any]) -> dict[str, Picture]:
    """Figs. 1 to 3, the barrier, the regimes, and who solves from how many points, for each coefficient."""

    def solved(rows: pd.DataFrame) -> float:
        return float((rows["best"] < cfg.robust.success).mean())

    drawn = {"fig1_landscapes": three_landscapes(cfg.coefficients[0])}
    all_runs = table_of(tables, "runs", "point", "regime", "left", "delta_e", "momentum", "search", "where")
    all_curves = table_of(tables, "curves", *COLUMNS)
    for coefficient in cfg.coefficients:
        runs, curves = (where(table, coefficient=coefficient) for table in (all_runs, all_curves))
        tag = f"a{coefficient:g}"
        drawn[f"fig2_trajectory_{tag}"] = _trajectory(curves, runs, cfg, coefficient)
        drawn[f"fig3_long_runs_{tag}"] = _long_runs(curves, runs, cfg, coefficient)
        drawn[f"barrier_{tag}"] = _barrier(runs, cfg, coefficient)
        drawn[f"regimes_{tag}"] = _regimes(runs, cfg, coefficient)
        again = repeated(where(runs, stage="search"), cfg, "robust", solved, "share of points solved")
        drawn |= {f"{name}_{tag}": picture for name, picture in again.items()}
    drawn["success"] = _success(all_runs, cfg, published)
    return drawn


def _trajectory(curves: pd.DataFrame, runs: pd.DataFrame, cfg: Config, coefficient: float) -> Picture:
    """Fig. 2: the run of the method in Fig. 3 that came lowest, over the landscape."""
    name = method(cfg.competitors)
    lowest = where(runs, stage="long", competitor=name).set_index("run")["best"]
    lowest = lowest[lowest.index < cfg.long.drawn]
    number = lowest.idxmin() if len(lowest) else -1  # none if the search found no settings
    path = where(curves, competitor=name, run=number)
    side = 1.1 * max([4.5, *path[["x1", "x2"]].abs().max()])
    figure, axes = plt.subplots(figsize=(COLUMN, 3.0), layout="compressed")
    contours(axes, Ackley(coefficient), (-side, side, -side, side))
    axes.plot(path["x1"], path["x2"], color="black", linewidth=0.3, alpha=0.5)
    points = axes.scatter(
        path["x1"], path["x2"], c=path["step"], s=4, cmap="viridis", zorder=3, rasterized=True
    )
    figure.colorbar(points, ax=axes, label="step")
    axes.plot(*cfg.start, marker="s", color=PALETTE[1], label="start", linestyle="", zorder=4)
    axes.plot(0, 0, marker="*", color=PALETTE[1], markersize=9, label="minimum", linestyle="", zorder=4)
    legend_below(figure, axes)
    label = cfg.competitors[name].label
    axes.set_title(f"{label} on Ackley, coefficient {coefficient:g}")
    best = f"F = {lowest.min():.2g}" if len(lowest) else "no F"
    caption = (
        f"One run of {label} from {tuple(cfg.start)}: of the first {len(lowest)} long runs, the one that "
        f"comes lowest ({best}). A point is every {cfg.long.record_every}th step, its colour the step; the "
        "ground is darker where F is higher."
    )
    far = path[["x1", "x2"]].abs().max().max() if len(path) else 0.0
    alt = (
        f"A map of the Ackley function, a lattice of pits. The path of {label} leaves its pit at the start, "
        f"passes many others, goes up to {far:.2g} from the middle in one coordinate, and comes down to "
        f"{best}."
    )
    return Picture(figure, caption, alt)


def _long_runs(curves: pd.DataFrame, runs: pd.DataFrame, cfg: Config, coefficient: float) -> Picture:
    """Fig. 3: lowest F so far against the step, a panel for each competitor with its best settings."""
    ends = where(runs, stage="long")
    names = [name for name in cfg.competitors if (ends["competitor"] == name).any()]
    figure, panels = plt.subplots(
        2, max(1, -(-len(names) // 2)), figsize=(PAGE, 3.6), sharex=True, sharey=True, squeeze=False
    )
    said = []
    floor = cfg.competitors[method(cfg.competitors)].fixed.get("delta_v", 0.0)
    for axes, name in zip(panels.flat, names, strict=False):
        competitor = cfg.competitors[name]
        _running_minimum(axes, where(curves, competitor=name), competitor.color)
        best = where(ends, competitor=name)["best"]
        low, middle, high = np.quantile(best, (0.1, 0.5, 0.9))
        many = len(best) > 1
        axes.errorbar(
            1.04 * cfg.long.steps, middle, [[middle - low], [high - middle]] if many else None,
            color=competitor.color, marker=competitor.marker, capsize=2, linewidth=1.0,
        )  # fmt: skip
        if floor > 0:
            axes.axhline(floor, color="black", linewidth=0.6, linestyle=":")
        axes.set_title(competitor.label, fontsize=SMALL)
        span = f" (10 to 90 % of {len(best)} runs: {low:.2g} to {high:.2g})"
        said.append(f"{competitor.label} {middle:.2g}" + span * many)
    for axes in list(panels.flat)[len(names) :]:
        axes.set_visible(False)
    panels[0, 0].set(yscale="log" if names else "linear", xticks=np.linspace(0, cfg.long.steps, 3))
    figure.supxlabel("step", fontsize=8)
    figure.supylabel("lowest F so far", fontsize=8)
    figure.suptitle(f"Ackley, coefficient {coefficient:g}")
    caption = (
        "The lowest F so far against the step. Line and band: median and 10 to 90 % of the runs, of all "
        "steps. Mark at the right: the median of all runs and all steps at the end, its bar 10 to 90 % of "
        f"the runs ({cfg.long.runs} of BBI, one of GDM, which has no random numbers). Dotted: "
        f"ΔV = {floor:g}, where BBI stops."
    )
    alt = f"Falling staircases, one panel for each optimizer. They end at (median): {'; '.join(said)}."
    return Picture(figure, caption, alt)


def _running_minimum(axes: Axes, curves: pd.DataFrame, color: str) -> None:
    """Median and band of the runs' lowest F of all steps."""
    if len(curves):
        lowest = curves.pivot(index="step", columns="run", values="lowest").ffill()
        low, middle, high = np.quantile(lowest, (0.1, 0.5, 0.9), axis=1)
        axes.step(lowest.index, middle, where="post", color=color)
        if lowest.shape[1] > 1:
            axes.fill_between(lowest.index, low, high, step="post", color=color, alpha=0.25, linewidth=0)


def _barrier(runs: pd.DataFrame, cfg: Config, coefficient: float) -> Picture:
    """Share of the runs that leave the first basin against δE, and the height of the pass."""
    mine = where(runs, stage="barrier")
    left = mine.assign(left=mine["left"] == 1).groupby("delta_e")["left"].agg(["sum", "count"])
    figure, axes = plt.subplots()
    share = left["sum"] / left["count"]
    ends = np.array([wilson(int(k), int(n)) for k, n in left.itertuples(index=False)]).T.reshape(2, -1)
    ours = cfg.competitors[method(cfg.competitors)]
    axes.fill_between(
        left.index, *ends, color=ours.color, alpha=0.2, linewidth=0, label="95 % interval (Wilson)"
    )
    axes.plot(
        left.index, share, color=ours.color, marker=".", label=f"{ours.label}, {cfg.barrier.runs} runs each"
    )
    edge = threshold(cfg, coefficient)
    axes.axvline(edge, color=PALETTE[6], linestyle=":", label=f"lowest pass: δE = {edge:.3f}")
    axes.set(xlabel="extra energy δE", ylabel="share that leaves", ylim=(-0.04, 1.04))
    axes.set_title(f"Ackley, coefficient {coefficient:g}")
    legend_below(figure, axes)
    below, above = (share[left.index < edge], share[left.index > edge])
    caption = (
        f"Share of the runs of {ours.label} that leave the first basin in {cfg.barrier.steps:,} steps, "
        "against δE. Dotted: the δE with which the energy equals F at the lowest pass. Band: 95 % Wilson "
        f"interval of {cfg.barrier.runs} runs at one δE."
    )
    alt = (
        f"A step from 0 to 1 at δE = {edge:.3f}. Below it at most {below.max() if len(below) else 0:.0%} of "
        f"the runs leave, above it at least {above.min() if len(above) else 0:.0%}."
    )
    return Picture(figure, caption, alt)


def _regimes(runs: pd.DataFrame, cfg: Config, coefficient: float) -> Picture:
    """What becomes of a baseline from the start, over its two settings; those of the long runs are marked."""
    mine = where(runs, stage="regimes")
    figure, axes = plt.subplots(figsize=(COLUMN, 3.0))
    colors = dict(zip(REGIMES, (PALETTE[4], PALETTE[5], PALETTE[3], "#DDDDDD", PALETTE[2]), strict=True))
    if len(mine):
        codes = mine.assign(code=mine["regime"].map(REGIMES.index)).pivot(
            index="momentum", columns="lr", values="code"
        )
        norm = BoundaryNorm(np.arange(-0.5, len(REGIMES)), len(REGIMES))
        axes.pcolormesh(
            codes.columns, codes.index, codes, cmap=ListedColormap(list(colors.values())), norm=norm,
            shading="nearest", rasterized=True,
        )  # fmt: skip
    for regime, color in colors.items():
        if (mine["regime"] == regime).any():
            axes.plot([], [], "s", color=color, markersize=6, label=regime)
    tuned = runs[(runs["stage"] == "long") & runs["regime"].isin(REGIMES)]
    axes.plot(
        tuned["lr"], tuned["momentum"], "k*", markersize=8, markeredgecolor="white", label="of the long runs"
    )
    of = ", ".join(cfg.competitors[name].label for name in mine["competitor"].unique())
    axes.set(xscale="log", xlabel="step size η", ylabel="momentum μ")
    axes.set_title(f"{of} on Ackley, coefficient {coefficient:g}")
    legend_below(figure, axes)
    axes.grid(False)
    counts = mine["regime"].value_counts()
    leaves = (mine["regime"] != REGIMES[0]).groupby(mine["lr"]).mean()
    edge = leaves.index[leaves > 0.5].min()
    said = ", ".join(f"{count} {regime}" for regime, count in counts.items())
    caption = (
        f"What becomes of {len(mine):,} runs of {of} from the start, in {cfg.regimes.steps:,} steps, by step "
        "size and momentum. Stars: the settings that searches chose, and the released code's, with which the "
        "long runs were made."
    )
    alt = (
        f"A map in coloured areas ({said}). At the left, with small steps, runs are stuck; most leave the "
        f"start from η = {edge:.2g} on, where they are erratic or, further right and higher up, diverge."
        if len(mine)
        else "An empty map."
    )
    return Picture(figure, caption, alt)


def _success(runs: pd.DataFrame, cfg: Config, published: dict[str, Any]) -> Picture:
    """Points solved by each competitor, by one run and by one of several, beside the paper's."""
    names = list(cfg.competitors)
    figure, panels = plt.subplots(
        1, len(cfg.coefficients), figsize=(PAGE, 0.9 + 0.26 * len(names)), sharey=True, squeeze=False
    )
    said = []
    for axes, coefficient in zip(panels[0], cfg.coefficients, strict=True):
        mine = where(runs, coefficient=coefficient)
        for place, name in enumerate(names):
            each = solved_runs(mine, name, cfg.robust.success)
            points = each.groupby("point").any()
            if not len(points):
                continue
            competitor = cfg.competitors[name]
            said.append(f"{competitor.label} {int(points.sum())} of {len(points)} ({coefficient:g})")
            look = {"color": competitor.color, "marker": competitor.marker, "capsize": 2, "linewidth": 1.0}
            _share(axes, points, place, look)
            if len(each) > len(points):  # the chance of one run, as the others have one
                _share(axes, each, place + 0.25, {**look, "markerfacecolor": "white"})
            value = published.get(f"ackley-success-{competitor.paper}")
            if competitor.space and value is not None:  # the paper's numbers are those of searched settings
                axes.plot([value] * 2, [place - 0.3, place + 0.3], color="black", linewidth=1.6)
        axes.set(xlim=(-0.02, 1.02), xlabel="share solved", title=f"coefficient {coefficient:g}")
    panels[0, 0].set_yticks(range(len(names)), [cfg.competitors[name].label for name in names])
    panels[0, 0].invert_yaxis()
    keys = (("ko", "black", f"points: one of {cfg.robust.runs} runs of BBI, the run of GDM"),
            ("ko", "white", "runs of BBI"), ("k|", "black", "paper"))  # fmt: skip
    for marker, face, label in keys:
        panels[0, 0].plot([], [], marker, markerfacecolor=face, label=label)
    legend_below(figure, panels, ncols=3)
    caption = (
        f"Filled: the share of {cfg.robust.points} random points from which F < {cfg.robust.success:g} is "
        f"reached by one run at least, of {cfg.robust.runs} for BBI and of one for GDM, which has no random "
        "numbers. Hollow: the share of single runs of BBI, to be compared with GDM's. Bars: 95 % Wilson "
        "intervals (those of the runs take them as independent, which those from one point need not be)."
    )
    return Picture(figure, caption, f"Points solved, by optimizer and coefficient: {'; '.join(said)}.")


def _share(axes: Axes, solved: "pd.Series[Any]", place: float, look: dict[str, Any]) -> None:
    """A share with its interval, on a line of its own."""
    k, n = int(solved.sum()), len(solved)
    low, high = wilson(k, n)
    axes.errorbar(k / n, place, xerr=[[k / n - low], [high - k / n]], **look)
