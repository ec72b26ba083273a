"""The Hamiltonian family: pure functions of the potential V, the energy E and P = |Π|².

A law is a Hamiltonian H(V, P). Its flow is (appendix A.2)

    dΘ/dt = 2 H_P Π,    dΠ/dt = -H_V ∇V,    E = H(V, P) constant.

An integrator needs three numbers of it: the squared momentum on the energy surface P(E, V), the kick H_V
and the drift 2 H_P. They are written with operators and the functions of :mod:`bbi.scalars`, so that they
take np.float64 as well as float64 tensors of any shape.
"""

import math
from dataclasses import dataclass, field, fields, is_dataclass
from numbers import Real
from typing import Any, ClassVar, Protocol, runtime_checkable

from bbi.scalars import S, log1p


@runtime_checkable
class Law(Protocol):
    """What a member of the family defines; arguments and results are np.float64 or float64 tensors."""

    def start(self, v: S, delta_e: S) -> S:
        """Conserved energy E of a run that starts at potential ``v`` with δE = ``delta_e``, eq. (13)."""

    def energy(self, v: S, p2: S) -> S:
        """The conserved quantity at potential ``v`` and squared momentum ``p2``."""

    def momentum_squared(self, v: S, e: S) -> S:
        """P(E, V): the squared momentum that puts a point of potential ``v`` on the energy surface."""

    def kick(self, v: S, e: S) -> S:
        """H_V on the energy surface: the factor of -∇V in dΠ/dt."""

    def drift(self, v: S, e: S, p2: S) -> S:
        """2 H_P, the factor of Π in dΘ/dt: at ``p2`` if :attr:`separable`, else at (V, E)."""

    @property
    def separable(self) -> bool:
        """Whether H_P depends on Π² alone: a symplectic step then takes it after the kick."""

    @property
    def isokinetic(self) -> bool:
        """Whether ∇V acts only across Π, by d/(d-1) (∇V - Π (Π·∇V)/Π²) of all d elements together."""


class _Additive:
    """What most laws share."""

    separable: ClassVar[bool] = False
    isokinetic: ClassVar[bool] = False

    def start(self, v: S, delta_e: S) -> S:
        """E = V_0 + δE, eq. (13), also where H would be 0 at rest."""
        return v + delta_e


@dataclass(frozen=True)
class BornInfeld(_Additive):
    """H = √(V (V + Π²)), eq. (31): the speed limit |dΘ/dt|² ≤ V of BBI."""

    def energy(self, v: S, p2: S) -> S:
        """√(V (V + Π²)), eq. (31)."""
        return (v * (v + p2)) ** 0.5

    def momentum_squared(self, v: S, e: S) -> S:
        """E²/V - V, factored so that it is exactly 0 where E = V and never forms (E/V)²."""
        return (e - v) * (e + v) / v

    def kick(self, v: S, e: S) -> S:
        """½ (V/E + E/V), eq. (11)."""
        return 0.5 * (v / e + e / v)

    def drift(self, v: S, e: S, p2: S) -> S:
        """V/E, eq. (12)."""
        return v / e


@dataclass(frozen=True)
class InverseMass(_Additive):
    """H = ½ V Π², eqs. (34) to (36): a particle of mass 1/V without a potential."""

    def energy(self, v: S, p2: S) -> S:
        """½ V Π²."""
        return 0.5 * v * p2

    def momentum_squared(self, v: S, e: S) -> S:
        """2 E/V."""
        return 2 * e / v

    def kick(self, v: S, e: S) -> S:
        """½ Π² = E/V, eq. (36)."""
        return e / v

    def drift(self, v: S, e: S, p2: S) -> S:
        """V, eq. (36)."""
        return v + 0.0 * e


@dataclass(frozen=True)
class Logarithmic(_Additive):
    """H of L = -½ V log(1 - |dΘ/dt|²/V), eq. (37): a speed limit by a logarithm.

    With u = x/(1 - x), where x = |dΘ/dt|²/V, everything is explicit except u(E/V), the root of
    u - ½ log(1 + u) = E/V. Newton's method reaches it from above, because the left side is convex.
    """

    def energy(self, v: S, p2: S) -> S:
        """V (u - ½ log(1 + u)) with u (1 + u) = Π²/V."""
        q = p2 / v
        u = 2 * q / (1 + (1 + 4 * q) ** 0.5)
        return v * (u - 0.5 * log1p(u))

    def _u(self, ratio: S) -> S:
        u = 2 * ratio  # exact as E/V → 0, and nowhere below the root
        for _ in range(7):  # 4 steps reached rounding for every E/V in the tests
            u = u - (u - 0.5 * log1p(u) - ratio) * (1 + u) / (0.5 + u)
        return u

    def momentum_squared(self, v: S, e: S) -> S:
        """V u (1 + u)."""
        u = self._u(e / v)
        return v * u * (1 + u)

    def kick(self, v: S, e: S) -> S:
        """½ (u - log(1 + u))."""
        u = self._u(e / v)
        return 0.5 * (u - log1p(u))

    def drift(self, v: S, e: S, p2: S) -> S:
        """1 - x = 1/(1 + u)."""
        return 1 / (1 + self._u(e / v))


@dataclass(frozen=True)
class Frictionless(_Additive):
    """H = ½ Π² + V, eq. (41): ordinary momentum without friction; it does not slow down at V → 0."""

    def energy(self, v: S, p2: S) -> S:
        """½ Π² + V."""
        return 0.5 * p2 + v

    def momentum_squared(self, v: S, e: S) -> S:
        """2 (E - V)."""
        return 2 * (e - v)

    def kick(self, v: S, e: S) -> S:
        """1."""
        return 0.0 * v + 1.0

    def drift(self, v: S, e: S, p2: S) -> S:
        """1."""
        return 0.0 * v + 1.0


@dataclass(frozen=True)
class Separable:
    """H = log V + log(s + Π²), the law of ECDSep (arXiv 2306.00352). The energy here is e^H = V (s + Π²).

    Args:
        s: Offset of the squared momentum, > 0.
    """

    s: float = 1.0
    separable: ClassVar[bool] = True
    isokinetic: ClassVar[bool] = False

    def start(self, v: S, delta_e: S) -> S:
        """C = V_0 (s + δE): δE is the initial Π² itself."""
        return v * (self.s + delta_e)

    def energy(self, v: S, p2: S) -> S:
        """V (s + Π²)."""
        return v * (self.s + p2)

    def momentum_squared(self, v: S, e: S) -> S:
        """C/V - s."""
        return e / v - self.s

    def kick(self, v: S, e: S) -> S:
        """1/V."""
        return 1 / v + 0.0 * e

    def drift(self, v: S, e: S, p2: S) -> S:
        """2/(s + Π²)."""
        return 2 / (self.s + p2)


@dataclass(frozen=True)
class Isokinetic:
    """The law of ECDq1 (arXiv 2601.22257): motion of constant speed, which ∇V can only turn.

        √η dΘ/dt = Π,    √η dΠ/dt = -½ η d/(d-1) (∇V - Π (Π·∇V))/V,    Π² = 1,

    for d elements. What is conserved, and so called the energy here, is Π² itself; δE has no meaning.
    The motion is that of H = ½ log P + c log V with c = ½ η d/(d-1), whose P is (e^H/V^c)² instead of 1,
    in a time in which its speed is constant. Microcanonical samplers (arXiv 2212.08549) integrate it too,
    for the density V^(-½ η d). The step with lr/√η in the place of Δt is the published one.

    Args:
        eta: η > 0; it sharpens the measure at the bottom, and turns the motion towards it faster.
    """

    eta: float = 1.0
    separable: ClassVar[bool] = False
    isokinetic: ClassVar[bool] = True

    def start(self, v: S, delta_e: S) -> S:
        """1, whatever δE."""
        return 0.0 * v + 1.0

    def energy(self, v: S, p2: S) -> S:
        """Π²."""
        return 0.0 * v + p2

    def momentum_squared(self, v: S, e: S) -> S:
        """E, which is 1."""
        return 0.0 * v + e

    def kick(self, v: S, e: S) -> S:
        """½ √η/V; :attr:`isokinetic` has the rest."""
        return 0.5 * math.sqrt(self.eta) / v

    def drift(self, v: S, e: S, p2: S) -> S:
        """1/√η, the speed."""
        return 0.0 * v + 1 / math.sqrt(self.eta)


@dataclass(frozen=True)
class Power:
    """Another law with V replaced by g(V) = V^exponent, which goes to 0 with V (appendix A.2).

    Args:
        law: The law of g.
        exponent: > 0; above 1 it sharpens the measure at the bottom.
    """

    law: Law = field(default_factory=BornInfeld)
    exponent: float = 1.0

    @property
    def separable(self) -> bool:
        """As the law."""
        return self.law.separable

    @property
    def isokinetic(self) -> bool:
        """As the law."""
        return self.law.isokinetic

    def start(self, v: S, delta_e: S) -> S:
        """That of the law at g(V_0)."""
        return self.law.start(v**self.exponent, delta_e)

    def energy(self, v: S, p2: S) -> S:
        """H(g(V), Π²)."""
        return self.law.energy(v**self.exponent, p2)

    def momentum_squared(self, v: S, e: S) -> S:
        """P(E, g(V))."""
        return self.law.momentum_squared(v**self.exponent, e)

    def kick(self, v: S, e: S) -> S:
        """H_g g'(V)."""
        return self.law.kick(v**self.exponent, e) * self.exponent * v ** (self.exponent - 1)

    def drift(self, v: S, e: S, p2: S) -> S:
        """2 H_P at g(V)."""
        return self.law.drift(v**self.exponent, e, p2)


def identity(law: Any) -> str:
    """The text that identifies a law in a checkpoint: its class and, for a dataclass, its fields.

    >>> identity(Power(exponent=2))
    'Power(law=BornInfeld(), exponent=2.0)'
    """
    if isinstance(law, Real):
        return repr(float(law))
    if not is_dataclass(law):  # its repr may be an address
        return type(law).__qualname__
    inner = ", ".join(f"{f.name}={identity(getattr(law, f.name))}" for f in fields(law))
    return f"{type(law).__qualname__}({inner})"
