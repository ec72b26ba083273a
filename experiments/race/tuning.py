"""What tuning costs and gains in the race: two of its figures."""

import matplotlib.pyplot as plt
import pandas as pd

from experiments.competitors import method
from experiments.harness.plotting import Picture
from experiments.harness.tables import where
from experiments.race.config import Config
from experiments.race.panels import by_knowledge, frame, leading, looks
from experiments.race.scores import mean_score, tuned


def tuning(trials: pd.DataFrame, cfg: Config) -> Picture:
    """Score against evaluations with tuning included."""
    counts = sorted({1, 2, 4, cfg.tuning.trials} & set(range(1, cfg.tuning.trials + 1)))
    table = tuned(trials, counts)
    figure, panels = by_knowledge(cfg)
    for axes, names in panels.items():
        for name, look in looks(cfg, names).items():
            mine = table[table["entrant"] == name]
            axes.plot(mine["spent"], mine["score"], **look | {"markevery": 1, "markersize": 5})
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
    each = trials.assign(score=mean_score(trials)).groupby(["entrant", "n", "tuning", "trial"], sort=False)
    settings = each[["lr", "delta_e", "score"]].mean().reset_index()
    mine = settings[settings["entrant"] == ours]
    figure, panels = plt.subplots(
        2, len(dimensions), figsize=(3.2 * len(dimensions) + 0.6, 6.4), squeeze=False, sharey="row"
    )
    able = [n for n, e in cfg.entrants.items() if "lr" in e.space and not e.misled]
    highest = settings[settings["entrant"].isin(able)].groupby("entrant")["score"].max()
    names, label = leading(cfg, highest, 1), cfg.entrants[ours].label
    for axes, n in zip(panels[0], dimensions, strict=True):
        for name, look in looks(cfg, names).items():
            some = where(settings, entrant=name, n=n).sort_values("lr")
            points = look | {"markevery": 1, "markersize": 4, "linewidth": 0.8}
            axes.plot(some["lr"], some["score"], **points)
        axes.set(xscale="log", xlabel="lr", title=f"n = {n}")
        axes.set_ylim(bottom=0)
    panels[0][0].set_ylabel("score")
    panels[0][-1].legend(fontsize=8)
    top = max(float(mine["score"].max()), 1e-9)
    for axes, n in zip(panels[1], dimensions, strict=True):
        some = mine[mine["n"] == n]
        drawn = axes.scatter(some["lr"], some["delta_e"], 40, some["score"], vmin=0, vmax=top, cmap="viridis")
        axes.set(xscale="log", yscale="log", xlabel=f"lr of {label}")
    panels[1][0].set_ylabel(f"δE of {label}")
    figure.colorbar(drawn, ax=panels[1], label="score")
    best = mine.loc[mine["score"].idxmax()]
    return Picture(
        figure,
        "Each point is one random setting and its mean score over all functions, on the training instances. "
        f"Above: against the step size, for {label}, the baseline and the best of each kind that has one. "
        f"Below: of {label}, against step size and δE.",
        f"The best setting of {label} has lr {best['lr']:.2g} and scores {best['score']:.2f}.",
    )
