"""Motion in continuous time against closed forms, and the audit of steps against the algorithm by hand."""

import math

import numpy as np
import pytest
import torch

from bbi.laws import BornInfeld, Frictionless, InverseMass
from bbi.rules import ecd
from bbi.simulate import simulate
from experiments.landscapes.functions import Quadratic, TwoBasins
from experiments.theory.integrator import audit, flow

TIMES = np.linspace(0.0, 3.0, 31)


def point(*values):
    return torch.tensor(values, dtype=torch.float64)


def speeds(law, potential, found):
    """H(V, Π²), |dΘ/dt|² and V along a motion."""
    theta, pi = found
    v, p2 = potential(theta)[0], pi.square().sum(-1)
    e = torch.as_tensor(law.energy(v, p2))
    return e.numpy(), (torch.as_tensor(law.drift(v, e, p2)) ** 2 * p2).numpy(), v.numpy()


def free(potential, starts, law, steps, record_every=0, **settings):
    rule, values = ecd(law=law, n_bounces=0, t1=math.inf, **settings)
    return simulate(potential, starts, rule, values, steps, record_every=record_every, compiled=False)


def test_plain_momentum_swings_like_a_pendulum():
    theta, pi = flow(Frictionless(), Quadratic((1.5,)), point(2.0), point(0.0), 0.0, TIMES)
    assert theta[:, 0].numpy() == pytest.approx(2 * np.cos(1.5 * TIMES), abs=1e-9)
    assert pi[:, 0].numpy() == pytest.approx(-3 * np.sin(1.5 * TIMES), abs=1e-8)


def test_mass_one_over_v_falls_exponentially():
    """E = ½ V Π² and dΘ/dt = V Π give |dΘ/dt|² = 2 E V = E m² θ² in V = ½ m² θ²."""
    m, e = 0.8, 1.3
    v = 0.5 * (m * 2.0) ** 2
    law, potential = InverseMass(), Quadratic((m,))
    found = flow(law, potential, point(2.0), point(-math.sqrt(2 * e / v)), 0.0, TIMES)
    assert found[0][:, 0].numpy() == pytest.approx(2 * np.exp(-math.sqrt(e) * m * TIMES), rel=1e-9)
    assert speeds(law, potential, found)[0] == pytest.approx(np.full(len(TIMES), e), rel=1e-9)


def test_bi_keeps_its_speed_limit_in_continuous_time():
    """|dΘ/dt|² = V (1 - V²/E²), from eqs. (3) and (4)."""
    start, potential = point(3.0, -2.0), TwoBasins()
    v = float(potential(start)[0])
    e = v + 0.5
    found = flow(BornInfeld(), potential, start, point(0.6, 0.8) * math.sqrt(e**2 / v - v), 0.0, TIMES)
    energy, speed2, v = speeds(BornInfeld(), potential, found)
    assert speed2 == pytest.approx(v * (1 - (v / e) ** 2), rel=1e-8)
    assert energy == pytest.approx(np.full(len(TIMES), e), rel=1e-9)


def test_runs_with_small_steps_approach_the_continuum_at_first_order():
    potential, start = TwoBasins(), point(3.0, -2.0)
    value, grad = potential(start)
    e = value + 0.5
    momentum = -grad / grad.norm() * (e**2 / value - value).sqrt()
    end = flow(BornInfeld(), potential, start, momentum, 0.0, np.array([0.0, 2.0]))[0][-1]
    errors = [
        float((free(potential, start[None], BornInfeld(), n, lr=2.0 / n, delta_e=0.5).theta[0] - end).norm())
        for n in (200, 400, 800)
    ]
    assert [errors[0] / errors[1], errors[1] / errors[2]] == pytest.approx([2, 2], rel=0.1)


def audited(law, lr=0.05, **settings):
    potential, starts = Quadratic((1.0, 0.5)), torch.stack((point(1.0, 2.0), point(-2.0, 0.3)))
    done = free(potential, starts, law, 40, 1, lr=lr, delta_e=0.7, **settings)
    return done, audit(done.curves, law, potential, lr, 0.0, done.scalars[0])


def test_a_restored_step_has_the_energy_and_the_speed_of_its_v():
    done, rows = audited(BornInfeld())
    assert list(rows.groupby("run").size()) == [40, 40]
    assert rows["energy"].abs().max() < 1e-12
    limit = rows["v"] * (1 - (rows["v"] / done.scalars[0].numpy()[rows["run"]]) ** 2)
    assert rows["speed2"].to_numpy() == pytest.approx(limit.to_numpy(), rel=1e-9)


def test_the_audit_of_plain_momentum_is_the_leapfrog_written_out():
    """Π' = Π - Δt m² θ, θ' = θ + Δt Π': the energy of (θ, Π) before each kick."""
    lr, m2 = 0.05, np.array([1.0, 0.25])
    rows = audited(Frictionless(), lr=lr, eps1=math.inf)[1]
    theta = np.array([1.0, 2.0])
    e = 0.5 * (m2 * theta**2).sum() + 0.7
    pi = -m2 * theta / np.linalg.norm(m2 * theta) * math.sqrt(2 * 0.7)
    mine = rows[rows["run"] == 0]
    for energy, stride2 in zip(mine["energy"], mine["stride2"], strict=True):
        assert energy == pytest.approx((0.5 * pi @ pi + 0.5 * (m2 * theta**2).sum()) / e - 1, abs=1e-12)
        pi = pi - lr * m2 * theta
        theta = theta + lr * pi
        assert stride2 == pytest.approx(pi @ pi, rel=1e-9)
