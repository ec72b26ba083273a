"""`results/paper.yaml` as data: what the paper claims, how that is judged, and what it prints beside."""

import functools
from collections import Counter
from collections.abc import Mapping
from datetime import date as calendar
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar, get_args

from omegaconf import OmegaConf
from pydantic import Field, StringConstraints, field_validator, model_validator

from experiments.harness.errors import UserError, did_you_mean
from experiments.harness.settings import Count, Finite, Settings, Whole, load

PAPER = Path(__file__).resolve().parents[2] / "results" / "paper.yaml"
Rule = Literal["interval", "ordering", "bound", "shape"]
RULES: tuple[Rule, ...] = get_args(Rule)

Value = TypeVar("Value")
Text = Annotated[str, StringConstraints(min_length=1)]
Width = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Sample(Settings):
    """A published number that is a count: ``successes`` of so many independent trials."""

    successes: Whole
    of: Count

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.successes > self.of:
            raise ValueError(f"successes={self.successes}: must be {self.of} or less, which is of")
        return self


class Condition(Settings):
    """What a named number of an estimate must be, beside the rule, for the claim to hold.

    It is for all variants, or for the one named. Outside the limits the verdict is ``otherwise``.
    """

    number: Text
    at_least: Finite | None = None
    at_most: Finite | None = None
    variant: str | None = None
    otherwise: Literal["violated", "inconclusive"] = "violated"

    @model_validator(mode="after")
    def _limits(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("at_least or at_most must be given")
        return self

    def met(self, value: float) -> bool:
        """Whether a number that is known lies within the limits."""
        above = self.at_least is None or value >= self.at_least
        return above and (self.at_most is None or value <= self.at_most)


class Change(Settings):
    """A rule that changed after its data were seen: ``was`` the rule, ``verdict`` what it said."""

    date: Text
    was: Text
    verdict: Text
    why: Text

    @field_validator("date")
    @classmethod
    def _is_a_date(cls, value: str) -> str:
        calendar.fromisoformat(value)
        return value


class Entry(Settings):
    """What an estimate can answer; ``note`` is the sentence beside an answer, a template."""

    id: Text
    note: str = ""


class Claim(Entry):
    """A claim of the paper and the rule that judges it; the head of `results/paper.yaml` explains each field.

    ``published``, ``sample`` and ``tolerance`` are one for all variants, or one for each that is named.
    """

    section: Text
    statement: Text
    quantity: Text
    published: Finite | dict[str, Finite] | None
    sample: Sample | dict[str, Sample] | None = None
    rule: Rule
    tolerance: Width | dict[str, Width] | None = None
    resolution: Width | None = None
    direction: Literal["greater", "none"] = "greater"
    margin: Finite = 0.0
    require: list[Condition] = Field(default_factory=list)
    thresholds: dict[str, Finite] = Field(default_factory=dict)
    unit: Text
    comparisons: Text
    history: list[Change] = Field(default_factory=list)
    experiment: Text

    @model_validator(mode="after")
    def _can_be_judged(self) -> Self:
        if self.rule == "interval" and self.published is None:
            raise ValueError("published must be given, as rule=interval compares with it")
        if (self.rule == "bound" or self.direction == "none") and self.tolerance is None:
            raise ValueError(f"tolerance must be given, as rule={self.rule} judges by it")
        if self.rule == "shape" and self.published is None and not self.require:
            raise ValueError("require must be given, as rule=shape has nothing published to compare with")
        return self

    @property
    def command(self) -> str:
        """The command that makes the estimates at the published size."""
        return f"python -m experiments experiment={self.experiment} profile=paper"


class Number(Entry):
    """A published number to compare with that no rule judges."""

    what: Text
    value: Any
    source: Text


Some = TypeVar("Some", bound=Entry)


class Paper(NamedTuple):
    """The claims by id, other published numbers by experiment, and how to read many rows together."""

    claims: dict[str, Claim]
    numbers: dict[str, list[Number]]
    comparisons: str


def for_variant(value: Mapping[str, Value] | Value, variant: str) -> Value | None:
    """One value for all variants, or that of the one named; what follows a comma qualifies a variant."""
    return value.get(variant.partition(",")[0]) if isinstance(value, Mapping) else value


def thresholds(claim: str) -> dict[str, float]:
    """The named numbers that the estimates of a claim are made with."""
    return load_paper().claims[claim].thresholds


@functools.cache
def published() -> dict[str, Any]:
    """The published numbers by id: those of the claims, and those beside them."""
    claims, numbers, _ = load_paper()
    beside = {number.id: number.value for number in chain(*numbers.values())}
    return {**{claim.id: claim.published for claim in claims.values()}, **beside}


@functools.cache
def load_paper(path: Path = PAPER) -> Paper:
    """Read and check `paper.yaml`.

    Raises:
        UserError: An entry is not as the head of the file says, or an id is used twice.
    """
    content: Any = OmegaConf.to_container(OmegaConf.load(path))
    claims = [_entry(some, Claim, path, "claim") for some in content["claims"]]
    numbers = {
        name: [_entry(some, Number, path, "number") for some in entries]
        for name, entries in content["published_numbers"].items()
    }
    ids = Counter(entry.id for entry in chain(claims, *numbers.values()))
    if twice := sorted(name for name, count in ids.items() if count > 1):
        raise UserError(f"{path.name}: ids used twice: {', '.join(twice)}; give each entry its own")
    return Paper({claim.id: claim for claim in claims}, numbers, content["comparisons"])


def _entry(given: Mapping[str, Any], schema: type[Some], path: Path, kind: str) -> Some:
    try:
        for key in given.keys() - schema.model_fields.keys():
            raise UserError(f"{key}: no such field{did_you_mean(key, schema.model_fields)}")
        return load(given, schema)
    except UserError as error:
        raise UserError(f"{path.name}, {kind} {given.get('id', 'without id')!r}: {error}") from error
