"""Settings of the race; docs/race.md is the protocol."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from experiments.competitors import Competitor, arguments, one_method
from experiments.harness.errors import UserError, did_you_mean
from experiments.harness.settings import Count, Different, Experiment, NonNegative, Positive, Settings


class Entrant(Competitor):
    """An optimizer in the race, and what it is told.

    Attributes:
        minimum: Name of the setting that takes the minimum F*; empty if it does not know it.
        too_low: How much lower than F* it is told.
        too_low_share: How much lower than that, as a share of the first F - F*.
        knows_box: Whether its setting ``box`` takes half the side of the box. It then takes no part where
            there is no box.
    """

    minimum: str = ""
    too_low: NonNegative = 0.0
    too_low_share: NonNegative = 0.0
    knows_box: bool = False

    def check(self, key: str = "") -> None:
        """Check the optimizer, and that it takes what it is told."""
        super().check(key)
        told = {f"minimum={self.minimum}": self.minimum, "knows_box=true": "box" if self.knows_box else ""}
        for words, setting in told.items():
            if setting and setting not in arguments(self.target):
                hint = did_you_mean(setting, arguments(self.target))
                raise UserError(f"{key}.{words}: {self.target} has no setting {setting}{hint}")

    @property
    def misled(self) -> bool:
        """Whether it is told a wrong F*."""
        return bool(self.minimum and (self.too_low or self.too_low_share))

    @property
    def knowledge(self) -> str:
        """What it knows, in a word."""
        wrong = "wrong " if self.misled else ""
        minimum = f"{wrong}F*" if self.minimum else ""
        return " and ".join(filter(None, [minimum, "box" if self.knows_box else ""])) or "nothing"


def _falling(targets: list[float]) -> list[float]:
    if any(a <= b for a, b in pairwise(targets)):
        raise ValueError("targets must fall")
    return targets


class Budget(Settings):
    """Evaluations a run, and the targets."""

    evaluations: Annotated[int, Field(ge=2)]
    targets: Annotated[list[Positive], Field(min_length=2), AfterValidator(_falling)]


class Functions(Budget):
    """Functions of :data:`experiments.race.functions.TASKS`, each in all dimensions."""

    names: Annotated[list[str], Field(min_length=1), Different]
    dimensions: Annotated[list[Annotated[int, Field(ge=2, le=1000)]], Field(min_length=1), Different]


class Tuning(Settings):
    """``trials`` random settings, each on the same ``instances``; all of it is done ``repeats`` times."""

    trials: Count
    instances: Annotated[int, Field(ge=2)]
    repeats: Count


class Scoring(Settings):
    """Fresh instances on which the settings found are judged."""

    instances: Count


class Config(Experiment):
    """Who races, on what, and for how long. Networks have their budgets by name."""

    functions: Functions
    networks: dict[str, Budget]
    tuning: Tuning
    scoring: Scoring
    entrants: Annotated[dict[str, Entrant], AfterValidator(one_method)]

    def check(self, key: str = "") -> None:
        """Check the entrants, and that there are such functions and networks, whose modules import torch."""
        from experiments.race.functions import TASKS
        from experiments.race.networks import NETWORKS

        super().check(key)
        chosen: list[tuple[str, list[str], Mapping[str, object]]] = [
            ("functions.names", self.functions.names, TASKS),
            ("networks", list(self.networks), NETWORKS),
        ]
        for setting, names, known in chosen:
            for name in names:
                if name not in known:
                    raise UserError(f"{setting}={name}: not known{did_you_mean(name, known)}")

    @model_validator(mode="after")
    def _known(self) -> Self:
        for name, entrant in self.entrants.items():
            if not entrant.space:
                raise ValueError(f"entrants.{name}.space: must have an axis, as all are tuned alike")
        return self
