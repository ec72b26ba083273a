"""Settings of section 4.2."""

from typing import Annotated

from pydantic import Field

from experiments.competitors import Competitors
from experiments.harness.settings import Count, Experiment, Point, Positive, Settings
from experiments.landscapes.studies import Search

LANDSCAPE = {"_target_": "experiments.landscapes.functions.Zakharov"}


class Long(Settings):
    """Long runs with the best settings from the search's start (Fig. 4)."""

    steps: Count
    record_every: Count


class Random(Settings):
    """Runs from ``points`` random points of each cube [-side, side]ⁿ."""

    points: Count
    steps: Count
    sides: Annotated[list[Positive], Field(min_length=1)]


class Config(Experiment):
    """Settings of section 4.2.

    Attributes:
        start: Starting point of searches and long runs, which sets the dimension n.
        search: Budget of the searches.
        competitors: The optimizers, by name.
        long: Long runs.
        random: Runs from random points.
        compiled: Compile kernels.
    """

    start: Point
    search: Search
    competitors: Competitors
    long: Long
    random: Random
    compiled: bool
