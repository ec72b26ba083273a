"""Landscapes of which the volumes and barriers are known."""

import math
from dataclasses import dataclass

import scipy.integrate
import scipy.optimize
import torch
from torch import Tensor

from bbi.laws import Law
from experiments.landscapes.volumes import density, sphere


@dataclass(frozen=True)
class Wells:
    """Round wells on a plateau of height 1, inside a wall, in n dimensions.

    F = 1 - Σ_I (1 - V_I) exp(-a_I |θ - c_I|²) + w max(0, |θ| - R)². The wells are so far apart that around
    the center c_I F depends on the distance alone. The frequency there is m_I² = 2 a_I (1 - V_I), and the
    basin is the ball m_I |θ - c_I| < 1, as in section 4.3.

    Attributes:
        bottoms: V_I, the height of each minimum.
        steepness: a_I.
        centers: c_I, each of n numbers.
        radius: R.
        wall: w.
    """

    bottoms: tuple[float, ...]
    steepness: tuple[float, ...]
    centers: tuple[tuple[float, ...], ...]
    radius: float
    wall: float = 10.0

    def __post_init__(self) -> None:
        """Make tuples of JSON's lists, since compiled kernels are cached by value."""
        for name in ("bottoms", "steepness"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        object.__setattr__(self, "centers", tuple(map(tuple, self.centers)))

    def __call__(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """F and ∇F at ``theta`` (..., n)."""
        norm = theta.square().sum(-1).sqrt()
        beyond = (norm - self.radius).clamp(min=0.0)
        value = 1 + self.wall * beyond * beyond
        grad = (2 * self.wall * beyond / norm.clamp(min=1e-300))[..., None] * theta
        for v, a, center in zip(self.bottoms, self.steepness, self.centers, strict=True):
            away = theta - torch.tensor(center, dtype=theta.dtype)
            well = (1 - v) * torch.exp(-a * away.square().sum(-1))
            value = value - well
            grad = grad + (2 * a * well)[..., None] * away
        return value, grad

    def frequency(self, basin: int) -> float:
        """m_I."""
        return math.sqrt(2 * self.steepness[basin] * (1 - self.bottoms[basin]))

    def inside(self, theta: Tensor) -> Tensor:
        """Whether points (R, n) are in each basin, bool (R, wells)."""
        balls = [
            (theta - torch.tensor(center, dtype=theta.dtype)).square().sum(-1) * self.frequency(i) ** 2 < 1
            for i, center in enumerate(self.centers)
        ]
        return torch.stack(balls, -1)

    def volume(self, law: Law, energy: float, basin: int) -> float:
        """Phase-space volume of a basin, eq. (38), by quadrature over the radius: eq. (40) for BI."""
        n, v, a = len(self.centers[basin]), self.bottoms[basin], self.steepness[basin]

        def shell(r: float) -> float:
            height = 1 - (1 - v) * math.exp(-a * r * r)
            return sphere(n) * r ** (n - 1) * density(law, height, energy, n)

        return float(scipy.integrate.quad(shell, 0, 1 / self.frequency(basin), epsrel=1e-10)[0])


@dataclass(frozen=True)
class DoubleWell:
    """Two minima in one dimension: F = 0 at θ = 1, and near θ = -1 one of height ``tilt``.

    F = h (θ² - 1)² + ¼ t (θ - 1)².
    """

    height: float
    tilt: float = 0.05

    @property
    def parameters(self) -> dict[str, float]:
        """What a compiled kernel takes as an input, so that all heights share one."""
        return {"height": self.height}

    def __call__(self, theta: Tensor, height: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """F and ∇F at ``theta`` (..., 1)."""
        h = self.height if height is None else height
        x = theta[..., 0]
        value = h * (x * x - 1) ** 2 + 0.25 * self.tilt * (x - 1) ** 2
        slope = 4 * h * x * (x * x - 1) + 0.5 * self.tilt * (x - 1)
        return value, slope[..., None]

    def minimum(self) -> float:
        """θ of the higher minimum."""
        return self._root(-1.5, -0.6)

    def barrier(self) -> float:
        """F at the maximum between the minima, minus F at the higher minimum."""
        top, bottom = (
            torch.tensor([x], dtype=torch.float64) for x in (self._root(-0.6, 0.9), self.minimum())
        )
        return float(self(top)[0] - self(bottom)[0])

    def _root(self, low: float, high: float) -> float:
        def slope(x: float) -> float:
            return float(self(torch.tensor([x], dtype=torch.float64))[1])

        return float(scipy.optimize.brentq(slope, low, high, xtol=1e-14))


@dataclass(frozen=True)
class Crossed:
    """Stop condition: at the lower minimum of :class:`DoubleWell`."""

    at: float = 0.9

    def __call__(self, theta: Tensor, value: Tensor) -> Tensor:
        """Bool (R,) for points (R, 1)."""
        return theta[..., 0] > self.at
