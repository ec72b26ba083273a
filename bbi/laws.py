"""The Hamiltonian family: pure functions of the potential V, the energy E and P = |Π|².

A law is a Hamiltonian H(V, P). Its flow is (appendix A.2)

    dΘ/dt = 2 H_P Π,    dΠ/dt = -H_V ∇V,    E = H(V, P) constant,

so all that an integrator needs of it are three numbers: the squared momentum on the energy surface
P(E, V), the kick H_V and the drift 2 H_P. They are written with plain operators and the functions
of :mod:`bbi.scalars`, so that they take Python floats as well as float64 tensors of any shape.
"""

from dataclasses import dataclass, field, fields, is_dataclass
from numbers import Real
from typing import Any, ClassVar, Protocol

from bbi.scalars import Scalar, log1p, power


class Law(Protocol):
    """What a member of the family defines; arguments and results are floats or float64 tensors."""

    def start(self, v: Scalar, delta_e: Scalar) -> Scalar:
        """Conserved energy E of a run that starts at potential ``v`` with ``delta_e`` to spare, eq. (13)."""

    def energy(self, v: Scalar, p2: Scalar) -> Scalar:
        """The conserved quantity at potential ``v`` and squared momentum ``p2``."""

    def momentum_squared(self, v: Scalar, e: Scalar) -> Scalar:
        """P(E, V): the squared momentum that puts a point of potential ``v`` on the energy surface."""

    def kick(self, v: Scalar, e: Scalar) -> Scalar:
        """H_V on the energy surface: the factor of -∇V in dΠ/dt."""

    def drift(self, v: Scalar, e: Scalar, p2: Scalar) -> Scalar:
        """2 H_P: the factor of Π in dΘ/dt, at the new ``p2`` or, if not :attr:`separable`, at (V, E)."""

    @property
    def separable(self) -> bool:
        """Whether H_P depends on Π² alone, so that the drift waits for the kick to be symplectic."""


@dataclass(frozen=True)
class BornInfeld:
    """H = √(V (V + Π²)), eq. (31): the speed limit |dΘ/dt|² ≤ V of BBI."""

    separable: ClassVar[bool] = False

    def start(self, v: Scalar, delta_e: Scalar) -> Scalar:
        """E = V_0 + δE, eq. (13)."""
        return v + delta_e

    def energy(self, v: Scalar, p2: Scalar) -> Scalar:
        """√(V (V + Π²)), eq. (31)."""
        return (v * (v + p2)) ** 0.5

    def momentum_squared(self, v: Scalar, e: Scalar) -> Scalar:
        """E²/V - V, factored so that it is exactly 0 where E = V and never forms (E/V)²."""
        return (e - v) * (e + v) / v

    def kick(self, v: Scalar, e: Scalar) -> Scalar:
        """½ (V/E + E/V), eq. (11)."""
        return 0.5 * (v / e + e / v)

    def drift(self, v: Scalar, e: Scalar, p2: Scalar) -> Scalar:
        """V/E, eq. (12)."""
        return v / e


@dataclass(frozen=True)
class InverseMass:
    """H = ½ V Π², eqs. (34) to (36): a particle of mass 1/V without a potential."""

    separable: ClassVar[bool] = False

    def start(self, v: Scalar, delta_e: Scalar) -> Scalar:
        """E = V_0 + δE, as in eq. (13), although at rest H would be 0."""
        return v + delta_e

    def energy(self, v: Scalar, p2: Scalar) -> Scalar:
        """½ V Π²."""
        return 0.5 * v * p2

    def momentum_squared(self, v: Scalar, e: Scalar) -> Scalar:
        """2 E/V."""
        return 2 * e / v

    def kick(self, v: Scalar, e: Scalar) -> Scalar:
        """½ Π² = E/V, eq. (36)."""
        return e / v

    def drift(self, v: Scalar, e: Scalar, p2: Scalar) -> Scalar:
        """V, eq. (36)."""
        return v + 0.0 * e


@dataclass(frozen=True)
class Logarithmic:
    """H of L = -½ V log(1 - |dΘ/dt|²/V), eq. (37): a speed limit by a logarithm.

    With u = x/(1 - x), where x = |dΘ/dt|²/V, all is explicit but u(E/V): the root of
    u - ½ log(1 + u) = E/V, which Newton's method reaches from above, since the left side is convex.
    """

    separable: ClassVar[bool] = False

    def start(self, v: Scalar, delta_e: Scalar) -> Scalar:
        """E = V_0 + δE, as in eq. (13), although at rest H would be 0."""
        return v + delta_e

    def energy(self, v: Scalar, p2: Scalar) -> Scalar:
        """V (u - ½ log(1 + u)) with u (1 + u) = Π²/V."""
        q = p2 / v
        u = 2 * q / (1 + (1 + 4 * q) ** 0.5)
        return v * (u - 0.5 * log1p(u))

    def _u(self, ratio: Scalar) -> Scalar:
        u = 2 * ratio  # exact as E/V → 0, above the root everywhere
        for _ in range(7):  # quadratic: 4 steps reach rounding for any E/V seen in tests, 7 are sure
            u = u - (u - 0.5 * log1p(u) - ratio) * (1 + u) / (0.5 + u)
        return u

    def momentum_squared(self, v: Scalar, e: Scalar) -> Scalar:
        """V u (1 + u)."""
        u = self._u(e / v)
        return v * u * (1 + u)

    def kick(self, v: Scalar, e: Scalar) -> Scalar:
        """½ (u - log(1 + u))."""
        u = self._u(e / v)
        return 0.5 * (u - log1p(u))

    def drift(self, v: Scalar, e: Scalar, p2: Scalar) -> Scalar:
        """1 - x = 1/(1 + u)."""
        return 1 / (1 + self._u(e / v))


@dataclass(frozen=True)
class Frictionless:
    """H = ½ Π² + V, eq. (41): ordinary momentum without friction, which does not slow down at V → 0."""

    separable: ClassVar[bool] = False

    def start(self, v: Scalar, delta_e: Scalar) -> Scalar:
        """E = V_0 + δE, eq. (13)."""
        return v + delta_e

    def energy(self, v: Scalar, p2: Scalar) -> Scalar:
        """½ Π² + V."""
        return 0.5 * p2 + v

    def momentum_squared(self, v: Scalar, e: Scalar) -> Scalar:
        """2 (E - V)."""
        return 2 * (e - v)

    def kick(self, v: Scalar, e: Scalar) -> Scalar:
        """1."""
        return 0.0 * v + 1.0

    def drift(self, v: Scalar, e: Scalar, p2: Scalar) -> Scalar:
        """1."""
        return 0.0 * v + 1.0


@dataclass(frozen=True)
class Separable:
    """H = log V + log(s + Π²), the law of ECDSep (arXiv 2306.00352); conserved is e^H = V (s + Π²).

    :param s: offset of the squared momentum, > 0.
    """

    s: float = 1.0
    separable: ClassVar[bool] = True

    def start(self, v: Scalar, delta_e: Scalar) -> Scalar:
        """C = V_0 (s + δE): δE is the initial Π² itself."""
        return v * (self.s + delta_e)

    def energy(self, v: Scalar, p2: Scalar) -> Scalar:
        """V (s + Π²)."""
        return v * (self.s + p2)

    def momentum_squared(self, v: Scalar, e: Scalar) -> Scalar:
        """C/V - s."""
        return e / v - self.s

    def kick(self, v: Scalar, e: Scalar) -> Scalar:
        """1/V."""
        return 1 / v + 0.0 * e

    def drift(self, v: Scalar, e: Scalar, p2: Scalar) -> Scalar:
        """2/(s + Π²)."""
        return 2 / (self.s + p2)


@dataclass(frozen=True)
class Power:
    """Another law with V replaced by g(V) = V^exponent, which goes to 0 with V (appendix A.2).

    :param law: the law of g.
    :param exponent: > 0; above 1 it sharpens the measure at the bottom.
    """

    law: Law = field(default_factory=BornInfeld)
    exponent: float = 1.0

    @property
    def separable(self) -> bool:
        """As the law."""
        return self.law.separable

    def start(self, v: Scalar, delta_e: Scalar) -> Scalar:
        """That of the law at g(V_0)."""
        return self.law.start(power(v, self.exponent), delta_e)

    def energy(self, v: Scalar, p2: Scalar) -> Scalar:
        """H(g(V), Π²)."""
        return self.law.energy(power(v, self.exponent), p2)

    def momentum_squared(self, v: Scalar, e: Scalar) -> Scalar:
        """P(E, g(V))."""
        return self.law.momentum_squared(power(v, self.exponent), e)

    def kick(self, v: Scalar, e: Scalar) -> Scalar:
        """H_g g'(V)."""
        return self.law.kick(power(v, self.exponent), e) * self.exponent * power(v, self.exponent - 1)

    def drift(self, v: Scalar, e: Scalar, p2: Scalar) -> Scalar:
        """2 H_P at g(V)."""
        return self.law.drift(power(v, self.exponent), e, p2)


def identity(law: Any) -> str:
    """What tells a law from others in a checkpoint: its class and, of a dataclass, its fields.

    >>> identity(Power(exponent=2))
    'Power(law=BornInfeld(), exponent=2.0)'
    """
    if isinstance(law, Real):
        return repr(float(law))
    if not is_dataclass(law):  # its repr may be an address
        return type(law).__qualname__
    inner = ", ".join(f"{f.name}={identity(getattr(law, f.name))}" for f in fields(law))
    return f"{type(law).__qualname__}({inner})"
