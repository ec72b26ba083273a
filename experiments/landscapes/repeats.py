"""Searches repeated with other seeds, and what the settings that each one finds do afterwards.

Claims about searches are judged with the searches as the unit: one search is one draw from what a search
finds.
"""

import math
from collections.abc import Callable
from typing import Any

import hydra.utils
import pandas as pd

from experiments.competitors import Optimizer
from experiments.harness.ranges import Range
from experiments.harness.search import best, failed, together
from experiments.harness.session import Compute
from experiments.harness.settings import Count, NonNegative, Seed, Settings, Whole
from experiments.harness.tables import Tables
from experiments.harness.units import Unit, unit
from experiments.landscapes.config import Search, Starts, Study
from experiments.landscapes.ensemble import run
from experiments.landscapes.studies import evaluation, points_of


class Later(Settings):
    """Runs with the settings that a search found.

    Attributes:
        starts: Where they start.
        steps: How many steps each has.
        success: A run is solved if its lowest F is below this, and stays solved if its last F is too.
        seed: Of their random numbers.
    """

    starts: Starts
    steps: Count
    success: NonNegative
    seed: Seed


Plan = Callable[[int, str], dict[str, Later]]
"""What is run after search number ``i`` of a competitor, by the name of the place."""


def searches(
    cfg: Study, compute: Compute, landscape: dict[str, Any], plan: Plan, *labels: object
) -> dict[tuple[str, int], Unit]:
    """The searches of each competitor that has a space, by its name and the number of the block's first.

    The first search is that of the paper, with its trials. Seeds depend on ``labels``.
    """
    found = {}
    for first in range(0, cfg.repeats.searches, cfg.repeats.block):
        numbers = range(first, min(first + cfg.repeats.block, cfg.repeats.searches))
        for name, competitor in cfg.competitors.items():
            if not competitor.space:
                continue
            found[name, first] = unit(
                repeats, landscape=landscape, optimizer=competitor.optimizer(), ensemble=competitor.ensemble,
                space=competitor.space, start=cfg.start, budget=cfg.search,
                seed=compute.seed("trials", *labels, name), first=first,
                streams=[[cfg.seed, "tpe", "search", *labels, name, *again(i)] for i in numbers],
                plans=[plan(i, name) for i in numbers], compiled=cfg.compiled,
            )  # fmt: skip
    return found


def again(number: int) -> list[int]:
    """Labels that tell the seeds of repetitions from those of the first."""
    return [number] if number else []


def repeats(
    landscape: dict[str, Any],
    optimizer: Optimizer,
    ensemble: str,
    space: dict[str, Range],
    start: list[float],
    budget: Search,
    seed: int,
    first: Whole,
    streams: list[list[Any]],
    plans: list[dict[str, Later]],
    compiled: bool,
) -> Tables:
    """Searches by TPE, side by side, each with the runs that are planned for its settings.

    A search depends on its stream only, see :func:`experiments.harness.search.together`; ``first`` is the
    number of the first. It minimises :func:`experiments.landscapes.studies.evaluation` in ``budget.steps``
    steps, which has the other arguments.

    Returns:
        ``trials`` of search number 0, if it is among them: one row a trial, with ``trial``, the settings
        searched, ``loss``, ``status`` and ``steps``. ``runs``, one row for each search with ``where``
        = "search", and one for each point of each plan: ``search``, ``where``, ``point``, ``runs`` (how
        many), ``best`` (their lowest F), ``solved``, ``stay``, ``converged``, ``diverged`` (how many of
        them), ``steps`` (the fewest), and the settings found.
    """
    evaluate = evaluation(landscape, optimizer, ensemble, space, start, budget.steps, seed, compiled)
    trials = together(space, evaluate, budget.trials, streams, budget.batch)
    parts = []
    for number, plan in enumerate(plans):
        mine = trials[trials["search"] == number]
        found = best(mine, space)
        rows = [_of_search(mine)]
        if found:
            rows += [
                _outcomes(landscape, {**optimizer, **found}, ensemble, later, compiled).assign(where=where)
                for where, later in plan.items()
            ]
        settings = found or dict.fromkeys(space, math.nan)
        parts.append(pd.concat(rows).assign(search=first + number, **settings))
    tables = {"runs": pd.concat(parts, ignore_index=True)}
    if not first:
        tables["trials"] = trials[trials["search"] == 0].drop(columns="search")
    return tables


def _of_search(trials: pd.DataFrame) -> pd.DataFrame:
    """The row of a search itself, whose runs are its trials."""
    bad = failed(trials)
    counts = {"runs": len(trials), "solved": 0, "stay": 0, "converged": 0, "diverged": int(bad.sum())}
    lowest = {"best": trials.loc[~bad, "loss"].min(), "steps": int(trials["steps"].min())}
    return pd.DataFrame([{"where": "search", "point": 0, **lowest, **counts}])


def _outcomes(
    landscape: dict[str, Any], optimizer: Optimizer, ensemble: str, later: Later, compiled: bool
) -> pd.DataFrame:
    """What became of the runs from each point."""
    done = run(
        hydra.utils.instantiate(landscape), optimizer, ensemble, points_of(later.starts), later.steps,
        later.seed, compiled=compiled,
    )  # fmt: skip
    status = pd.Series(done.status)
    table = pd.DataFrame({
        "point": [i for i in range(later.starts.points) for _ in range(later.starts.repeats)],
        "runs": 1,
        "best": done.best.numpy(),
        "solved": done.best.numpy() < later.success,
        "stay": done.value.numpy() < later.success,
        "converged": status == "converged",
        "diverged": status == "diverged",
        "steps": done.steps.numpy(),
    })  # fmt: skip
    counts = dict.fromkeys(["runs", "solved", "stay", "converged", "diverged"], "sum")
    return table.groupby("point", as_index=False).agg({**counts, "best": "min", "steps": "min"})
