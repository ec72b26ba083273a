"""What tuning costs and gains in the race: two of its figures."""

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from experiments.competitors import method
from experiments.harness.plotting import Picture
from experiments.race.config import Config
from experiments.race.panels import by_knowledge, frame, groups, looks
from experiments.race.scores import tuned


def tuning(trials: pd.DataFrame, cfg: Config) -> Picture:
    """Score against evaluations with tuning included."""
    counts = sorted({1, 2, 4, cfg.tuning.trials} & set(range(1, cfg.tuning.trials + 1)))
    table = tuned(trials, counts)
    figure, panels = by_knowledge(cfg)
    for axes, names in panels.items():
        for name, look in looks(cfg, names).items():
            mine = table[table["entrant"] == name]
            if len(mine):
                points: dict[str, Any] = {**look, "markevery": 1, "markersize": 5}
                axes.plot(mine["spent"], mine["score"], label=cfg.entrants[name].label, **points)
    frame(panels, xlabel="evaluations of tuning on a problem", ylabel="score")
    told = {name for name, entrant in cfg.entrants.items() if not entrant.misled}
    scores = table[table["entrant"].isin(told)].pivot(index="entrant", columns="trials", values="score")
    rise = scores[counts[-1]] - scores[counts[0]]
    return Picture(
        figure,
        f"Score of the best of {', '.join(map(str, counts))} random settings (points from left to right), "
        "measured on an instance that it was not chosen on, against the evaluations of these trials.",
        f"{cfg.entrants[str(rise.idxmax())].label} gains most by tuning, {rise.max():.3f}.",
    )


def sensitivity(trials: pd.DataFrame, cfg: Config) -> Picture:
    """Score of random settings against lr, and of the method against lr and δE, by dimension."""
    ours, dimensions = method(cfg.entrants), cfg.functions.dimensions
    columns = [c for c in trials if str(c).startswith("score")]
    axes_of = [c for c in ("lr", "delta_e") if c in trials]
    settings = trials.assign(score=trials[columns].mean(axis=1))
    settings = settings.groupby(["entrant", "n", "tuning", "trial"], sort=False)[[*axes_of, "score"]].mean()
    settings = settings.reset_index()
    mine = settings[settings["entrant"] == ours]
    size: dict[str, Any] = {"figsize": (3.2 * len(dimensions) + 0.6, 6.4), "squeeze": False, "sharey": "row"}
    figure, panels = plt.subplots(2, len(dimensions), **size)
    names, label = _stepping(settings, cfg), cfg.entrants[ours].label
    for axes, n in zip(panels[0], dimensions, strict=True):
        for name, look in looks(cfg, names).items():
            some = settings[(settings["entrant"] == name) & (settings["n"] == n)].sort_values("lr")
            points: dict[str, Any] = {**look, "markevery": 1, "markersize": 4, "linewidth": 0.8}
            axes.plot(some["lr"], some["score"], label=cfg.entrants[name].label, **points)
        axes.set(xscale="log", xlabel="lr", title=f"n = {n}")
        axes.set_ylim(bottom=0)
    panels[0][0].set_ylabel("score")
    panels[0][-1].legend(fontsize=8)
    top = max(float(mine["score"].max()), 1e-9) if len(mine) else 1.0
    for axes, n in zip(panels[1], dimensions, strict=True):
        some = mine[mine["n"] == n].reindex(columns=["lr", "delta_e", "score"])
        shade: dict[str, Any] = {"c": some["score"], "vmin": 0, "vmax": top, "cmap": "viridis"}
        drawn = axes.scatter(some["lr"], some["delta_e"], s=40, **shade)
        axes.set(xscale="log", yscale="log", xlabel=f"lr of {label}")
    panels[1][0].set_ylabel(f"δE of {label}")
    figure.colorbar(drawn, ax=panels[1], label="score")
    best = mine.loc[mine["score"].idxmax()] if len(mine) else {"lr": np.nan, "score": np.nan}
    return Picture(
        figure,
        "Each point is one random setting and its mean score over all functions, on the training instances. "
        f"Above: against the step size, for {label}, the baseline and the best of each kind that has one. "
        f"Below: of {label}, against step size and δE.",
        f"The best setting of {label} has lr {best['lr']:.2g} and scores {best['score']:.2f}.",
    )


def _stepping(settings: pd.DataFrame, cfg: Config) -> list[str]:
    """The method, the baselines, and the best of each kind of knowledge, if they have a step size."""
    reached = settings.groupby("entrant")["score"].max()
    able = {n for n, e in cfg.entrants.items() if "lr" in e.space and not e.misled and n in reached.index}
    kinds = [[n for n in names if n in able] for names in groups(cfg).values()]
    best = {max(names, key=lambda n: reached[n]) for names in kinds if names}  # on ties the first
    roles = {name for name, entrant in cfg.entrants.items() if entrant.role != "other"}
    return [name for name in cfg.entrants if name in able & (best | roles)]
