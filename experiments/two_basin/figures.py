"""The figures of section 4.3, drawn from the tables."""

import math
from typing import TYPE_CHECKING

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Circle

from experiments.harness.plotting import PALETTE
from experiments.harness.statistics import ratio
from experiments.harness.store import Tables
from experiments.landscapes import plots as draw
from experiments.two_basin import estimates as two_basin_claims
from experiments.two_basin import units as two_basin

if TYPE_CHECKING:
    from experiments.two_basin.units import Config


def figures(tables: Tables, cfg: "Config") -> dict[str, Figure]:
    """Figs. 5 and 6, and the ratio against the number of bounces."""
    return {
        "fig5_trajectories": _trajectories(tables, cfg),
        "fig6_partial_ratios": _partial_ratios(tables, cfg),
        "ratio_by_bounces": _by_bounces(tables, cfg),
    }


def _trajectories(tables: Tables, cfg: "Config") -> Figure:
    """Fig. 5: runs from one start, until they enter a basin."""
    curves = tables["curves"]
    side = 1.05 * curves[["x1", "x2"]].abs().to_numpy().max()
    figure, axes = plt.subplots(figsize=(6.0, 4.8), layout="compressed")
    filled = draw.contours(
        axes, two_basin.LANDSCAPE, (-side, side, -side, side), lambda f: np.log10(f + 1e-2)
    )
    figure.colorbar(filled, ax=axes, label="log₁₀(F + 0.01)")
    for number, (_, path) in enumerate(curves.groupby("run")):
        axes.plot(path["x1"], path["x2"], color=PALETTE[number % len(PALETTE)], linewidth=0.8)
        axes.plot(path["x1"].iloc[-1], path["x2"].iloc[-1], ".", color=PALETTE[number % len(PALETTE)])
    for basin, centre in ((1, two_basin.LANDSCAPE.c1), (2, two_basin.LANDSCAPE.c2)):
        radius = 1 / math.sqrt(two_basin.hessian(basin)[0])
        axes.add_patch(Circle(centre, radius, fill=False, color="black", linewidth=1.2))
        axes.annotate(f"basin {basin}", (centre[0], centre[1] - radius), ha="center", va="top", fontsize=9)
    axes.plot(*cfg.start, "s", color=PALETTE[1])
    axes.set_title(f"{curves['run'].nunique()} runs of BBI from one start")
    return figure


def _partial_ratios(tables: Tables, cfg: "Config") -> Figure:
    """Fig. 6: entries into basin 1 over entries into basin 2, against the number of runs."""
    figure, panels = plt.subplots(1, 2, figsize=(10, 4.2), sharey=True)
    theory = two_basin_claims.volume_ratio()
    runs = tables["runs"]
    basin = runs[runs["reading"] == "paper"].sort_values("run")["basin"].to_numpy()
    for axes, length in zip(panels, (min(cfg.published_runs, len(basin)), len(basin)), strict=True):
        first, second = np.cumsum(basin[:length] == 1), np.cumsum(basin[:length] == 2)
        at = np.unique(np.geomspace(min(20, length), length, 400).astype(int)) - 1
        at = at[second[at] > 0]
        ends = np.array([ratio(int(first[i]), int(second[i])) for i in at]).T.reshape(2, -1)
        axes.fill_between(at + 1, *ends, color=PALETTE[0], alpha=0.2, linewidth=0, label="95 % interval")
        axes.plot(at + 1, first[at] / second[at], color=PALETTE[0], label="BBI")
        axes.axhline(theory, color=PALETTE[6], linestyle="--", label=f"volumes, eq. (18): {theory:.3f}")
        axes.axhspan(theory * 0.89, theory * 1.11, color=PALETTE[6], alpha=0.08, linewidth=0, label="± 11 %")
        axes.set(xlabel="runs", title=f"{length:,} runs")
    panels[1].set_xscale("log" if len(at) else "linear")  # a logarithmic axis needs something on it
    panels[0].set(ylabel="entries, basin 1 / basin 2", ylim=(1.2, 2.4))
    panels[1].legend(loc="upper right")
    return figure


def _by_bounces(tables: Tables, cfg: "Config") -> Figure:
    """The ratio of first entries against N_b, between the estimate from volumes and that from edges."""
    figure, axes = plt.subplots()
    scale = "linear"  # until there is something above 0, which a logarithmic axis needs
    for rule, colour, label in (
        ("bbi", PALETTE[0], "paper's reading"),
        ("bbi_released", PALETTE[3], "released code's"),
    ):
        names = sorted((c.n_bounces, name) for name, c in cfg.counts.items() if c.rule == rule)
        points = [(n_b, *two_basin_claims.counted(tables, name)[:2]) for n_b, name in names]
        points = [(n_b, a, b) for n_b, a, b in points if b]
        scale = "log" if any(n_b > 0 for n_b, *_ in points) else scale
        x, value = [p[0] for p in points], np.array([a / b for _, a, b in points])
        ends = np.array([ratio(a, b) for _, a, b in points]).T.reshape(2, -1)
        axes.errorbar(x, value, abs(ends - value), marker="o", capsize=3, color=colour, label=label)
    theory = two_basin_claims.volume_ratio()
    axes.axhline(theory, color=PALETTE[6], linestyle="--", label=f"volumes: {theory:.3f}")
    axes.axhline(
        math.sqrt(theory), color=PALETTE[6], linestyle=":", label=f"edges m₂/m₁: {math.sqrt(theory):.3f}"
    )
    axes.set(
        xscale=scale, xlabel="scheduled bounces N_b", ylabel="entries, basin 1 / basin 2", ylim=(1.0, 2.1)
    )
    axes.set_title("First entries by number of bounces")
    axes.legend(loc="center right")
    return figure
