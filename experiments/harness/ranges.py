"""The axes of a search space, as settings; importing them takes no time, unlike the search itself."""

import math
from collections.abc import Callable
from typing import Literal, Self

from pydantic import model_validator

from experiments.harness.settings import Finite, Settings

LARGEST = 700
"""The largest γ of which exp(γ) is a finite float."""


class Range(Settings):
    """One axis of a search space.

    Attributes:
        low: Lower bound of the value; with ``neglog`` of γ = −log(value).
        high: Upper bound, likewise.
        scale: ``linear`` draws the value uniformly, ``log`` its logarithm, ``one_minus_log`` the logarithm of
            1 − value, and ``neglog`` γ (the paper's footnote 9).
    """

    low: Finite
    high: Finite
    scale: Literal["linear", "log", "one_minus_log", "neglog"] = "linear"

    @model_validator(mode="after")
    def _suits_the_scale(self) -> Self:
        if self.low >= self.high:
            raise ValueError(f"low={self.low} must be below high={self.high}")
        if self.scale == "log" and self.low <= 0:
            raise ValueError(f"low={self.low} must be above 0 on a log scale")
        if self.scale == "one_minus_log" and self.high >= 1:
            raise ValueError(f"high={self.high} must be below 1 on a one_minus_log scale")
        if self.scale == "neglog" and self.low < -LARGEST:
            raise ValueError(f"low={self.low} must be {-LARGEST} or more on a neglog scale, exp(-low)")
        return self

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

    def spaced(self, count: int) -> list[float]:
        """So many values whose coordinates are evenly spaced, from bound to bound."""
        import numpy as np

        return [self.value(u) for u in np.linspace(*self.coordinates(), count).tolist()]

    def value(self, coordinate: float) -> float:
        """The value that belongs to a uniform coordinate; rounding never carries it out of the bounds."""
        low, high = self.bounds()
        return min(max(_VALUE[self.scale](coordinate), low), high)


_VALUE: dict[str, Callable[[float], float]] = {
    "linear": float,
    "log": math.exp,
    "one_minus_log": lambda coordinate: -math.expm1(coordinate),
    "neglog": lambda coordinate: math.exp(-coordinate),
}
