"""Which solution of section 4.4's problem a trained network is, by points that it was not trained on."""

import math

import numpy as np
import torch
from torch import Tensor

from experiments.pde.config import Thresholds
from experiments.pde.network import value, value_and_laplacian
from experiments.pde.problem import Poisson
from experiments.pde.shooting import Radial
from experiments.pde.training import Parameters, residual

LABELS = ("first", "second", "neither")


class Judge:
    """Validation points in the ball, with the source and the radial solutions there.

    Args:
        problem: Whose.
        solutions: The manufactured solution and the second one, or None if there is no second.
        seed: Where the points come from; no training should use it.
        thresholds: How many points, and what makes a solution.
        device: Where the networks are.
    """

    def __init__(
        self,
        problem: Poisson,
        solutions: tuple[Radial, Radial | None],
        seed: int,
        thresholds: Thresholds,
        device: torch.device | str = "cpu",
    ) -> None:
        x = problem.interior(thresholds.points, seed)
        self._x, self._f = x.to(device, torch.float32), problem.source(x).to(device, torch.float32)
        self._targets = {
            name: u(x) if u else torch.full_like(x[:, 0], math.inf)
            for name, u in zip(LABELS, solutions, strict=False)
        }
        self._thresholds = thresholds

    @torch.no_grad()
    def near(self, parameters: Parameters) -> dict[str, float]:
        """``l1_first`` and ``l1_second``: mean absolute errors against both solutions."""
        return self._l1(value(parameters, self._x))

    @torch.no_grad()
    def judge(self, parameters: Parameters) -> dict[str, float | str]:
        """The errors and the label of a network.

        Returns:
            ``label`` (``first``, ``second`` or ``neither``), ``l1_first``, ``l1_second`` (mean absolute
            errors), ``l2_first``, ``l2_second`` (relative L2 errors), ``residual`` (root mean square of the
            residual over that of f).
        """
        u, laplacian = value_and_laplacian(parameters, self._x, len(self._x))
        wrong = residual(u, laplacian, self._f).double().square().mean() / self._f.double().square().mean()
        found = {**self._l1(u), **self._l2(u), "residual": math.sqrt(wrong)}
        return {"label": _label(found, self._thresholds), **found}

    @torch.no_grad()
    def profile(self, parameters: Parameters, r: np.ndarray) -> np.ndarray:
        """u at radii (m,) along the first axis, float64."""
        x = torch.zeros(len(r), self._x.shape[1])
        x[:, 0] = torch.from_numpy(r)
        return value(parameters, x.to(self._x.device)).double().cpu().numpy()

    def _l1(self, u: Tensor) -> dict[str, float]:
        u = u.double().cpu()
        return {f"l1_{name}": float((u - target).abs().mean()) for name, target in self._targets.items()}

    def _l2(self, u: Tensor) -> dict[str, float]:
        u = u.double().cpu()
        return {
            f"l2_{name}": float((u - target).norm() / target.norm()) if math.isfinite(target[0]) else math.inf
            for name, target in self._targets.items()
        }


def _label(found: dict[str, float], thresholds: Thresholds) -> str:
    """The nearer solution, if the network is near enough to it and obeys the equation; NaN is neither."""
    name = "first" if found["l2_first"] <= found["l2_second"] else "second"
    close = found[f"l2_{name}"] <= thresholds.l2 and found["residual"] <= thresholds.residual
    return name if close else "neither"
