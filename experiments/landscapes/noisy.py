"""Gradient descent with isotropic noise: the overdamped Langevin equation with steps of ``lr``."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from bbi import noise
from bbi.rules import Ensemble, Replicas, Rule, Scalars, Settings


class NoisyGD(torch.optim.SGD):
    """θ ← θ - lr (∇F + σ z), z standard normal; σ² lr / 2 is the temperature of the Gibbs measure.

    Args:
        params: What is optimized.
        lr: Step size.
        sigma: σ, standard deviation of the noise of the gradient.
        seed: Of the noise.
    """

    def __init__(self, params: Any, lr: float = 1e-2, sigma: float = 1.0, seed: int = 0) -> None:
        if not 0 <= sigma < float("inf"):
            raise ValueError(f"sigma={sigma}: must be 0 or more and finite")
        super().__init__(params, lr=lr)
        self._sigma, self._seed = sigma, seed
        for group in self.param_groups:
            group["draws"] = 0  # saved with the settings, so that a resumed run has the same noise

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One step; the closure, if given, computes the gradients."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        numbers = itertools.count()
        for group in self.param_groups:
            draw = torch.tensor(group["draws"])
            for parameter, number in zip(group["params"], numbers, strict=False):
                if parameter.grad is not None:
                    key = noise.replica_keys(self._seed, torch.tensor([number]))
                    z = noise.normal(key, draw, torch.arange(parameter.numel())).view(parameter.shape)
                    parameter.grad.add_(z.to(parameter), alpha=self._sigma)
            group["draws"] += 1
        super().step()
        return loss


@dataclass(frozen=True)
class NoisyRule(Rule):
    """The same for replicas of a compiled ensemble; its scalar counts steps."""

    settings: ClassVar[dict[str, float | None]] = {"lr": None, "sigma": None}

    def start(self, value: Tensor, grad: Tensor, s: Settings, key: Tensor) -> tuple[Tensor, Scalars]:
        """At rest, after no step."""
        return torch.zeros_like(grad), (torch.zeros_like(value),)

    def active(self, value: Tensor, s: Settings) -> Tensor:
        """F is finite."""
        return value.abs() < torch.inf

    def move(self, at: Replicas, active: Tensor) -> tuple[Tensor, Tensor, Scalars]:
        """One step."""
        (count,) = at.scalars
        index = torch.arange(len(at.theta), device=at.theta.device)[:, None]
        z = noise.normal(at.key, count, index)
        step = at.settings["lr"] * (at.grad + at.settings["sigma"] * z)
        return torch.where(active, at.theta - step, at.theta), at.momentum, (count + active,)


def ensemble(lr: float | Tensor = 1e-2, sigma: float | Tensor = 1.0, **_: Any) -> Ensemble:
    """An ensemble of :class:`NoisyGD`, as the functions of :mod:`bbi.rules`; the seed is that of simulate."""
    return NoisyRule(), {"lr": lr, "sigma": sigma}
