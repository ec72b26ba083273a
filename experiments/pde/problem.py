"""The problem of section 4.4 and appendix B: -Δu + u² = f in the unit ball, u = f0 on the sphere."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Poisson:
    """Eq. (53) in the unit ball of any dimension d, with f and f0 such that u = sin²(k r²) solves it.

    The paper's k is 20 and its dimension 2, where these are eqs. (54) and (55). The phase k r² varies by 40
    there: evaluate :meth:`source` in float64, and cast the result.
    """

    k: float
    dimension: int = 2

    @property
    def boundary(self) -> float:
        """The boundary value f0 = sin² k, the same on the whole sphere."""
        return math.sin(self.k) ** 2

    def solution(self, x: Tensor) -> Tensor:
        """The manufactured solution (54), u = sin²(k r²), at ``x`` (..., d); (...), of ``x``'s dtype."""
        return torch.sin(self.k * x.square().sum(-1)).square()

    def source(self, x: Tensor) -> Tensor:
        """f = -Δu + u² of the manufactured solution, eq. (55), at ``x`` (..., d); (...), of ``x``'s dtype."""
        source: Tensor = _source(x.square().sum(-1), self, torch)
        return source

    def solution_r(self, r: np.ndarray) -> np.ndarray:
        """The manufactured solution at the radii ``r`` (...), float64."""
        wave: np.ndarray = np.sin(self.k * np.square(r))
        return wave**2

    def source_r(self, r: np.ndarray) -> np.ndarray:
        """f at the radii ``r`` (...), float64."""
        source: np.ndarray = _source(np.square(r), self, np)
        return source

    def interior(self, n: int, seed: int, draw: int = 0) -> Tensor:
        """Points (n, d) uniform in the unit ball, float64, which follow from ``seed`` and ``draw`` alone."""
        return torch.from_numpy(self._points(n, seed, draw, inside=True))

    def sphere(self, n: int, seed: int, draw: int = 0) -> Tensor:
        """Points uniform on the unit sphere (d = 1: on its two points), unrelated to those inside."""
        return torch.from_numpy(self._points(n, seed, draw, inside=False))

    def _points(self, n: int, seed: int, draw: int, inside: bool) -> np.ndarray:
        """A direction from an isotropic Gaussian vector; rᵈ, the share of volume, uniform."""
        random = np.random.default_rng((seed, draw, int(inside)))
        points: np.ndarray = random.standard_normal((n, self.dimension))
        points /= np.linalg.norm(points, axis=1, keepdims=True)
        if inside:
            points *= random.uniform(size=(n, 1)) ** (1 / self.dimension)
        return points


def _source(s: Any, problem: Poisson, lib: Any) -> Any:
    """f as a function of s = r², for arrays of ``lib`` (torch or numpy).

    With u = sin²(k s), Δu = 4 s u″(s) + 2 d u′(s) = 8 k² s cos 2ks + 2 d k sin 2ks.
    """
    k, d = problem.k, problem.dimension
    wave = 8 * k * k * s * lib.cos(2 * k * s) + 2 * d * k * lib.sin(2 * k * s)
    return lib.sin(k * s) ** 4 - wave
