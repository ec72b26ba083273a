"""Section 4.4 from the tables: how many solutions there are, who finds one, and who finds the second."""

import math
from itertools import chain
from typing import TYPE_CHECKING

import pandas as pd
from scipy.stats import chi2_contingency

from experiments.harness.reduced import Reductions, describe, reductions
from experiments.harness.statistics import Estimate, wilson
from experiments.harness.store import Tables
from experiments.pde.outcome import Thresholds

if TYPE_CHECKING:
    from experiments.pde.sections import Config

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
        for claim, value, words in (
            ("pde-boundary", edge, ""),
            ("pde-second-centre", float(centres["second"]), ""),
            ("pde-second-range", float(second["u"].min()), "lowest"),
            ("pde-second-range", float(second["u"].max()), "highest"),
        ):
            found.append(Estimate(claim, value, value, value, 1, variant=words))
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
        networks = list(mine.groupby("network"))
        groups = [(everyone, mine)]
        if len(networks) > 1:
            each = [
                everyone._replace(variant=f"{everyone.variant}, network {number}") for number, _ in networks
            ]
            groups += list(zip(each, [rows for _, rows in networks], strict=True))
        if entrant.optimizer == "bbi":
            found += [_unsolved(who, rows, cfg.thresholds) for who, rows in groups]
        found += [_second(who, rows) for who, rows in groups]
    return found


def _unsolved(about: Estimate, runs: pd.DataFrame, thresholds: Thresholds) -> Estimate:
    """The share of runs that became no solution, with an interval as for :func:`_second`."""
    count, n = int((runs["label"] == "neither").sum()), len(runs)
    nearer = runs[["l2_first", "l2_second"]].min(axis=1)
    half = runs[(nearer <= thresholds.l2 / 2) & (runs["residual"] <= thresholds.residual / 2)]
    strictly = ", ".join(f"{(half['label'] == label).sum()} {label}" for label in ("first", "second"))
    note = (
        f"{n - count} of {n} within a relative L2 error of {thresholds.l2:g} and residual of "
        f"{thresholds.residual:g}, of these within half of both {strictly}; {_note(runs)}"
    )
    low, high = _interval(count, runs)
    return about._replace(claim="pde-solves", estimate=count / n, low=low, high=high, n=n, note=note)


def _interval(count: int, runs: pd.DataFrame) -> tuple[float, float]:
    """Wilson's interval for a share of the runs from one initial network.

    Runs from several networks are no independent draws of one share: what a run becomes depends on the
    network, and the pooled share has no such interval.
    """
    return wilson(count, len(runs)) if runs["network"].nunique() == 1 else (math.nan, math.nan)


def _second(about: Estimate, runs: pd.DataFrame) -> Estimate:
    """The share of runs at the second solution."""
    second = runs["label"] == "second"
    count, n, note = int(second.sum()), len(runs), _note(runs)
    low, high = _interval(count, runs)
    if runs["network"].nunique() > 1 and 0 < count < n:
        test = chi2_contingency(pd.crosstab(runs["network"], second), correction=False)
        if test.expected_freq.min() >= 5:  # of fewer the distribution of χ² says little
            note += f"; that all networks have the same share: p = {test.pvalue:.2g}"
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
    for label in ("first", "second"):
        if (runs["label"] == label).any():
            error = runs.loc[runs["label"] == label, f"l2_{label}"].median()
            parts.append(f"median relative L2 error of the {label} {error:.2g}")
    diverged = int((runs["status"] == "diverged").sum())
    return "; ".join(parts + ([f"{diverged} diverged"] if diverged else []))
