"""The Born-Infeld law: its speed limit, and the numbers at its edges."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bbi.laws import BornInfeld

LAW = BornInfeld()
potentials = st.floats(-38, 6).map(lambda x: 10.0**x)
ratios = st.floats(-6, 6).map(lambda x: 1 + 10.0**x)  # E/V


@given(potentials, ratios)
def test_the_speed_limit_holds_on_the_energy_surface(v, ratio):
    # |dΘ/dt|² = (2 H_P)² P ≤ V, and (30): the speed that belongs to P is the one in 1/√(1 - speed²/V) = E/V
    e = v * ratio
    p = LAW.momentum_squared(v, e)
    assert LAW.energy(v, p) == pytest.approx(e, rel=1e-12)
    speed2 = LAW.drift(v, e, p) ** 2 * p
    assert speed2 <= v * (1 + 1e-12)
    assert 1 - speed2 / v == pytest.approx((v / e) ** 2, abs=1e-12)


def test_the_start_and_the_edges():
    assert LAW.start(3.0, 0.5) == 3.5
    assert LAW.momentum_squared(0.3, 0.3) == 0.0
    assert LAW.momentum_squared(0.4, 0.3) < 0
    assert math.isfinite(LAW.momentum_squared(1e-40, 1e6))
