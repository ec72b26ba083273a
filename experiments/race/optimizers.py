"""Optimizers of the race that torch and :mod:`bbi` lack; their ensembles are in ``rules.py``."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import vector_to_parameters
from torch.optim.optimizer import Optimizer, ParamsT

from bbi import BBI
from bbi.algorithm import TINY
from bbi.noise import replica_keys
from bbi.state import SYSTEM, at_first
from experiments.race.rules import uniform


def at_least(low: float, **settings: float) -> None:
    """Raise ValueError, naming it, for a setting below ``low`` or NaN."""
    for name, value in settings.items():
        if not value >= low:
            raise ValueError(f"Invalid {name}: {value!r} (must be {low:g} or more)")


class _Plain(Optimizer):
    """An optimizer by a first-order step, from gradients that are there."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None, *, loss: Any = None) -> Any:  # type: ignore[override]
        """One step, from a closure that computes gradients and returns the loss, or from the ``loss``."""
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        pairs = [(p, p.grad) for group in self.param_groups for p in group["params"] if p.grad is not None]
        if pairs:
            self._move(pairs, math.nan if loss is None else float(loss))
        return loss

    def _move(self, pairs: list[tuple[Tensor, Tensor]], loss: float) -> None:
        """Move parameters by their gradients."""
        raise NotImplementedError


class Polyak(_Plain):
    """Polyak's step θ ← θ - c (F - F*) ∇F/|∇F|² (B. T. Polyak, Introduction to Optimization, 1987).

    Args:
        params: Parameters or groups.
        lr: c, in (0, 2) for convex F.
        f_star: F*, the minimum. Where F ≤ F* nothing moves.

    Raises:
        ValueError: For an lr below 0.
    """

    def __init__(self, params: ParamsT, lr: float = 1.0, *, f_star: float = 0.0) -> None:
        at_least(0.0, lr=lr)
        super().__init__(params, {"lr": lr, "f_star": f_star})

    def _move(self, pairs: list[tuple[Tensor, Tensor]], loss: float) -> None:
        group = self.param_groups[0]
        square = max(float(torch.nn.utils.get_total_norm([grad for _, grad in pairs])) ** 2, TINY)
        for p, grad in pairs:
            p.add_(grad, alpha=-group["lr"] * max(loss - group["f_star"], 0.0) / square)


class ClippedGDM(torch.optim.SGD):
    """SGD with momentum whose gradients are cut to a length, by ``torch.nn.utils.clip_grad_norm_``.

    Args:
        params: Parameters or groups.
        lr: η.
        momentum: μ.
        max_norm: Largest length of the gradient over all parameters.

    Raises:
        ValueError: For a value out of range.
    """

    def __init__(
        self, params: ParamsT, lr: float = 1e-3, *, momentum: float = 0.0, max_norm: float = 1.0
    ) -> None:
        at_least(0.0, max_norm=max_norm)
        super().__init__(params, lr, momentum)
        self.max_norm = max_norm

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step; the gradients are cut in place."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        leaves = [p for group in self.param_groups for p in group["params"]]
        torch.nn.utils.clip_grad_norm_(leaves, self.max_norm)
        super().step()
        return loss


class _Restarts:
    """Jumps to uniform points of the box [-``box``, ``box``]ⁿ; without a box, none.

    The steps so far are in the first parameter group, and so in the state dict of the optimizer.
    """

    def __init__(self, every: float, box: float | None, seed: int) -> None:
        at_least(1.0, every=every)
        self.every, self.box, self.seed = round(every), box, seed

    def age(self, groups: list[dict[str, Any]]) -> int:
        """Steps since the period began."""
        return int(groups[0].get(STEPS, 0)) % self.every

    def count(self, groups: list[dict[str, Any]]) -> bool:
        """Count a step; whether it was the last of its period, after which the parameters jump."""
        groups[0][STEPS] = steps = groups[0].get(STEPS, 0) + 1
        if self.box is None or steps % self.every:
            return False
        leaves = [p for group in groups for p in group["params"]]
        key, size = replica_keys(self.seed, torch.zeros(1, dtype=torch.int64)), sum(p.numel() for p in leaves)
        jump = torch.tensor([steps // self.every - 1], dtype=torch.float64)
        point = uniform(key, jump, size, self.box)[:, 0]
        vector_to_parameters(point.to(leaves[0].dtype), leaves)
        return True


STEPS = "restart_steps"


class DecayingDescent(_Plain):
    """Gradient descent whose step falls linearly to 0 and begins anew at a random point of the box.

    Args:
        params: Parameters or groups.
        lr: The first step size of a period.
        every: Steps of a period, rounded.
        box: Half the side of the box; None for periods without jumps.
        seed: Of the random points.

    Raises:
        ValueError: For a value out of range.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 1e-3,
        *,
        every: float = 100,
        box: float | None = None,
        seed: int = 0,
    ) -> None:
        at_least(0.0, lr=lr)
        self.restarts = _Restarts(every, box, seed)
        super().__init__(params, {"lr": lr})

    def _move(self, pairs: list[tuple[Tensor, Tensor]], loss: float) -> None:
        age = self.restarts.age(self.param_groups)
        for p, grad in pairs:
            p.add_(grad, alpha=-self.param_groups[0]["lr"] * (1 - age / self.restarts.every))
        self.restarts.count(self.param_groups)


class RestartedBBI(BBI):
    """BBI that begins anew at a random point of the box after ``every`` steps.

    Args:
        params: Parameters or groups.
        lr: Δt.
        every: Steps of a period, rounded.
        box: Half the side of the box; None for no restarts.
        **settings: Those of :class:`bbi.BBI`.

    Raises:
        ValueError: For a value out of range.
    """

    def __init__(
        self, params: ParamsT, lr: float = 0.1, *, every: float = 1000, box: float | None = None,
        seed: int = 0, **settings: Any,
    ) -> None:  # fmt: skip
        self.restarts = _Restarts(every, box, seed)
        super().__init__(params, lr, seed=seed, **settings)

    @torch.no_grad()
    def step(self, closure: Any = None, *, loss: Any = None) -> Any:
        """One step of BBI, and the jump if it is due."""
        result = super().step(closure, loss=loss)
        if self.restarts.count(self.param_groups):
            self.state.clear()
            self.param_groups[0][SYSTEM] = at_first(self.param_groups)
        return result
