"""What the tables of section 4.2 say of its claims."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch

from experiments.harness.search import failed
from experiments.harness.statistics import Estimate, wilson
from experiments.harness.tables import Tables, table_of
from experiments.landscapes.ensemble import UNKNOWN, Reduced
from experiments.landscapes.functions import Zakharov

if TYPE_CHECKING:
    from experiments.zakharov.units import Config


def claims(tables: Tables, cfg: "Config") -> list[Estimate]:
    """Answers to the claims of section 4.2."""
    runs = table_of(tables, "runs", "stage", "contender", "side", "point", "best", "status", "steps")
    trials = table_of(tables, "trials", "contender", "loss", "status")
    long, reduced = runs[runs["stage"] == "long"].set_index("contender"), Reduced(cfg)
    start = float(Zakharov()(torch.tensor(cfg.start, dtype=torch.float64))[0])
    found = [Estimate("zakharov-start", start, *UNKNOWN[1:], 1, reduced=reduced("start"))]
    found.append(_speed(long, trials, cfg, reduced))
    found += _from_random_points(runs[runs["stage"] == "random"], cfg, reduced)
    for name, short in (("gdm", "gdm"), ("gdm_narrow", "narrow"), ("gdm_gamma", "gamma"), ("bbi", "bbi")):
        if name in cfg.contenders:
            found += _searched(trials[trials["contender"] == name], long, cfg, name, short, reduced)
    return found


def _gdm(ran: Iterable[str], cfg: "Config") -> list[str]:
    """The GDM contenders among those that ``ran``."""
    names = set(ran)
    return [name for name, c in cfg.contenders.items() if c.optimizer == "gdm" and name in names]


def _speed(long: pd.DataFrame, trials: pd.DataFrame, cfg: "Config", reduced: Reduced) -> Estimate:
    """How much lower than the best GDM BBI comes, and whether it stops at ΔV as GDM does not."""
    bad = trials.assign(bad=failed(trials)).groupby("contender", sort=False)["bad"].agg(["sum", "count"])
    failures = ", ".join(f"{name} {k} of {n}" for name, (k, n) in bad.iterrows())
    size = reduced("start", "search.*", "contenders.*", "long.steps")
    best, gdm = long["best"], _gdm(long.index, cfg)
    if not gdm or "bbi" not in best.index:
        note = f"no settings found for {'GDM' if 'bbi' in best.index else 'BBI'}; diverged trials: {failures}"
        return Estimate("zakharov-speed", *UNKNOWN, len(long), note, reduced=size)
    rival, floor = best[gdm].idxmin(), cfg.contenders["bbi"].fixed.get("delta_v", 0.0)
    holds = bool(long["status"]["bbi"] == "converged" and best["bbi"] <= floor < best[rival])
    lowest = ", ".join(f"{name} {value:.3g}" for name, value in best.items())
    note = (
        f"best GDM: {rival}; BBI {long['status']['bbi']} after {long['steps']['bbi']} steps; "
        f"lowest F: {lowest}; diverged trials: {failures}"
    )
    gap = float(np.log10(best[rival]) - np.log10(best["bbi"]))
    return Estimate("zakharov-speed", gap, *UNKNOWN[1:], len(long), note, holds, reduced=size)


def _from_random_points(runs: pd.DataFrame, cfg: "Config", reduced: Reduced) -> list[Estimate]:
    """Share of points where BBI ends lower than a GDM contender, minus one half; diverged is highest.

    Where both diverged BBI is not better: such points count against it.
    """
    found, gdm = [], _gdm(runs["contender"], cfg)
    for side in cfg.random.sides:
        mine = runs[runs["side"] == side]
        lowest = mine.assign(best=mine["best"].where(mine["status"] != "diverged", np.inf)).pivot(
            index="point", columns="contender", values="best"
        )
        for name in gdm if "bbi" in lowest else []:
            bbi, other = lowest["bbi"], lowest[name]
            wins, n = int((bbi < other).sum()), len(lowest)
            low, high = wilson(wins, n)
            off, others_off = np.isinf(bbi), np.isinf(other)
            note = (
                f"BBI lower from {wins} of {n} points, higher from {(bbi > other).sum()}; "
                f"BBI diverged from {off.sum()} points, GDM from {others_off.sum()}, "
                f"BBI alone from {(off & ~others_off).sum()}, GDM alone from {(others_off & ~off).sum()}"
            )
            variant = f"{cfg.contenders[name].label}, side {side:g}"
            both = (f"contenders.{one}.*" for one in ("bbi", name))
            size = reduced("start", "search.*", "random.steps", *both)
            gap = wins / n - 0.5
            found.append(
                Estimate(
                    "zakharov-random", gap, low - 0.5, high - 0.5, n, note, variant=variant, reduced=size
                )
            )
    return found


def _searched(
    trials: pd.DataFrame, long: pd.DataFrame, cfg: "Config", name: str, short: str, reduced: Reduced
) -> list[Estimate]:
    """A search's best values beside the released code's."""
    good, contender = trials[~failed(trials)], cfg.contenders[name]
    size = reduced.tuned(name, contender)
    if good.empty:
        return [Estimate(f"zakharov-{short}-best", *UNKNOWN, len(trials), reduced=size)]
    top = good.loc[good["loss"].idxmin()]
    values = {"best": float(top["loss"])}
    if short != "gdm":
        values["long"] = float(long["best"][name])
        values |= {"lr": float(top["lr"])} if "lr" in contender.space else {}
    if short == "narrow" and "momentum" in contender.space:
        values["momentum"] = float(top["momentum"])
    longer = reduced.tuned(name, contender, "long.steps")
    return [
        Estimate(
            f"zakharov-{short}-{what}",
            value,
            *UNKNOWN[1:],
            len(trials),
            reduced=longer if what == "long" else size,
        )
        for what, value in values.items()
    ]
