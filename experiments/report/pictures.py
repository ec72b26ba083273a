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
from experiments.harness.results import figure_texts
from experiments.report import interactive
from experiments.report.collect import Findings
from experiments.report.layout import FIGURES
from experiments.report.runs import Run

WIDTH = 1100
"""Pixels that a static picture is wide at most; the file of the figure beside the page has all of them."""


@dataclass(frozen=True)
class Picture:
    """A figure of a run.

    Attributes:
        name: Of the file, without its ending.
        run: The run that it is of.
        file: Path from the root of the results.
        data: The static picture, a URL that contains it.
        size: Its width and height in pixels.
        alt: What is seen.
        caption: What it shows.
        panels: Interactive plots of it, of which the page makes one each; none where it has no such form.
    """

    name: str
    run: Run
    file: str
    data: str
    size: tuple[int, int]
    alt: str
    caption: str
    panels: Sequence[dict[str, Any]]

    @property
    def anchor(self) -> str:
        """Its id on the page."""
        return f"fig-{self.run.name.replace('/', '-')}-{self.name}"


def of_run(run: Run, root: Path) -> dict[str, Picture]:
    """The figures of a run, by name."""
    plots = _plots(run)
    texts = figure_texts(run.folder)
    return {
        file.stem: _picture(file, run, root, plots.get(file.stem, []), texts.get(file.stem, {}))
        for file in run.figures
    }


@functools.lru_cache(maxsize=64)
def _plots(run: Run) -> dict[str, list[dict[str, Any]]]:
    """The interactive forms of a run's figures, drawn from its tables once in a process."""
    made = {}
    with plotting.style():
        for name, drawn in run.module.draw(run.tables(), run.dressed(), published()).items():
            figure = drawn.figure  # of a picture with its texts; a figure itself is its own
            made[name] = interactive.panels(figure)
            plt.close(figure)
    return made


def _picture(
    file: Path, run: Run, root: Path, panels: Sequence[dict[str, Any]], texts: Mapping[str, str]
) -> Picture:
    words = file.stem.replace("_", " ")
    url, size = _encoded(file, file.stat().st_mtime_ns)
    path = file.relative_to(root).as_posix()
    alt, caption = texts.get("alt") or f"{run.experiment}: {words}", texts.get("caption") or words
    return Picture(file.stem, run, path, url, size, alt, caption, panels)


@functools.lru_cache(maxsize=256)  # a report of several experiments is written again after each
def _encoded(file: Path, changed: int) -> tuple[str, tuple[int, int]]:
    """A picture, in its state of that time, as a URL that contains it, and its size."""
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    image.thumbnail((WIDTH, 10 * WIDTH), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=78, method=4)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode(), image.size


def beside(found: Findings, all_figures: dict[str, dict[str, Picture]]) -> dict[str, list[Picture]]:
    """The figures beside each claim: those of its largest runs that `layout.yaml` names."""
    shown = {}
    for told in found.claims:
        runs = dict.fromkeys(answer.run.name for answer in told.answers)
        names = [(run, pattern) for run in runs for pattern in FIGURES.get(told.claim.id, [])]
        shown[told.claim.id] = [
            picture
            for run, pattern in names
            for name, picture in all_figures[run].items()
            if fnmatch(name, pattern)
        ]
    return shown
