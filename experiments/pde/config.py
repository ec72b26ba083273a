"""Settings of section 4.4."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from experiments.competitors import Competitor, one_method
from experiments.harness.errors import did_you_mean
from experiments.harness.settings import (
    Count,
    Device,
    Different,
    Experiment,
    NonNegative,
    Positive,
    Settings,
    Size,
    Whole,
)

Depth = Annotated[int, Field(ge=0, le=1000)]
Variant = Literal["paper", "released"]


class Entrant(Competitor):
    """A competitor and its budget: ``runs`` from each initial network, of ``iterations`` steps.

    Fresh points are drawn every ``redraw`` iterations; with 0 they are the same in all runs.
    """

    iterations: Count
    redraw: Whole
    runs: Whole

    @model_validator(mode="before")
    @classmethod
    def _nothing_is_searched(cls, settings: Any) -> Any:
        """Optimizers come with ranges for searches: what has one is given here."""
        if not isinstance(settings, Mapping):
            return settings
        space, fixed = settings.get("space") or {}, settings.get("fixed") or {}
        if not (isinstance(space, Mapping) and isinstance(fixed, Mapping)):
            return settings  # which is refused by their types
        for name in space:
            if name not in fixed:
                raise ValueError(f"fixed.{name} must be given, as nothing is searched here")
        return {**settings, "space": {}}


class Problem(Settings):
    """The problem in d dimensions for one k, the network (56) of width N and depth D, and the loss (19).

    ``interior`` points are in the ball, ``boundary`` points on the sphere; ``regularizer`` is that of |Θ|².
    The curves have a row every ``record_every`` iterations.
    """

    k: Positive
    dimension: Size
    width: Size
    depth: Depth
    interior: Count
    boundary: Count
    gamma: NonNegative
    regularizer: NonNegative
    record_every: Count


class Task(Problem):
    """A problem, and who trains on it, from how many initial networks.

    ``reduced`` says what is smaller than published; it is empty for the paper's own problem.
    """

    networks: Count
    reduced: str
    competitors: Annotated[dict[str, Entrant], AfterValidator(one_method)]

    @property
    def label(self) -> str:
        """How tables name the problem."""
        return f"k={self.k:g}" + ("" if self.dimension == 2 else f", d={self.dimension}")

    @property
    def title(self) -> str:
        """How figures and the report name the problem."""
        return self.label.replace("=", " = ")

    @property
    def problem(self) -> Problem:
        """The settings on which a training depends."""
        return Problem(**self.model_dump(include=set(Problem.model_fields)))


class Engine(Settings):
    """How trainings are done; the variant ``released`` asks for the equation on the sphere too."""

    variant: Variant
    device: Device
    compiled: bool


class Thresholds(Settings):
    """What makes a network a solution, judged by so many ``points``: both must hold.

    ``l2`` is the largest relative L2 error against the solution, ``residual`` the largest root mean square of
    the residual, relative to that of f.
    """

    points: Count
    l2: Positive
    residual: Positive


class Config(Experiment):
    """Settings of section 4.4: problems by name, and which of them to train on and to shoot for."""

    problems: dict[str, Task]
    train: Annotated[list[str], Different]
    shoot: Annotated[list[str], Different]
    engine: Engine
    thresholds: Thresholds

    @model_validator(mode="after")
    def _problems_exist_and_differ(self) -> Self:
        for key in ("train", "shoot"):
            for name in getattr(self, key):
                if name not in self.problems:
                    raise ValueError(f"{key}={name}: no such problem{did_you_mean(name, self.problems)}")
        labels = [self.problems[name].label for name in {*self.train, *self.shoot}]
        for label in labels:
            if labels.count(label) > 1:
                raise ValueError(f"problems: two of them are {label}; train and shoot one at a time")
        runs = [entrant.runs for name in self.train for entrant in self.problems[name].competitors.values()]
        if not self.shoot and not any(runs):
            raise ValueError("shoot=[]: nothing to do; name one there, or give a competitor in train runs")
        return self
