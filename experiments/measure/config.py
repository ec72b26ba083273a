"""Settings of the measure."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from experiments.competitors import Competitor, Competitors, all_fixed, arguments, one_method
from experiments.harness.errors import UserError
from experiments.harness.settings import (
    Count,
    Different,
    Experiment,
    FitPoints,
    NonNegative,
    PlanePoint,
    Positive,
    Settings,
    Whole,
)

Depth = Annotated[float, Field(gt=0, lt=1)]


class Place(Settings):
    """A number of dimensions, and how many runs are made there."""

    dimension: Annotated[int, Field(ge=2, le=20)]
    runs: Count


class Occupation(Settings):
    """Endless runs among wells, see :class:`experiments.measure.landscapes.Wells`.

    One well for each of ``bottoms`` and ``steepness``, at ``distance`` from the origin, inside a wall of
    ``radius``. The runs of each of ``places`` start at the origin with each of ``energies``. After
    ``burn_in`` steps a point every ``every`` steps counts. A unit of work has ``block`` runs; no result
    depends on it.
    """

    bottoms: Annotated[list[Depth], Field(min_length=2, max_length=4)]
    steepness: list[Positive]
    distance: Positive
    radius: Positive
    energies: Annotated[list[Annotated[float, Field(gt=1)]], Field(min_length=1), Different]
    places: Annotated[dict[str, Place], Field(min_length=1)]
    block: Count
    steps: Count
    burn_in: Whole
    every: Count
    competitors: Annotated[Competitors, AfterValidator(all_fixed)]

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        if len(self.steepness) != len(self.bottoms):
            raise ValueError(f"steepness={self.steepness}: must have one number for each of bottoms")
        if self.burn_in + self.every > self.steps:
            raise ValueError(
                f"burn_in={self.burn_in}: must be below steps={self.steps} by every={self.every}"
            )
        if len({place.dimension for place in self.places.values()}) < len(self.places):
            raise ValueError("places: two have the same dimension; their runs would be the same")
        if self.distance >= self.radius:
            raise ValueError(f"distance={self.distance}: must be below radius={self.radius}")
        return self


class Entries(Settings):
    """First entries into the two basins of section 4.3, from ``start``.

    The first of ``lr``, ``t0`` and ``n_bounces`` are the paper's; one of them at a time is changed. With
    another ``lr`` the numbers of steps (``steps``, ``t0``, the competitor's ``t1``) keep the physical times.
    ``runs`` of each, ``block`` of them in a unit of work; no result depends on it.
    """

    start: PlanePoint
    steps: Count
    lr: Annotated[list[Positive], Field(min_length=1)]
    t0: Annotated[list[Count], Field(min_length=1)]
    n_bounces: Annotated[list[Whole], Field(min_length=1)]
    runs: Count
    block: Count
    competitors: Annotated[Competitors, AfterValidator(all_fixed)]

    @model_validator(mode="after")
    def _clocks_given(self) -> Self:
        for name, competitor in self.competitors.items():
            if not isinstance(competitor.fixed.get("t1"), int | float):
                raise ValueError(f"competitors.{name}.fixed.t1: must be given, a number of steps")
        return self

    def settings(self) -> list[tuple[float, int, int]]:
        """(lr, T0, N_b) of each scan, the paper's first."""
        lr, t0, n_b = self.lr[0], self.t0[0], self.n_bounces[0]
        changed = [
            *((one, t0, n_b) for one in self.lr),
            *((lr, one, n_b) for one in self.t0[1:]),
            *((lr, t0, one) for one in self.n_bounces[1:]),
        ]
        return list(dict.fromkeys(changed))


class Escaping(Competitor):
    """A competitor whose δE is ``barriers`` times the height of the barrier; 0 leaves δE as it is given."""

    barriers: NonNegative = 0.0


class Escape(Settings):
    """Runs from the higher of two minima until they reach the lower one, for each height of the barrier.

    ``tilt`` is of :class:`experiments.measure.landscapes.DoubleWell`. A stochastic competitor has ``runs``
    runs, another has one.
    """

    barriers: FitPoints
    tilt: Positive
    runs: Count
    steps: Count
    competitors: Annotated[dict[str, Escaping], AfterValidator(one_method), AfterValidator(all_fixed)]


class Config(Experiment):
    """Settings of the measure; nothing is searched."""

    occupation: Occupation
    entries: Entries
    escape: Escape
    compiled: bool

    def check(self, key: str = "") -> None:
        """Check the competitors, and that those of the occupation have an energy to choose."""
        super().check(key)
        for name, competitor in self.occupation.competitors.items():
            if "delta_e" not in arguments(competitor.target):
                raise UserError(
                    f"occupation.competitors.{name}: {competitor.target} has no delta_e, by which the energy "
                    "is chosen; add it to escape.competitors"
                )
