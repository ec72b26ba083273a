"""The figures of section 4.4 and appendix B, drawn from the tables."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from experiments.harness.plotting import COLUMN, PAGE, PALETTE, Picture, decades, legend_below
from experiments.harness.statistics import wilson
from experiments.harness.tables import Tables, table_of, where
from experiments.pde.config import Config, Task
from experiments.pde.fig7 import described, search, solutions

_OUTCOMES = {"second": PALETTE[3], "first": PALETTE[5], "neither": "#909090"}


def draw(tables: Tables, cfg: Config, published: dict[str, Any]) -> dict[str, Picture]:
    """The search for radial solutions, Fig. 7, errors against iterations, and what the runs ended at.

    Names of figures that show one problem end in its k. Fig. 7 is drawn for the largest k and for the
    problems that networks were trained on.
    """
    curves, drawn = tables["curves"], {}
    runs = table_of(tables, "runs", "problem", "competitor", "label")  # empty if none trained
    scans, radial, train = (where(curves, stage=stage) for stage in ("shooting_scan", "radial", "train"))
    searched, trained = _tasks(cfg, scans), _tasks(cfg, train)
    if searched:
        drawn["shooting"] = search(searched, scans, radial)
    for task in searched:
        if task in trained or task is searched[-1]:
            drawn[f"fig7_solutions_{_tag(task)}"] = solutions(task, curves, runs)
    for task in trained:
        if where(train, problem=task.label)["iteration"].nunique() > 2:  # no line through two points
            drawn[f"error_curves_{_tag(task)}"] = _errors(task, train, runs)
    if trained:
        [share] = published["pde-both"].values()
        drawn["outcomes"] = _outcomes(trained, runs, share)
    return drawn


def _tasks(cfg: Config, rows: pd.DataFrame) -> list[Task]:
    """The problems that ``rows`` are about, by k."""
    seen = set(rows["problem"])
    return sorted((task for task in cfg.problems.values() if task.label in seen), key=lambda task: task.k)


def _tag(task: Task) -> str:
    return task.label.replace("=", "").replace(", ", "_")


def _errors(task: Task, train: pd.DataFrame, runs: pd.DataFrame) -> Picture:
    """Mean absolute error to the nearer solution, a panel for each competitor, a band for each outcome."""
    mine = where(train, problem=task.label)
    names = [name for name in task.competitors if (mine["competitor"] == name).any()]
    across = min(2, len(names))
    down = -(-len(names) // across)
    figure, panels = plt.subplots(
        down, across, figsize=(PAGE if across > 1 else COLUMN, 0.6 + 2.1 * down), sharex=True, sharey=True,
        squeeze=False,
    )  # fmt: skip
    said = []
    for axes, name in zip(panels.flat, names, strict=False):
        ends = where(runs, problem=task.label, competitor=name).set_index(["network", "run"])
        error, label = _error_by_run(where(mine, competitor=name), ends), task.competitors[name].label
        for outcome, color in _OUTCOMES.items():
            some = error[[run for run in error if ends["label"][run] == outcome]]
            if some.shape[1]:
                _band(axes, some, outcome, color)
                said.append(f"{label}, {outcome}: {some.shape[1]} runs, {some.iloc[-1].median():.1g}")
        axes.set_title(f"{label}: {error.shape[1]} runs")
    for axes in list(panels.flat)[len(names) :]:
        axes.set_visible(False)
    panels[0, 0].set(yscale="log")
    decades(panels[0, 0])
    for axes in panels[-1]:
        axes.set_xlabel("iteration")
    figure.supylabel("mean |u − nearer solution|", fontsize=8)
    legend_below(figure, panels, ncols=3)
    caption = (
        f"{described(task, runs)} Mean absolute error to the nearer solution, by what the runs ended at. "
        "Line: their median; band: 10 to 90 % of them. A run that diverged counts as infinite."
    )
    return Picture(figure, caption, f"Errors fall, to (median at the end): {'; '.join(said)}.")


def _band(axes: Axes, error: pd.DataFrame, outcome: str, color: str) -> None:
    """The median and the middle 80 % of some runs, as long as they are recorded."""
    low, middle, high = np.quantile(error, (0.1, 0.5, 0.9), axis=1, method="nearest")
    line = {"second": "--", "first": "-", "neither": ":"}[outcome]
    label = f"end at the {outcome}" if outcome != "neither" else "at neither"
    axes.plot(error.index, middle, line, color=color, label=label)
    axes.fill_between(error.index, low, high, color=color, alpha=0.25, linewidth=0)


def _error_by_run(train: pd.DataFrame, ends: pd.DataFrame) -> pd.DataFrame:
    """Error to the nearer solution, a column for each (network, run), a row for each recorded iteration."""
    error = train.assign(error=train[["l1_first", "l1_second"]].min(axis=1)).pivot(
        index="iteration", columns=["network", "run"], values="error"
    )
    diverged = error.columns.isin(ends.index[ends["status"] == "diverged"])
    return error.where(error.notna() | ~diverged, np.inf)


def _outcomes(tasks: list[Task], runs: pd.DataFrame, published: float) -> Picture:
    """Shares of the runs that end at the second solution, the first, or neither, by initial network."""
    groups = [
        [
            (f"{competitor.label}, initial network {network:.0f}", rows["label"])
            for name, competitor in task.competitors.items()
            for network, rows in where(runs, problem=task.label, competitor=name).groupby("network")
        ]
        for task in tasks
    ]
    bars = [len(rows) + 2 for rows in groups]  # two for the title and the axis
    figure, panels = plt.subplots(
        len(tasks), 1, figsize=(PAGE, 0.7 + 0.2 * sum(bars)), sharex=True, squeeze=False, height_ratios=bars
    )
    for axes, task, rows in zip(panels[:, 0], tasks, groups, strict=True):
        _bars(axes, rows, published)
        axes.set_title(task.title)
    panels[-1, 0].set(xlabel="share of runs", xlim=(0, 1))
    legend_below(figure, panels[0, 0], ncols=5)
    about = " ".join(described(task, runs) for task in tasks)
    caption = (
        "What the runs from each initial network end at: the share of the second solution, of the first, "
        "and of neither. Black bar: 95 % Wilson interval of the second's share; number: runs. Dotted: the "
        f"paper's {published:.2g}, for k = 20 with redrawn points. {about}"
    )
    said = [
        f"{task.title}, {text}: {int((labels == 'second').sum())} of {len(labels)}"
        for task, rows in zip(tasks, groups, strict=True)
        for text, labels in rows
    ]
    return Picture(figure, caption, f"Bars. At the second solution: {'; '.join(said)}.")


def _bars(axes: Axes, rows: list[tuple[str, "pd.Series[Any]"]], published: float) -> None:
    """A bar for each group of labels, and the interval of the second's share; their number on the right."""
    for place, (_, labels) in enumerate(rows):
        n, second = len(labels), int((labels == "second").sum())
        left = 0.0
        for name, color in _OUTCOMES.items():
            share, label = float((labels == name).mean()), None if place else name
            axes.barh(place, share, left=left, color=color, label=label, height=0.7)
            left += share
        label = None if place else "its 95 % interval"
        axes.plot(wilson(second, n), [place] * 2, color="black", marker="|", linewidth=1.2, label=label)
        axes.annotate(f"{n}", (1.01, place), va="center", fontsize=7, annotation_clip=False)
    axes.axvline(published, color="black", linestyle=":", label="paper, k = 20")
    axes.set_yticks(range(len(rows)), [text for text, _ in rows])
    axes.invert_yaxis()
    axes.grid(False)
