"""Studies on a landscape: settings are searched for each competitor, and runs are made with what was found.

A section makes units of work of the functions here, and adds labels to the rows that they return.
"""

from collections.abc import Hashable, Mapping
from typing import Any, TypeVar

import hydra.utils
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from experiments.competitors import Competitors, Optimizer
from experiments.harness.search import Range, best, tpe
from experiments.harness.session import Compute
from experiments.harness.settings import Count, Experiment, NonNegative, Point, Seed, Settings, Whole
from experiments.harness.tables import Tables
from experiments.harness.units import Unit, unit
from experiments.landscapes.ensemble import curve_rows, ends, run, uniform_points

Key = TypeVar("Key", bound=Hashable)


class Search(Settings):
    """The budget of a search: ``trials`` of ``steps`` steps each, ``batch`` of them suggested at a time."""

    trials: Count
    steps: Count
    batch: Count = 1


class Starts(Settings):
    """Starting points.

    Attributes:
        center: A point.
        side: Points are uniform in the cube center ± side; with 0 all are the center.
        points: How many.
        repeats: Runs from each of them.
        seed: Of the points.
    """

    center: Point
    side: NonNegative = 0.0
    points: Count = 1
    repeats: Count = 1
    seed: Seed = 0

    def tensor(self) -> Tensor:
        """The points, float64 (points · repeats, n)."""
        center = torch.tensor([self.center] * self.points, dtype=torch.float64)
        if self.side:
            n = len(self.center)
            center = center + uniform_points(self.points, n, -self.side, self.side, self.seed)
        return center.repeat_interleave(self.repeats, 0)


class Study(Experiment):
    """Settings of an experiment that searches each competitor's settings on a landscape.

    Attributes:
        start: Starting point of the searches, which sets the dimension n.
        search: Budget of each search.
        competitors: The optimizers, by name.
        compiled: Compile kernels.
    """

    start: Point
    search: Search
    competitors: Competitors
    compiled: bool


def searches(cfg: Study, compute: Compute, landscape: dict[str, Any], *labels: object) -> dict[str, Unit]:
    """A search for each competitor that has something to be searched, by name.

    Args:
        cfg: The settings.
        compute: Gives the seeds.
        landscape: As for :func:`search`.
        labels: Tell the seeds apart from those of searches on other landscapes.
    """
    return {
        name: unit(
            search, landscape=landscape, optimizer=competitor.optimizer(), ensemble=competitor.ensemble,
            space=competitor.space, start=cfg.start, budget=cfg.search,
            seed=compute.seed("trials", *labels, name), stream=[cfg.seed, "tpe", "search", *labels, name],
            compiled=cfg.compiled,
        )
        for name, competitor in cfg.competitors.items()
        if competitor.space
    }  # fmt: skip


def tuned(cfg: Study, searched: Mapping[str, Tables]) -> dict[str, dict[str, Any]]:
    """Each competitor with all its settings; it is left out if every trial of its search failed.

    Args:
        cfg: The settings.
        searched: Results of :func:`searches` by competitor.
    """
    found = {name: best(t["trials"], cfg.competitors[name].space) for name, t in searched.items()}
    return {
        name: competitor.optimizer(found.get(name))
        for name, competitor in cfg.competitors.items()
        if not competitor.space or found[name] is not None
    }


def by_key(compute: Compute, units: Mapping[Key, Unit], what: str) -> dict[Key, Tables]:
    """Compute units that have keys; their tables have the same keys."""
    return dict(zip(units, compute(list(units.values()), what), strict=True))


def search(
    landscape: dict[str, Any],
    optimizer: Optimizer,
    ensemble: str,
    space: dict[str, Range],
    start: list[float],
    budget: Search,
    seed: int,
    stream: list[Any],
    compiled: bool,
) -> Tables:
    """Search settings by TPE: the lowest F in ``budget.steps`` steps from ``start`` is minimised.

    Args:
        landscape: ``_target_`` and arguments of a potential of :mod:`experiments.landscapes.functions`.
        optimizer: Class and fixed settings.
        ensemble: How runs are computed, as in :class:`experiments.competitors.Competitor`.
        space: What is searched.
        start: One point.
        budget: Trials and steps.
        seed: Of the runs.
        stream: Labels from which the seeds of TPE follow, as for :func:`experiments.harness.search.tpe`.
        compiled: Compile kernels.

    Returns:
        ``trials``, one row a trial: ``trial``, the settings searched, ``loss``, ``status``, ``steps``.
    """
    potential = hydra.utils.instantiate(landscape)
    axis = "lr" if "lr" in space else next(iter(space))

    def evaluate(points: list[dict[str, float]]) -> pd.DataFrame:
        columns = {name: torch.tensor([p[name] for p in points], dtype=torch.float64) for name in space}
        # The bits of its step size number a trial, so that each has its own bounces in any batch.
        numbers = columns[axis].view(torch.int64)
        starts = torch.tensor([start] * len(points), dtype=torch.float64)
        done = run(
            potential, {**optimizer, **columns}, ensemble, starts, budget.steps, seed, replicas=numbers,
            compiled=compiled,
        )  # fmt: skip
        # A run that ends in NaN or infinity is a failed trial, whatever it saw on the way.
        loss = np.where(np.array(done.status) == "diverged", np.nan, done.best.numpy())
        return pd.DataFrame({"loss": loss, "status": done.status, "steps": done.steps.numpy()})

    return {"trials": tpe(space, evaluate, budget.trials, stream, budget.batch)}


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
    """Runs from many points with one setting.

    Args:
        landscape: As for :func:`search`.
        optimizer: Class and all settings.
        ensemble: As for :func:`search`.
        starts: Where they start.
        steps: Steps at most.
        seed: With the number of a run, the address of its random numbers.
        compiled: Compile kernels.
        record_every: Steps from one point of the curves to the next; 0 for no curves.
        first: Number of the first run: the runs of several units then have numbers of their own.
        slots: Runs side by side in a compiled ensemble.
        stop: ``_target_`` and arguments of a condition that ends a run, a hashable function of points (R, n)
            and values (R,).
        drawn: How many of the runs have curves; all of them by default.

    Returns:
        ``runs``, one row a run, see :func:`experiments.landscapes.ensemble.ends`; ``curves`` if recorded.
    """
    points = starts.tensor()
    done = run(
        hydra.utils.instantiate(landscape), optimizer, ensemble, points, steps, seed,
        replicas=torch.arange(first, first + len(points)),
        record_every=record_every, slots=slots,
        stop=hydra.utils.instantiate(stop), compiled=compiled,
    )  # fmt: skip
    if not record_every:
        return {"runs": ends(done)}
    curves = curve_rows(done)
    return {"runs": ends(done), "curves": curves[curves["run"] < (drawn or len(points))]}
