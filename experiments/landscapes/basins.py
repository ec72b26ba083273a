"""The basins of section 4.3: where they are, and when a run has entered one."""

import math
from dataclasses import dataclass

from torch import Tensor

from experiments.landscapes.functions import TwoBasins

LANDSCAPE = TwoBasins()


def center(basin: int) -> tuple[float, float]:
    """The minimum in basin 1 or 2, but for the tails of the other well and of the wall."""
    return LANDSCAPE.c1 if basin == 1 else LANDSCAPE.c2


def hessian(basin: int) -> tuple[float, float]:
    """Eigenvalues of ∇∇F at the center of basin 1 or 2, from a ∂∂F of the wells and the wall, eq. (17)."""
    f = LANDSCAPE
    far = (f.c1[0] - f.c2[0]) ** 2 + (f.c1[1] - f.c2[1]) ** 2
    value = 2 * f.wall * far + (2 * f.a1 if basin == 1 else 2 * f.a2 * (1 - f.epsilon))
    return value, value


def radius(basin: int) -> float:
    """1/m_I, where m_I² is the Hessian's eigenvalue, twice the same at each minimum."""
    return 1 / math.sqrt(hessian(basin)[0])


def volume_ratio() -> float:
    """Eq. (18): Π m_2i / Π m_1i, the ratio of phase-space volumes of minima of equal depth."""
    return math.sqrt(math.prod(hessian(2)) / math.prod(hessian(1)))


def inside(theta: Tensor, basin: int) -> Tensor:
    """Whether points (..., 2) are in basin 1 or 2: m_I |θ - c_I| < 1 (section 4.3)."""
    x, y = center(basin)
    return hessian(basin)[0] * ((theta[..., 0] - x) ** 2 + (theta[..., 1] - y) ** 2) < 1


@dataclass(frozen=True)
class Entered:
    """Stop condition: in one of the basins."""

    def __call__(self, theta: Tensor, value: Tensor) -> Tensor:
        """Bool (R,) for points (R, 2)."""
        return inside(theta, 1) | inside(theta, 2)
