"""One step of energy-conserving descent as pure functions of tensors: no branch on a value.

Scalars carry the physics and tensors follow. From V, E and |Π|² come three numbers,

    Π ← scale · (Π or a random vector N) - kick · ∇V,        Θ ← Θ + drift · Π,

which serve one run (shape ``()``) and R replicas (shape ``(R,)``) alike. The optimizer class and
:mod:`bbi.simulate` share what is here.
"""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor

from bbi import noise
from bbi.bounces import Clocks, ring, tick
from bbi.laws import Law
from bbi.scalars import Flag, Scalar, at_least, both_not, sqrt, where

EPS1 = 1e-10
"""ε1 of Algorithm 1: smallest error in |Π|² that is corrected."""
EPS2 = 1e-40
"""ε2 of Algorithm 1: a run stops where V ≤ ε2."""
TINY = 1e-300
"""Smallest |Π|² or |N|² that is divided by."""


class Coefficients(NamedTuple):
    """The three numbers of one step for Δt = 1, each a float or a float64 tensor () or (R,)."""

    scale: Scalar
    kick: Scalar
    drift: Scalar


def coefficients(
    law: Law, v: Scalar, energy: Scalar, p2: Scalar, base2: Scalar, moved: Flag, eps1: Scalar = EPS1
) -> Coefficients:
    """The step of Algorithm 1 as three numbers, eqs. (5), (6) and the energy's restoration.

    ``scale`` brings a base vector of squared norm ``base2`` (Π itself, or N where the step bounces)
    to |Π|² = P(E, V); to its old value ``p2`` where that is right to within ``eps1`` or P < 0.
    A base of norm 0 stays 0: the kick then points along -∇V, and the next step restores its norm.

    :param v, energy, p2, base2: floats or float64 tensors () or (R,).
    :param moved: who moves; ``kick`` and ``drift`` of the others are 0.
    """
    want = law.momentum_squared(v, energy)
    keep = (abs(p2 - want) < eps1) | (want < 0)
    scale = sqrt(where(keep, p2, want) / at_least(base2, TINY))
    kick, drift = law.kick(v, energy), law.drift(v, energy)
    return Coefficients(scale, where(moved, kick, 0.0), where(moved, drift, 0.0))


def draw(kind: str, key: Tensor, number: Tensor, index: Tensor) -> Tensor:
    """Random vectors: ``"normal"`` (isotropic) or ``"cube"`` (the released code's)."""
    return (noise.normal if kind == "normal" else noise.uniform)(key, number, index)


class ECD:
    """Energy-conserving descent as a rule for :func:`bbi.simulate.simulate`.

    :param law: the Hamiltonian.
    :param reading: ``"paper"``, or ``"released"`` for the released code's cube noise and a bounce
        that costs a step (PAPER section 7, rows 3 and 4).
    """

    settings: ClassVar[dict[str, float | None]] = {
        "lr": None,
        "delta_v": 0.0,
        "delta_e": 0.0,
        "t0": 1000.0,
        "t1": 3000.0,
        "n_bounces": 1.0,
    }
    """Names of the per-replica settings with their defaults; None means that it must be given."""

    def __init__(self, law: Law, reading: str = "paper") -> None:
        self.law = law
        self.released = reading == "released"
        self.noise = "cube" if self.released else "normal"

    def start(
        self, value: Tensor, grad: Tensor, s: dict[str, Tensor], key: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Π_0 along -∇V with |Π_0|² = P(E, V_0), eqs. (13), (14); along a random vector if ∇V = 0.

        :param value: float64 (R,).
        :param grad: float64 (n, R).
        :returns: momentum (n, R) and the scalars of the rule, each (R,).
        """
        v = value - s["delta_v"]
        energy = self.law.start(v, s["delta_e"])
        index = torch.arange(len(grad), device=grad.device)[:, None]
        flat = (grad == 0).all(0)
        base = torch.where(flat, draw(self.noise, key, torch.full_like(v, -1), index), -grad)
        norm = base.square().sum(0).sqrt()
        p2 = self.law.momentum_squared(v, energy).clamp(min=0)
        return base / norm * torch.sqrt(p2), (energy, *Clocks.start(v))

    def alive(self, value: Tensor, s: dict[str, Tensor]) -> Tensor:
        """Who goes on: V > ε2 and finite."""
        v = value - s["delta_v"]
        return (v > EPS2) & (v < torch.inf)

    def move(
        self,
        theta: Tensor,
        momentum: Tensor,
        scalars: tuple[Tensor, ...],
        value: Tensor,
        grad: Tensor,
        s: dict[str, Tensor],
        key: Tensor,
        alive: Tensor,
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """One step of Algorithm 1 for every replica that is alive; the others stand still.

        :param theta, momentum, grad: float64 (n, R).
        :param value: float64 (R,), F at ``theta``.
        """
        energy, clocks = scalars[0], Clocks(*scalars[1:])
        v = value - s["delta_v"]
        number = clocks.draws
        bounce, clocks = ring(clocks, s["t0"], s["t1"], s["n_bounces"], alive)
        p2 = momentum.square().sum(0)
        index = torch.arange(len(theta), device=theta.device)[:, None]
        base = torch.where(bounce, draw(self.noise, key, number, index), momentum)
        moved = both_not(alive, bounce) if self.released else alive
        scale, kick, drift = coefficients(self.law, v, energy, p2, base.square().sum(0), moved)
        momentum = where(alive, scale, 1.0) * base - s["lr"] * kick * grad
        theta = theta + s["lr"] * drift * momentum
        return theta, momentum, (energy, *tick(clocks, v, moved))


class GDM:
    """Gradient descent with momentum, the paper's baseline: ``torch.optim.SGD`` without noise.

    v ← μ v + ∇F, Θ ← Θ - η v.
    """

    settings: ClassVar[dict[str, float | None]] = {"lr": None, "momentum": 0.0}

    def start(
        self, value: Tensor, grad: Tensor, s: dict[str, Tensor], key: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """At rest."""
        return torch.zeros_like(grad), ()

    def alive(self, value: Tensor, s: dict[str, Tensor]) -> Tensor:
        """Who goes on: F is finite."""
        return value.abs() < torch.inf

    def move(
        self,
        theta: Tensor,
        momentum: Tensor,
        scalars: tuple[Tensor, ...],
        value: Tensor,
        grad: Tensor,
        s: dict[str, Tensor],
        key: Tensor,
        alive: Tensor,
    ) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """One step for every replica that is alive; shapes as in :meth:`ECD.move`."""
        momentum = torch.where(alive, s["momentum"], 1.0) * momentum + torch.where(alive, 1.0, 0.0) * grad
        return theta - torch.where(alive, s["lr"], 0.0) * momentum, momentum, scalars
