"""The figures of the race, drawn from its tables."""

from collections.abc import Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from experiments.competitors import method
from experiments.harness.plotting import Picture, legend_below
from experiments.harness.tables import Tables, table_of, where
from experiments.race.config import Config
from experiments.race.functions import TASKS
from experiments.race.panels import TITLES, by_knowledge, frame, groups, leading, looks
from experiments.race.scores import PROBLEM, ecdf, erts, hits, log_times, profile, totals
from experiments.race.tuning import sensitivity, tuning


def draw(tables: Tables, cfg: Config, published: dict[str, Any]) -> dict[str, Picture]:
    """ECDFs, totals, profiles, the table of functions, tuning included, and sensitivity."""
    runs, trials = tables["runs"], table_of(tables, "trials", "lr", "delta_e")
    runs = runs[runs["problem"].isin(cfg.functions.names)]
    trials = trials[trials["problem"].isin(cfg.functions.names)]
    times = erts(runs)
    shown = leading(cfg, np.isfinite(times["ert"]).groupby(times["entrant"]).sum(), 2)
    return {
        "totals": _totals(runs, cfg),
        "ecdf": _ecdf(runs, cfg),
        "profiles": _profiles(times, shown, cfg),
        "running_times": _running_times(runs, shown, cfg),
        "functions": _functions(runs, cfg),
        "tuning": tuning(trials, cfg),
        "sensitivity": sensitivity(trials, cfg),
    }


def _caption(runs: pd.DataFrame, cfg: Config) -> str:
    """What all figures are made of."""
    dimensions = ", ".join(map(str, cfg.functions.dimensions))
    return (
        f"{runs['problem'].nunique()} functions in {dimensions} dimensions, {cfg.tuning.repeats} tunings "
        f"with {cfg.scoring.instances} fresh instances each, {cfg.functions.evaluations} evaluations a run."
    )


def _totals(runs: pd.DataFrame, cfg: Config) -> Picture:
    """A point an entrant, from the lowest to the highest tuning."""
    table, kinds = totals(runs), groups(cfg)
    count = sum(len(names) + 1 for names in kinds.values())
    figure, axes = plt.subplots(figsize=(6.4, 0.27 * count + 0.9))
    place, ticks, labels = 0, [], []
    for kind, names in kinds.items():
        across = axes.get_yaxis_transform()
        axes.text(0.01, place, TITLES[kind], transform=across, fontsize=10, fontweight="bold", va="center")
        for name in sorted(names, key=lambda n: (-table.loc[n].mean(), n)):
            place += 1
            each, entrant = table.loc[name], cfg.entrants[name]
            axes.plot([each.min(), each.max()], [place, place], color=entrant.color, linewidth=3, alpha=0.5)
            axes.plot(each.mean(), place, color=entrant.color, marker=entrant.marker, markersize=6)
            ticks.append(place)
            labels.append(entrant.label)
        place += 1
    axes.set(xlabel="score: area under the ECDF of targets (higher is better)", ylim=(place, -0.8))
    axes.set_xlim(left=0)
    axes.set_yticks(ticks, labels)
    axes.grid(axis="y", visible=False)
    mean, ours = table.mean(axis=1), method(cfg.entrants)
    return Picture(
        figure,
        "Mean score of each optimizer over all functions and dimensions, grouped by what it is told. The "
        "point is the mean of the tunings; the bar goes from the lowest to the highest. "
        f"{_caption(runs, cfg)}",
        f"{cfg.entrants[str(mean.idxmax())].label} has the highest score, {mean.max():.3f}; "
        f"{cfg.entrants[ours].label} has {mean[ours]:.3f}.",
    )


def _ecdf(runs: pd.DataFrame, cfg: Config) -> Picture:
    """A panel for each kind of knowledge; all show the method."""
    ours, at = method(cfg.entrants), log_times(cfg.functions.evaluations)
    figure, panels = by_knowledge(cfg)
    for axes, names in panels.items():
        for name, look in looks(cfg, names).items():
            curve = ecdf(runs[runs["entrant"] == name], at)
            axes.plot(at, curve["mean"], **look, markersize=5)
            axes.fill_between(at, curve["low"], curve["high"], color=look["color"], alpha=0.15, linewidth=0)
    frame(panels, xlabel="evaluations of F and ∇F", ylabel="share of targets hit")
    ends = {name: float(np.isfinite(hits(some)).mean()) for name, some in runs.groupby("entrant", sort=False)}
    top = max(ends, key=lambda name: ends[name])
    return Picture(
        figure,
        "Share of all pairs of run and target that are hit within a number of evaluations, without those of "
        f"tuning. The band goes from the lowest to the highest tuning. {_caption(runs, cfg)}",
        f"{cfg.entrants[str(top)].label} ends highest, with {ends[top]:.0%} of the targets; "
        f"{cfg.entrants[ours].label} ends with {ends[ours]:.0%}.",
    )


def _profiles(times: pd.DataFrame, shown: Sequence[str], cfg: Config) -> Picture:
    """Performance profiles of the entrants shown, by dimension."""
    names = [name for name, entrant in cfg.entrants.items() if not entrant.misled]
    order = [name for name in shown if name in names]
    tau, dimensions = np.logspace(0, 3, 50), cfg.functions.dimensions
    figure, panels = plt.subplots(
        1, len(dimensions), figsize=(3.2 * len(dimensions) + 1.4, 3.9), sharey=True, squeeze=False
    )
    for axes, n in zip(panels[0], dimensions, strict=True):
        found = profile(times[times["n"] == n], names, tau)
        for name, look in looks(cfg, order).items():
            axes.plot(tau, found[name], **look, markersize=5)
        axes.set(xscale="log", title=f"n = {n}", xlabel="τ, times the best ERT", ylim=(0, 1.02))
    panels[0][0].set_ylabel("share of function–target pairs")
    legend_below(figure, panels, ncols=4)
    whole = profile(times, names, np.array([1.0]))
    first, ours = max(order, key=lambda n: whole[n][0]), method(cfg.entrants)
    always = " and ".join(entrant.label for entrant in cfg.entrants.values() if entrant.role != "other")
    return Picture(
        figure,
        "Performance profiles: the share of pairs of function and target whose expected running time (ERT) "
        "is at most τ times the best of all optimizers that are told nothing wrong. Shown are the two of "
        f"each kind that reach most pairs, {always}. Pairs that nobody reaches count as not reached.",
        f"{cfg.entrants[first].label} is the fastest on {whole[first][0]:.0%} of the pairs, "
        f"{cfg.entrants[ours].label} on {whole[ours][0] if ours in whole else 0:.0%}.",
    )


def _running_times(runs: pd.DataFrame, shown: Sequence[str], cfg: Config) -> Picture:
    """The ERT of the targets on each function, in the middle one of the dimensions."""
    dimensions, targets = sorted(cfg.functions.dimensions), np.array(cfg.functions.targets)
    n, ours, names = dimensions[len(dimensions) // 2], method(cfg.entrants), cfg.functions.names
    lines = -(-len(names) // 2)
    figure, panels = plt.subplots(
        lines, 2, figsize=(9.0, 2.3 * lines + 1.2), sharex=True, sharey=True, squeeze=False
    )
    times = erts(runs[(runs["n"] == n) & runs["entrant"].isin(shown)], intervals=True)
    for axes, name in zip(panels.flat, names, strict=False):
        for entrant, look in looks(cfg, shown).items():
            mine = where(times, entrant=entrant, problem=name)
            axes.plot(targets, mine["ert"], **look | {"markevery": 1, "markersize": 4, "linewidth": 1.2})
            high = mine["high"].clip(upper=1e9)
            axes.fill_between(targets, mine["low"], high, color=look["color"], alpha=0.15, linewidth=0)
        axes.set(title=TASKS[name].label, xscale="log", yscale="log")
    top = 100 * cfg.functions.evaluations * cfg.scoring.instances
    panels[0][0].set(xlim=(2 * targets.max(), targets.min() / 2), ylim=(0.8, top))
    for axes in panels.flat[len(names) :]:
        axes.set_axis_off()
    for axes in panels[:, 0]:
        axes.set_ylabel("ERT, evaluations")
    for axes in panels[-1]:
        axes.set_xlabel("target F − F*")
    legend_below(figure, panels, ncols=4)
    hardest = times[times["target"] == len(targets)]
    solved = np.isfinite(hardest["ert"]).groupby(hardest["entrant"]).sum()
    return Picture(
        figure,
        f"Expected running time (ERT) to each target in {n} dimensions, without tuning: evaluations of all "
        "runs by the number of runs that hit the target. Bands are 95 % intervals from resampled runs. A "
        "line ends at the last target that a run hits.",
        f"The last target is hit on {solved[ours]} of {len(names)} functions by "
        f"{cfg.entrants[ours].label}, and on {solved.max()} by the best of all shown.",
    )


def _functions(runs: pd.DataFrame, cfg: Config) -> Picture:
    """The score of each entrant on each function and dimension as a map."""
    cells = runs.groupby(["entrant", *PROBLEM], sort=False)["score"].mean().unstack("entrant")
    kinds = list(groups(cfg).values())
    names = [name for some in kinds for name in some]
    labels = [f"{cfg.entrants[n].label}  (told {cfg.entrants[n].knowledge})" for n in names]
    dimensions, height = cfg.functions.dimensions, 0.28 * len(names) + 2.2
    figure, panels = plt.subplots(1, len(dimensions), figsize=(9.6, height), sharey=True, squeeze=False)
    top = max(float(cells.max().max()), 1e-9)
    for axes, n in zip(panels[0], dimensions, strict=True):
        part = cells.xs(n, level="n").reindex(cfg.functions.names)[names].T
        drawn = axes.imshow(part, aspect="auto", vmin=0, vmax=top, cmap="viridis")
        tasks = [TASKS[name].label for name in part.columns]
        axes.set_xticks(range(len(tasks)), tasks, rotation=90, fontsize=8)
        axes.set_yticks(range(len(names)), labels, fontsize=8)
        axes.set_title(f"n = {n}")
        axes.grid(visible=False)
        for edge in np.cumsum([len(some) for some in kinds])[:-1]:
            axes.axhline(edge - 0.5, color="white", linewidth=2)
    figure.colorbar(drawn, ax=panels[0], label="score", shrink=0.8)
    problem, n = cells[names].max(axis=1).idxmax()
    highest = cells.loc[(problem, n)]
    return Picture(
        figure,
        "Mean score on each function and dimension; what an optimizer is told is in brackets. "
        f"{_caption(runs, cfg)}",
        f"The highest score, {highest.max():.2f}, is that of {cfg.entrants[str(highest.idxmax())].label} on "
        f"{TASKS[problem].label} in {n} dimensions.",
    )
