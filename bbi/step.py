"""One step of energy-conserving descent as pure functions of tensors: no branch on a value.

Scalars carry the physics and tensors follow. From V, E and |Π|² come three numbers,

    Π ← α · (Π or a random vector N) - Δt H_V ∇V,        Θ ← Θ + Δt 2H_P Π,

which serve one run (shape ``()``) and R replicas (shape ``(R,)``) alike. The optimizer class and
:mod:`bbi.simulate` share what is here.
"""

import math
from typing import ClassVar

import torch
from torch import Tensor

from bbi import checks, noise
from bbi.bounces import Clocks, ring, stir, tick
from bbi.laws import Law
from bbi.scalars import Flag, Scalar, at_least, attempt, both_not, sqrt, where

EPS1 = 1e-10
"""ε1 of Algorithm 1: smallest error in |Π|² that is corrected."""
EPS2 = 1e-40
"""ε2 of Algorithm 1: a run stops where V ≤ ε2."""
TINY = 1e-300
"""Smallest |Π|² or |N|² that is divided by."""


def restored(law: Law, v: Scalar, energy: Scalar, p2: Scalar, eps1: Scalar = EPS1) -> Scalar:
    """The |Π|² that a step starts with: P(E, V), the energy restored (Algorithm 1).

    The old ``p2`` stays where it is right to within ``eps1`` or where P ≤ 0. The listing has P < 0; but V = E
    is where rounding has hidden how far V went down, and Π = 0 there would lose every kick for ever.

    :param v, energy, p2: floats or float64 tensors () or (R,).
    """
    want = law.momentum_squared(v, energy)
    return where((abs(p2 - want) < eps1) | (want <= 0), p2, want)


def within(law: Law, v: Scalar, energy: Scalar) -> Flag:
    """Whether a step can be made from potential ``v``: P(E, V), H_V and 2H_P are finite numbers.

    They are not where a power of V leaves the range of float64, for floats as for tensors.
    """

    def size() -> Scalar:
        kick, drift = law.kick(v, energy), law.drift(v, energy, 0.0 * v)
        return abs(law.momentum_squared(v, energy)) + abs(kick) + abs(drift)

    return attempt(size) < math.inf


def at_rest(v: Scalar) -> dict[str, Scalar]:
    """The scalars before the first step, of the kind and shape of ``v``: all at 0, and no lowest V yet."""
    rest = where(v < math.inf, v, 0.0) * 0.0
    return {"energy": rest, "p2": rest, "u2": rest, **Clocks.start(rest)._asdict()}


def lower_delta_v(f: Scalar, delta_v: Scalar, times: Scalar, given: Scalar) -> dict[str, Scalar]:
    """Lower ΔV where V = F - ΔV < 0 shows it to be too high (section 3.3).

    The n-th time, n = ``times`` + 1, it goes down by 2ⁿ |V|, so that few corrections do; never below
    the smaller of 0 and the value ``given`` at first. Once there it is not lowered, nor counted.

    :returns: ``delta_v`` and ``lowered``, how often, after it.
    """
    v = f - delta_v
    floor = where(given < 0, given, 0.0 * given)
    # |V| ≥ 2⁻⁵³ ΔV, so that some 50 times lead to the floor; a state from elsewhere may have counted on.
    lower = delta_v + v * 2.0 ** (where(times < 1000.0, times, 1000.0) + 1)
    lower = where(lower < floor, floor, lower)
    below = (v < 0) & (delta_v > floor)
    return {"delta_v": where(below, lower, delta_v), "lowered": times + where(below, 1.0, 0.0)}


def draw(kind: str, key: Tensor, number: Tensor, index: Tensor) -> Tensor:
    """Random vectors: ``"normal"`` (isotropic) or ``"cube"`` (the released code's)."""
    return (noise.normal if kind == "normal" else noise.uniform)(key, number, index)


class ECD:
    """Energy-conserving descent as a rule for :func:`bbi.simulate.simulate`.

    :param law: the Hamiltonian.
    :param reading: ``"paper"``, or ``"released"`` for the released code's cube noise and a bounce
        that costs a step.
    :param eps1: ε1; inf leaves the energy to the integrator.
    :param nu: if above 0, no clocks but a partial redraw in every step but the first:
        Π/|Π| + nu N takes the place of N, as in ECDSep.
    :param bounces: False leaves bounces out altogether, for runs whose clocks never ring: half the work.
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

    def __init__(
        self, law: Law, reading: str = "paper", eps1: float = EPS1, nu: float = 0.0, bounces: bool = True
    ) -> None:
        self.law = law
        self.nu = nu
        self.bounces = bounces
        self.eps1 = eps1
        self.released = reading == "released"
        self.noise = "cube" if self.released else "normal"

    def start(
        self, value: Tensor, grad: Tensor, s: dict[str, Tensor], key: Tensor
    ) -> tuple[Tensor, tuple[Tensor, ...]]:
        """Π_0 along -∇V with |Π_0|² = P(E, V_0), eqs. (13), (14); along a random vector if ∇V = 0.

        :param value: float64 (R,).
        :param grad: float64 (n, R).
        :returns: momentum (n, R) and the scalars of the rule, each (R,).
        :raises ValueError: for a clock or a number of bounces that is no count, naming it.
        """
        checks.settings({"replicas": len(value), **{name: s[name] for name in checks.WHOLE}})
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
        p2 = momentum.square().sum(0)
        if self.bounces:
            bounce, clocks, base = self._bounce(momentum, p2, clocks, s, key, alive)
        else:
            bounce, base = torch.zeros_like(alive), momentum
        moved = both_not(alive, bounce) if self.released else alive
        wanted = restored(self.law, v, energy, p2, self.eps1)
        # A base of norm 0 stays 0: the kick then points along -∇V, and the next step restores |Π|.
        scale = sqrt(wanted / at_least(base.square().sum(0), TINY))
        kicked = scale * base - where(moved, s["lr"] * self.law.kick(v, energy), 0.0) * grad
        momentum = torch.where(alive, kicked, momentum)
        late = momentum.square().sum(0) if self.law.separable else p2
        drift = s["lr"] * self.law.drift(v, energy, late)
        theta = torch.where(moved, theta + drift * momentum, theta)
        return theta, momentum, (energy, *tick(clocks, v, moved))

    def _bounce(
        self, momentum: Tensor, p2: Tensor, clocks: Clocks, s: dict[str, Tensor], key: Tensor, alive: Tensor
    ) -> tuple[Tensor, Clocks, Tensor]:
        """Who bounces, the clocks after it, and Π or the random vector in its place."""
        index = torch.arange(len(momentum), device=momentum.device)[:, None]
        base = draw(self.noise, key, clocks.draws, index)
        if self.nu:
            bounce, clocks = stir(clocks, alive)
            base = momentum + self.nu * p2.sqrt() * base
        else:
            bounce, clocks = ring(clocks, s["t0"], s["t1"], s["n_bounces"], alive)
        return bounce, clocks, torch.where(bounce, base, momentum)


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
        momentum = torch.where(alive, s["momentum"] * momentum + grad, momentum)
        return torch.where(alive, theta - s["lr"] * momentum, theta), momentum, scalars
