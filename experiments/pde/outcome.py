"""Which solution of section 4.4's problem a trained network is, by points that it was not trained on."""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from experiments.pde.config import Thresholds
from experiments.pde.network import value, value_and_laplacian
from experiments.pde.problem import Poisson
from experiments.pde.shooting import Radial
from experiments.pde.training import Parameters, residual

LABELS = ("first", "second", "neither")
ERRORS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "l1": lambda u, exact: (u - exact).abs().mean(),
    "l2": lambda u, exact: (u - exact).norm() / exact.norm(),
}
"""Mean absolute error, and relative L2 error."""


class Judge:
    """Validation points in the ball, with the source and the radial solutions there, one or two.

    No training should use the ``seed`` of the points.
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
        self._exact = [u(x) if u else None for u in solutions]
        self._thresholds = thresholds

    @torch.no_grad()
    def near(self, parameters: Parameters) -> dict[str, float]:
        """``l1_first`` and ``l1_second``: mean absolute errors against both solutions."""
        return self._errors(value(parameters, self._x), "l1")

    @torch.no_grad()
    def judge(self, parameters: Parameters) -> dict[str, float | str]:
        """The ``label`` of a network (``first``, ``second`` or ``neither``) and its errors.

        They are ``l1_first``, ``l1_second`` (mean absolute errors), ``l2_first``, ``l2_second`` (relative L2
        errors) and ``residual`` (root mean square of the residual over that of f).
        """
        u, laplacian = value_and_laplacian(parameters, self._x, len(self._x))
        wrong = residual(u, laplacian, self._f).double().square().mean() / self._f.double().square().mean()
        found = {**self._errors(u, "l1", "l2"), "residual": math.sqrt(wrong)}
        # The nearer solution, if the network is near enough to it and obeys the equation; NaN is neither.
        name = "first" if found["l2_first"] <= found["l2_second"] else "second"
        limits = self._thresholds
        close = found[f"l2_{name}"] <= limits.l2 and found["residual"] <= limits.residual
        return {"label": name if close else "neither", **found}

    @torch.no_grad()
    def profile(self, parameters: Parameters, r: np.ndarray) -> np.ndarray:
        """u at radii (m,) along the first axis, float64."""
        x = torch.zeros(len(r), self._x.shape[1])
        x[:, 0] = torch.from_numpy(r)
        return value(parameters, x.to(self._x.device)).double().cpu().numpy()

    def _errors(self, u: Tensor, *norms: str) -> dict[str, float]:
        """Errors against both solutions, infinite where there is no second one."""
        u = u.double().cpu()
        return {
            f"{norm}_{name}": math.inf if exact is None else float(ERRORS[norm](u, exact))
            for norm in norms
            for name, exact in zip(LABELS, self._exact, strict=False)
        }
