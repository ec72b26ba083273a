"""How every figure looks, and saving them so that the same rows give the same bytes."""

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # figures are files: no window, on any machine

import matplotlib.pyplot as plt
from cycler import cycler
from matplotlib.figure import Figure

from experiments.harness.locks import alone

# Okabe and Ito's palette: told apart under the common colour blindnesses, and in grey by its lightness
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
COLOURS = {
    "bbi": PALETTE[0],
    "gdm": PALETTE[1],
    "sgd": PALETTE[1],
    "adam": PALETTE[2],
}  # an optimizer keeps its colour in every figure;
LINES = ("-", "--", ":", "-.")  # its contenders (ranges searched, readings) differ by line

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

# without dates and program versions the bytes depend on what is drawn alone
_METADATA = {"pdf": {"CreationDate": None, "Creator": None, "Producer": None}, "png": {"Software": None}}


def style() -> AbstractContextManager[None]:
    """The project's look, as a context: draw inside it."""
    return matplotlib.rc_context({**matplotlib.rcParamsDefault, "backend": "Agg", **STYLE})


def looks(optimizers: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Colour by optimizer, line by contender: keywords for `plot`, by contender.

    Args:
        optimizers: the optimizer of each contender, in their order.
    """
    seen: Counter[str] = Counter()
    found = {}
    for name, optimizer in optimizers.items():
        found[name] = {"color": COLOURS[optimizer], "linestyle": LINES[seen[optimizer] % len(LINES)]}
        seen[optimizer] += 1
    return found


def save(figures: dict[str, Figure], folder: Path) -> list[Path]:
    """Write each figure as `<folder>/<name>.pdf` and `.png`, and close it.

    A file appears complete or not at all; who draws into the same folder at the same time waits. What a
    killed process left half drawn is replaced by the next one. Other files are left alone.

    Returns:
        The paths written, in order.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    with alone(folder), style():
        for name, figure in figures.items():
            for kind, metadata in _METADATA.items():
                path = folder / f"{name}.{kind}"
                partial = folder / f".{path.name}.part"
                figure.savefig(partial, format=kind, metadata=metadata)
                os.replace(partial, path)
                paths.append(path)
            plt.close(figure)
    return paths
