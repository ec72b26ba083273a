"""The analytic landscapes of sections 2 and 4.1 to 4.3: values, gradients, minima and Hessians.

Each is a callable on points ``theta`` of shape (..., n), float64, that returns the value F (...)
and its gradient (..., n). The gradients are written by hand and tested against autograd: under a
compiler both run equally fast, and without one by-hand gradients cost no graph.
"""

import math
from dataclasses import dataclass

import numpy as np
import scipy.optimize
import torch
from torch import Tensor


@dataclass(frozen=True)
class Ackley:
    """Eq. (15), in any dimension n, global minimum F = 0 at the origin (a cusp: no Hessian there).

    F = -20 exp(-a √(mean θ²)) - exp(mean cos 2πθ) + e + 20, where a is the ``coefficient``.
    """

    coefficient: float = 0.2

    @property
    def parameters(self) -> dict[str, float]:
        """What a compiled kernel takes as an input, so that both coefficients share one."""
        return {"coefficient": self.coefficient}

    def __call__(self, theta: Tensor, coefficient: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """F and ∇F at ``theta`` (..., n); the gradient of the cone is taken as 0 at its tip."""
        n, a = theta.shape[-1], self.coefficient if coefficient is None else coefficient
        radius = theta.square().mean(-1).sqrt()
        phase = 2 * math.pi * theta
        cone = 20 * torch.exp(-a * radius)
        waves = torch.exp(torch.cos(phase).mean(-1))
        value = (20 - cone) + (math.e - waves)
        slope = torch.where(radius > 0, cone * (a / n) / radius, 0.0)
        grad = slope[..., None] * theta + (waves * (2 * math.pi / n))[..., None] * torch.sin(phase)
        return value, grad


@dataclass(frozen=True)
class Zakharov:
    """Eq. (16), in any dimension, minimum F = 0 at the origin.

    F = Σθ_i² + s² + s⁴ with s = ½ Σ i θ_i; its Hessian at the minimum is 2·1 + ½ i j.
    """

    def __call__(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """F and ∇F at ``theta`` (..., n)."""
        half = 0.5 * torch.arange(1, theta.shape[-1] + 1, dtype=theta.dtype, device=theta.device)
        s = (theta * half).sum(-1)
        s2 = s * s
        value = theta.square().sum(-1) + s2 + s2 * s2
        return value, 2 * theta + (2 * s + 4 * s * s2)[..., None] * half


@dataclass(frozen=True)
class TwoBasins:
    """Eq. (17): two Gaussian wells in the plane, of nearly equal depth, and a confining wall.

    F = 1 - exp(-a1 |Θ-c1|²) - (1-ε) exp(-a2 |Θ-c2|²) + w |Θ-c1|² |Θ-c2|².
    Hessian eigenvalues at the minima, far apart as they are: 2 a_I + 2 w |c1-c2|² (0.864, 1.664).
    """

    epsilon: float = 2.75e-6
    a1: float = 0.4
    a2: float = 0.8
    wall: float = 1e-3
    c1: tuple[float, float] = (-2.0, -2.0)
    c2: tuple[float, float] = (2.0, 2.0)

    def __call__(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """F and ∇F at ``theta`` (..., 2)."""
        x, y = theta.unbind(-1)
        x1, y1, x2, y2 = x - self.c1[0], y - self.c1[1], x - self.c2[0], y - self.c2[1]
        d1, d2 = x1 * x1 + y1 * y1, x2 * x2 + y2 * y2
        well1, well2 = torch.exp(-self.a1 * d1), (1 - self.epsilon) * torch.exp(-self.a2 * d2)
        value = 1 - well1 - well2 + self.wall * d1 * d2
        k1 = 2 * (self.a1 * well1 + self.wall * d2)
        k2 = 2 * (self.a2 * well2 + self.wall * d1)
        return value, torch.stack((k1 * x1 + k2 * x2, k1 * y1 + k2 * y2), -1)


@dataclass(frozen=True)
class Quadratic:
    """A valley V = ½ Σ m_i² θ_i² with the given frequencies m: eqs. (7), (8) and section 3.1."""

    m: tuple[float, ...] = (1.0,)

    def __call__(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """F and ∇F at ``theta`` (..., n) with n = len(m)."""
        m2 = torch.tensor(self.m, dtype=theta.dtype, device=theta.device).square()
        grad = m2 * theta
        return 0.5 * (grad * theta).sum(-1), grad


def lowest_pass(potential: Ackley, basin: tuple[float, float]) -> float:
    """F at the lowest saddle around an integer point; NaN where the cone is steeper than the waves.

    A run of energy E = F(Θ_0) - ΔV + δE stays where F - ΔV ≤ E: it can leave only if δE is above this height
    minus F(Θ_0). The saddles are roots of ∇F near the four midpoints to the neighbours.
    """

    def gradient(x: np.ndarray) -> np.ndarray:
        return potential(torch.from_numpy(x))[1].numpy()

    heights = []
    for step in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)):
        guess = np.array(basin) + np.array(step)
        found = scipy.optimize.root(gradient, guess, tol=1e-12)
        if found.success and np.abs(found.x - guess).max() < 0.25:
            heights.append(float(potential(torch.from_numpy(found.x))[0]))
    return min(heights, default=math.nan)
