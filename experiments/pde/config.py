"""Settings of section 4.4."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, model_validator

from experiments.competitors import Competitor, one_method
from experiments.harness.devices import Device
from experiments.harness.errors import did_you_mean
from experiments.harness.settings import Count, Experiment, NonNegative, Positive, Settings, Whole

Variant = Literal["paper", "released"]


class Entrant(Competitor):
    """A competitor and its budget.

    Attributes:
        iterations: Of each run.
        redraw: Fresh points every so many iterations; 0 for the same points in all runs.
        runs: From each initial network; they differ by the bounces and, where redrawn, by the points.
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
        for name in settings.get("space") or {}:
            if name not in (settings.get("fixed") or {}):
                raise ValueError(f"fixed.{name} must be given, as nothing is searched here")
        return {**settings, "space": {}}


class Problem(Settings):
    """The problem for one k, the network and the loss.

    Attributes:
        k: Wiggliness of the manufactured solution.
        dimension: d, of the ball.
        width: N of the network (56).
        depth: D of it.
        interior: Points in the ball.
        boundary: Points on the sphere.
        gamma: γ of the loss (19).
        regularizer: Of |Θ|² in it.
        record_every: Iterations from one row of the curves to the next.
    """

    k: Positive
    dimension: Count
    width: Count
    depth: Whole
    interior: Count
    boundary: Count
    gamma: NonNegative
    regularizer: NonNegative
    record_every: Count


class Task(Problem):
    """A problem, and who trains on it.

    Attributes:
        networks: How many initial networks: numbers 0, 1, … in their order.
        reduced: What is smaller than published; empty for the paper's own problem.
        competitors: The optimizers, by name.
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
    """How all trainings are done.

    Attributes:
        variant: ``paper``, or ``released``: the equation is asked for on the boundary points too.
        device: ``cpu``, ``cuda``, or ``auto``: the GPU if there is one.
        compiled: Compile the gradients.
    """

    variant: Variant
    device: Device
    compiled: bool


class Thresholds(Settings):
    """What makes a network a solution: both must hold.

    Attributes:
        points: How many points it is judged by.
        l2: Largest relative L2 error against the solution.
        residual: Largest root mean square of the residual, relative to that of f.
    """

    points: Count
    l2: Positive
    residual: Positive


class Config(Experiment):
    """Settings of section 4.4.

    Attributes:
        problems: By name.
        train: Names of those that networks are trained on.
        shoot: Names of those whose radial solutions are looked for.
        engine: How networks are trained.
        thresholds: How they are judged.
    """

    problems: dict[str, Task]
    train: list[str]
    shoot: list[str]
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
