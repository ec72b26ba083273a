"""Settings of section 4.2."""

from typing import Annotated

from pydantic import Field

from experiments.harness.settings import Count, Different, Positive, Settings
from experiments.landscapes.config import Study

LANDSCAPE = {"_target_": "experiments.landscapes.functions.Zakharov"}


class Long(Settings):
    """Long runs with the best settings from the search's start (Fig. 4)."""

    steps: Count
    record_every: Count


class Random(Settings):
    """Runs from ``points`` random points of each cube [-side, side]ⁿ."""

    points: Count
    steps: Count
    sides: Annotated[list[Positive], Field(min_length=1), Different]


class Config(Study):
    """Settings of section 4.2."""

    long: Long
    random: Random
