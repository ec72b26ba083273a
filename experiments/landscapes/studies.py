"""Units of work on landscapes: a search, and runs from many points with the settings that it found."""

from typing import Any

import hydra.utils
import numpy as np
import pandas as pd
import torch
from torch import Tensor

from experiments.competitors import Competitor, Optimizer
from experiments.harness.search import Range, tpe
from experiments.harness.settings import Count, NonNegative, Point, Seed, Settings, Whole
from experiments.harness.tables import Tables
from experiments.landscapes.ensemble import curve_rows, ends, run, uniform_points


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


def competes(competitor: Competitor) -> dict[str, Any]:
    """The arguments of the units below that say how a competitor runs."""
    return {"optimizer": competitor.optimizer(), "ensemble": competitor.ensemble}


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

    Returns:
        ``runs``, one row a run, see :func:`experiments.landscapes.ensemble.ends`; ``curves`` if recorded.
    """
    points = starts.tensor()
    done = run(
        hydra.utils.instantiate(landscape), optimizer, ensemble, points, steps, seed,
        replicas=torch.arange(first, first + len(points)), record_every=record_every, slots=slots,
        compiled=compiled,
    )  # fmt: skip
    return {"runs": ends(done), **({"curves": curve_rows(done)} if record_every else {})}
