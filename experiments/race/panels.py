"""What the figures of the race share: a panel for each kind of knowledge, and how entrants look."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.competitors import method
from experiments.harness.plotting import styles
from experiments.race.config import Config

TITLES = {
    "nothing": "told nothing",
    "F*": "told the minimum F*",
    "box": "told the box",
    "F* and box": "told F* and the box",
    "wrong F*": "told a wrong F*",
    "wrong F* and box": "told a wrong F* and the box",
}
"""What entrants know, in the order of panels and bars."""


def groups(cfg: Config) -> dict[str, list[str]]:
    """The entrants of each kind of knowledge that has some."""
    found = {kind: [n for n, e in cfg.entrants.items() if e.knowledge == kind] for kind in TITLES}
    return {kind: names for kind, names in found.items() if names}


def looks(cfg: Config, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Label, colour and line of entrants that share a panel; those of one colour differ in their line."""
    found = styles({name: cfg.entrants[name] for name in names})
    return {name: {"label": cfg.entrants[name].label, **look} for name, look in found.items()}


def leading(cfg: Config, value: "pd.Series[float]", count: int) -> list[str]:
    """Of the entrants with a value: the method, the baselines, and the highest ``count`` of each knowledge.

    Of those that are told something wrong none is among the highest.
    """
    best: list[str] = []
    for names in groups(cfg).values():
        able = [n for n in names if n in value and not cfg.entrants[n].misled]
        best += sorted(able, key=lambda n: -value[n])[:count]
    return [n for n, e in cfg.entrants.items() if n in value and (n in best or e.role != "other")]


def by_knowledge(cfg: Config) -> tuple[Figure, dict[Axes, list[str]]]:
    """A figure with a panel for each kind of knowledge, and the entrants of each; all have the method."""
    kinds, ours = groups(cfg), method(cfg.entrants)
    boxed = [*kinds.pop("box", []), *kinds.pop("F* and box", [])]
    panel = {TITLES[kind]: names for kind, names in kinds.items()}
    if boxed:
        panel["told the box, or F* and the box"] = boxed
    lines = -(-len(panel) // 2)
    figure, panels = plt.subplots(
        lines, 2, figsize=(9.0, 3.6 * lines), sharex=True, sharey=True, squeeze=False
    )
    found: dict[Axes, list[str]] = {}
    for axes, (title, names) in zip(panels.flat, panel.items(), strict=False):
        more = "" if ours in names else f"; {cfg.entrants[ours].label} for comparison"
        axes.set_title(title + more)
        found[axes] = names if ours in names else [ours, *names]
    for axes in panels.flat[len(panel) :]:
        axes.set_axis_off()
    return figure, found


def frame(panels: dict[Axes, list[str]], xlabel: str, ylabel: str) -> None:
    """Axes and legends of :func:`by_knowledge`, once all is drawn: the panels share their axes."""
    for axes in panels:
        axes.set(xscale="log", xlabel=xlabel, ylabel=ylabel)
        axes.label_outer()
        axes.legend(fontsize=8, loc="best")
    next(iter(panels)).set_ylim(bottom=0)
