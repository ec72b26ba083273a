"""What the figures of the race share: a panel for each kind of knowledge, and how entrants look."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.competitors import method
from experiments.harness.plotting import styles
from experiments.race.config import Config

GROUPS = ("nothing", "F*", "box", "F* and box", "wrong F*")
"""What entrants know, in the order of panels and bars."""
TITLES = {
    "nothing": "told nothing",
    "F*": "told the minimum F*",
    "box": "told the box",
    "F* and box": "told F* and the box",
    "wrong F*": "told a wrong F*",
}


def groups(cfg: Config) -> dict[str, list[str]]:
    """The entrants of each kind of knowledge that has some."""
    found = {kind: [n for n, e in cfg.entrants.items() if e.knowledge == kind] for kind in GROUPS}
    return {kind: names for kind, names in found.items() if names}


def looks(cfg: Config, names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Colour and line of entrants that share a panel; those of one colour differ in their line."""
    return styles({name: cfg.entrants[name] for name in names})


def by_knowledge(cfg: Config) -> tuple[Figure, dict[Axes, list[str]]]:
    """A figure with a panel for each kind of knowledge, and the entrants of each; all have the method."""
    kinds, ours = groups(cfg), method(cfg.entrants)
    boxed = [*kinds.pop("box", []), *kinds.pop("F* and box", [])]
    panel = {TITLES[kind]: names for kind, names in kinds.items()}
    if boxed:
        panel["told the box, or F* and the box"] = boxed
    lines = -(-len(panel) // 2)
    size: dict[str, Any] = {"figsize": (9.0, 3.6 * lines), "sharex": True, "sharey": True, "squeeze": False}
    figure, panels = plt.subplots(lines, 2, **size)
    found: dict[Axes, list[str]] = {}
    for axes, (title, names) in zip(panels.flat, panel.items(), strict=False):
        extra = [] if ours in names else [ours]
        label = cfg.entrants[ours].label
        axes.set_title(f"{title}; {label} for comparison" if extra else title)
        found[axes] = [*extra, *names]
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
