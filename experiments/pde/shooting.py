"""Radial solutions of the Poisson problem by shooting: how many there are, and what they are (appendix B).

A solution that depends on r alone obeys u″ + (d-1) u′/r = u² - f(r), u′(0) = 0, and is known by u(0). It
solves the problem when u(1) = f0. A shot that grows large is none, and may be given up: where u passes
√(max f) upwards it can only rise from then on, since (r^(d-1) u′)′ = r^(d-1) (u² - f) > 0, and f0 ≤ 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.polynomial import Chebyshev
from scipy.integrate import solve_ivp
from scipy.optimize import brentq
from torch import Tensor

from experiments.harness.errors import UserError
from experiments.pde.problem import Poisson

LOW, HIGH, POINTS = -80.0, 20.0, 401  # d = 2: shots from below -68 and above 12 blow up, for every k
_CEILING = 1e6  # a shot that passes it, blows up at most √(6/1e6) = 0.0025 further out
_START = 1e-3  # radius up to which the series at 0 is used: its next term is 1e-18 of the highest derivative
_LOOSE, _TIGHT = 1e-8, 1e-12  # absolute and relative tolerance, of a scan and of a solution


@dataclass(frozen=True)
class Radial:
    """A radial solution, known by u(0), as a function that networks are judged against.

    ``at`` gives u at radii (...) between 0 and 1, float64; shooting's error is below 1e-8.
    """

    u0: float
    at: Callable[[np.ndarray], np.ndarray]

    def __call__(self, x: Tensor) -> Tensor:
        """u at points ``x`` (..., d) of the ball; (...), of ``x``'s dtype and device."""
        r = x.detach().double().norm(dim=-1).cpu().numpy()
        return torch.as_tensor(self.at(r)).to(x)


def _shoot(problem: Poisson, u0: np.ndarray, tolerance: float, dense: bool = False) -> tuple[np.ndarray, Any]:
    """u(1) for each of ``u0`` (n,), infinite for those that passed the ceiling, and scipy's dense output."""
    k, d, n = problem.k, problem.dimension, len(u0)
    # u = u0 + a r² + b r⁴ + …, from f = -(4d + 8) k² r² + …
    a = u0**2 / (2 * d)
    b = (2 * u0 * a + (4 * d + 8) * k * k) / (4 * (d + 2))
    start = np.concatenate((u0 + a * _START**2 + b * _START**4, 2 * a * _START + 4 * b * _START**3))

    def slope(r: float, state: np.ndarray) -> np.ndarray:
        u, du = state[:n], state[n:]
        flying = u < _CEILING  # the others stay where they are, and cost no more steps
        pull = u * u - problem.source_r(np.asarray(r)) - (d - 1) / r * du
        return np.concatenate((np.where(flying, du, 0.0), np.where(flying, pull, 0.0)))

    done = solve_ivp(
        slope, (_START, 1.0), start, method="DOP853", rtol=tolerance, atol=tolerance, dense_output=dense
    )
    end = done.y[:n, -1]
    return np.where(end < _CEILING, end, np.inf), done.sol


def boundary_residual(problem: Poisson, u0: float) -> float:
    """u(1) - f0 of the shot from u(0) = ``u0``: zero for a solution, infinite when it passed the ceiling."""
    return float(_shoot(problem, np.array([u0]), _TIGHT)[0][0]) - problem.boundary


def scan(problem: Poisson, low: float = LOW, high: float = HIGH, points: int = POINTS) -> pd.DataFrame:
    """Shots from evenly spaced u(0), all at once; solutions nearer than the spacing may be missed.

    Returns:
        A row for each shot: ``u0``, ``boundary_residual`` (u(1) - f0, good to about 1e-7; infinite when it
        blew up).
    """
    u0 = np.linspace(low, high, points)
    return pd.DataFrame({"u0": u0, "boundary_residual": _shoot(problem, u0, _LOOSE)[0] - problem.boundary})


def roots(problem: Poisson, scanned: pd.DataFrame) -> list[float]:
    """All u(0), ascending, between whose neighbours in ``scanned`` the boundary residual changes its sign.

    Raises:
        UserError: When two lie too near to each other for the scan's spacing.
    """
    u0, above = scanned["u0"].to_numpy(), scanned["boundary_residual"].to_numpy() > 0
    changes = np.flatnonzero(above[1:] != above[:-1])
    half = (u0[1] - u0[0]) / 2

    def capped(start: float) -> float:
        return min(boundary_residual(problem, start), 1e3)  # brentq interpolates: no infinities

    found = []
    for left in changes:
        # The ends move out: a root may lie on a point of the scan, whose sign is then a matter of rounding.
        ends = u0[left] - half, u0[left + 1] + half
        lower, upper = (boundary_residual(problem, end) for end in ends)
        if (lower > 0) == (upper > 0):
            raise UserError(
                f"points={len(u0)}: two solutions near u(0)={u0[left]:.4g}; scan with more points"
            )
        found.append(float(brentq(capped, *ends, xtol=1e-12, rtol=1e-14)))
    return found


def profile(problem: Poisson, u0: float) -> Radial:
    """The shot from ``u0`` up to r = 1, as a polynomial in r², whose degree follows k, as f's phases do.

    Raises:
        ValueError: When the shot blows up.
    """
    (end,), path = _shoot(problem, np.array([u0]), _TIGHT, dense=True)
    if math.isinf(end):
        raise ValueError(f"the shot from u(0)={u0} blows up before r=1")
    degree = 64 + math.ceil(4 * problem.k)
    series = Chebyshev.interpolate(lambda s: path(np.sqrt(s))[0], degree, domain=(0.0, 1.0))
    return Radial(u0, lambda r: series(np.square(r)))


def solutions(problem: Poisson, scanned: pd.DataFrame | None = None) -> tuple[Radial, Radial | None]:
    """The manufactured solution, exactly, and the second, by shooting, or None where ``scanned`` has none.

    None of the dimensions from 1 to 6 had more than one other; the one with the largest u(0) would be taken.
    Without ``scanned``, a table of :func:`scan`, its default range is searched.
    """
    found = roots(problem, scan(problem) if scanned is None else scanned)
    others = [u0 for u0 in found if abs(u0) > 1e-6]
    return Radial(0.0, problem.solution_r), profile(problem, others[-1]) if others else None
