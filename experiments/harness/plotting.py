"""How every figure looks, and saving them so that the same rows give the same bytes."""

import os
import shutil
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

# without dates and program versions the bytes depend on what is drawn alone
_METADATA = {"pdf": {"CreationDate": None, "Creator": None, "Producer": None}, "png": {"Software": None}}


def style() -> AbstractContextManager[None]:
    """The project's look, as a context: draw inside it."""
    return matplotlib.rc_context({**matplotlib.rcParamsDefault, "backend": "Agg", **STYLE})


def save(figures: dict[str, Figure], folder: Path) -> list[Path]:
    """Write each figure as `<folder>/<name>.pdf` and `.png`, and close it.

    The folder is replaced as a whole: if it is there, it is complete.

    Returns:
        The paths written, in order.
    """
    partial = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    names = []
    with style():
        for name, figure in figures.items():
            for kind, metadata in _METADATA.items():
                figure.savefig(partial / f"{name}.{kind}", format=kind, metadata=metadata)
                figure.set_layout_engine("none")
                names.append(f"{name}.{kind}")
            plt.close(figure)
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
