"""Landscapes and searches as pictures: Fig. 1, the contours under trajectories, losses of trials."""

from collections.abc import Callable
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

from bbi.simulate import Potential
from experiments.harness.plotting import PAGE, SMALL, Picture, words
from experiments.harness.search import failed
from experiments.harness.tables import where
from experiments.landscapes.config import Study
from experiments.landscapes.functions import Ackley, TwoBasins, Zakharov

DIVERGED = "all trials diverged"
UPRIGHT: dict[str, Any] = {"rotation": 90, "ha": "center", "va": "center", "fontsize": SMALL}

Box = tuple[float, float, float, float]
Score = Callable[[pd.DataFrame], float]


def grid(potential: Potential, box: Box, points: int = 201) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x, y and F on a grid over ``box`` = (x low, x high, y low, y high)."""
    x, y = np.meshgrid(np.linspace(*box[:2], points), np.linspace(*box[2:], points))
    value = potential(torch.from_numpy(np.stack((x, y), -1)))[0].numpy()
    return x, y, value


def contours(
    axes: Axes, potential: Potential, box: Box, scale: Callable[[Any], Any] = lambda f: f, levels: int = 30
) -> Any:
    """Filled contours of scale(F); returns what a colour bar needs."""
    x, y, value = grid(potential, box)
    filled = axes.contourf(x, y, scale(value), levels=levels, cmap="Greys", alpha=0.75)
    axes.set(xlabel="θ₁", ylabel="θ₂", aspect="equal")
    axes.grid(False)
    filled.set_rasterized(True)
    return filled


def logarithmic(axes: Axes, *sides: str) -> None:
    """Logarithmic axes (``x``, ``y``), where there is something above 0 to show."""
    for side in sides:
        shown = [line.get_xdata() if side == "x" else line.get_ydata() for line in axes.lines]
        values = np.concatenate([np.asarray(one, dtype=float) for one in shown]) if shown else np.empty(0)
        if (np.isfinite(values) & (values > 0)).any():
            axes.set(**{f"{side}scale": "log"})


def three_landscapes(coefficient: float) -> Picture:
    """Fig. 1: the Ackley function, the Zakharov function in two dimensions, and the two basins."""
    panels: tuple[tuple[str, Potential, Callable[[Any], Any]], ...] = (
        (f"Ackley, coefficient {coefficient:g}", Ackley(coefficient), lambda f: f),
        ("Zakharov, n = 2, log₁₀(1 + F)", Zakharov(), lambda f: np.log10(1 + f)),
        ("two basins", TwoBasins(), lambda f: f),
    )
    figure = plt.figure(figsize=(PAGE, 2.5), layout="none")
    for number, (title, potential, scale) in enumerate(panels):
        axes: Any = figure.add_axes((0.01 + 0.33 * number, 0.05, 0.29, 0.84), projection="3d")
        x, y, value = grid(potential, (-5.0, 5.0, -5.0, 5.0), 121)
        axes.plot_surface(
            x, y, scale(value), cmap="viridis", linewidth=0, rcount=121, ccount=121, rasterized=True
        )
        axes.set(title=title, xlabel="θ₁", ylabel="θ₂", xticks=(-5, 0, 5), yticks=(-5, 0, 5))
        axes.tick_params(pad=-2)
        axes.xaxis.labelpad = axes.yaxis.labelpad = -6
    caption = "The landscapes of section 4, F over the plane (Zakharov: its logarithm)."
    alt = (
        "Three surfaces: a funnel covered with many small pits, the lowest in the middle; a bent valley that "
        "ends in a flat floor; and a bowl with two smooth pits of equal depth."
    )
    return Picture(figure, caption, alt)


def searches(trials: pd.DataFrame, cfg: Study) -> Picture:
    """Every trial's loss against its step size (or what was searched instead); failed ones along the top."""
    names = [name for name in cfg.competitors if (trials["competitor"] == name).any()]
    figure, panels = plt.subplots(2, max(1, -(-len(names) // 2)), figsize=(PAGE, 3.8), sharey=True)
    finite = trials["loss"][np.isfinite(trials["loss"])]
    top, said = 10 * (finite.max() if len(finite) else 1.0), []
    for axes, name in zip(panels.flat, names, strict=False):
        mine, competitor = where(trials, competitor=name), cfg.competitors[name]
        bad, axis = failed(mine), competitor.first_axis
        good = mine[~bad]
        axes.plot(good[axis], good["loss"], ".", markersize=2.5, color=competitor.color)
        axes.plot(mine[axis][bad], np.full(bad.sum(), top), "x", markersize=2.5, color="black")
        axes.set(xlabel="" if axis == "lr" else words(axis), yscale="log")
        if axis == "lr":
            axes.set_xscale("log")
            axes.xaxis.set_major_locator(LogLocator(numticks=5))
            axes.xaxis.set_minor_locator(NullLocator())
        axes.set_title(f"{competitor.label}: {bad.sum()} of {len(mine)} diverged")
        lowest = f"{good['loss'].min():.1e}" if len(good) else "none"
        said.append(f"{competitor.label}: {bad.sum()} of {len(mine)} diverged, lowest F {lowest}")
    for axes in list(panels.flat)[len(names) :]:
        axes.set_visible(False)
    figure.supxlabel("step size", fontsize=8)
    figure.supylabel("lowest F of a trial", fontsize=8)
    caption = (
        f"The searches: the lowest F in {cfg.search.steps:,} steps of every trial against its step size. "
        "Crosses along the top: trials that diverged."
    )
    return Picture(figure, caption, "; ".join(said) + ".")


def repeated(runs: pd.DataFrame, cfg: Study, place: str, score: Score, words: str) -> dict[str, Picture]:
    """What searches with other seeds find, and what becomes of it; nothing if there was one search only.

    Args:
        runs: Rows of :func:`experiments.landscapes.repeats.repeats`.
        cfg: The settings.
        place: Which of the runs that follow a search are shown.
        score: The number of a search, from its rows there.
        words: What that number is, for the axis.
    """
    if runs["search"].nunique() < 2:
        return {}
    figure, panels = plt.subplots(1, 2, figsize=(PAGE, 2.8))
    names = [name for name in cfg.competitors if (runs["competitor"] == name).any()]
    said = []
    for position, name in enumerate(names):
        mine, look = where(runs, competitor=name), cfg.competitors[name]
        found = where(mine, where="search").set_index("search")["best"].dropna()
        after = pd.Series(
            {number: score(rows) for number, rows in where(mine, where=place).groupby("search")}
        )
        for axes, values in zip(panels, (found, after), strict=True):
            aside = 0.3 * (np.arange(len(values)) / max(1, len(values) - 1) - 0.5)
            axes.plot(position + aside, values, look.marker, color=look.color, markersize=2.5, linestyle="")
            if len(values):
                axes.plot([position - 0.3, position + 0.3], [values.median()] * 2, color="black", linewidth=1)
            else:
                axes.text(position, 0.5, DIVERGED, transform=axes.get_xaxis_transform(), **UPRIGHT)
        span = f"{after.min():.2g} to {after.max():.2g}, median {after.median():.2g}"
        said.append(f"{look.label}: {span if len(after) else DIVERGED}")
    for axes, label in zip(panels, ("lowest F of the search", words), strict=True):
        labels = [cfg.competitors[name].label.replace(", ", ",\n") for name in names]
        axes.set_xticks(range(len(names)), labels, rotation=35, ha="right")
        axes.set_ylabel(label)
        if label.startswith("share"):
            axes.set_ylim(-0.03, 1.03)
        else:
            logarithmic(axes, "y")
    count = int(runs["search"].nunique())
    caption = (
        f"{count} searches with other seeds: the lowest F that each one saw in {cfg.search.trials:,} trials "
        f"of {cfg.search.steps:,} steps, and with its settings, in longer runs, the {words}. A point is a "
        "search, a line their median."
    )
    return {"repeated": Picture(figure, caption, f"{words}. {'; '.join(said)}.")}
