"""Settings of section 4.2."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from experiments.harness.settings import Count, Different, Positive, Settings
from experiments.landscapes.config import Study

LANDSCAPE = {"_target_": "experiments.landscapes.functions.Zakharov"}


class Long(Settings):
    """Long runs with the best settings from the search's start (Fig. 4)."""

    steps: Count
    record_every: Count

    @model_validator(mode="after")
    def _something_is_recorded(self) -> Self:
        if self.record_every > self.steps:
            raise ValueError(f"record_every={self.record_every}: must be steps={self.steps} or less")
        return self


class Random(Settings):
    """Runs from ``points`` random points of each cube [-side, side]ⁿ."""

    points: Count
    steps: Count
    sides: Annotated[list[Positive], Field(min_length=1), Different]


class Config(Study):
    """Settings of section 4.2."""

    long: Long
    random: Random
