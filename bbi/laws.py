"""The Hamiltonian family: pure functions of the potential V, the energy E and P = |Π|².

A law is a Hamiltonian H(V, P). Its flow is (PAPER section 3)

    dΘ/dt = 2 H_P Π,    dΠ/dt = -H_V ∇V,    H(V, P) = E,

so all that an integrator needs of it are three numbers: the squared momentum on the energy surface
P(E, V), the kick H_V and the drift 2 H_P. They are written with plain operators, so that they take
float64 tensors of any shape as well as Python floats.
"""

from typing import Protocol

from bbi.scalars import Scalar


class Law(Protocol):
    """What a member of the family defines; every argument and result is a float64 scalar or tensor."""

    def start(self, v: Scalar, delta_e: Scalar) -> Scalar:
        """Conserved energy E of a run that starts at potential ``v`` with ``delta_e`` to spare, eq. (13)."""

    def momentum_squared(self, v: Scalar, e: Scalar) -> Scalar:
        """P(E, V): the squared momentum that puts a point of potential ``v`` on the energy surface."""

    def kick(self, v: Scalar, e: Scalar) -> Scalar:
        """H_V on the energy surface: the factor of -∇V in dΠ/dt."""

    def drift(self, v: Scalar, e: Scalar) -> Scalar:
        """2 H_P on the energy surface: the factor of Π in dΘ/dt."""


class BornInfeld:
    """The Born-Infeld law H = √(V (V + Π²)), eq. (31), whose speed limit is |dΘ/dt|² ≤ V."""

    def start(self, v: Scalar, delta_e: Scalar) -> Scalar:
        """E = V_0 + δE, eq. (13)."""
        return v + delta_e

    def momentum_squared(self, v: Scalar, e: Scalar) -> Scalar:
        """E²/V - V, factored so that it is exactly 0 where E = V and never forms (E/V)²."""
        return (e - v) * (e + v) / v

    def kick(self, v: Scalar, e: Scalar) -> Scalar:
        """½ (V/E + E/V), eq. (11)."""
        return 0.5 * (v / e + e / v)

    def drift(self, v: Scalar, e: Scalar) -> Scalar:
        """V/E, eq. (12)."""
        return v / e
