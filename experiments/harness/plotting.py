"""How every figure looks, and saving them so that the same rows give the same bytes."""

import json
import os
import shutil
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib

matplotlib.use("Agg")  # figures are files: no window, on any machine

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from experiments.harness.results import FIGURE_TEXTS

# Okabe and Ito's palette: told apart under the common colour blindnesses, and in grey by its lightness
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
"""Lines of competitors that share a colour."""

COLUMN, PAGE = 3.3, 6.9
"""Widths of figures in inches: of a column of the paper, and of both; fonts are meant for this size."""
SMALL = 7
"""The smallest font size, in points."""

STYLE: dict[Any, Any] = {
    "figure.figsize": (COLUMN, 2.4),
    "figure.constrained_layout.use": True,
    "figure.titlesize": 8,
    "savefig.dpi": 220,
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=PALETTE),
    "grid.alpha": 0.3,
    "grid.linewidth": 0.5,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "legend.handlelength": 2.2,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.5,
    "pdf.fonttype": 42,  # text in the PDF stays text
}

# by results.FORMATS; without dates and program versions the bytes depend on what is drawn alone
_METADATA = {"pdf": {"CreationDate": None, "Creator": None, "Producer": None}, "png": {"Software": None}}


class Picture(NamedTuple):
    """A figure and its texts.

    Attributes:
        figure: What is drawn.
        caption: What it shows, in whole sentences: what lines, bands and points are.
        alt: What is seen, for readers who do not see it: the shapes and the numbers that matter.
    """

    figure: Figure
    caption: str
    alt: str


def style() -> AbstractContextManager[None]:
    """The project's look, as a context: draw inside it."""
    return matplotlib.rc_context({**matplotlib.rcParamsDefault, "backend": "Agg", **STYLE})


def save(drawn: Mapping[str, Picture | Figure], folder: Path) -> list[Path]:
    """Write each figure as `<folder>/<name>.pdf` and `.png`, all texts as `alt.json`, and close the figures.

    The folder is replaced as a whole: if it is there, it is complete.

    Returns:
        The paths of the figures, in order.
    """
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    pictures = {n: one if isinstance(one, Picture) else Picture(one, "", "") for n, one in drawn.items()}
    with style():
        for name, picture in pictures.items():
            for kind, metadata in _METADATA.items():
                picture.figure.savefig(partial / f"{name}.{kind}", format=kind, metadata=metadata)
                picture.figure.set_layout_engine("none")
            plt.close(picture.figure)
    texts = {name: {"caption": picture.caption, "alt": picture.alt} for name, picture in pictures.items()}
    (partial / FIGURE_TEXTS).write_text(json.dumps(texts, indent=2, ensure_ascii=False) + "\n", "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)
    return [folder / f"{name}.{kind}" for name in pictures for kind in _METADATA]


def styles(competitors: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Colour, marker and line of each competitor, keywords for `plot`.

    Those with the same ``color`` are variants of one optimizer: they differ by line, and every other one has
    hollow markers. Of a line's points only some have a marker, each line's at other places.
    """
    seen: Counter[str] = Counter()
    found: dict[str, dict[str, Any]] = {}
    for place, (name, competitor) in enumerate(competitors.items()):
        color, number = competitor.color, seen[competitor.color]
        found[name] = {
            "color": color,
            "linestyle": LINES[number % len(LINES)],
            "marker": competitor.marker,
            "markerfacecolor": "white" if number % 2 else color,
            "markevery": (0.05 + 0.03 * place, 0.25),
        }
        seen[color] += 1
    return found


WORDS = {
    "lr": "step size Δt",
    "momentum": "momentum μ",
    "delta_e": "δE",
    "delta_v": "ΔV",
    "t0": "T0",
    "t1": "T1",
    "n_bounces": "bounces N_b",
    "ackley": "Ackley",
    "zakharov": "Zakharov",
    "two_basin": "two basins",
}
"""The field's words for settings and landscapes, by their names in the code."""


def words(name: str) -> str:
    """A name of the code as words for a reader."""
    return WORDS.get(name, name.replace("_", " "))


def legend_below(figure: Figure, axes: Any, ncols: int = 2, **more: Any) -> None:
    """A legend of all lines of some axes under a figure, without repetitions."""
    lines: dict[str, Any] = {}
    for one in np.ravel(axes):
        handles, labels = one.get_legend_handles_labels()
        lines |= dict(zip(labels, handles, strict=True))
    if lines:
        legend = figure.legend(lines.values(), lines.keys(), loc="outside lower center", ncols=ncols, **more)
        for line in legend.get_lines():  # a thin pale line could not be told from others there
            line.set(linewidth=max(1.2, line.get_linewidth()), alpha=1)


def decades(axes: Any, which: str = "y") -> None:
    """Logarithmic ticks with two labels at least, however little the axis spans."""
    axis = axes.yaxis if which == "y" else axes.xaxis
    low, high = sorted(axis.get_view_interval())
    if low > 0 and high / low < 100:
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low > 10 else (1, 1.5, 2, 3, 4, 6, 8)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_formatter(NullFormatter())
