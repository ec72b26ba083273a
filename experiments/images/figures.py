"""The figures of section 4.5: training curves, and the distributions behind Table 2."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from experiments.harness.plotting import COLUMN, PAGE, SMALL, Picture, decades, legend_below, styles, words
from experiments.harness.tables import Tables, table_of, where
from experiments.images.config import PAPER, ClassificationConfig, Protocol
from experiments.images.estimates import Reduced, chosen, trained


def training_curves(tables: Tables, cfg: ClassificationConfig, title: str) -> Picture:
    """Training loss and test accuracy against the epoch: the median, and the spread over the runs."""
    protocols, said = list(cfg.protocols.values()), list[str]()
    figure, panels = plt.subplots(
        2, len(protocols), figsize=(PAGE if len(protocols) > 1 else COLUMN, 4.2), sharex=True, sharey="row",
        squeeze=False,
    )  # fmt: skip
    for (above, below), protocol in zip(panels.T, protocols, strict=True):
        for name, look in styles(cfg.competitors).items():
            curves = trained(tables, protocol, name, "curves")
            label = cfg.competitors[name].label
            if len(curves):
                last = curves[curves["epoch"] == curves["epoch"].max()]
                said.append(
                    f"{label}, {protocol.label} selection, {curves['run'].nunique()} runs: training loss "
                    f"{last['train_loss'].median():.1e}, test accuracy {last['test_accuracy'].median():.2f} %"
                )
            _band(above, curves, "train_loss", label, look)
            _band(below, curves, "test_accuracy", label, look)
        above.set(yscale="log", title=f"{protocol.label} selection")
        below.set(xlabel="epoch")
        below.locator_params(axis="x", integer=True)
    accuracies = table_of(tables, "curves", "test_accuracy")["test_accuracy"]
    if len(accuracies):  # the first epochs would squeeze what is to be compared
        panels[1, 0].set_ylim(bottom=float(np.nanquantile(accuracies, 0.05)))
    decades(panels[0, 0])
    panels[0, 0].set_ylabel("training loss")
    panels[1, 0].set_ylabel("test accuracy, %")
    legend_below(figure, panels)
    caption = (
        f"{title}. Training loss and test accuracy against the epoch: the median of the runs, and in the "
        "band 10 to 90 % of them. The first epochs may lie below the lower panels."
    )
    return Picture(figure, caption, f"Losses fall, accuracies rise. Medians at the end: {'; '.join(said)}.")


def _band(axes: Axes, curves: pd.DataFrame, column: str, label: str, look: dict[str, Any]) -> None:
    if curves.empty:
        return
    spread = curves.groupby("epoch")[column].quantile([0.1, 0.5, 0.9]).unstack()
    axes.plot(spread.index, spread[0.5], label=label, **look)
    axes.fill_between(spread.index, spread[0.1], spread[0.9], color=look["color"], alpha=0.15, linewidth=0)


def table2(tables: Tables, cfg: ClassificationConfig, title: str, published: Mapping[str, Any]) -> Picture:
    """The last test accuracy of every run, its mean, and the published mean, of the same size or not."""
    pairs = [(by, name) for by in cfg.protocols.values() for name in cfg.competitors]
    figure, axes = plt.subplots(figsize=(COLUMN, 1.1 + 0.42 * len(pairs)))
    labels, said, reduced, differ = [], [], Reduced(tables, cfg), False
    for row, (protocol, name) in enumerate(pairs):
        competitor = cfg.competitors[name]
        values = trained(tables, protocol, name)["test_accuracy"].dropna().to_numpy()
        labels.append(f"{competitor.label}, {protocol.label}\nselection")
        if len(values):
            offsets = np.linspace(-0.18, 0.18, len(values)) if len(values) > 1 else np.zeros(1)
            axes.plot(values, row + offsets, competitor.marker, color=competitor.color, alpha=0.7)
            axes.plot([values.mean()] * 2, [row - 0.32, row + 0.32], color=competitor.color)
            found = _settings(tables, protocol, cfg, name)
            said.append(
                f"{competitor.label}, {protocol.label} selection{found}: {values.mean():.2f} in "
                f"{len(values)} runs"
            )
        claim = f"{cfg.experiment}-{competitor.paper}"
        if protocol is cfg.protocols.get(PAPER) and competitor.role != "other" and claim in published:
            differ |= reduced.accuracies(name) != ""
            mean = published[claim]["mean"]
            axes.plot([mean] * 2, [row - 0.4, row + 0.4], color="black", linestyle=":", linewidth=1.4)
            said.append(f"paper's {competitor.paper.upper()} {mean:g}")
    axes.plot([], [], "k.", label="a run")
    axes.plot([], [], "k-", linewidth=1.0, label="mean of ours")
    axes.plot([], [], "k:", linewidth=1.4, label="Table 2" + ", full size" * differ)
    axes.set(yticks=range(len(pairs)), xlabel="test accuracy, %")
    axes.set_yticklabels(labels, fontsize=SMALL)
    axes.locator_params(axis="x", nbins=4)  # labels such as 99.175 would run into each other
    axes.invert_yaxis()
    legend_below(figure, axes, ncols=3, handlelength=1.2, columnspacing=1.0)
    much = " Ours differ from the paper's in size or arithmetic, and are not compared with it." * differ
    by = ", ".join(f"{one.criterion.replace('_', ' ')} ({one.label})" for one in cfg.protocols.values())
    caption = (
        f"{title}. The last test accuracy of every run; settings are chosen by {by}. Line: the mean; "
        f"dotted: the mean in Table 2 of the paper.{much}"
    )
    return Picture(figure, caption, "; ".join(said) + ".")


def _settings(tables: Tables, protocol: Protocol, cfg: ClassificationConfig, name: str) -> str:
    """What was chosen, in brackets; nothing where nothing was."""
    found = chosen(tables, protocol, name).reindex(columns=cfg.searched(name)).dropna(axis=1)
    rows = (
        ", ".join(f"{words(key)} {value:.3g}" for key, value in row.items()) for _, row in found.iterrows()
    )
    return "".join(f" ({row})" for row in rows)


def has_grid(trials: pd.DataFrame, cfg: ClassificationConfig) -> bool:
    """Whether some competitor has more than one cell."""
    cells = (where(trials, competitor=name)[cfg.searched(name)].drop_duplicates() for name in cfg.competitors)
    return any(len(some) > 1 for some in cells)


def heat_maps(trials: pd.DataFrame, cfg: ClassificationConfig, title: str) -> Picture:
    """The accuracies of a grid, by protocol and competitor: the first axis downwards, the others across."""
    protocols = list(cfg.protocols.values())
    names = [name for name in cfg.competitors if (trials["competitor"] == name).any()]
    figure, panels = plt.subplots(
        len(protocols), max(1, len(names)), figsize=(PAGE, 0.3 + 2.2 * len(protocols)), squeeze=False
    )
    said = []
    for line, protocol in zip(panels, protocols, strict=True):
        for axes, name in zip(line, names, strict=False):
            mine, label = where(trials, competitor=name, protocol=protocol.label), cfg.competitors[name].label
            # Whatever a protocol chooses by, the maps are of accuracies.
            shown = protocol.criterion if "accuracy" in protocol.criterion else "test_accuracy"
            _heat_map(axes, mine, shown, cfg.searched(name))
            what = shown.replace("_", " ")
            axes.set_title(f"{label}: {what}, %")
            if mine[shown].notna().any():
                best = mine.loc[mine[shown].idxmax()]
                at = ", ".join(f"{words(key)} {best[key]:g}" for key in cfg.searched(name))
                said.append(f"{label}, {what}: best {best[shown]:.2f} at {at}")
    caption = (
        f"{title}. The accuracy of every setting of the grids, in one run each. Brighter is better; all "
        "that is 3 points or more below the best has the darkest colour."
    )
    return Picture(figure, caption, "; ".join(said) + ".")


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
        text = "div." if diverged else f"{value:.1f}" if value < 90 else f"{value:.2f}"
        dark = diverged or value < top - 1.2
        axes.text(j, i, text, ha="center", va="center", fontsize=SMALL, color="white" if dark else "black")
    axes.set_xticks(range(len(table.columns)), [_text(value) for value in table.columns])
    axes.set_yticks(range(len(table.index)), [_text(value) for value in table.index])
    axes.set(xlabel=", ".join(map(words, across)), ylabel=words(parameters[0]))
    axes.grid(False)


def _text(value: Any) -> str:
    """A value on an axis, or several values."""
    if isinstance(value, tuple):
        return ", ".join(map(_text, value))
    return value if isinstance(value, str) else f"{value:g}"
