"""Who competes: an optimizer's parameters, given or searched, their ranges, and the budget of a search."""

import math
from collections.abc import Collection
from dataclasses import dataclass, field

from experiments.harness.errors import UserError, did_you_mean
from experiments.harness.settings import at_least, one_of

SCALES = ("linear", "log", "one_minus_log", "neglog")
PARAMETERS = {
    "bbi": ("lr", "delta_v", "delta_e", "t0", "t1", "n_bounces"),
    "gdm": ("lr", "momentum"),
    "sgd": ("lr", "momentum"),
    "adam": ("lr",),
}
NEEDED = {"bbi": ("lr",), "gdm": ("lr", "momentum"), "sgd": ("lr", "momentum"), "adam": ("lr",)}
# Lowest and highest value of each parameter, both allowed; infinities are not, except in WHOLE.
LIMITS: dict[str, tuple[float, float]] = {
    "lr": (0.0, math.inf),
    "momentum": (0.0, 1.0),
    "delta_v": (-math.inf, math.inf),
    "delta_e": (0.0, math.inf),
    "t0": (1, math.inf),
    "t1": (1, math.inf),
    "n_bounces": (0, math.inf),
}
WHOLE = ("t0", "t1", "n_bounces")  # whole numbers, or .inf for "never" and "no limit"


def check_parameter(name: str, parameter: str, value: float) -> None:
    """Raise :class:`UserError` unless ``value`` suits an optimizer's ``parameter`` (see ``LIMITS``).

    Args:
        name: The dotted key that the message names.
        parameter: ``lr``, ``momentum``, …
        value: The value to check.
    """
    low, high = LIMITS[parameter]
    if parameter in WHOLE and value == math.inf:
        return
    if not (math.isfinite(value) and low <= value <= high):
        limits = f"between {low} and {high}" if math.isfinite(high) else f"finite and {low} or more"
        raise UserError(f"{name}={value}: {parameter} must be {limits if math.isfinite(low) else 'finite'}")
    if parameter in WHOLE and value != int(value):
        raise UserError(f"{name}={value}: {parameter} must be a whole number")


def check_complete(name: str, optimizer: str, given: Collection[str], where: str) -> None:
    """Raise :class:`UserError` unless ``given`` has all the parameters that ``optimizer`` cannot do without.

    Args:
        name: The dotted key of the contender.
        optimizer: One of ``PARAMETERS``.
        given: Parameters that are fixed or searched.
        where: Where a missing one may be given, for the message.
    """
    for needed in NEEDED[optimizer]:
        if needed not in given:
            raise UserError(f"{name}: {optimizer} needs {needed}; give it in {where}")


def check_known(name: str, optimizer: str, parameter: str) -> None:
    """Raise :class:`UserError` unless ``optimizer`` has a ``parameter`` of that name.

    Args:
        name: The dotted key of the group that names it.
        optimizer: One of ``PARAMETERS``.
        parameter: ``lr``, ``momentum``, …
    """
    known = PARAMETERS[optimizer]
    if parameter not in known:
        hint = did_you_mean(parameter, known)
        raise UserError(f"{name}.{parameter}: {optimizer} has no such parameter{hint}")


@dataclass
class Range:
    """One axis of a search space.

    Attributes:
        low: Lower bound of the value; with ``neglog`` of γ = −log(value).
        high: Upper bound, likewise.
        scale: ``linear`` draws the value uniformly, ``log`` its logarithm, ``one_minus_log`` the logarithm of
            1 − value, and ``neglog`` γ (the paper's footnote 9).
    """

    low: float
    high: float
    scale: str = "linear"

    def check(self, name: str) -> None:
        """Raise :class:`UserError` if the bounds do not suit the scale."""
        one_of(f"{name}.scale", self.scale, SCALES)
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise UserError(
                f"{name}.low={self.low}, {name}.high={self.high}: low must be finite and below high"
            )
        if self.scale == "log" and self.low <= 0:
            raise UserError(f"{name}.low={self.low}: a log scale needs a bound above 0")
        if self.scale == "one_minus_log" and self.high >= 1:
            raise UserError(f"{name}.high={self.high}: a one_minus_log scale needs a bound below 1")

    def coordinates(self) -> tuple[float, float]:
        """Bounds (low, high) of the coordinate that is drawn uniformly."""
        if self.scale == "log":
            return math.log(self.low), math.log(self.high)
        if self.scale == "one_minus_log":
            return math.log1p(-self.high), math.log1p(-self.low)
        return self.low, self.high

    def bounds(self) -> tuple[float, float]:
        """Bounds (low, high) of the value."""
        if self.scale == "neglog":
            return math.exp(-self.high), math.exp(-self.low)
        return self.low, self.high

    def value(self, coordinate: float) -> float:
        """The value that belongs to a uniform coordinate; rounding never carries it out of the bounds."""
        value = coordinate
        if self.scale == "log":
            value = math.exp(coordinate)
        elif self.scale == "one_minus_log":
            value = -math.expm1(coordinate)
        elif self.scale == "neglog":
            value = math.exp(-coordinate)
        return min(max(value, self.bounds()[0]), self.bounds()[1])


@dataclass
class Contender:
    """An optimizer and what is searched for it.

    Attributes:
        optimizer: ``bbi``, ``gdm`` (the paper's name without noise), ``sgd`` (with it) or ``adam``.
        label: How tables and figures name it.
        fixed: Parameters that are given, by name.
        space: Parameters that are searched, by name.
    """

    optimizer: str
    label: str
    fixed: dict[str, float] = field(default_factory=dict)
    space: dict[str, Range] = field(default_factory=dict)

    def check(self, name: str) -> None:
        """Raise :class:`UserError` for an unknown optimizer, an unknown parameter or a value out of range."""
        one_of(f"{name}.optimizer", self.optimizer, tuple(PARAMETERS))
        for group, given in (("fixed", list(self.fixed)), ("space", list(self.space))):
            for parameter in given:
                check_known(f"{name}.{group}", self.optimizer, parameter)
        for parameter, value in self.fixed.items():
            check_parameter(f"{name}.fixed.{parameter}", parameter, value)
        for parameter, axis in self.space.items():
            if parameter in WHOLE:
                raise UserError(
                    f"{name}.space.{parameter}: a whole number cannot be searched; give it in {name}.fixed"
                )
            if parameter in self.fixed:
                raise UserError(f"{name}: {parameter} is both fixed and searched; keep one of the two")
            for bound in axis.bounds():
                check_parameter(f"{name}.space.{parameter}", parameter, bound)


@dataclass
class Search:
    """The budget of a search: ``trials`` of ``steps`` steps each, ``batch`` of them suggested at a time."""

    trials: int
    steps: int
    batch: int = 1

    def check(self, name: str) -> None:
        """Raise :class:`UserError` unless all three are 1 or more."""
        for key in ("trials", "steps", "batch"):
            at_least(f"{name}.{key}", getattr(self, key), 1)
