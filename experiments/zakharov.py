"""Section 4.2: the Zakharov function in ten dimensions. Who is faster along a shallow valley?"""

from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from experiments.harness.config import Base, at_least, positive
from experiments.harness.contenders import Contender, Search
from experiments.harness.errors import UserError
from experiments.harness.figures import COLOURS, looks
from experiments.harness.search import failed
from experiments.harness.stats import Estimate, wilson
from experiments.harness.store import Lab, Tables
from experiments.problems.contest import Contest, curve_rows, rows, uniform_points
from experiments.problems.landscapes import Zakharov


@dataclass
class Long:
    """Long runs with the best settings from the search's start (Fig. 4)."""

    steps: int
    record_every: int


@dataclass
class Random:
    """Runs from ``points`` random points of each cube [-side, side]ⁿ."""

    points: int
    steps: int
    sides: list[float]


@dataclass(kw_only=True)
class Config(Base):
    """Settings of section 4.2."""

    start: list[float]
    search: Search
    contenders: dict[str, Contender]
    long: Long
    random: Random
    compiled: bool

    def validate(self) -> None:
        """Budgets of 1 or more, sides above 0, a start."""
        super().validate()
        if not self.start:
            raise UserError("start=[]: must be a list of numbers, one for each dimension")
        for name in ("steps", "record_every"):
            at_least(f"long.{name}", getattr(self.long, name), 1)
        for name in ("points", "steps"):
            at_least(f"random.{name}", getattr(self.random, name), 1)
        for side in self.random.sides:
            positive("random.sides", side)


def run(cfg: Config, lab: Lab) -> None:
    """Search each contender; run those that found settings long, and from random points."""
    contest = Contest(lab, cfg.compiled)
    for name, contender in cfg.contenders.items():
        settings = contest.tune({"contender": name}, contender, Zakharov(), cfg.start, cfg.search)
        if settings is not None:
            _long(cfg, contest, name, settings)
            for side in cfg.random.sides:
                _random(cfg, contest, name, settings, side)


def _long(cfg: Config, contest: Contest, name: str, settings: dict[str, float]) -> None:
    plan, stage = cfg.long, {"stage": "long", "contender": name}

    def compute() -> Tables:
        start, rule = torch.tensor([cfg.start], dtype=torch.float64), cfg.contenders[name].optimizer
        done = contest.run(Zakharov(), rule, settings, start, plan.steps, 0, record_every=plan.record_every)
        curves = curve_rows(done, **stage)[["stage", "contender", "run", "step", "loss"]]
        return {"runs": rows(done, **stage, side=0.0, point=0, **settings), "curves": curves}

    key = {"long": {"contender": name}, "start": cfg.start, "settings": settings, "plan": vars(plan)}
    contest.unit(key, compute)


def _random(cfg: Config, contest: Contest, name: str, settings: dict[str, float], side: float) -> None:
    n, plan, stage = len(cfg.start), cfg.random, {"stage": "random", "contender": name}

    def compute() -> Tables:
        starts = uniform_points(plan.points, n, -side, side, contest.lab.seed("points", side))
        rule = cfg.contenders[name].optimizer
        # So few runs that the lanes of the searches, which are compiled already, are the faster ones.
        done = contest.run(Zakharov(), rule, settings, starts, plan.steps, 0, lanes=16)
        return {"runs": rows(done, **stage, side=side, point=np.arange(len(starts)), **settings)}

    what = {"n": n, "points": plan.points, "steps": plan.steps, "side": side}
    contest.unit({"random": {"contender": name}, "settings": settings, "plan": what}, compute)


def _contenders(tables: Tables, cfg: Config, optimizer: str) -> list[str]:
    ran = set(tables["runs"]["contender"])
    return [name for name, c in cfg.contenders.items() if c.optimizer == optimizer and name in ran]


def figures(tables: Tables, cfg: Config) -> dict[str, Figure]:
    """Fig. 4, the random starts, and what the searches saw."""
    return {
        "fig4_long_runs": _long_runs(tables, cfg),
        "random_starts": _random_starts(tables, cfg),
        "searches": _searches(tables["trials"], cfg),
    }


def _looks(cfg: Config) -> dict[str, dict[str, Any]]:
    return looks({name: contender.optimizer for name, contender in cfg.contenders.items()})


def _long_runs(tables: Tables, cfg: Config) -> Figure:
    """Fig. 4: F against the step, with each contender's best settings."""
    figure, axes = plt.subplots()
    for name, look in _looks(cfg).items():
        path = tables["curves"][tables["curves"]["contender"] == name]
        if len(path):
            axes.plot(path["step"], path["loss"], label=cfg.contenders[name].label, **look)
    axes.axhline(
        cfg.contenders["bbi"].fixed["delta_v"], color="black", linewidth=0.8, linestyle=":", label="ΔV"
    )
    axes.set(xlabel="step", ylabel="F", yscale="log", title=f"Zakharov function, n = {len(cfg.start)}")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.set_size_inches(8.0, 4.2)
    return figure


def _random_starts(tables: Tables, cfg: Config) -> Figure:
    """Lowest F from each random point, sorted, for each contender; diverged runs are missing at the right."""
    runs = tables["runs"][tables["runs"]["stage"] == "random"]
    figure, panels = plt.subplots(1, len(cfg.random.sides), figsize=(9.6, 4.2), sharey=True, squeeze=False)
    for axes, side in zip(panels[0], cfg.random.sides, strict=True):
        for name, look in _looks(cfg).items():
            mine = runs[(runs["contender"] == name) & (runs["side"] == side)]
            if len(mine):
                good = np.sort(mine["best"][mine["status"] != "diverged"])
                axes.plot(np.arange(1, len(good) + 1), good, label=cfg.contenders[name].label, **look)
        axes.set(xlabel="starting points, sorted", yscale="log", title=f"starts in [−{side:g}, {side:g}]ⁿ")
    panels[0][0].set_ylabel(f"lowest F in {cfg.random.steps:,} steps")
    panels[0][-1].legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def _searches(trials: pd.DataFrame, cfg: Config) -> Figure:
    """Every trial's loss against its step size; failed ones along the top."""
    names = [name for name in cfg.contenders if (trials["contender"] == name).any()]
    figure, panels = plt.subplots(2, -(-len(names) // 2), figsize=(10, 5.6), sharey=True)
    finite = trials["loss"][np.isfinite(trials["loss"])]
    top = 10 * (finite.max() if len(finite) else 1.0)
    for axes, name in zip(panels.flat, names, strict=False):
        mine = trials[trials["contender"] == name]
        bad = failed(mine)
        axes.plot(
            mine["lr"][~bad],
            mine["loss"][~bad],
            ".",
            markersize=3,
            color=COLOURS[cfg.contenders[name].optimizer],
        )
        axes.plot(mine["lr"][bad], np.full(bad.sum(), top), "x", markersize=3, color="black")
        axes.set(
            xscale="log",
            yscale="log",
            title=f"{cfg.contenders[name].label}: {bad.sum()} of {len(mine)} diverged",
        )
    for axes in list(panels.flat)[len(names) :]:
        axes.set_visible(False)
    figure.supxlabel("step size (× : diverged)")
    figure.supylabel(f"lowest F in {cfg.search.steps:,} steps")
    return figure


def claims(tables: Tables, cfg: Config) -> list[Estimate]:
    """Answers to the claims of section 4.2."""
    runs, trials = tables["runs"], tables["trials"]
    found = [
        Estimate(
            "zakharov-start",
            float(Zakharov()(torch.tensor(cfg.start, dtype=torch.float64))[0]),
            np.nan,
            np.nan,
            1,
        )
    ]
    gdm, bbi = _contenders(tables, cfg, "gdm"), _contenders(tables, cfg, "bbi")
    long = runs[runs["stage"] == "long"].set_index("contender")
    if gdm and "bbi" in bbi:
        rival = long.loc[gdm, "best"].idxmin()
        gap = float(np.log10(long["best"][rival] / long["best"]["bbi"]))
        floor = cfg.contenders["bbi"].fixed["delta_v"]
        holds = bool(
            long["status"]["bbi"] == "converged" and long["best"]["bbi"] <= floor < long["best"][rival]
        )
        failures = (
            trials.assign(bad=failed(trials)).groupby("contender", sort=False)["bad"].agg(["sum", "count"])
        )
        bad = ", ".join(f"{name} {k} of {n}" for name, (k, n) in failures.iterrows())
        lowest = ", ".join(f"{name} {value:.3g}" for name, value in long["best"].items())
        note = (
            f"best GDM: {rival}; BBI {long['status']['bbi']} after {long['steps']['bbi']} steps; lowest F: "
            f"{lowest}; diverged trials: {bad}"
        )
        found.append(Estimate("zakharov-speed", gap, np.nan, np.nan, len(long), note, holds))
        found += _random_claims(runs, cfg, gdm)
    for name, short in (("gdm", "gdm"), ("gdm_narrow", "narrow"), ("gdm_gamma", "gamma"), ("bbi", "bbi")):
        found += _searched(trials[trials["contender"] == name], long, name, short)
    return found


def _random_claims(runs: pd.DataFrame, cfg: Config, gdm: list[str]) -> list[Estimate]:
    """Share of points where BBI ends lower than a GDM contender, minus one half."""
    found = []
    for side in cfg.random.sides:
        mine = runs[(runs["stage"] == "random") & (runs["side"] == side)]
        lowest = mine.assign(best=mine["best"].where(mine["status"] != "diverged", np.inf)).pivot(
            index="point", columns="contender", values="best"
        )
        for name in gdm:
            wins, n = int((lowest["bbi"] < lowest[name]).sum()), len(lowest)
            low, high = wilson(wins, n)
            note = (
                f"BBI lower from {wins} of {n} points; GDM diverged from {int(np.isinf(lowest[name]).sum())}"
            )
            variant = f"{cfg.contenders[name].label}, side {side:g}"
            found.append(
                Estimate("zakharov-random", wins / n - 0.5, low - 0.5, high - 0.5, n, note, variant=variant)
            )
    return found


def _searched(trials: pd.DataFrame, long: pd.DataFrame, name: str, short: str) -> list[Estimate]:
    """A search's best values beside the released code's."""
    good = trials[~failed(trials)]
    if good.empty:
        return [Estimate(f"zakharov-{short}-best", np.nan, np.nan, np.nan, len(trials))]
    top = good.loc[good["loss"].idxmin()]
    values = {"best": float(top["loss"])}
    if short != "gdm":
        values |= {"lr": float(top["lr"]), "long": float(long["best"][name])}
    if short == "narrow":
        values["momentum"] = float(top["momentum"])
    return [
        Estimate(f"zakharov-{short}-{what}", value, np.nan, np.nan, len(trials))
        for what, value in values.items()
    ]
