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
from cycler import cycler
from matplotlib.figure import Figure

from experiments.harness.results import FIGURE_TEXTS

# Okabe and Ito's palette: told apart under the common colour blindnesses, and in grey by its lightness
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
LINES = ("-", "--", ":", "-.")
"""Lines of competitors that share a colour."""

STYLE: dict[Any, Any] = {
    "figure.figsize": (6.4, 4.2),
    "figure.constrained_layout.use": True,
    "savefig.dpi": 150,
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.prop_cycle": cycler(color=PALETTE),
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.6,
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
    names = []
    pictures = {n: one if isinstance(one, Picture) else Picture(one, "", "") for n, one in drawn.items()}
    with style():
        for name, picture in pictures.items():
            for kind, metadata in _METADATA.items():
                picture.figure.savefig(partial / f"{name}.{kind}", format=kind, metadata=metadata)
                picture.figure.set_layout_engine("none")
                names.append(f"{name}.{kind}")
            plt.close(picture.figure)
    texts = {name: {"caption": picture.caption, "alt": picture.alt} for name, picture in pictures.items()}
    (partial / FIGURE_TEXTS).write_text(json.dumps(texts, indent=2, ensure_ascii=False) + "\n", "utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(partial, folder)
    return [folder / name for name in names]


def styles(competitors: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Colour and line of each competitor, keywords for `plot`; those with the same `color` differ by line."""
    seen: Counter[str] = Counter()
    found = {}
    for name, competitor in competitors.items():
        color = competitor.color
        found[name] = {"color": color, "linestyle": LINES[seen[color] % len(LINES)]}
        seen[color] += 1
    return found
