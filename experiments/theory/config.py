"""Settings of sections 2 and 3.3 and appendix A."""

from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

import hydra.utils
from pydantic import AfterValidator, Field, model_validator

from experiments.competitors import Competitor, all_fixed
from experiments.harness.errors import UserError
from experiments.harness.settings import (
    Count,
    Different,
    Experiment,
    Finite,
    FitCounts,
    FitPoints,
    NonNegative,
    Positive,
    Settings,
    Size,
)

if TYPE_CHECKING:
    # For the types alone: torch takes seconds to import, which not all commands need.
    from torch import Tensor

    from bbi.simulate import Potential


def _make(key: str, target: dict[str, Any]) -> Any:
    """The object that a ``_target_`` and its arguments stand for."""
    try:
        return hydra.utils.instantiate(target)
    except Exception as error:  # importing runs a module, which may raise anything
        raise UserError(f"{key}._target_={target.get('_target_')}: cannot be made ({error})") from error


def _compared(competitors: dict[str, Competitor]) -> dict[str, Competitor]:
    for role in ("method", "baseline"):
        if role not in {competitor.role for competitor in competitors.values()}:
            raise ValueError(f"one must have role={role}, as method and baseline are compared")
    return all_fixed(competitors)


Target = dict[str, Any]
"""``_target_`` and arguments of an object, such as a law of :mod:`bbi` or a landscape."""
Compared = Annotated[dict[str, Competitor], AfterValidator(_compared)]
"""Competitors whose settings are all given, a method and a baseline among them."""
Dimension = Annotated[int, Field(ge=1, le=20)]  # float64 cannot hold the volumes of more
Depth = Annotated[int, Field(ge=0, le=12)]  # likewise


class Landscape(Settings):
    """A landscape, the settings of BBI on it, and the cube [-side, side]ⁿ where its runs start."""

    landscape: Target
    dimension: Size
    side: Positive
    lr: Positive
    delta_v: Finite
    delta_e: NonNegative

    def check(self, key: str = "") -> None:
        """Check that the landscape can be made, and takes points of this dimension."""
        import torch

        potential = _make(f"{key}.landscape", self.landscape)
        try:
            potential(torch.zeros(1, self.dimension, dtype=torch.float64))
        except Exception as error:  # a user's potential may raise anything
            raise UserError(f"{key}: the landscape takes no points of {self.dimension} dimensions") from error

    @property
    def potential(self) -> "Potential":
        """F and ∇F."""
        found: Potential = hydra.utils.instantiate(self.landscape)
        return found

    def starts(self, count: int, seed: int) -> "Tensor":
        """Random points of the cube, float64 (count, n); more points begin with the same ones."""
        from experiments.landscapes.ensemble import uniform_points

        return uniform_points(count, self.dimension, -self.side, self.side, seed)


class Runs(Settings):
    """How many runs, and how many steps each makes at most."""

    runs: Count
    steps: Count


class Bowl(Runs):
    """Runs in a bowl V = ½ Σ m_i² θ_i² from points at the distance ``radius``."""

    m: Annotated[list[Positive], Field(min_length=1)]
    radius: Positive
    delta_e: NonNegative


class Energy(Runs):
    """Runs on landscapes without bounces whose every step is audited, eqs. (4) and (31).

    The step size is halved ``halvings`` times, with twice the steps, to see the order of the error;
    ``continued`` runs are integrated in continuous time too.
    """

    law: Target
    halvings: Annotated[int, Field(ge=2, le=8)]
    continued: Count
    landscapes: Annotated[dict[str, Landscape], Field(min_length=1)]

    def check(self, key: str = "") -> None:
        """Check the law and the landscapes."""
        _make(f"{key}.law", self.law)
        super().check(key)


class Member(Settings):
    """A law of the family, or one that is shown for contrast."""

    label: str
    color: str
    marker: str = "o"
    law: Target
    role: Literal["family", "contrast"] = "family"

    def check(self, key: str = "") -> None:
        """Check that the law can be made."""
        _make(f"{key}.law", self.law)


class Family(Bowl):
    """Every law in a bowl (appendix A.2); ``continued`` runs are integrated in continuous time too."""

    continued: Count
    lr: Positive
    laws: Annotated[dict[str, Member], Field(min_length=1)]


class Stall(Runs):
    """Long runs on Ackley's function from points in [-side, side]²: which come to rest (theorem 2.1)?"""

    steps: Annotated[int, Field(ge=100)]
    side: Positive
    competitors: Compared


class Shallow(Settings):
    """Steps until |θ| has shrunk from 1 to ``target`` in V = ½ m² θ², for several m; at most ``steps``."""

    m: FitPoints
    target: Annotated[float, Field(gt=0, lt=1)]
    steps: Count
    competitors: Compared


class Overshoot(Bowl):
    """Runs across V = 0, where F = ΔV, for several step sizes."""

    delta_v: Positive
    lr: Annotated[FitPoints, Different]

    @model_validator(mode="after")
    def _starts_above_zero(self) -> Self:
        low = 0.5 * (min(self.m) * self.radius) ** 2
        if self.delta_v >= low:
            raise ValueError(
                f"overshoot.delta_v={self.delta_v}: must be below {low:g}, the least F of a start"
            )
        return self


class TooHigh(Landscape):
    """A landscape with minimum F = 0 and a ΔV above it."""

    delta_v: Positive


class Tuned(Runs):
    """Runs with a ΔV above the minimum, fixed or lowered on the way (section 3.3).

    The landscape gives step size, ΔV and δE of the optimizer, which is one that can lower ΔV.
    """

    optimizer: Competitor
    landscapes: Annotated[dict[str, TooHigh], Field(min_length=1)]


class Volumes(Settings):
    """Volumes around minima with V_I = 10^-depth, in n dimensions; ``energy`` ≫ 1 stands for V ≪ E."""

    n: Annotated[list[Dimension], Field(min_length=1), Different]
    depths: Annotated[list[Depth], Field(min_length=2), Different]
    energy: Annotated[float, Field(ge=10, le=1e4)]


class Phase(Settings):
    """How far ``runs`` trainings go in ``lags`` steps, after ``epochs`` of the set's first ``images``."""

    runs: Count
    images: Count
    epochs: Count
    lags: FitCounts


class Diffusion(Settings):
    """Trainings of the paper's CNN on digits, and how far each goes from where it was in each of the phases.

    Training i of each competitor starts from the same network, with the same batches.
    """

    batch: Count
    phases: Annotated[dict[str, Phase], Field(min_length=1)]
    competitors: Compared


class Config(Experiment):
    """What is checked, and how long."""

    energy: Energy
    family: Family
    stall: Stall
    shallow: Shallow
    overshoot: Overshoot
    tuned: Tuned
    volumes: Volumes
    diffusion: Diffusion
