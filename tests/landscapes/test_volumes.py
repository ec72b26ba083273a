"""Volumes of phase space against balls of momenta, a plain double integral, and closed forms."""

import math

import pytest
import scipy.integrate
from hypothesis import given
from hypothesis import strategies as st

from bbi.laws import BornInfeld, Frictionless, InverseMass, Logarithmic, Separable
from experiments.landscapes.volumes import basin, basin_closed, density, sphere

LAWS = [BornInfeld(), InverseMass(), Logarithmic(), Separable(), Frictionless()]


def test_areas_of_spheres():
    assert [sphere(n) for n in (1, 2, 3, 4)] == pytest.approx([2, 2 * math.pi, 4 * math.pi, 2 * math.pi**2])


@given(
    law=st.sampled_from(LAWS),
    n=st.integers(1, 8),
    v=st.floats(0.01, 1.0),
    spare=st.floats(0.5, 10.0),
)
def test_momenta_on_the_shell_are_the_growth_of_the_ball_with_the_energy(law, n, v, spare):
    """∫ dⁿΠ δ(H - E) = d/dE of the volume of {H < E}, a ball of radius √P(E, V); ECDSep's E is e^H."""
    e = law.start(v, spare)

    def ball(energy):
        return math.pi ** (n / 2) / math.gamma(n / 2 + 1) * law.momentum_squared(v, energy) ** (n / 2)

    h = 1e-5 * e
    slope = (8 * (ball(e + h) - ball(e - h)) - (ball(e + 2 * h) - ball(e - 2 * h))) / (12 * h)
    slope *= e if isinstance(law, Separable) else 1
    assert density(law, v, e, n) == pytest.approx(slope, rel=1e-5)


@given(n=st.integers(1, 12), v=st.floats(0.01, 0.9))
def test_the_density_of_bi_is_the_integrand_of_eq_40(n, v):
    e = 1.0
    expected = sphere(n) * (e / v) * (e**2 / v - v) ** ((n - 2) / 2)
    assert density(BornInfeld(), v, e, n) == pytest.approx(expected, rel=1e-12)
    assert density(BornInfeld(), 1.5, e, n) == 0.0


def test_a_basin_in_the_plane_by_a_plain_double_integral():
    """With frequencies 2 and ½ their product 1 is divided by: the ellipse that |η| < 1 is, point by point."""
    e, v_i, m = 3.0, 0.01, (2.0, 0.5)

    def at(y, x):
        return density(BornInfeld(), v_i + 0.5 * ((m[0] * x) ** 2 + (m[1] * y) ** 2), e, 2)

    def edge(x):
        return math.sqrt(max(0.0, 1 - (m[0] * x) ** 2)) / m[1]

    whole = scipy.integrate.dblquad(at, -0.5, 0.5, lambda x: -edge(x), edge, epsabs=1e-4)[0]
    assert basin(BornInfeld(), v_i, e, 2) / math.prod(m) == pytest.approx(whole, rel=1e-4)


@given(depth=st.floats(0.5, 8.0), n=st.sampled_from([1, 2, 3, 10, 20]))
def test_the_closed_form_is_the_integral_where_v_is_far_below_e(depth, n):
    v_i = 10.0**-depth
    assert basin_closed(v_i, 1e4, n) == pytest.approx(basin(BornInfeld(), v_i, 1e4, n), rel=1e-6)


def test_in_two_dimensions_the_closed_form_is_a_logarithm():
    """∫ η/(V + ½η²) dη from 0 to 1 = log(1 + 1/(2V)); n = 2 gives (2π)² E of it."""
    for v_i in (0.3, 1e-3, 1e-9):
        assert basin_closed(v_i, 5.0, 2) == pytest.approx(
            (2 * math.pi) ** 2 * 5.0 * math.log1p(0.5 / v_i), rel=1e-7
        )
