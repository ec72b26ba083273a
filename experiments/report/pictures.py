"""Figures of runs as the page shows them: a static picture, and an interactive plot where there is one."""

import base64
import functools
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from PIL import Image

from experiments.harness import plotting
from experiments.harness.claims import published
from experiments.harness.results import figure_texts, read_tables
from experiments.report import interactive
from experiments.report.collect import Told
from experiments.report.layout import FIGURES
from experiments.report.runs import Run

WIDTH = 1100
"""Pixels that a static picture is wide at most; the file of the figure beside the page has all of them."""


@dataclass(frozen=True)
class Picture:
    """A figure of a run.

    Attributes:
        name: Of the file, without its ending.
        anchor: Its id on the page.
        file: Path from the root of the results.
        data: The static picture, a URL that contains it.
        size: Its width and height in pixels.
        alt: What is seen.
        caption: What it shows.
        panels: Interactive plots of it, of which the page makes one each; none where it has no such form.
    """

    name: str
    anchor: str
    file: str
    data: str
    size: tuple[int, int]
    alt: str
    caption: str
    panels: Sequence[dict[str, Any]]


def of_run(run: Run, root: Path) -> dict[str, Picture]:
    """The figures of a run, by name."""
    plots, texts = _plots(run), figure_texts(run.folder)
    found = {}
    for file in sorted((run.folder / "figures").glob("*.png")):
        name, words = file.stem, file.stem.replace("_", " ")
        url, size = _encoded(file, file.stat().st_mtime_ns)
        said = texts.get(name, {})
        found[name] = Picture(
            name=name,
            anchor=f"fig-{run.name.replace('/', '-')}-{name}",
            file=file.relative_to(root).as_posix(),
            data=url,
            size=size,
            alt=said.get("alt") or f"{run.experiment}: {words}",
            caption=said.get("caption") or words,
            panels=plots.get(name, []),
        )
    return found


@functools.lru_cache(maxsize=64)
def _plots(run: Run) -> dict[str, list[dict[str, Any]]]:
    """The interactive forms of a run's figures, drawn from its tables once in a process."""
    made = {}
    with plotting.style():
        tables = read_tables(run.folder)
        for name, drawn in run.module.draw(tables, run.dressed(), published()).items():
            figure = drawn.figure  # of a picture with its texts; a figure itself is its own
            made[name] = interactive.panels(figure)
            plt.close(figure)
    return made


@functools.lru_cache(maxsize=256)  # a report of several experiments is written again after each
def _encoded(file: Path, changed: int) -> tuple[str, tuple[int, int]]:
    """A picture, in its state of that time, as a URL that contains it, and its size."""
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    image.thumbnail((WIDTH, 10 * WIDTH), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=78, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode(), image.size


def beside(told: Told, figures: Mapping[str, Mapping[str, Picture]]) -> list[Picture]:
    """The figures beside a claim: those of its largest runs that `layout.yaml` names.

    Args:
        told: The claim.
        figures: Of all runs, by the run's name and their own.
    """
    return [
        picture
        for run in dict.fromkeys(answer.run.name for answer in told.answers)
        for pattern in FIGURES.get(told.claim.id, [])
        for name, picture in figures[run].items()
        if fnmatch(name, pattern)
    ]
