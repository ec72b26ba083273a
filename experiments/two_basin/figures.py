"""The figures of section 4.3, drawn from the tables."""

import math
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Circle

from experiments.competitors import method
from experiments.harness.plotting import COLUMN, PAGE, PALETTE, SMALL, Picture, legend_below, styles
from experiments.harness.statistics import ratio
from experiments.harness.tables import Tables, where
from experiments.landscapes.basins import LANDSCAPE, center, radius, volume_ratio
from experiments.landscapes.plots import contours, logarithmic
from experiments.two_basin.config import Config
from experiments.two_basin.estimates import counted


def draw(tables: Tables, cfg: Config, published: dict[str, Any]) -> dict[str, Picture]:
    """Figs. 5 and 6, and the ratio against the number of bounces."""
    return {
        "fig5_trajectories": _trajectories(tables, cfg),
        "fig6_partial_ratios": _partial_ratios(tables, cfg),
        "ratio_by_bounces": _by_bounces(tables, cfg),
    }


def _trajectories(tables: Tables, cfg: Config) -> Picture:
    """Fig. 5: runs from one start, until they enter a basin."""
    curves = tables["curves"]
    side = 1.05 * curves[["x1", "x2"]].abs().to_numpy().max()
    figure, axes = plt.subplots(figsize=(COLUMN, 2.9), layout="compressed")
    filled = contours(axes, LANDSCAPE, (-side, side, -side, side), lambda f: np.log10(f + 1e-2))
    figure.colorbar(filled, ax=axes, label="log₁₀(F + 0.01)")
    for number, (_, path) in enumerate(curves.groupby("run")):
        axes.plot(path["x1"], path["x2"], color=PALETTE[number % len(PALETTE)], linewidth=0.8)
        axes.plot(path["x1"].iloc[-1], path["x2"].iloc[-1], ".", color=PALETTE[number % len(PALETTE)])
    for basin in (1, 2):
        x, y = center(basin)
        axes.add_patch(Circle((x, y), radius(basin), fill=False, color="black", linewidth=1.2))
        axes.annotate(
            f"basin {basin}", (x, y - radius(basin)), xytext=(0, -3), textcoords="offset points", ha="center",
            va="top", fontsize=SMALL, bbox={"color": "white", "alpha": 0.7, "pad": 0.5},
        )  # fmt: skip
    axes.plot(*cfg.start, "s", color=PALETTE[1])
    label = cfg.competitors[method(cfg.competitors)].label
    count = curves["run"].nunique()
    axes.set_title(f"{count} runs of {label} from one start")
    last = curves.groupby("run")[["x1", "x2"]].last().to_numpy()
    inside = [
        int((np.linalg.norm(last - center(basin), axis=1) < 1.2 * radius(basin)).sum()) for basin in (1, 2)
    ]
    caption = (
        f"Paths of {count} runs of {label} from the square until they enter a basin, at the dots. Circles: "
        "the edges of the basins. The ground is darker where F is higher."
    )
    alt = (
        f"Loops that swing through the middle of a bowl, up to {side:.0f} from it. {inside[0]} end at the "
        f"circle of basin 1, {inside[1]} at that of basin 2."
    )
    return Picture(figure, caption, alt)


def _partial_ratios(tables: Tables, cfg: Config) -> Picture:
    """Fig. 6: entries into basin 1 over entries into basin 2, against the number of runs."""
    figure, panels = plt.subplots(1, 2, figsize=(PAGE, 2.8), sharey=True)
    theory, plan = volume_ratio(), cfg.counts[cfg.published]
    competitor = cfg.competitors[plan.competitor]
    mine = where(tables["runs"], stage="entry", variant=cfg.published)
    basin = mine.sort_values("run")["basin"].to_numpy()
    for axes, length in zip(panels, (min(plan.published_runs, len(basin)), len(basin)), strict=True):
        first, second = np.cumsum(basin[:length] == 1), np.cumsum(basin[:length] == 2)
        at = np.unique(np.geomspace(min(20, length), length, 400).astype(int)) - 1
        at = at[second[at] > 0]
        ends = np.array([ratio(int(first[i]), int(second[i])) for i in at]).T.reshape(2, -1)
        axes.fill_between(
            at + 1, *ends, color=competitor.color, alpha=0.2, linewidth=0, label="95 % interval"
        )
        axes.plot(at + 1, first[at] / second[at], color=competitor.color, label=competitor.label)
        axes.axhline(theory, color=PALETTE[6], linestyle="--", label=f"volumes, eq. (18): {theory:.3f}")
        axes.axhspan(theory * 0.89, theory * 1.11, color=PALETTE[6], alpha=0.08, linewidth=0, label="± 11 %")
        axes.set(xlabel="runs", title=f"{length:,} runs")
    panels[1].set_xscale("log" if len(at) else "linear")  # a logarithmic axis needs something on it
    panels[0].set(ylabel="entries, basin 1 / basin 2", ylim=(1.2, 2.4))
    legend_below(figure, panels, ncols=4)
    caption = (
        f"Runs of {competitor.label} that enter basin 1 over those that enter basin 2, against the number of "
        "runs counted. Left: as many as in the paper; right: all. Band: 95 % interval of the ratio. Grey: 11 "
        "% around the ratio of volumes, dashed."
    )
    alt = "The line swings at first and settles. "
    if len(at):
        low, high = ends[:, -1]
        alt += f"At the end the ratio is {first[at[-1]] / second[at[-1]]:.3f} [{low:.3f}, {high:.3f}]."
    return Picture(figure, caption, alt)


def _by_bounces(tables: Tables, cfg: Config) -> Picture:
    """The ratio of first entries against N_b, between the estimate from volumes and that from edges."""
    figure, axes = plt.subplots(figsize=(COLUMN, 2.8))
    looks, said = styles(cfg.competitors), list[str]()
    for key, competitor in cfg.competitors.items():
        counts = [(c.n_bounces, name) for name, c in cfg.counts.items() if c.competitor == key]
        found = [(n_b, *counted(tables, name)[:2]) for n_b, name in counts if n_b is not None]
        points = sorted((n_b, a, b) for n_b, a, b in found if b)
        if not points:
            continue
        x, value = [p[0] for p in points], np.array([a / b for _, a, b in points])
        ends = np.array([ratio(a, b) for _, a, b in points]).T
        said += [f"{competitor.label} at N_b = {n:g} {v:.2f}" for n, v in zip(x, value, strict=True)]
        look = looks[key] | {"markevery": 1, "label": competitor.label}
        axes.errorbar(x, value, abs(ends - value), capsize=2, **look)
    logarithmic(axes, "x")
    theory = volume_ratio()
    for level, line, text in ((theory, "--", "volumes"), (math.sqrt(theory), ":", "edges m₂/m₁")):
        axes.axhline(level, color=PALETTE[6], linestyle=line, label=f"{text}: {level:.3f}")
    axes.set(xlabel="scheduled bounces $N_b$", ylabel="entries, basin 1 / basin 2", ylim=(1.0, 2.1))
    axes.set_title("first entries by number of bounces")
    legend_below(figure, axes)
    caption = (
        "The ratio of first entries against the number of scheduled bounces; bars: 95 % intervals. Dashed: "
        "the ratio of the basins' volumes, eq. (18); dotted: that of their edges."
    )
    return Picture(figure, caption, "; ".join(said) + f". The ratio of volumes is {theory:.3f}.")
