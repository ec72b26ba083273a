"""Algorithm 1, the part that scalars decide, for one run and for R replicas: clocks and coefficients.

From V, E and Π² come the coefficients of a step,

    Π ← √(P/|B|²) B - Δt H_V ∇V,        Θ ← Θ + Δt 2H_P Π,

where P is the squared momentum on the energy surface and B is Π or, in a bounce, a random vector.
:mod:`bbi.optimizer` and :mod:`bbi.rules` apply them to tensors.
"""

import math
from typing import Generic, NamedTuple

from torch import Tensor

from bbi import noise
from bbi.laws import Law
from bbi.scalars import Flag, S, at_least, where

EPS1 = 1e-10
"""ε1 of Algorithm 1: smallest error in Π² that is corrected."""
EPS2 = 1e-40
"""ε2 of Algorithm 1: a run stops where V ≤ ε2."""
TINY = 1e-300
"""Smallest squared norm that is divided by."""


class Clocks(NamedTuple, Generic[S]):
    """The counters of Algorithm 1, float64 as V: exact up to 2⁵³, and T0 = inf or T1 = inf means "never"."""

    c0: S
    """Moves since the last scheduled bounce."""
    c1: S
    """Moves since the lowest potential so far, or since the last bounce."""
    n_b: S
    """Scheduled bounces so far."""
    draws: S
    """Bounces of both clocks so far, which is the number of the next random vector."""
    v_min: S
    """Lowest potential so far."""

    @classmethod
    def start(cls, zero: S) -> "Clocks[S]":
        """All counters at ``zero``, and no lowest potential yet."""
        return Clocks(zero, zero, zero, zero, zero + math.inf)


def no_clocks(t1: object, n_bounces: object) -> bool:
    """Whether T1 and N_b (Algorithm 1) never make a bounce: T1 = inf and N_b = 0.

    Args:
        t1: T1 in steps, a number or a tensor () or (R,).
        n_bounces: N_b, likewise.

    Returns:
        False where one is a tensor: its values are not read, which would make a device wait.
    """
    numbers = not isinstance(t1, Tensor) and not isinstance(n_bounces, Tensor)
    return numbers and t1 == math.inf and n_bounces == 0


def due(clocks: Clocks[S], t0: S, t1: S, n_bounces: S, active: Flag) -> tuple[Flag, Clocks[S]]:
    """Which of the active runs bounce now, and the clocks after it (the ``else`` branch of Algorithm 1).

    ``n_bounces`` = 0 makes no scheduled bounce. The paper's listing, read literally, makes one.
    """
    scheduled = active & (clocks.c0 == t0) & (clocks.n_b < n_bounces)
    bounce = scheduled | (active & (clocks.c1 == t1))
    return bounce, Clocks(
        where(scheduled, 0.0, clocks.c0),
        where(bounce, 0.0, clocks.c1),
        where(scheduled, clocks.n_b + 1.0, clocks.n_b),
        where(bounce, clocks.draws + 1.0, clocks.draws),
        clocks.v_min,
    )


def advance(clocks: Clocks[S], v: S, moved: Flag) -> Clocks[S]:
    """The clocks after one move of the runs in ``moved``, from potential ``v`` (end of the ``if`` branch)."""
    lowest = moved & (v < clocks.v_min)
    c1 = where(moved, clocks.c1 + 1.0, clocks.c1)
    return clocks._replace(
        c0=where(moved, clocks.c0 + 1.0, clocks.c0),
        c1=where(lowest, 0.0, c1),
        v_min=where(lowest, v, clocks.v_min),
    )


class Coefficients(NamedTuple, Generic[S]):
    """What a law gives for a step from potential V at energy E."""

    p2: S
    """P(E, V)."""
    kick: S
    """H_V."""
    drift: S
    """2 H_P."""

    @property
    def finite(self) -> Flag:
        """Whether a step can be made: a power of V may leave the range of float64."""
        return abs(self.p2) + abs(self.kick) + abs(self.drift) < math.inf


class Algorithm(NamedTuple):
    """A law, and the settings that the formulas of a step depend on; :class:`bbi.ECD` describes them."""

    law: Law
    variant: str = "paper"
    eps1: float = EPS1
    eps2: float = EPS2
    nu: float = 0.0

    def as_released(self, part: str) -> bool:
        """Whether the ``"start"``, the random ``"vectors"`` or the ``"bounce"`` is the released code's."""
        return self.variant in ("released", f"released-{part}")

    def active(self, v: S) -> Flag:
        """Mask of runs that go on: V > ε2 and finite."""
        return (v > self.eps2) & (v < math.inf)

    def start(self, v: S, delta_e: S) -> tuple[S, S]:
        """E and Π_0² of runs that start at potential ``v``, eqs. (13) and (14)."""
        energy = self.law.start(v, delta_e)
        return energy, at_least(self.law.momentum_squared(v, energy), 0.0)

    def coefficients(self, v: S, energy: S, p2: S) -> Coefficients[S]:
        """P(E, V), H_V and 2H_P, with 2H_P of a separable law at the given Π²."""
        law = self.law
        return Coefficients(law.momentum_squared(v, energy), law.kick(v, energy), law.drift(v, energy, p2))

    def restored(self, p2: S, want: S) -> S:
        """The Π² that a step starts with: ``want`` = P(E, V), which restores the energy.

        ``p2`` stays where it is right to within ε1 or where P ≤ 0. The listing has P < 0. V = E is where
        rounding has hidden how far V fell, and with Π = 0 every kick would be lost.
        """
        return where(abs(p2 - want) < self.eps1, p2, where(want <= 0, p2, want))

    def bounce(
        self, clocks: Clocks[S], t0: S, t1: S, n_bounces: S, active: Flag
    ) -> tuple[Flag, Flag, Clocks[S]]:
        """Which of the active runs bounce and which move, and the clocks after the bounces.

        With ν > 0 every run that has moved before is refreshed in part, whatever its clocks say.
        """
        if self.nu:
            bounce = active & (clocks.v_min < math.inf)
            clocks = clocks._replace(draws=where(bounce, clocks.draws + 1.0, clocks.draws))
        else:
            bounce, clocks = due(clocks, t0, t1, n_bounces, active)
        return bounce, (active & ~bounce if self.as_released("bounce") else active), clocks

    def refresh(self, d: int) -> float:
        """Factor of N in a partial refresh of d elements: ν, or ν/√d, so that |N| counts as ν."""
        return self.nu / math.sqrt(d) if self.law.isokinetic else self.nu

    def vectors(self, key: Tensor, number: Tensor, index: Tensor) -> Tensor:
        """Random vectors: isotropic, or uniform in a cube as in the released code; see :mod:`bbi.noise`."""
        draw = noise.uniform if self.as_released("vectors") else noise.normal
        return draw(key, number, index)


def lowered(f: S, delta_v: S, times: S, given: S) -> tuple[S, S]:
    """Lower ΔV where V = F - ΔV < 0 shows that it is too high (section 3.3).

    The n-th time, n = ``times`` + 1, it goes down by 2ⁿ |V|, so that few corrections suffice, but never below
    the smaller of 0 and the value ``given`` at first. Once there it is neither lowered nor counted. Returns
    ΔV and n.
    """
    v = f - delta_v
    floor = where(given < 0, given, 0.0)
    lower = delta_v + v * 2.0 ** (times + 1.0)  # |V| ≥ 2⁻⁵³ ΔV: some 50 times lead to the floor
    lower = where(lower < floor, floor, lower)
    below = (v < 0) & (delta_v > floor)
    return where(below, lower, delta_v), where(below, times + 1.0, times)
