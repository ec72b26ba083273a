"""Studies on a landscape: how good settings are, and runs with those that a search found.

A section makes units of work of the functions here, and adds labels to the rows that they return.
"""

from collections.abc import Hashable, Mapping
from typing import Any, TypeVar

import hydra.utils
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from experiments.competitors import Optimizer
from experiments.harness.ranges import Range
from experiments.harness.search import Evaluate, best
from experiments.harness.session import Compute
from experiments.harness.settings import Count, Whole
from experiments.harness.tables import Tables
from experiments.harness.units import Unit
from experiments.landscapes.config import Starts, Study
from experiments.landscapes.ensemble import curve_rows, ends, run, uniform_points

Key = TypeVar("Key", bound=Hashable)


def tuned(cfg: Study, searched: Mapping[tuple[str, int], Tables]) -> dict[str, dict[str, Any]]:
    """Each competitor with all its settings; it is left out if every trial of its first search failed.

    ``searched`` has blocks of searches, by the competitor and the number of the block's first.
    """
    trials = {name: tables["trials"] for (name, first), tables in searched.items() if not first}
    found = {name: best(mine, cfg.competitors[name].space) for name, mine in trials.items()}
    return {
        name: competitor.optimizer(found.get(name))
        for name, competitor in cfg.competitors.items()
        if not competitor.space or found[name] is not None
    }


def by_key(compute: Compute, units: Mapping[Key, Unit], what: str) -> dict[Key, Tables]:
    """Compute units that have keys; their tables have the same keys."""
    return dict(zip(units, compute(list(units.values()), what), strict=True))


def evaluation(
    landscape: dict[str, Any],
    optimizer: Optimizer,
    ensemble: str,
    space: dict[str, Range],
    start: list[float],
    steps: int,
    seed: int,
    compiled: bool,
) -> Evaluate:
    """The objective of a search over ``space``: the lowest F in ``steps`` steps from ``start``.

    ``landscape`` is the ``_target_`` and arguments of a potential, ``ensemble`` as of
    :class:`experiments.competitors.Competitor`.
    """
    potential = hydra.utils.instantiate(landscape)
    axis = "lr" if "lr" in space else next(iter(space))

    def evaluate(points: list[dict[str, float]]) -> pd.DataFrame:
        columns = {name: torch.tensor([p[name] for p in points], dtype=torch.float64) for name in space}
        # The bits of its step size number a trial, so that each has its own bounces in any batch.
        numbers = columns[axis].view(torch.int64)
        starts = torch.tensor([start] * len(points), dtype=torch.float64)
        done = run(
            potential, {**optimizer, **columns}, ensemble, starts, steps, seed, replicas=numbers,
            compiled=compiled,
        )  # fmt: skip
        # A run that ends in NaN or infinity is a failed trial, whatever it saw on the way.
        loss = np.where(np.array(done.status) == "diverged", np.nan, done.best.numpy())
        return pd.DataFrame({"loss": loss, "status": done.status, "steps": done.steps.numpy()})

    return evaluate


def runs(
    landscape: dict[str, Any],
    optimizer: Optimizer,
    ensemble: str,
    starts: Starts,
    steps: Count,
    seed: int,
    compiled: bool,
    record_every: Whole = 0,
    first: Whole = 0,
    slots: int | None = None,
    stop: dict[str, Any] | None = None,
    drawn: Count | None = None,
) -> Tables:
    """Runs with one setting, numbered from ``first`` on, which is the address of their random numbers.

    ``drawn`` is how many of them have curves, with a point every ``record_every`` steps; of the others only
    those points are kept at which the lowest F so far has fallen, and the ends. ``slots`` is how many are
    side by side in a compiled ensemble; ``stop`` the ``_target_`` and arguments of a hashable function of
    points (R, n) and values (R,) that ends runs.

    Returns:
        ``runs``, one row a run, see :func:`experiments.landscapes.ensemble.ends`; ``curves`` if recorded.
    """
    points = points_of(starts)
    done = run(
        hydra.utils.instantiate(landscape), optimizer, ensemble, points, steps, seed,
        replicas=torch.arange(first, first + len(points)),
        record_every=record_every, slots=slots,
        stop=hydra.utils.instantiate(stop), compiled=compiled,
    )  # fmt: skip
    if not record_every:
        return {"runs": ends(done)}
    curves = curve_rows(done)
    number, lowest = curves["run"], curves["lowest"]
    at_an_end = (number != number.shift()) | (number != number.shift(-1))
    kept = (number < (drawn or len(points))) | at_an_end | (lowest != lowest.shift())
    return {"runs": ends(done), "curves": curves[kept]}


def points_of(starts: Starts) -> Tensor:
    """The starting points, float64 (points · repeats, n)."""
    center = torch.tensor([starts.center] * starts.points, dtype=torch.float64)
    if starts.side:
        n = len(starts.center)
        center = center + uniform_points(starts.points, n, -starts.side, starts.side, starts.seed)
    return center.repeat_interleave(starts.repeats, 0)
