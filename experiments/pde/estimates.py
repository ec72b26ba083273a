"""Section 4.4 from the tables: how many solutions there are, which runs find one, and which the second."""

from typing import Any

import pandas as pd
from scipy.stats import chi2_contingency

from experiments.competitors import method
from experiments.harness.reduced import Reduced
from experiments.harness.statistics import UNKNOWN, Estimate, wilson
from experiments.harness.tables import Tables, where
from experiments.pde.config import Config, Problem, Thresholds

PROBLEM = [key for key in Problem.model_fields if key != "record_every"]
BUDGET = ("iterations", "redraw", "fixed.*", "_target_")


def estimate(tables: Tables, cfg: Config) -> list[Estimate]:
    """Answers to the claims of section 4.4, and numbers published beside them."""
    reduced = Reduced(cfg)
    found = [answer for name in cfg.shoot for answer in _solutions(tables["curves"], cfg, name, reduced)]
    if "runs" in tables:
        found += [answer for name in cfg.train for answer in _trainings(tables["runs"], cfg, name, reduced)]
    return found


def _solutions(curves: pd.DataFrame, cfg: Config, name: str, reduced: Reduced) -> list[Estimate]:
    """The number of radial solutions of a problem, and what they are for the paper's."""
    task = cfg.problems[name]
    mine = where(curves, problem=task.label)
    scan = where(mine, stage="shooting_scan").sort_values("u0")
    above = scan["boundary_residual"].to_numpy() > 0
    count = int((above[1:] != above[:-1]).sum())
    radial = where(mine, stage="radial")
    centres = where(radial, r=0).set_index("solution")["u"]
    numbers = {"lowest": scan["u0"].min(), "highest": scan["u0"].max(), "centres": list(centres)}
    size = f"k = {task.k:g}" if task.reduced else reduced(f"problems.{name}.k", f"problems.{name}.dimension")
    found = [Estimate("pde-second-solution", count, count, count, len(scan), numbers, None, task.title, size)]
    if not size and "second" in centres:
        second = where(radial, solution="second")
        for claim, value, variant in (
            ("pde-boundary", second.loc[second["r"].idxmax(), "u"], ""),
            ("pde-second-centre", centres["second"], ""),
            ("pde-second-range", second["u"].min(), "lowest"),
            ("pde-second-range", second["u"].max(), "highest"),
        ):
            found.append(Estimate(claim, value, value, value, 1, variant=variant))
    return found


def _trainings(runs: pd.DataFrame, cfg: Config, name: str, reduced: Reduced) -> list[Estimate]:
    """For each competitor on a problem: the share of runs that are no solution, and of the second one."""
    task = cfg.problems[name]
    found: list[Estimate] = []
    for competitor, entrant in task.competitors.items():
        mine = where(runs, problem=task.label, competitor=competitor)
        if mine.empty:
            continue
        keys = [*PROBLEM, *(f"competitors.{competitor}.{key}" for key in BUDGET)]
        ours = reduced(*(f"problems.{name}.{key}" for key in keys), "thresholds.*", "engine.variant")
        variant = f"{entrant.label}, {task.title}"
        groups = {variant: mine}
        if mine["network"].nunique() > 1:
            groups |= {f"{variant}, initial network {one}": rows for one, rows in mine.groupby("network")}
        about = [
            (Estimate("", *UNKNOWN, len(rows), variant=words, reduced=task.reduced or ours), rows)
            for words, rows in groups.items()
        ]
        if entrant.target == task.competitors[method(task.competitors)].target:
            found += [_unsolved(one, rows, cfg.thresholds) for one, rows in about]
        found += [_second(one, rows) for one, rows in about]
    return found


def _unsolved(about: Estimate, runs: pd.DataFrame, thresholds: Thresholds) -> Estimate:
    """The share of runs that became no solution."""
    unsolved = runs["label"] == "neither"
    nearer = runs[["l2_first", "l2_second"]].min(axis=1)
    half = runs[(nearer <= thresholds.l2 / 2) & (runs["residual"] <= thresholds.residual / 2)]
    numbers = {"solved": int((~unsolved).sum()), "thresholds": thresholds, "half": _counts(half)}
    return _share("pde-solves", unsolved, about, runs, numbers)


def _second(about: Estimate, runs: pd.DataFrame) -> Estimate:
    """The share of runs at the second solution."""
    second, p = runs["label"] == "second", None
    if runs["network"].nunique() > 1 and second.nunique() > 1:
        test = chi2_contingency(pd.crosstab(runs["network"], second), correction=False)
        if test.expected_freq.min() >= 5:  # with fewer the statistic does not follow the χ² distribution
            p = float(test.pvalue)
    both = runs.groupby("network")["label"].agg(lambda labels: {"first", "second"} <= set(labels))
    return _share("pde-both", second, about, runs, {"p": p, "both": int(both.sum())})


def _share(
    claim: str, which: "pd.Series[Any]", about: Estimate, runs: pd.DataFrame, numbers: dict[str, Any]
) -> Estimate:
    """The share of ``which`` runs, with Wilson's interval if they are from one initial network.

    Runs from several networks are no independent draws of one share: what a run becomes depends on the
    network, and the pooled share has no such interval.
    """
    count, n = int(which.sum()), len(runs)
    low, high = wilson(count, n) if runs["network"].nunique() == 1 else UNKNOWN[1:]
    numbers, counts = {**numbers, **_outcomes(runs)}, (count, n)
    return about._replace(claim=claim, estimate=count / n, low=low, high=high, numbers=numbers, counts=counts)


def _outcomes(runs: pd.DataFrame) -> dict[str, Any]:
    """What the runs of each initial network became, and how accurate those that solve the problem are."""
    return {
        "networks": [{"number": number, **_counts(rows)} for number, rows in runs.groupby("network")],
        "errors": {
            label: float(rows[f"l2_{label}"].median())
            for label, rows in runs.groupby("label")
            if label != "neither"
        },
        "diverged": int((runs["status"] == "diverged").sum()),
    }


def _counts(runs: pd.DataFrame) -> dict[str, int]:
    """How many runs became which solution."""
    return {label: int((runs["label"] == label).sum()) for label in ("first", "second", "neither")}
