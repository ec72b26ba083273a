"""Volumes of phase space: how much room a law gives to the neighbourhood of a minimum (3.1, appendix A.3)."""

import math
from itertools import pairwise

import numpy as np
import scipy.integrate
import scipy.special

from bbi.laws import Law


def sphere(n: int) -> float:
    """2 π^{n/2}/Γ(n/2): the area of the unit sphere in n dimensions."""
    return float(2 * math.pi ** (n / 2) / math.gamma(n / 2))


def density(law: Law, v: float, e: float, n: int) -> float:
    """Volume of momenta for a point of potential V: ∫ dⁿΠ δ(H(V, Π²) - E) = S P^{(n-2)/2} / (2H_P).

    S is the area of the unit sphere and P = P(E, V); 0 where the energy does not suffice. With the
    Born-Infeld law this is the integrand of eq. (40), S (E/V) (E²/V - V)^{(n-2)/2}; with plain momentum that
    of eq. (41), S (2(E - V))^{(n-2)/2}. Of ``Separable``, whose E is e^H, it is the volume of a unit of log
    E.
    """
    here, energy = np.float64(v), np.float64(e)
    p2 = law.momentum_squared(here, energy)
    return float(sphere(n) * p2 ** ((n - 2) / 2) / law.drift(here, energy, p2)) if p2 > 0 else 0.0


def basin(law: Law, v_i: float, e: float, n: int) -> float:
    """Volume of a basin with frequencies 1 by integrating :func:`density`, eq. (38), over |θ - θ_I| < 1.

    At the distance η from the minimum V = V_I + ½ η². Other frequencies m_I divide by Π m_I, eqs. (44) to
    (46).
    """

    def shell(log_eta: float) -> float:
        eta = math.exp(log_eta)
        return eta**n * density(law, v_i + 0.5 * eta**2, e, n)  # dη = η d(log η)

    # Below the scale of V_I the density is constant and the shells vanish as ηⁿ: from there on in logarithms.
    low = 0.5 * math.log(2 * v_i) - 40 / n
    points = np.linspace(low, 0.0, 2 + int(-low))
    parts = [scipy.integrate.quad(shell, a, b, epsrel=1e-11)[0] for a, b in pairwise(points)]
    return sphere(n) * math.fsum(parts)


def basin_closed(v_i: float, e: float, n: int) -> float:
    """The same for the Born-Infeld law where V ≪ E, in closed form, eqs. (46) and (47).

    (2π^{n/2}/Γ(n/2))² E^{n-1} V_I^{-n/2} (1/n) ₂F₁(n/2, n/2; n/2 + 1; -1/(2V_I)).
    """
    inner = v_i ** (-n / 2) / n * scipy.special.hyp2f1(n / 2, n / 2, n / 2 + 1, -0.5 / v_i)
    return sphere(n) ** 2 * e ** (n - 1) * float(inner)
