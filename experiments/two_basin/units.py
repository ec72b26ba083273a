"""Section 4.3, two basins: does a bouncing run choose between minima by their phase-space volume?"""

import sys
from typing import Any

import hydra.utils
import numpy as np
import pandas as pd
import torch

from experiments.competitors import Optimizer, method
from experiments.harness.session import Compute
from experiments.harness.tables import Tables, join, labelled
from experiments.harness.units import Unit, unit
from experiments.landscapes import studies
from experiments.landscapes.basins import inside
from experiments.landscapes.config import Starts
from experiments.landscapes.ensemble import run as run_ensemble
from experiments.landscapes.studies import by_key
from experiments.two_basin.config import ENTERED, LANDSCAPE, Config, Occupation


def run(cfg: Config, compute: Compute) -> Tables:
    """Count first entries, draw trajectories, switch bounces off, and measure the share of time."""
    ours = cfg.competitors[method(cfg.competitors)]
    for name in cfg.unused:
        more = f"+counts.{name}={{competitor:{name},label:LABEL,runs:1000}}"
        print(f"two_basin: {name} is in no count and makes no runs; add {more}", file=sys.stderr)
    # One number of slots for all: one kernel to compile.
    common = {"landscape": LANDSCAPE, "steps": cfg.steps, "seed": compute.seed("entries"), "stop": ENTERED,
              "compiled": cfg.compiled, "slots": 512}  # fmt: skip
    units: dict[tuple[str, str, int], Unit] = {}
    for variant, count in cfg.counts.items():
        mine = cfg.counted(count)
        for first in range(0, count.runs, cfg.block):
            starts = Starts(center=cfg.start, repeats=min(cfg.block, count.runs - first))
            units["entry", variant, first] = unit(
                studies.runs, **common, optimizer=mine.optimizer(), ensemble=mine.ensemble, starts=starts,
                first=first,
            )  # fmt: skip
    common["ensemble"] = ours.ensemble
    starts = Starts(center=cfg.start, repeats=cfg.trajectories)
    units["trajectory", "", 0] = unit(
        studies.runs, **common, optimizer=ours.optimizer(), starts=starts, record_every=10
    )
    around = Starts(center=cfg.start, side=cfg.cloud.side, points=cfg.cloud.runs, seed=compute.seed("cloud"))
    for variant, given in {"bounces": {}, "no bounces": cfg.cloud.no_bounces}.items():
        units["cloud", variant, 0] = unit(
            studies.runs, **common, optimizer=ours.optimizer(given), starts=around
        )
    endless = cfg.competitors[cfg.occupation.competitor]
    units["occupation", "endless", 0] = unit(
        occupation, landscape=LANDSCAPE, optimizer=endless.optimizer(), ensemble=endless.ensemble,
        plan=cfg.occupation, seed=compute.seed("occupation"), compiled=cfg.compiled,
    )  # fmt: skip
    return join([_labelled(*key, tables) for key, tables in by_key(compute, units, "runs").items()])


def _labelled(stage: str, variant: str, first: int, tables: Tables) -> Tables:
    """A unit's rows with labels; of an end point the basin is kept, 0 for neither."""
    if stage == "trajectory":
        return {"curves": labelled(tables["curves"], stage=stage)}
    runs = tables["runs"]
    if stage != "occupation":
        theta = torch.tensor(runs[["x1", "x2"]].to_numpy())
        basin = inside(theta, 1).long() + 2 * inside(theta, 2).long()
        runs = pd.DataFrame({"run": first + np.arange(len(runs)), "basin": basin, "steps": runs["steps"]})
    return {"runs": labelled(runs, stage=stage, variant=variant)}


def occupation(
    landscape: dict[str, Any],
    optimizer: Optimizer,
    ensemble: str,
    plan: Occupation,
    seed: int,
    compiled: bool,
) -> Tables:
    """The share of time that endless runs spend in each basin.

    Returns:
        ``runs``, one row a run: ``in_basin_1``, ``in_basin_2``, NaN if it ended before ``plan.burn_in``.
    """
    starts = torch.tensor([plan.start] * plan.runs, dtype=torch.float64)
    done = run_ensemble(
        hydra.utils.instantiate(landscape), optimizer, ensemble, starts, plan.steps, seed,
        record_every=plan.every, compiled=compiled,
    )  # fmt: skip
    curves = done.curves
    assert curves is not None
    late = curves.step >= plan.burn_in
    table = {"run": curves.replica[late].numpy()}
    table |= {f"in_basin_{i}": inside(curves.theta[late], i).double().numpy() for i in (1, 2)}
    share = pd.DataFrame(table).groupby("run").mean().reindex(range(plan.runs)).reset_index(names="run")
    return {"runs": share.assign(steps=done.steps.numpy())}
