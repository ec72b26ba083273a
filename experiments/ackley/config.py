"""Settings of section 4.1."""

from typing import Annotated

from pydantic import Field

from experiments.harness.settings import Count, Different, PlanePoint, Positive, Settings
from experiments.landscapes.config import Study

REGIMES = ("stuck at the start", "settled elsewhere", "erratic", "diverged", "solved")
"""What becomes of a run of a baseline."""


class Long(Settings):
    """Long runs with the best settings (Figs. 2 and 3): ``runs`` of a stochastic optimizer, one of another.

    ``drawn`` of them have curves, with a point every ``record_every`` steps; of the others only the points
    are kept at which the lowest F so far has fallen.
    """

    steps: Count
    runs: Count
    drawn: Count
    record_every: Count


class Barrier(Settings):
    """Runs of the method over ``values`` of δE from 0 to ``highest``, ``runs`` of each."""

    lr: Positive
    highest: Positive
    values: Count
    runs: Count
    steps: Count


class Regimes(Settings):
    """A grid of a baseline's settings: ``lr`` step sizes, spaced logarithmically, by ``momentum`` momenta."""

    lr: Count
    momentum: Count
    steps: Count


class Robust(Settings):
    """Runs from ``points`` random points in the square [-side, side]², solved if F < ``success``.

    A stochastic optimizer has ``runs`` from each point, others have one.
    """

    points: Count
    runs: Count
    steps: Count
    side: Positive
    success: Positive


class Config(Study):
    """Settings of section 4.1, all of which is computed for each coefficient of the function."""

    coefficients: Annotated[list[Positive], Field(min_length=1), Different]
    start: PlanePoint
    long: Long
    barrier: Barrier
    regimes: Regimes
    robust: Robust


def landscape(coefficient: float) -> dict[str, object]:
    """The Ackley function as plain data."""
    return {"_target_": "experiments.landscapes.functions.Ackley", "coefficient": coefficient}
