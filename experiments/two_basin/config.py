"""Settings of section 4.3."""

from typing import Annotated, Self

from pydantic import AfterValidator, model_validator

from experiments.competitors import Competitor, Competitors, all_fixed, check
from experiments.harness.errors import did_you_mean
from experiments.harness.settings import Count, Experiment, PlanePoint, Positive, Settings, Whole

LANDSCAPE = {"_target_": "experiments.landscapes.functions.TwoBasins"}
ENTERED = {"_target_": "experiments.landscapes.basins.Entered"}


class Counts(Settings):
    """Runs from the start until they first enter a basin.

    ``n_bounces`` takes the place of the competitor's; None for one that has no bounces. Fig. 6 shows
    ``published_runs`` of one count; all others have 0.
    """

    competitor: str
    label: str
    runs: Count
    n_bounces: float | None = None
    published_runs: Whole = 0


class Cloud(Settings):
    """Runs from points in the square of ± ``side`` around the start, with bounces and without.

    ``no_bounces`` are settings of the method that switch bounces off.
    """

    runs: Count
    side: Positive
    no_bounces: dict[str, float]


class Occupation(Settings):
    """Endless runs: the share of time in each basin (beyond the paper).

    After ``burn_in`` steps, a point every ``every`` steps counts. The competitor has ΔV < 0, so that V > 0
    and no run ends.
    """

    runs: Count
    steps: Count
    burn_in: Whole
    every: Count
    start: PlanePoint
    competitor: str

    @model_validator(mode="after")
    def _some_steps_count(self) -> Self:
        if self.burn_in >= self.steps:
            raise ValueError(f"occupation.burn_in={self.burn_in}: must be below steps={self.steps}")
        return self


class Config(Experiment):
    """Settings of section 4.3; nothing is searched.

    A unit of work has ``block`` runs; no result depends on it.
    """

    start: PlanePoint
    steps: Count
    competitors: Annotated[Competitors, AfterValidator(all_fixed)]
    counts: dict[str, Counts]
    block: Count
    trajectories: Count
    cloud: Cloud
    occupation: Occupation
    compiled: bool

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        named = {f"counts.{name}": part.competitor for name, part in self.counts.items()}
        for key, name in {**named, "occupation": self.occupation.competitor}.items():
            if name not in self.competitors:
                hint = did_you_mean(name, self.competitors)
                raise ValueError(f"{key}.competitor={name}: no such competitor{hint}")
        if sum(part.published_runs > 0 for part in self.counts.values()) != 1:
            raise ValueError("counts: one must have published_runs, as Fig. 6 and the ratio are about it")
        key = f"competitors.{self.occupation.competitor}.fixed.delta_v"
        delta_v = self.competitors[self.occupation.competitor].fixed.get("delta_v", 0.0)
        if not (isinstance(delta_v, int | float) and delta_v < 0):
            raise ValueError(f"{key}={delta_v}: must be below 0, so that V > 0 and no run of occupation ends")
        return self

    def check(self, key: str = "") -> None:
        """Check the competitors, those with the number of bounces of a count too."""
        super().check(key)
        for name, part in self.counts.items():
            check(f"counts.{name}", self.counted(part))

    def counted(self, count: Counts) -> Competitor:
        """The competitor of a count with its number of bounces."""
        competitor = self.competitors[count.competitor]
        given = {} if count.n_bounces is None else {"n_bounces": count.n_bounces}
        return competitor.model_copy(update={"fixed": {**competitor.fixed, **given}})

    @property
    def unused(self) -> list[str]:
        """The competitors that are in no count, and not in the occupation."""
        used = {self.occupation.competitor, *(part.competitor for part in self.counts.values())}
        return [name for name in self.competitors if name not in used]

    @property
    def published(self) -> str:
        """The name of the count that Fig. 6 is about."""
        return next(name for name, part in self.counts.items() if part.published_runs)
