"""What the tables of section 4.2 say of its claims."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch

from experiments.competitors import baselines, method
from experiments.harness.claims import published
from experiments.harness.reduced import Reduced
from experiments.harness.search import failed
from experiments.harness.statistics import FEWEST, UNKNOWN, Estimate, wilson
from experiments.harness.tables import Tables, table_of, where
from experiments.landscapes.estimates import depends_on, over_searches, searched
from experiments.landscapes.functions import Zakharov
from experiments.zakharov.config import Config


def estimate(tables: Tables, cfg: Config) -> list[Estimate]:
    """Answers to the claims of section 4.2."""
    labels = ("stage", "competitor", "side", "point", "search", "where")
    runs = table_of(tables, "runs", *labels, "best", "status", "steps", "converged", "diverged")
    trials = table_of(tables, "trials", "competitor", "loss", "status")
    long, reduced = where(runs, stage="long").set_index("competitor"), Reduced(cfg)
    start = float(Zakharov()(torch.tensor(cfg.start, dtype=torch.float64))[0])
    found = [Estimate("zakharov-start", start, reduced=reduced("start"))]
    again = where(runs, stage="search")
    found.append(_speed_by_search(_speed(long, trials, cfg, reduced), again, cfg))
    found += _from_random_points(where(runs, stage="random"), again, cfg, reduced)
    found += searched(trials, cfg, reduced)
    for name, lowest in long["best"].items():
        claim = f"zakharov-{cfg.competitors[str(name)].paper}-long"
        size = reduced(*depends_on(cfg, str(name)), "long.steps")
        if claim in published():
            found.append(Estimate(claim, lowest, reduced=size))
    return found


def _speed(long: pd.DataFrame, trials: pd.DataFrame, cfg: Config, reduced: Reduced) -> Estimate:
    """How much lower than the best baseline BBI comes, and whether it stops at ΔV as that does not."""
    bad = trials.assign(bad=failed(trials)).groupby("competitor", sort=False)["bad"].agg(["sum", "count"])
    numbers: dict[str, Any] = {
        "failures": [{"name": name, "failed": k, "trials": n} for name, (k, n) in bad.iterrows()],
        "lowest": long["best"].to_dict(),
        "rival": "",
        "steps": 0,
        "status": "",
        "stopped": math.nan,
    }
    size = reduced("start", "search.*", "competitors.*", "long.steps")
    ours, best = method(cfg.competitors), long["best"]
    rivals = [name for name in baselines(cfg.competitors) if name in best.index]
    if not rivals or ours not in best.index:
        return Estimate("zakharov-speed", *UNKNOWN, len(long), numbers, reduced=size)
    rival, floor = best[rivals].idxmin(), cfg.competitors[ours].fixed.get("delta_v", 0.0)
    numbers |= {"rival": rival, "steps": long["steps"][ours], "status": long["status"][ours]}
    numbers["stopped"] = long["status"][ours] == "converged" and best[ours] <= floor
    gap = float(np.log10(best[rival]) - np.log10(best[ours]))
    return Estimate("zakharov-speed", gap, gap, gap, len(long), numbers, reduced=size)


def _speed_by_search(one: Estimate, runs: pd.DataFrame, cfg: Config) -> Estimate:
    """The same of repeated searches, where there are enough: the median, and the share that stops at ΔV.

    Each search of BBI meets the best of the baselines' searches with its number.
    """
    long = where(runs, where="long")
    best = long.pivot(index="search", columns="competitor", values="best")
    ours = method(cfg.competitors)
    rivals = [name for name in baselines(cfg.competitors) if name in best]
    if not rivals or ours not in best or best[ours].count() < FEWEST:
        return one
    gap = np.log10(best[rivals].min(axis=1)) - np.log10(best[ours])
    gap = gap.fillna(best[ours].isna().map({True: -np.inf, False: np.inf}))  # who found nothing has lost
    stopped = where(long, competitor=ours)["converged"].sum() / len(gap)
    return over_searches(one, gap, stopped=float(stopped))


def _from_random_points(
    runs: pd.DataFrame, again: pd.DataFrame, cfg: Config, reduced: Reduced
) -> Iterator[Estimate]:
    """Share of points where BBI ends lower than a baseline; diverged is highest.

    Where both diverged BBI is not better: such points count against it.
    """
    ours = method(cfg.competitors)
    floor = cfg.competitors[ours].fixed.get("delta_v", 0.0)
    for side in cfg.random.sides:
        mine = where(runs, side=side)
        best = mine.assign(best=mine["best"].where(mine["status"] != "diverged", np.inf))
        lowest = best.pivot(index="point", columns="competitor", values="best")
        for name in baselines(cfg.competitors):
            if ours not in lowest or name not in lowest:
                continue
            bbi, other = lowest[ours], lowest[name]
            wins, n = int((bbi < other).sum()), len(lowest)
            off, others_off = np.isinf(bbi), np.isinf(other)
            numbers = {
                "lower": wins,
                "higher": int((bbi > other).sum()),
                "floor": floor,
                "there": int((bbi <= floor).sum()),
                "others_there": int((other <= floor).sum()),
                "diverged": int(off.sum()),
                "others_diverged": int(others_off.sum()),
                "alone": int((off & ~others_off).sum()),
                "others_alone": int((others_off & ~off).sum()),
            }
            variant = f"{cfg.competitors[name].label}, starts in ±{side:g}"
            both = (f"competitors.{one}.*" for one in (ours, name))
            size = reduced("start", "search.*", "random.steps", *both)
            share = (wins / n, *wilson(wins, n))
            one = Estimate("zakharov-random", *share, n, numbers, variant=variant, reduced=size)
            yield _random_by_search(one, where(again, where=f"side {side:g}"), ours, name)


def _random_by_search(one: Estimate, runs: pd.DataFrame, ours: str, rival: str) -> Estimate:
    """The same of repeated searches, where there are enough: the median share over pairs of searches."""
    best = runs["best"].where(runs["diverged"] == 0, np.inf)
    lowest = runs.assign(best=best).pivot(index=["search", "point"], columns="competitor", values="best")
    if ours not in lowest or rival not in lowest:
        return one
    pairs = lowest[[ours, rival]].dropna()
    shares = (pairs[ours] < pairs[rival]).groupby("search").mean()
    return over_searches(one, shares, share_range=(shares.min(), shares.max()))
