"""What searches found, beside the numbers of the released code, and answers with searches as their unit."""

import math
from collections.abc import Iterator

import pandas as pd

from experiments.harness.claims import published
from experiments.harness.reduced import Reduced
from experiments.harness.search import failed
from experiments.harness.statistics import FEWEST, Estimate, of_median
from experiments.harness.tables import where
from experiments.landscapes.config import Study


def depends_on(cfg: Study, name: str) -> tuple[str, ...]:
    """Patterns of the settings that a competitor's own settings depend on, those of its search included."""
    search = ("start", "search.*") if cfg.competitors[name].space else ()
    return (f"competitors.{name}.*", *search)


def searched(trials: pd.DataFrame, cfg: Study, reduced: Reduced, variant: str = "") -> Iterator[Estimate]:
    """The lowest F of each search and the settings that gave it, as far as ``paper.yaml`` has their ids.

    An id is ``<experiment>-<paper>-<what>``, where what is ``best`` (F) or the name of a setting.
    """
    for name, competitor in cfg.competitors.items():
        mine = where(trials, competitor=name)
        good = mine[~failed(mine)].sort_values("loss", kind="stable")
        for what, column in {"best": "loss", **{key: key for key in competitor.space}}.items():
            claim = f"{cfg.experiment}-{competitor.paper}-{what}"
            if competitor.space and claim in published() and (len(good) or what == "best"):
                value = float(good[column].iloc[0]) if len(good) else math.nan
                size = reduced(*depends_on(cfg, name))
                yield Estimate(claim, value, n=len(mine), variant=variant, reduced=size)


def over_searches(one: Estimate, values: "pd.Series[float]", **numbers: object) -> Estimate:
    """The same answer from one number of each repeated search, where there are enough: their median.

    ``numbers`` are added to those of the answer, or take their place.
    """
    if len(values) < FEWEST:
        return one
    low, high = of_median(values)
    of_all = {**one.numbers, **numbers, "searches": len(values)}
    return one._replace(estimate=float(values.median()), low=low, high=high, n=len(values), numbers=of_all)
