"""Why the energy of one run on Ackley's function deviates by 81 % without the rescaling."""

import math

import numpy as np
import pytest
import scipy.integrate

from experiments.harness.units import derived_seed
from experiments.theory.conservation import VARIANTS, energy
from tests.composed import composed

PLACE = composed("theory").energy.landscapes["ackley"]
SEED = derived_seed(0, "energy", "ackley")
BI = {"_target_": "bbi.BornInfeld"}


def ackley(x, y):
    radius = math.sqrt((x * x + y * y) / 2)
    cone = 20 * math.exp(-0.2 * radius)
    waves = math.exp((math.cos(math.tau * x) + math.cos(math.tau * y)) / 2)
    slope = 0.1 * cone / radius
    gradient = [slope * z + waves * math.pi * math.sin(math.tau * z) for z in (x, y)]
    return 20 - cone + math.e - waves - PLACE.delta_v, *gradient


def alone(lr, span):
    """Largest |H/E - 1| and lowest V of the run in the table, by eqs. (5) and (6) with floats alone."""
    x, y = PLACE.starts(1, SEED)[0].tolist()
    v, gx, gy = ackley(x, y)
    e = v + PLACE.delta_e
    norm = -math.sqrt(e * e / v - v) / math.hypot(gx, gy)
    px, py = norm * gx, norm * gy
    deviation, lowest = 0.0, v
    for _ in range(round(span / lr)):
        deviation = max(deviation, abs(math.sqrt(v * (v + px * px + py * py)) / e - 1))
        lowest = min(lowest, v)
        kick = 0.5 * lr * (v / e + e / v)
        px, py = px - kick * gx, py - kick * gy
        x, y = x + lr * v / e * px, y + lr * v / e * py
        v, gx, gy = ackley(x, y)
    return deviation, lowest


def test_the_run_alone_deviates_as_in_the_table_and_not_with_the_rescaling():
    left, restored = (
        energy(PLACE, BI, 1, 500, eps1, seed=SEED)["runs"]["deviation"][0]
        for eps1 in (VARIANTS["left"], VARIANTS["restored"])
    )
    assert left == pytest.approx(alone(PLACE.lr, 2.0)[0], rel=1e-6)
    assert left == pytest.approx(0.554, abs=1e-3) and restored < 1e-14
    assert alone(5e-4, 2.0)[0] == pytest.approx(0.814, abs=1e-3)  # smaller steps do worse at first


def test_off_the_energy_surface_h2_minus_e2_grows_as_v():
    """With a constant E in (3), d(H² - E²)/dt = (dV/dt)/V (H² - E²): an error made at low V is amplified."""
    e = 5.0

    def velocity(_, state):
        x, y, px, py = state
        v, gx, gy = ackley(x, y)
        kick = 0.5 * (v / e + e / v)
        return v / e * px, v / e * py, -kick * gx, -kick * gy

    v, gx, gy = ackley(0.01, 0.02)
    momentum = math.sqrt(1.001 * (e * e / v - v)) / math.hypot(gx, gy)  # Π² is 0.1 % too large
    start = 0.01, 0.02, momentum * gx, momentum * gy  # uphill
    done = scipy.integrate.solve_ivp(velocity, (0.0, 0.25), start, "DOP853", rtol=1e-12, atol=1e-12)
    values = np.array([ackley(x, y)[0] for x, y in done.y[:2].T])
    excess = values * (values + (done.y[2:] ** 2).sum(0)) - e * e
    assert values.max() > 10 * values.min()
    assert excess / values == pytest.approx(excess[0] / values[0], rel=1e-6)


def test_the_error_is_of_first_order_with_steps_far_smaller():
    """The change of V in a step has to be small where V is lowest; here until shortly after it passes."""
    [coarse, _], [fine, lowest] = alone(4e-6, 0.7), alone(2e-6, 0.7)
    assert lowest == pytest.approx(5.46e-4, rel=1e-3)
    assert coarse / fine == pytest.approx(2, rel=0.1)
