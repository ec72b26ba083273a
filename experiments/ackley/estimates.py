"""What the tables of section 4.1 say of its claims."""

import math
from typing import Any

import numpy as np
import pandas as pd
import torch

from experiments.ackley.config import REGIMES, Config
from experiments.competitors import baselines, method
from experiments.harness.reduced import Reduced
from experiments.harness.statistics import UNKNOWN, Estimate, bootstrap, newcombe, wilson
from experiments.harness.tables import Tables, table_of, where
from experiments.harness.verdicts import published
from experiments.landscapes.estimates import depends_on, searched
from experiments.landscapes.functions import Ackley, lowest_pass

COEFFICIENTS = (0.2, 0.02)  # printed, and released
DRAWN = 5  # long runs of BBI in Fig. 3
TARGET = 1.01e-4  # a run stops at ΔV = 1e-4, give or take a step
PAPER_REGIMES = ("stuck at the start", "erratic", "diverged")
ROBUST = ("robust.runs", "robust.steps", "robust.side", "robust.success")


def estimate(tables: Tables, cfg: Config) -> list[Estimate]:
    """Answers to the claims of section 4.1, one a coefficient."""
    runs, found = table_of(tables, "runs", "point", "regime", "delta_e", "left", "lr"), list[Estimate]()
    trials = table_of(tables, "trials", "coefficient", "competitor", "loss", "status")
    for coefficient in cfg.coefficients:
        mine = where(runs, coefficient=coefficient)
        variant = f"coefficient {coefficient:g}"
        reduced = Reduced(cfg, "" if coefficient in COEFFICIENTS else variant)
        found += _solved(mine, cfg, variant, reduced)
        found += _over_gamma(mine, cfg, variant, reduced)
        found += _in_the_long_run(mine, cfg, variant, reduced)
        found += _regimes(mine, cfg, variant, reduced)
        found.append(_barrier(mine, cfg, coefficient, variant, reduced))
        found += searched(where(trials, coefficient=coefficient), cfg, reduced, variant)
    return found


def solved_runs(runs: pd.DataFrame, name: str, success: float) -> pd.Series:
    """Whether each run of a competitor from the random points is solved, by its point."""
    return where(runs, stage="robust", competitor=name).set_index("point")["best"] < success


def solved_points(runs: pd.DataFrame, name: str, success: float) -> pd.Series:
    """Whether a competitor solves each random point with one run at least."""
    return solved_runs(runs, name, success).groupby("point").any()


def _solved(runs: pd.DataFrame, cfg: Config, variant: str, reduced: Reduced) -> list[Estimate]:
    """Shares of points solved; competitors without a published one are shown beside the claims."""
    found = []
    for name, competitor in cfg.competitors.items():
        each, points = (f(runs, name, cfg.robust.success) for f in (solved_runs, solved_points))
        k, n = int(points.sum()), len(points)
        if not n:
            continue
        claim, which = f"ackley-success-{competitor.paper}", f"{variant}, {competitor.label}"
        claim = claim if claim in published() else "ackley-success-others"
        numbers = {
            "label": competitor.label,
            "points": k,
            "per_point": len(each) // n,
            "solved": int(each.sum()),
            "runs": len(each),
            "lr": where(runs, stage="robust", competitor=name)["lr"].iloc[0],
        }
        size = reduced(*depends_on(cfg, name), *ROBUST)
        found.append(Estimate(claim, k / n, *wilson(k, n), n, numbers, variant=which, reduced=size))
    return found


def _searches_over_gamma(cfg: Config) -> list[tuple[str, str]]:
    """Baselines that search γ = −log μ, each with the first that searches the same settings directly."""
    spaces = {name: cfg.competitors[name].space for name in baselines(cfg.competitors)}
    over = [name for name, space in spaces.items() if any(axis.scale == "neglog" for axis in space.values())]
    plain = {frozenset(spaces[name]): name for name in reversed(spaces) if name not in over}
    return [(name, plain[same]) for name in over if (same := frozenset(spaces[name])) in plain]


def _over_gamma(runs: pd.DataFrame, cfg: Config, variant: str, reduced: Reduced) -> list[Estimate]:
    """Share of points solved, search over γ minus search over μ: both have the same points."""
    found = []
    for pair in _searches_over_gamma(cfg):
        gamma, plain = (solved_points(runs, name, cfg.robust.success) for name in pair)
        n = len(gamma)
        if not n or not len(plain):
            continue
        gap = gamma.astype(float) - plain.astype(float)
        low, high = bootstrap(gap, np.mean, seed=cfg.seed)
        if not gap.any():  # resampling equal values would claim to know the difference exactly
            high = wilson(0, n)[1]
            low = -high
        numbers = {
            "gamma_alone": int((gap > 0).sum()),
            "plain_alone": int((gap < 0).sum()),
            "gap": (gap.mean(), low, high),
        }
        sizes = dict.fromkeys(reduced(*depends_on(cfg, name), *ROBUST) for name in pair)
        size = ", ".join(filter(None, sizes))
        found.append(
            Estimate("ackley-gamma", gap.mean(), n=n, numbers=numbers, variant=variant, reduced=size)
        )
    return found


def _in_the_long_run(runs: pd.DataFrame, cfg: Config, variant: str, reduced: Reduced) -> list[Estimate]:
    """Whether one of five runs of BBI, as in Fig. 3, is likely to reach the target; no baseline may.

    The chance of one of five, not the best of all runs: more runs narrow its interval and do no more.
    """
    long = where(runs, stage="long")
    best = {str(name): part["best"] for name, part in long.groupby("competitor", sort=False)}
    reached = {name: (int((part <= TARGET).sum()), len(part)) for name, part in best.items()}
    ours, rivals = method(cfg.competitors), [name for name in baselines(cfg.competitors) if name in best]
    size = reduced("start", "search.*", "competitors.*", "long.steps")
    numbers: dict[str, Any] = {"target": TARGET, "found": list(best), "drawn": DRAWN}
    if ours not in best or not rivals:
        return [Estimate("ackley-long-run", *UNKNOWN, 0, numbers, variant=variant, reduced=size)]
    (k, n), ends = reached[ours], wilson(*reached[ours])
    chance = [1 - (1 - p) ** DRAWN for p in (k / n, *ends)]
    numbers |= {
        "ours": ours,
        "counts": {name: {"reached": a, "runs": b} for name, (a, b) in reached.items()},
        "share": (k / n, *ends),
        "chance": chance,
        "middle": (best[ours].median(), *bootstrap(best[ours], np.median, cfg.seed)),
        "lowest": {name: best[name].iloc[0] for name in rivals},
    }
    holds = False if any(reached[name][0] for name in rivals) else None  # None: the interval decides
    off, low, high = (p - 0.5 for p in chance)
    found = [Estimate("ackley-long-run", off, low, high, n, numbers, holds, variant, size)]
    for name, lowest in best.items():
        claim = f"ackley-{cfg.competitors[name].paper}-long"
        if claim in published():
            many = cfg.competitors[name].stochastic
            edges = bootstrap(lowest, np.median, cfg.seed) if many else UNKNOWN[1:]
            found.append(Estimate(claim, lowest.median(), *edges, len(lowest), variant=variant, reduced=size))
    return found


def _regimes(runs: pd.DataFrame, cfg: Config, variant: str, reduced: Reduced) -> list[Estimate]:
    """What became of the baselines' long runs with the settings of searches; nothing if none found any."""
    names = [name for name, competitor in cfg.competitors.items() if competitor.space]
    long = where(runs, stage="long")
    tuned = long[long["regime"].isin(REGIMES) & long["competitor"].isin(names)]
    k, n = int(tuned["regime"].isin(PAPER_REGIMES).sum()), len(tuned)
    if not n:
        return []
    grid = where(runs, stage="regimes")
    numbers = {
        "tuned": dict(zip(tuned["competitor"], tuned["regime"], strict=True)),
        "settings": len(grid),
        "counts": grid["regime"].value_counts().to_dict(),
    }
    which = (f"competitors.{name}.*" for name in baselines(cfg.competitors))
    size = reduced("start", "search.*", *which, "long.steps", "robust.success")
    return [Estimate("ackley-regimes", k / n, math.nan, math.nan, n, numbers, k == n, variant, size)]


def threshold(cfg: Config, coefficient: float) -> float:
    """δE below which energy conservation keeps a run in the first basin: lowest pass minus F(Θ_0).

    NaN where the landscape has no pass there.
    """
    potential, start = Ackley(coefficient), torch.tensor(cfg.start, dtype=torch.float64)
    x, y = (float(round(value)) for value in cfg.start)
    return lowest_pass(potential, (x, y)) - float(potential(start)[0])


def _barrier(runs: pd.DataFrame, cfg: Config, coefficient: float, variant: str, reduced: Reduced) -> Estimate:
    """Share of runs that leave the first basin, for δE above the threshold minus below it."""
    edge = threshold(cfg, coefficient)
    mine = where(runs, stage="barrier")
    left = mine["left"] == 1
    below, above = left[mine["delta_e"] < edge], left[mine["delta_e"] > edge]
    a, n, b, m = int(above.sum()), len(above), int(below.sum()), len(below)
    gap = a / n - b / m if n and m else math.nan
    numbers = {"edge": edge, "below": b, "of_below": m, "above": a, "of_above": n}
    fixed = f"competitors.{method(cfg.competitors)}.fixed.*"
    size = reduced("start", fixed, "barrier.lr", "barrier.highest", "barrier.steps")
    ends = newcombe(a, n, b, m)
    return Estimate("ackley-barrier", gap, *ends, n + m, numbers, variant=variant, reduced=size)
