"""The figures of section 4.5: training curves, and the distributions behind Table 2."""

import textwrap
from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.harness.plotting import styles
from experiments.harness.tables import Tables, table_of, where
from experiments.images.config import ClassificationConfig, Protocol
from experiments.images.estimates import Reduced, chosen, trained


def training_curves(tables: Tables, cfg: ClassificationConfig, title: str) -> Figure:
    """Training loss and test accuracy against the epoch: the median, and the spread over the runs."""
    protocols = list(cfg.protocols.values())
    figure, panels = plt.subplots(
        2, len(protocols), figsize=(4.8 * len(protocols), 6.4), sharex=True, sharey="row", squeeze=False
    )
    for (above, below), protocol in zip(panels.T, protocols, strict=True):
        for name, look in styles(cfg.competitors).items():
            curves = trained(tables, protocol, name, "curves")
            label = f"{cfg.competitors[name].label} ({curves['run'].nunique()} runs)"
            _band(above, curves, "train_loss", label, look)
            _band(below, curves, "test_accuracy", label, look)
        above.set(yscale="log", title=f"{protocol.label} selection")
        below.set(xlabel="epoch")
        if below.lines:
            below.legend(loc="lower right")
    accuracies = table_of(tables, "curves", "test_accuracy")["test_accuracy"]
    if len(accuracies):  # the first epochs would squeeze what is to be compared
        panels[1, 0].set_ylim(bottom=float(np.nanquantile(accuracies, 0.05)))
    figure.suptitle(textwrap.fill(title, 60 * len(protocols)), fontsize=11)
    panels[0, 0].set_ylabel("training loss")
    panels[1, 0].set_ylabel("test accuracy, %")
    return figure


def _band(axes: Axes, curves: pd.DataFrame, column: str, label: str, look: dict[str, Any]) -> None:
    if curves.empty:
        return
    spread = curves.groupby("epoch")[column].quantile([0.1, 0.5, 0.9]).unstack()
    axes.plot(spread.index, spread[0.5], label=label, **look)
    axes.fill_between(spread.index, spread[0.1], spread[0.9], color=look["color"], alpha=0.15, linewidth=0)


def table2(tables: Tables, cfg: ClassificationConfig, title: str, published: Mapping[str, Any]) -> Figure:
    """The last test accuracy of every run, its mean, and the published mean where the size is comparable."""
    pairs = [(by, name) for by in cfg.protocols.values() for name in cfg.competitors]
    figure, axes = plt.subplots(figsize=(8.0, 1.2 + 0.6 * len(pairs)))
    labels = []
    for row, (protocol, name) in enumerate(pairs):
        competitor = cfg.competitors[name]
        values = trained(tables, protocol, name)["test_accuracy"].dropna().to_numpy()
        labels.append(f"{competitor.label}, {protocol.label}{_settings(tables, protocol, cfg, name)}")
        if len(values):
            offsets = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(1)
            axes.plot(values, row + offsets, ".", color=competitor.color, alpha=0.7)
            axes.plot([values.mean()] * 2, [row - 0.32, row + 0.32], color=competitor.color)
    reduced = Reduced(tables, cfg)
    for name, competitor in cfg.competitors.items():
        claim = f"{cfg.experiment}-{competitor.paper}"
        if competitor.role != "other" and claim in published and not reduced.accuracies(name):
            axes.axvline(
                published[claim]["mean"], color=competitor.color, linestyle=":", linewidth=1.0,
                label=f"Table 2, {competitor.paper.upper()}",
            )  # fmt: skip
    axes.set(yticks=range(len(pairs)), yticklabels=labels, xlabel="test accuracy, %")
    axes.locator_params(axis="x", nbins=6)  # labels such as 99.175 would run into each other
    figure.suptitle(title, fontsize=11)
    axes.invert_yaxis()
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return figure


def _settings(tables: Tables, protocol: Protocol, cfg: ClassificationConfig, name: str) -> str:
    """What was chosen, in a line of its own; nothing where nothing was."""
    found = chosen(tables, protocol, name).reindex(columns=cfg.searched(name)).dropna(axis=1)
    rows = (" ".join(f"{key}={value:.3g}" for key, value in row.items()) for _, row in found.iterrows())
    return "".join(f"\n{row}" for row in rows)


def heat_maps(trials: pd.DataFrame, cfg: ClassificationConfig, title: str) -> Figure:
    """The accuracies of a grid, by protocol and competitor: the first axis downwards, the others across."""
    protocols = list(cfg.protocols.values())
    names = [name for name in cfg.competitors if (trials["competitor"] == name).any()]
    figure, panels = plt.subplots(
        len(protocols), max(1, len(names)), figsize=(4.6 * max(1, len(names)), 3.6 * len(protocols)),
        squeeze=False,
    )  # fmt: skip
    for line, protocol in zip(panels, protocols, strict=True):
        for axes, name in zip(line, names, strict=False):
            mine = where(trials, competitor=name, protocol=protocol.label)
            _heat_map(axes, mine, protocol.criterion, cfg.searched(name))
            axes.set_title(f"{cfg.competitors[name].label}: {protocol.criterion.replace('_', ' ')}, %")
    figure.suptitle(title, fontsize=11)
    return figure


def _heat_map(axes: Axes, trials: pd.DataFrame, criterion: str, parameters: list[str]) -> None:
    across = parameters[1:]
    table, status = (
        column.unstack(across) if across else column.to_frame("")
        for column in (trials.set_index(parameters)[name] for name in (criterion, "status"))
    )
    values = table.to_numpy()
    top = float(np.nanmax(values))
    axes.imshow(values, cmap="viridis", aspect="auto", vmin=top - 3, vmax=top)
    for (i, j), value in np.ndenumerate(values):
        diverged = status.iloc[i, j] == "diverged"
        text = "div." if diverged else f"{value:.2f}"
        dark = diverged or value < top - 1.2
        axes.text(j, i, text, ha="center", va="center", fontsize=8, color="white" if dark else "black")
    axes.set_xticks(range(len(table.columns)), [_words(value) for value in table.columns])
    axes.set_yticks(range(len(table.index)), [_words(value) for value in table.index])
    axes.set(xlabel=", ".join(across), ylabel=parameters[0])
    axes.grid(False)


def _words(value: Any) -> str:
    """A value on an axis, or several values."""
    if isinstance(value, tuple):
        return ", ".join(map(_words, value))
    return value if isinstance(value, str) else f"{value:g}"
