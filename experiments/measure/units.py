"""Beyond the paper: does a bouncing run follow the volume law, and how does a barrier slow it down?"""

from collections.abc import Iterator
from typing import Any

import hydra.utils
import numpy as np
import pandas as pd
import scipy.optimize
import torch

from experiments.competitors import Optimizer
from experiments.harness.session import Compute
from experiments.harness.settings import Count, Seed, Whole
from experiments.harness.tables import Tables, join
from experiments.harness.units import Unit, unit
from experiments.landscapes.basins import LANDSCAPE, Entered, inside
from experiments.landscapes.ensemble import run as run_ensemble
from experiments.measure.config import Config, Escape, Occupation
from experiments.measure.landscapes import Crossed, DoubleWell, Wells

Work = Iterator[tuple[dict[str, Any], Unit]]
"""Units of work with the labels of their rows."""


def run(cfg: Config, compute: Compute) -> Tables:
    """Count the share of time in wells, and the steps to pass a barrier."""
    work = [*_occupation(cfg, compute), *_entries(cfg, compute), *_escape(cfg, compute)]
    return join(compute.labelled(work, "runs"))


def wells(plan: Occupation, n: int) -> Wells:
    """The wells in n dimensions, along the axes: in the plane on both sides of each."""
    centers = plan.distance * np.vstack([np.eye(n), -np.eye(n)])[: len(plan.bottoms)]
    corners = tuple(map(tuple, centers.tolist()))
    return Wells(tuple(plan.bottoms), tuple(plan.steepness), corners, plan.radius)


def _plain(landscape: Wells | DoubleWell) -> dict[str, Any]:
    kind = type(landscape)
    return {"_target_": f"{kind.__module__}.{kind.__qualname__}", **vars(landscape)}


def _occupation(cfg: Config, compute: Compute) -> Work:
    plan = cfg.occupation
    for place in plan.places.values():
        n, runs = place.dimension, place.runs
        for energy in plan.energies:
            for name, competitor in plan.competitors.items():
                optimizer = competitor.optimizer({"delta_e": energy - 1})
                labels = {"stage": "occupation", "name": name, "dimension": n, "energy": energy}
                seed = compute.seed("occupation", n, energy, name)
                for first in range(0, runs, plan.block):
                    yield labels, unit(
                        occupation, landscape=_plain(wells(plan, n)), optimizer=optimizer,
                        ensemble=competitor.ensemble, first=first, runs=min(plan.block, runs - first),
                        steps=plan.steps, burn_in=plan.burn_in, every=plan.every, seed=seed,
                        compiled=cfg.compiled,
                    )  # fmt: skip


def _entries(cfg: Config, compute: Compute) -> Work:
    plan = cfg.entries
    for lr, t0, n_bounces in plan.settings():
        longer = plan.lr[0] / lr
        for name, competitor in plan.competitors.items():
            times = {"t0": round(t0 * longer), "t1": round(competitor.fixed["t1"] * longer)}
            optimizer = competitor.optimizer({"lr": lr, **times, "n_bounces": n_bounces})
            labels = {"stage": "entries", "name": name, "lr": lr, "t0": t0, "n_bounces": n_bounces}
            for first in range(0, plan.runs, plan.block):
                yield labels, unit(
                    entries, optimizer=optimizer, ensemble=competitor.ensemble, start=plan.start, first=first,
                    runs=min(plan.block, plan.runs - first), steps=round(plan.steps * longer),
                    seed=compute.seed("entries"), compiled=cfg.compiled,
                )  # fmt: skip


def _escape(cfg: Config, compute: Compute) -> Work:
    plan = cfg.escape
    for barrier in plan.barriers:
        landscape = double_well(barrier, plan)
        for name, competitor in plan.competitors.items():
            energy = {"delta_e": competitor.barriers * barrier} if competitor.barriers else {}
            yield {"stage": "escape", "name": name, "barrier": barrier}, unit(
                escape, landscape=_plain(landscape), optimizer=competitor.optimizer(energy),
                ensemble=competitor.ensemble, runs=plan.runs if competitor.stochastic else 1,
                steps=plan.steps, seed=compute.seed("escape", name), compiled=cfg.compiled,
            )  # fmt: skip


def double_well(barrier: float, plan: Escape) -> DoubleWell:
    """The double well whose barrier has this height."""

    def off(height: float) -> float:
        return DoubleWell(height, plan.tilt).barrier() - barrier

    return DoubleWell(float(scipy.optimize.brentq(off, plan.tilt, barrier + 10 * plan.tilt)), plan.tilt)


def occupation(
    landscape: dict[str, Any], optimizer: Optimizer, ensemble: str, first: Whole, runs: Count, steps: Count,
    burn_in: Whole, every: Count, seed: Seed, compiled: bool,
) -> Tables:  # fmt: skip
    """A unit of work: the share of time that runs from the origin, numbered from ``first``, spend in wells.

    Returns:
        ``runs``, one row a run: ``in_1``, ``in_2``, …; NaN if it ended before ``burn_in``. ``steps`` made.
    """
    potential: Wells = hydra.utils.instantiate(landscape, _convert_="all")
    starts = torch.zeros(runs, len(potential.centers[0]), dtype=torch.float64)
    done = run_ensemble(
        potential, optimizer, ensemble, starts, steps, seed, replicas=torch.arange(first, first + runs),
        record_every=every, compiled=compiled,
    )  # fmt: skip
    curves = done.curves
    assert curves is not None
    late = (curves.step >= burn_in) & (curves.step % every == 0)
    here = potential.inside(curves.theta[late]).double().numpy()
    table = pd.DataFrame(here, columns=[f"in_{i + 1}" for i in range(here.shape[1])])
    share = table.groupby(curves.replica[late].numpy()).mean().reindex(range(runs))
    return {"runs": share.assign(run=first + np.arange(runs), steps=done.steps.numpy())}


def entries(
    optimizer: Optimizer, ensemble: str, start: list[float], first: Whole, runs: Count, steps: Count,
    seed: Seed, compiled: bool,
) -> Tables:  # fmt: skip
    """A unit of work: which basin of section 4.3 runs enter first, numbered from ``first`` on.

    Returns:
        ``runs``, one row: ``first_1`` and ``first_2``, how many of ``runs`` enter basin 1 or 2 first, and
        ``median``, the median of their steps.
    """
    done = run_ensemble(
        LANDSCAPE, optimizer, ensemble, torch.tensor([start] * runs, dtype=torch.float64), steps, seed,
        replicas=torch.arange(first, first + runs), stop=Entered(), slots=512, compiled=compiled,
    )  # fmt: skip
    row = {f"first_{i}": int(inside(done.theta, i).sum()) for i in (1, 2)}
    return {"runs": pd.DataFrame([{**row, "runs": runs, "median": float(done.steps.double().median())}])}


def escape(
    landscape: dict[str, Any], optimizer: Optimizer, ensemble: str, runs: Count, steps: Count, seed: Seed,
    compiled: bool,
) -> Tables:  # fmt: skip
    """A unit of work: the steps of runs from the higher minimum to the lower one.

    Returns:
        ``runs``, one row a run: ``steps``, ``crossed``.
    """
    potential: DoubleWell = hydra.utils.instantiate(landscape)
    starts = torch.full((runs, 1), potential.minimum(), dtype=torch.float64)
    done = run_ensemble(
        potential, optimizer, ensemble, starts, steps, seed, stop=Crossed(), compiled=compiled
    )
    crossed = np.array(done.status) == "stopped"
    return {"runs": pd.DataFrame({"run": range(runs), "steps": done.steps.numpy(), "crossed": crossed})}
