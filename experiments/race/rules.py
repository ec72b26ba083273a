"""Optimizers of the race as rules of ensembles, see :mod:`bbi.rules`; classes: ``optimizers.py``."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from bbi import noise, rules
from bbi.algorithm import TINY
from bbi.rules import Ensemble, GDMRule, Replicas, Rule, Scalars, Settings

JUMPS = 2**40
"""Number of the first random vector of restarts; those of bounces begin at 0."""


@dataclass(frozen=True)
class PolyakRule(GDMRule):
    """θ ← θ - c (F - F*) ∇F/|∇F|², with c the ``lr``; it stops at F ≤ F*."""

    settings: ClassVar[dict[str, float | None]] = {"lr": 1.0, "f_star": 0.0}

    def move(self, at: Replicas, active: Tensor) -> tuple[Tensor, Tensor, Scalars]:
        """One step."""
        gap = (at.value - at.settings["f_star"]).clamp(min=0.0)
        length = at.settings["lr"] * gap / at.grad.square().sum(0).clamp(min=TINY)
        return torch.where(active, at.theta - length * at.grad, at.theta), at.momentum, at.scalars


@dataclass(frozen=True)
class ClippedRule(GDMRule):
    """Gradient descent with momentum whose gradients are cut to the length ``max_norm``."""

    settings: ClassVar[dict[str, float | None]] = {"lr": None, "momentum": 0.0, "max_norm": 1.0}

    def move(self, at: Replicas, active: Tensor) -> tuple[Tensor, Tensor, Scalars]:
        """One step."""
        norm = torch.linalg.vector_norm(at.grad, dim=0)
        grad = at.grad * (at.settings["max_norm"] / norm.clamp(min=TINY)).clamp(max=1.0)
        return super().move(at._replace(grad=grad), active)


@dataclass(frozen=True)
class DecayRule(GDMRule):
    """Gradient descent whose step falls linearly from ``lr`` to 0 in ``every`` steps, and begins anew.

    Its scalar is the number of steps in the period.
    """

    settings: ClassVar[dict[str, float | None]] = {"lr": None, "every": math.inf}

    def start(self, value: Tensor, grad: Tensor, s: Settings, key: Tensor) -> tuple[Tensor, Scalars]:
        """At the first step of a period."""
        return torch.zeros_like(grad), (torch.zeros_like(value),)

    def move(self, at: Replicas, active: Tensor) -> tuple[Tensor, Tensor, Scalars]:
        """One step."""
        (age,) = at.scalars
        every = at.settings["every"].round()
        lr = at.settings["lr"] * (1 - age / every)
        theta = torch.where(active, at.theta - lr * at.grad, at.theta)
        return theta, at.momentum, (torch.where(active, (age + 1) % every, age),)


@dataclass(frozen=True)
class RestartRule(Rule):
    """A rule that begins anew at a uniform point of the box [-``box``, ``box``]ⁿ after ``every`` steps.

    The jump comes after the last step of a period and costs no evaluation. Its scalars are the steps of the
    period, the number of jumps, and those of the inner rule. For eager ensembles only.
    """

    inner: Rule

    @property
    def settings(self) -> Mapping[str, float | None]:
        """Those of the inner rule, and two more."""
        return {**self.inner.settings, "every": None, "box": None}

    def start(self, value: Tensor, grad: Tensor, s: Settings, key: Tensor) -> tuple[Tensor, Scalars]:
        """That of the inner rule."""
        momentum, scalars = self.inner.start(value, grad, s, key)
        zero = torch.zeros_like(value)
        return momentum, (zero, zero, *scalars)

    def active(self, value: Tensor, s: Settings) -> Tensor:
        """As the inner rule."""
        return self.inner.active(value, s)

    def due(self, scalars: Scalars, s: Settings) -> Tensor | None:
        """As the inner rule."""
        return self.inner.due(scalars[2:], s)

    def vectors(self, scalars: Scalars, key: Tensor, index: Tensor) -> Tensor:
        """As the inner rule."""
        return self.inner.vectors(scalars[2:], key, index)

    def move(self, at: Replicas, active: Tensor) -> tuple[Tensor, Tensor, Scalars]:
        """One step, and the jump if it is due."""
        age, jumps, *own = at.scalars
        fresh = active & (age == 0) & (jumps > 0)
        if fresh.any():
            momentum, first = self.inner.start(at.value, at.grad, at.settings, at.key)
            at = at._replace(momentum=torch.where(fresh, momentum, at.momentum))
            own = [torch.where(fresh, new, old) for new, old in zip(first, own, strict=True)]
        theta, momentum, scalars = self.inner.move(at._replace(scalars=tuple(own)), active)
        age = torch.where(active, (age + 1) % at.settings["every"].round(), age)
        jump = active & (age == 0)
        if jump.any():
            theta = torch.where(jump, uniform(at.key, jumps, len(theta), at.settings["box"]), theta)
            jumps = torch.where(jump, jumps + 1, jumps)
        return theta, momentum, (age, jumps, *scalars)


def uniform(key: Tensor, number: Tensor, n: int, box: float | Tensor) -> Tensor:
    """Points (n, R), uniform in [-box, box]ⁿ, for the jumps ``number`` (R,) of the replicas ``key`` (R,)."""
    index = torch.arange(n)[:, None]
    return noise.uniform(key, number + JUMPS, index) * box


def polyak(lr: float | Tensor = 1.0, f_star: float | Tensor = 0.0) -> Ensemble:
    """An ensemble of :class:`experiments.race.optimizers.Polyak`."""
    return PolyakRule(), {"lr": lr, "f_star": f_star}


def clipped(lr: float | Tensor, momentum: float | Tensor = 0.0, max_norm: float | Tensor = 1.0) -> Ensemble:
    """An ensemble of :class:`experiments.race.optimizers.ClippedGDM`."""
    return ClippedRule(), {"lr": lr, "momentum": momentum, "max_norm": max_norm}


def decaying(lr: float | Tensor, every: float | Tensor, box: float | Tensor | None = None) -> Ensemble:
    """An ensemble of :class:`experiments.race.optimizers.DecayingDescent`; without a box nothing jumps."""
    values = {"lr": lr, "every": every}
    return (DecayRule(), values) if box is None else (RestartRule(DecayRule()), {**values, "box": box})


def bbi_restarts(every: float | Tensor, box: float | Tensor | None = None, **settings: Any) -> Ensemble:
    """An ensemble of :class:`experiments.race.optimizers.RestartedBBI`; without a box it is one of BBI."""
    rule, values = rules.bbi(**settings)
    return (rule, values) if box is None else (RestartRule(rule), {**values, "every": every, "box": box})
