"""Section 4.4 from the tables: how many solutions there are, who finds one, and who finds the second."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from experiments.harness.reduced import describe, reductions
from experiments.harness.stats import Estimate, wilson
from experiments.harness.store import Tables

if TYPE_CHECKING:
    from experiments.pde import Config


def claims(tables: Tables, cfg: "Config") -> list[Estimate]:
    """Answers to the claims of section 4.4, and numbers published beside them."""
    return [*_solutions(tables["curves"], cfg), *_trainings(tables, cfg)]


def _solutions(curves: pd.DataFrame, cfg: "Config") -> list[Estimate]:
    """The number of radial solutions for each k, and what they are for the paper's."""
    found = []
    for name in cfg.shoot:
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
        reduced = "" if not task.reduced else f"k = {task.k:g}"
        found.append(
            Estimate(
                "pde-second-solution", count, count, count, len(scan), note, count == 2,
                variant=f"k = {task.k:g}", reduced=reduced,
            )
        )  # fmt: skip
        if not task.reduced and "second" in centres:
            second = mine[(mine["stage"] == "radial") & (mine["solution"] == "second")]
            edge = float(second.loc[second["r"].idxmax(), "u"])
            numbers = {"pde-boundary": edge, "pde-second-centre": float(centres["second"])}
            found += [Estimate(claim, value, value, value, 1) for claim, value in numbers.items()]
    return found


def _trainings(tables: Tables, cfg: "Config") -> list[Estimate]:
    """For BBI on each problem: the share of runs that are no solution, and that are the second one."""
    found: list[Estimate] = []
    if "runs" not in tables:
        return found
    runs = tables["runs"]
    for name in cfg.train:
        task = cfg.problems[name]
        for contender, entrant in task.contenders.items():
            mine = runs[(runs["problem"] == task.label) & (runs["contender"] == contender)]
            if mine.empty:
                continue
            reduced = task.reduced or _shorter(cfg, name, contender)
            variant = f"{entrant.label}, k = {task.k:g}"
            if entrant.optimizer == "bbi":
                found.append(_share("pde-solves", mine, "neither", variant, reduced))
            found.append(_share("pde-both", mine, "second", variant, reduced))
            networks = list(mine.groupby("network"))
            if len(networks) > 1:  # which solution a run becomes depends on where it starts
                found += [
                    _share("pde-both", rows, "second", f"{variant}, network {network}", reduced)
                    for network, rows in networks
                ]
    return found


def _share(claim: str, runs: pd.DataFrame, label: str, variant: str, reduced: str) -> Estimate:
    """The share of runs with a label, with Wilson's interval."""
    count, n = int((runs["label"] == label).sum()), len(runs)
    holds = {"first", "second"} <= set(runs["label"]) if claim == "pde-both" else None
    share = Estimate(claim, count / n, *wilson(count, n), n, _note(runs))
    return share._replace(variant=variant, reduced=reduced, holds=holds)


def _shorter(cfg: "Config", problem: str, contender: str) -> str:
    """What a profile took from the iterations of the paper's problem, in words."""
    key = f"problems.{problem}.contenders.{contender}.iterations"
    return describe({k: v for k, v in reductions(cfg).items() if k == key})


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
