"""How the replicas of an ensemble move: energy-conserving descent, and gradient descent with momentum.

The functions :func:`bbi`, :func:`ecdsep`, :func:`ecdq1`, :func:`ecd` and :func:`gdm` take the settings of the
optimizer classes BBI, ECDSep, ECDq1, ECD and ``torch.optim.SGD``, and return a rule for
:func:`bbi.simulate.simulate` with the settings that it takes for each replica.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, cast

import torch
from torch import Tensor

from bbi import checks
from bbi.algorithm import EPS1, EPS2, TINY, Algorithm, Clocks, advance, due, no_clocks
from bbi.laws import BornInfeld, Law
from bbi.presets import isokinetic, separable
from bbi.scalars import Numbers, at_least, power_of_two, sqrt, where

Scalars = tuple[Tensor, ...]
Settings = dict[str, Tensor]
Ensemble = tuple["Rule", dict[str, Any]]


class Replicas(NamedTuple):
    """What a step of R replicas starts from.

    float64 (n, R): ``theta``, ``momentum``, ``grad`` = ∇F, and ``vectors`` from :meth:`Rule.vectors`.
    float64 (R,): ``value`` = F, the rule's own ``scalars``, and the ``settings`` by name.
    int64 (R,): the ``key`` of the random numbers.
    """

    theta: Tensor
    momentum: Tensor
    scalars: Scalars
    value: Tensor
    grad: Tensor
    settings: Settings
    key: Tensor
    vectors: Tensor


class Rule(Protocol):
    """How replicas move. Rules compare by value, so that a compiled kernel is found again."""

    @property
    def settings(self) -> Mapping[str, float | None]:
        """Names of the per-replica settings with their defaults; None means that it must be given."""

    def __hash__(self) -> int:
        return object.__hash__(self)

    def start(self, value: Tensor, grad: Tensor, s: Settings, key: Tensor) -> tuple[Tensor, Scalars]:
        """First momentum and scalars."""

    def active(self, value: Tensor, s: Settings) -> Tensor:
        """Mask of the replicas that go on."""

    def due(self, scalars: Scalars, s: Settings) -> Tensor | None:
        """Mask of the replicas whose next step takes a random vector; None if no step ever does."""
        return None

    def vectors(self, scalars: Scalars, key: Tensor, index: Tensor) -> Tensor:
        """The random vectors (n, R) that the replicas take next, for ``index`` (n, 1) of the elements."""
        return torch.zeros(len(index), len(key), dtype=torch.float64)

    def move(self, at: Replicas, active: Tensor) -> tuple[Tensor, Tensor, Scalars]:
        """One step of the active replicas; the others stand still."""


@dataclass(frozen=True)
class ECDRule(Rule):
    """Energy-conserving descent.

    Its scalars are the energy and the five clocks of :class:`bbi.algorithm.Clocks`.

    Args:
        law: The Hamiltonian.
        variant: ``"paper"``, or ``"released"`` for the released code's random vectors from a cube and a
            bounce that uses up a step; ``"released-vectors"`` and ``"released-bounce"`` for one of these.
        eps1: ε1; inf leaves the energy to the integrator.
        nu: If above 0, no clocks but a partial refresh in every step except the first: Π/|Π| + nu N takes
            the place of N, as in ECDSep; nu/√n for an isokinetic law.
        bounces: False leaves out bounces, for runs whose clocks are never due: half the work.
    """

    law: Law
    variant: str = "paper"
    eps1: float = EPS1
    nu: float = 0.0
    bounces: bool = True

    settings: ClassVar[dict[str, float | None]] = {
        "lr": None,
        "delta_v": 0.0,
        "delta_e": 0.0,
        "t0": 1000.0,
        "t1": 3000.0,
        "n_bounces": 1.0,
    }

    @property
    def _algorithm(self) -> Algorithm:
        return Algorithm(self.law, self.variant, self.eps1, nu=self.nu)

    def start(self, value: Tensor, grad: Tensor, s: Settings, key: Tensor) -> tuple[Tensor, Scalars]:
        """Π_0 along -∇V with Π_0² = P(E, V_0), eqs. (13), (14); along a random vector if ∇V = 0.

        Raises:
            ValueError: For a clock or a number of bounces that is not a whole number, naming it; for one
                dimension, in which an isokinetic law cannot turn.
        """
        if self.law.isokinetic and len(grad) < 2:
            raise ValueError("an isokinetic law turns a direction, which takes 2 dimensions or more, not 1")
        checks.settings({"replicas": len(value), **{name: s[name] for name in checks.WHOLE}})
        energy, p2 = self._algorithm.start(value - s["delta_v"], s["delta_e"])
        index = torch.arange(len(grad), device=grad.device)[:, None]
        random = self._algorithm.vectors(key, torch.full_like(value, -1), index)
        base = torch.where((grad == 0).all(0), random, -grad)
        base = base / power_of_two(base.abs().amax(0))  # its squares neither overflow nor underflow
        norm = base.square().sum(0).sqrt()
        return base / norm * torch.sqrt(p2), (energy, *Clocks.start(torch.zeros_like(value)))

    def active(self, value: Tensor, s: Settings) -> Tensor:
        """V > ε2 and finite."""
        v = value - s["delta_v"]
        return torch.where(v < math.inf, v, -1.0) > self._algorithm.eps2  # one mask, as in Numbers

    def due(self, scalars: Scalars, s: Settings) -> Tensor | None:
        """Mask of the replicas that bounce next."""
        if self.nu or not self.bounces:
            return None
        everyone = Numbers(torch.ones_like(scalars[0]))
        bounce, _ = due(Clocks(*scalars[1:]), s["t0"], s["t1"], s["n_bounces"], everyone)
        return cast(Numbers, bounce).mask

    def vectors(self, scalars: Scalars, key: Tensor, index: Tensor) -> Tensor:
        """The random vectors of the next bounces."""
        return self._algorithm.vectors(key, Clocks(*scalars[1:]).draws, index)

    def move(self, at: Replicas, active: Tensor) -> tuple[Tensor, Tensor, Scalars]:
        """One step of Algorithm 1."""
        theta, momentum, scalars, value, grad, s, key, vectors = at
        energy, clocks, algorithm = scalars[0], Clocks(*scalars[1:]), self._algorithm
        v = value - s["delta_v"]
        p2 = momentum.square().sum(0)
        going = moved = Numbers.of(active, v)
        base, d = momentum, len(momentum)
        if self.bounces:
            if self.nu:
                index = torch.arange(d, device=momentum.device)[:, None]
                share = algorithm.refresh(d) * p2.sqrt()
                vectors = momentum + share * self.vectors(scalars, key, index)
            bounce, mask, clocks = algorithm.bounce(clocks, s["t0"], s["t1"], s["n_bounces"], going)
            base, moved = where(bounce, vectors, momentum), cast(Numbers, mask)
        at_v = algorithm.coefficients(v, energy, p2)
        # A base of norm 0 stays 0: the kick then points along -∇V, and the next step restores |Π|.
        length2 = algorithm.restored(p2, at_v.p2)
        base2 = at_least(base.square().sum(0), TINY)
        scale = sqrt(length2 / base2)
        if self.law.isokinetic:
            grad = d / (d - 1) * (grad - (base * grad).sum(0) / base2 * base)
        kicked = scale * base - where(moved, s["lr"] * at_v.kick, 0.0) * grad
        momentum = torch.where(active, kicked, momentum)
        late = momentum.square().sum(0) if self.law.separable else p2
        drift = s["lr"] * self.law.drift(v, energy, late)
        theta = where(moved, theta + drift * momentum, theta)
        return theta, momentum, (energy, *advance(clocks, v, moved))


@dataclass(frozen=True)
class GDMRule(Rule):
    """Gradient descent with momentum, the paper's baseline: v ← μ v + ∇F, Θ ← Θ - η v, without noise."""

    settings: ClassVar[dict[str, float | None]] = {"lr": None, "momentum": 0.0}

    def start(self, value: Tensor, grad: Tensor, s: Settings, key: Tensor) -> tuple[Tensor, Scalars]:
        """At rest."""
        return torch.zeros_like(grad), ()

    def active(self, value: Tensor, s: Settings) -> Tensor:
        """F is finite."""
        return value.abs() < math.inf

    def move(self, at: Replicas, active: Tensor) -> tuple[Tensor, Tensor, Scalars]:
        """One step."""
        momentum = torch.where(active, at.settings["momentum"] * at.momentum + at.grad, at.momentum)
        theta = torch.where(active, at.theta - at.settings["lr"] * momentum, at.theta)
        return theta, momentum, at.scalars


def bbi(lr: float | Tensor = 0.1, **settings: Any) -> Ensemble:
    """An ensemble of :class:`bbi.BBI`, with ``variant``, ``eps1`` and ``nu`` for all replicas alike.

    Returns:
        The rule and the settings of the replicas, each a number or one for each replica.

    Raises:
        TypeError: For a setting that an ensemble cannot have, naming it.
    """
    return _ecd("bbi", law=BornInfeld(), lr=lr, **settings)


def ecdsep(lr: float | Tensor = 0.2, **settings: Any) -> Ensemble:
    """An ensemble of :class:`bbi.ECDSep`, with ``eta``, ``nu`` and ``s`` for all alike; as :func:`bbi`."""
    return _ecd("ecdsep", lr=lr, **separable(**settings))


def ecdq1(
    lr: float | Tensor = 0.1, eta: float = 1.0, nu: float = 1e-2, f0: float | Tensor = 0.0, **settings: Any
) -> Ensemble:
    """An ensemble of :class:`bbi.ECDq1`, with ``eta`` and ``nu`` for all alike; as :func:`bbi`."""
    _refuse("ecdq1", settings, NEUTRAL)
    return _ecd("ecdq1", lr=lr, **isokinetic(eta, nu, f0))


def ecd(lr: float | Tensor = 1e-2, *, law: Law, **settings: Any) -> Ensemble:
    """An ensemble of :class:`bbi.ECD` with any law; as :func:`bbi`."""
    return _ecd("ecd", law=law, lr=lr, **settings)


def gdm(lr: float | Tensor = 1e-3, momentum: float | Tensor = 0.0, **settings: Any) -> Ensemble:
    """An ensemble of ``torch.optim.SGD`` with constant ``lr`` and ``momentum``; as :func:`bbi`."""
    _refuse("gdm", settings, {"dampening": 0, "weight_decay": 0, "nesterov": False, "maximize": False})
    return GDMRule(), {"lr": lr, "momentum": momentum}


TECHNICAL = ("capturable", "differentiable", "foreach", "fused", "process_group", "seed")
"""Settings of optimizer classes that do not change a step; the seed of an ensemble is that of simulate."""


NEUTRAL = {"weight_decay": 0, "tune_delta_v": False, "eps2": EPS2}
"""Settings of ECD that an ensemble cannot have, except at these values."""


def _ecd(name: str, law: Law, **settings: Any) -> Ensemble:
    rule: dict[str, Any] = {k: settings.pop(k) for k in ("variant", "eps1", "nu") if k in settings}
    own = {k: settings.pop(k) for k in ECDRule.settings if k in settings}
    _refuse(name, settings, NEUTRAL)
    checks.settings(rule)
    checks.energy(law, own.get("delta_e", 0.0))
    checks.clocks({**rule, **own})
    clocks = not no_clocks(own.get("t1"), own.get("n_bounces"))
    return ECDRule(law, **rule, bounces=clocks or rule.get("nu", 0.0) > 0), own


def _refuse(name: str, settings: dict[str, Any], neutral: dict[str, Any]) -> None:
    """Accept of further settings the technical ones, and those at their ``neutral`` value."""
    for key, value in settings.items():
        if key not in TECHNICAL and (key not in neutral or value != neutral[key]):
            raise TypeError(f"an ensemble of {name} cannot have {key}={value!r}")
