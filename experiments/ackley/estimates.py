"""What the tables of section 4.1 say of its claims."""

import math
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from experiments.harness.search import failed
from experiments.harness.statistics import Estimate, bootstrap, newcombe, wilson
from experiments.harness.tables import Tables, table_of
from experiments.landscapes.ensemble import UNKNOWN, Reduced
from experiments.landscapes.functions import Ackley, lowest_pass

if TYPE_CHECKING:
    from experiments.ackley.units import Config

COEFFICIENTS = (0.2, 0.02)  # printed, and released
DRAWN = 5  # long runs of BBI in Fig. 3
TARGET = 1.01e-4  # a run stops at ΔV = 1e-4, give or take a step
PAPER_REGIMES = ("stuck at the start", "erratic", "diverged")
ROBUST = ("robust.runs", "robust.steps", "robust.side", "robust.success")
# Each search by its name in paper.yaml; all others are shown beside the paper's claim, not judged by it.
NAMES = {"bbi": "bbi", "gdm": "gdm", "bbi_released": "bbi-released", "gdm_released": "gdm-released"}


def claims(tables: Tables, cfg: "Config") -> list[Estimate]:
    """Answers to the claims of section 4.1, one a coefficient."""
    runs, found = table_of(tables, "runs", "point"), list[Estimate]()
    trials = table_of(tables, "trials", "coefficient", "contender", "loss", "status")
    for coefficient in cfg.coefficients:
        mine = runs[runs["coefficient"] == coefficient]
        reading = f"coefficient {coefficient:g}"
        reduced = Reduced(cfg, "" if coefficient in COEFFICIENTS else reading)
        found += _solved(mine, cfg, reading, reduced)
        found += _over_gamma(mine, cfg, reading, reduced)
        found += _in_the_long_run(mine, cfg, reading, reduced)
        found += _regimes_claim(mine, cfg, reading, reduced)
        found.append(_barrier_claim(mine, cfg, coefficient, reading, reduced))
        found += _searched(trials[trials["coefficient"] == coefficient], cfg, reading, reduced)
    return found


def solved_runs(runs: pd.DataFrame, contender: str, success: float) -> pd.Series:
    """Whether each run of the robust stage of ``contender`` is solved, by its point."""
    mine = runs[(runs["stage"] == "robust") & (runs["contender"] == contender)]
    return mine.set_index("point")["best"] < success


def solved_points(runs: pd.DataFrame, contender: str, success: float) -> pd.Series:
    """Whether at least one run of the robust stage of ``contender`` is solved, for each point."""
    return solved_runs(runs, contender, success).groupby("point").any()


def _solved(runs: pd.DataFrame, cfg: "Config", reading: str, reduced: Reduced) -> list[Estimate]:
    found = []
    for name, contender in cfg.contenders.items():
        each, points = (f(runs, name, cfg.robust.success) for f in (solved_runs, solved_points))
        k, n = int(points.sum()), len(points)
        if n:
            claim = f"ackley-success-{NAMES.get(name, 'others')}"
            lr = runs[(runs["stage"] == "robust") & (runs["contender"] == name)]["lr"].iloc[0]
            note = (
                f"{contender.label}: {k} of {n} points, runs a point: {len(each) // n}; "
                f"{int(each.sum())} of {len(each)} runs; lr {lr:.4g}"
            )
            variant = f"{reading}, {contender.label}"
            size = reduced.tuned(name, contender, *ROBUST)
            found.append(Estimate(claim, k / n, *wilson(k, n), n, note, variant=variant, reduced=size))
    return found


def _over_gamma(runs: pd.DataFrame, cfg: "Config", reading: str, reduced: Reduced) -> list[Estimate]:
    """Share of points solved, search over γ minus search over μ: both meet the same points."""
    gamma, plain = (solved_points(runs, name, cfg.robust.success) for name in ("gdm_gamma", "gdm"))
    n = len(gamma)
    if not n or not len(plain):
        return []
    gap = gamma.astype(float) - plain.astype(float)
    low, high = bootstrap(gap, np.mean, seed=cfg.seed)
    if not gap.any():  # resampling what is the same everywhere would claim to know it exactly
        high = wilson(0, n)[1]
        low = -high
    note = (
        f"points solved by the search over γ alone: {(gap > 0).sum()}, by the one over μ alone: "
        f"{(gap < 0).sum()}; the two settings found differ by {_interval(gap.mean(), low, high)}, "
        "but the claim is about searches, of which there is one of each"
    )
    sizes = [reduced.tuned(name, cfg.contenders[name], *ROBUST) for name in ("gdm", "gdm_gamma")]
    size = ", ".join(dict.fromkeys(filter(None, sizes)))
    return [Estimate("ackley-gamma", gap.mean(), *UNKNOWN[1:], n, note, variant=reading, reduced=size)]


def _in_the_long_run(runs: pd.DataFrame, cfg: "Config", reading: str, reduced: Reduced) -> list[Estimate]:
    """Whether one of five runs of BBI, as in Fig. 3, is likely to reach the target; GDM's may not.

    The chance of one of five, not the best of all runs: more runs narrow its interval and do no more.
    """
    long = runs[runs["stage"] == "long"]
    best = {str(name): part["best"] for name, part in long.groupby("contender", sort=False)}
    gdm = {name: part.iloc[0] for name, part in best.items() if cfg.contenders[name].optimizer == "gdm"}
    size = reduced("start", "search.*", "contenders.*", "long.steps")
    if "bbi" not in best or not gdm:
        note = f"the searches found settings for {', '.join(best) or 'nobody'} only"
        return [Estimate("ackley-long-run", *UNKNOWN, 0, note, variant=reading, reduced=size)]
    reached = {name: (int((part <= TARGET).sum()), len(part)) for name, part in best.items()}
    (k, n), ends = reached["bbi"], wilson(*reached["bbi"])
    chance, low, high = (1 - (1 - p) ** DRAWN for p in (k / n, *ends))
    middle = float(best["bbi"].median()), *bootstrap(best["bbi"], np.median, cfg.seed)
    counts = "; ".join(f"{name} {a} of {b}" for name, (a, b) in reached.items())
    lowest = ", ".join(f"{name} {value:.3g}" for name, value in gdm.items())
    note = (
        f"runs within {TARGET:.3g}: {counts}; share of bbi's {_interval(k / n, *ends)}, so that at least "
        f"one of {DRAWN} is within with a chance of {_interval(chance, low, high)}; "
        f"median of bbi's lowest F {_interval(*middle)}; GDM's lowest F: {lowest}"
    )
    holds = False if any(reached[name][0] for name in gdm) else None  # None: the interval decides
    found = [
        Estimate("ackley-long-run", chance - 0.5, low - 0.5, high - 0.5, n, note, holds, reading, size),
        Estimate("ackley-bbi-long", *middle, n, variant=reading, reduced=size),
    ]
    if "gdm" in gdm:
        value = float(gdm["gdm"])
        found.append(Estimate("ackley-gdm-long", value, *UNKNOWN[1:], 1, variant=reading, reduced=size))
    return found


def _interval(value: float, low: float, high: float) -> str:
    return f"{value:.3g} [{low:.3g}, {high:.3g}]"


def _regimes_claim(runs: pd.DataFrame, cfg: "Config", reading: str, reduced: Reduced) -> list[Estimate]:
    """What became of GDM's long runs with the settings of searches; nothing if no search found any."""
    searched = [name for name, contender in cfg.contenders.items() if contender.space]
    tuned = runs[(runs["stage"] == "long") & (runs["regime"] != "") & runs["contender"].isin(searched)]
    inside = tuned["regime"].isin(PAPER_REGIMES)
    k, n = int(inside.sum()), len(tuned)
    if not n:
        return []
    became = ", ".join(f"{row.contender} {row.regime}" for row in tuned.itertuples())
    grid = runs[runs["stage"] == "regimes"]
    counts = ", ".join(f"{name} {count}" for name, count in grid["regime"].value_counts().items())
    note = f"tuned: {became}; of {len(grid)} settings from the start: {counts}"
    size = reduced("start", "search.*", "contenders.gdm*", "long.steps", "robust.success")
    return [Estimate("ackley-regimes", k / n, *UNKNOWN[1:], n, note, k == n, reading, size)]


def threshold(cfg: "Config", coefficient: float) -> float:
    """δE below which energy conservation shuts a run in the first basin: lowest pass minus F(Θ_0).

    NaN where the landscape has no pass there.
    """
    potential, start = Ackley(coefficient), torch.tensor(cfg.start, dtype=torch.float64)
    x, y = (float(round(value)) for value in cfg.start)
    return lowest_pass(potential, (x, y)) - float(potential(start)[0])


def _barrier_claim(
    runs: pd.DataFrame, cfg: "Config", coefficient: float, reading: str, reduced: Reduced
) -> Estimate:
    edge = threshold(cfg, coefficient)
    mine = runs[runs["stage"] == "barrier"]
    left = mine["left"] == 1
    below, above = left[mine["delta_e"] < edge], left[mine["delta_e"] > edge]
    a, n, b, m = int(above.sum()), len(above), int(below.sum()), len(below)
    gap = a / n - b / m if n and m else math.nan
    note = f"the pass is {edge:.4f} above the start: below it {b} of {m} runs leave, above it {a} of {n}"
    size = reduced("start", "contenders.bbi.fixed.*", "barrier.lr", "barrier.highest", "barrier.steps")
    return Estimate("ackley-barrier", gap, *newcombe(a, n, b, m), n + m, note, variant=reading, reduced=size)


def _searched(trials: pd.DataFrame, cfg: "Config", reading: str, reduced: Reduced) -> list[Estimate]:
    """The searches' best values beside the released code's."""
    found = []
    for name, short in (("gdm", "gdm"), ("gdm_gamma", "gamma"), ("gdm_small", "small"), ("bbi", "bbi")):
        mine = trials[trials["contender"] == name]
        good = mine[~failed(mine)]
        if name not in cfg.contenders or good.empty:
            continue
        size, top = reduced.tuned(name, cfg.contenders[name]), good.loc[good["loss"].idxmin()]
        columns = {"lr": "lr", "best": "loss"} | (
            {"momentum": "momentum"} if short in ("gdm", "small") else {}
        )
        for what, column in columns.items():
            if column == "loss" or column in cfg.contenders[name].space:
                claim, value = f"ackley-{short}-{what}", float(top[column])
                found.append(Estimate(claim, value, *UNKNOWN[1:], len(mine), variant=reading, reduced=size))
    return found
