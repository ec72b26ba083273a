"""Section 4.4 from the tables: how many solutions there are, who finds one, and who finds the second."""

import math
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency

from experiments.harness.reduced import Reductions, describe, reductions
from experiments.harness.stats import Estimate, wilson
from experiments.harness.store import Tables
from experiments.problems.poisson_judge import Thresholds

if TYPE_CHECKING:
    from experiments.pde import Config

PROBLEM = ("k", "dimension", "width", "depth", "interior", "boundary", "gamma", "regularizer")


def claims(tables: Tables, cfg: "Config") -> list[Estimate]:
    """Answers to the claims of section 4.4, and numbers published beside them."""
    other = reductions(cfg)
    found = [_solutions(tables["curves"], cfg, name, other) for name in cfg.shoot]
    if "runs" in tables:
        found += [_trainings(tables["runs"], cfg, name, other) for name in cfg.train]
    return list(chain.from_iterable(found))


def _solutions(curves: pd.DataFrame, cfg: "Config", name: str, other: Reductions) -> list[Estimate]:
    """The number of radial solutions of a problem, and what they are for the paper's."""
    task = cfg.problems[name]
    mine = curves[curves["problem"] == task.label]
    scan = mine[mine["stage"] == "shooting_scan"].sort_values("u0")
    above = scan["miss"].to_numpy() > 0
    count = int((above[1:] != above[:-1]).sum())
    centres = mine[(mine["stage"] == "radial") & (mine["r"] == 0)].set_index("solution")["u"]
    note = (
        f"sign changes of u(1) - f0 among {len(scan)} shots with u(0) from {scan['u0'].min():g} to "
        f"{scan['u0'].max():g}; u(0) = {', '.join(f'{u:.6f}' for u in centres)}"
    )
    reduced = describe(other, f"problems.{name}.k", f"problems.{name}.dimension")
    reduced = reduced or (f"k = {task.k:g}" if task.reduced else "")
    variant = task.label.replace("=", " = ")
    number = Estimate("pde-second-solution", count, count, count, len(scan), note, count == 2)
    found = [number._replace(variant=variant, reduced=reduced)]
    if not reduced and "second" in centres:
        second = mine[(mine["stage"] == "radial") & (mine["solution"] == "second")]
        edge = float(second.loc[second["r"].idxmax(), "u"])
        numbers = {"pde-boundary": edge, "pde-second-centre": float(centres["second"])}
        found += [Estimate(claim, value, value, value, 1) for claim, value in numbers.items()]
    return found


def _trainings(runs: pd.DataFrame, cfg: "Config", name: str, other: Reductions) -> list[Estimate]:
    """For everyone who trains on a problem: the share of runs that are no solution, and the second one."""
    task = cfg.problems[name]
    found: list[Estimate] = []
    for contender, entrant in task.contenders.items():
        mine = runs[(runs["problem"] == task.label) & (runs["contender"] == contender)]
        if mine.empty:
            continue
        keys = [*PROBLEM, *(f"contenders.{contender}.{key}" for key in ("iterations", "redraw", "fixed.*"))]
        ours = describe(other, *(f"problems.{name}.{key}" for key in keys), "thresholds.*", "engine.reading")
        everyone = Estimate(
            "", math.nan, math.nan, math.nan, len(mine),
            variant=f"{entrant.label}, {task.label.replace('=', ' = ')}",
            reduced=task.reduced or ours,
        )  # fmt: skip
        if entrant.optimizer == "bbi":
            found.append(_unsolved(everyone, mine, cfg.thresholds))
        networks = list(mine.groupby("network"))
        found.append(_second(everyone, mine, pooled=len(networks) > 1))
        if len(networks) > 1:
            found += [
                _second(everyone._replace(variant=f"{everyone.variant}, network {network}"), rows)
                for network, rows in networks
            ]
    return found


def _unsolved(about: Estimate, runs: pd.DataFrame, thresholds: Thresholds) -> Estimate:
    """The share of runs that became no solution, with Wilson's interval."""
    count, n = int((runs["label"] == "neither").sum()), len(runs)
    nearer = runs[["l2_first", "l2_second"]].min(axis=1)
    strictly = int(((nearer <= thresholds.l2 / 2) & (runs["residual"] <= thresholds.residual / 2)).sum())
    note = (
        f"{n - count} of {n} within a relative L2 error of {thresholds.l2:g} and residual of "
        f"{thresholds.residual:g}, {strictly} within half of both; {_note(runs)}"
    )
    low, high = wilson(count, n)
    return about._replace(claim="pde-solves", estimate=count / n, low=low, high=high, note=note)


def _second(about: Estimate, runs: pd.DataFrame, pooled: bool = False) -> Estimate:
    """The share of runs at the second solution; Wilson's interval for those from one initial network.

    Runs from several networks are no independent draws of one share: how often a run ends at the second
    solution depends on the network, and the pooled share has no such interval.
    """
    second = runs["label"] == "second"
    count, n, note = int(second.sum()), len(runs), _note(runs)
    low, high = (math.nan, math.nan) if pooled else wilson(count, n)
    if pooled and 0 < count < n:
        p = chi2_contingency(pd.crosstab(runs["network"], second), correction=False).pvalue
        note += f"; that all networks have the same share: p = {p:.2g}"
    both = runs.groupby("network")["label"].agg(lambda labels: {"first", "second"} <= set(labels))
    return about._replace(
        claim="pde-both", estimate=count / n, low=low, high=high, n=n, note=note, holds=bool(both.any())
    )


def _note(runs: pd.DataFrame) -> str:
    """What the runs of each initial network became, and how accurate those that solve it are."""
    parts = []
    for network, rows in runs.groupby("network"):
        counts = rows["label"].value_counts()
        labels = ", ".join(f"{counts.get(label, 0)} {label}" for label in ("first", "second", "neither"))
        parts.append(f"network {network}: {labels}")
    solved = runs[runs["label"] != "neither"]
    if len(solved):
        errors = np.where(solved["label"] == "first", solved["l1_first"], solved["l1_second"])
        parts.append(f"median error of those that solve it {np.median(errors):.2g}")
    diverged = int((runs["status"] == "diverged").sum())
    return "; ".join(parts + ([f"{diverged} diverged"] if diverged else []))
