"""How runs end, against closed forms: the decay of friction and of BI, rest, and what ΔV leaves."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.theory import stopping
from experiments.theory.config import Landscape
from experiments.theory.stopping import overshoot, shallow, stall, tuned

FREE = {"n_bounces": 0, "t1": math.inf}
BBI = {"_target_": "bbi.BBI", **FREE}
GDM = {"_target_": "torch.optim.SGD", "fused": True}
BY_BBI, BY_GDM = "bbi.rules.bbi", "bbi.rules.gdm"


@pytest.mark.parametrize(
    ("optimizer", "ensemble"),
    [
        ({**BBI, "lr": 0.1, "delta_v": 0.0, "delta_e": 1.0}, BY_BBI),
        ({**GDM, "lr": 0.4, "momentum": 0.5}, BY_GDM),
        ({**GDM, "lr": 0.4, "momentum": 0.5}, "elementwise"),  # as any optimizer of torch
    ],
)
def test_steps_in_a_shallow_valley(optimizer, ensemble):
    """Friction: powers of the larger root of z² - (1 + μ - η m²) z + μ; BI: exp(-m t/√2), eq. (8)."""
    m, lr = [0.25, 0.125, 0.0625], optimizer["lr"]
    found = shallow(optimizer, ensemble, m, 0.01, 5000)["runs"]
    assert set(found["status"]) == {"stopped"} and list(found["m"]) == m
    if ensemble == BY_BBI:
        decay = [lr * x / math.sqrt(2) for x in m]
    else:
        decay = [-math.log(max(np.roots([1, -(1.5 - lr * x**2), 0.5]).real)) for x in m]
    assert found["steps"].to_numpy() == pytest.approx(math.log(100) / np.array(decay), rel=0.03)


def test_a_budget_that_does_not_suffice_is_reported():
    optimizer = {**BBI, "lr": 0.1, "delta_v": 0.0, "delta_e": 1.0}
    found = shallow(optimizer, BY_BBI, [1.0, 0.5, 1e-4], 0.01, 300)["runs"]
    assert list(found["status"]) == ["stopped", "stopped", "budget"]


def test_the_noise_of_a_stochastic_optimizer_follows_from_the_seed(monkeypatch):
    monkeypatch.setattr(stopping, "uniform_points", lambda *_: torch.full((2, 2), 1.5, dtype=torch.float64))
    noisy = {"_target_": "bbi.ECDSep", "lr": 0.01, "nu": 0.5}
    first, again, other = (
        stall(noisy, "bbi.rules.ecdsep", 2, 50, 4.0, seed)["runs"]["value"] for seed in (1, 1, 2)
    )
    assert (first == again).all() and not (first == other).any()


def test_gdm_comes_to_rest_and_bbi_does_not():
    slow = stall({**GDM, "lr": 3e-3, "momentum": 0.88}, BY_GDM, 6, 1500, 4.0, seed=5)["runs"]
    moving = {**BBI, "lr": 4e-3, "delta_v": 1e-4, "delta_e": 2.0}
    fast = stall(moving, BY_BBI, 6, 1500, 4.0, seed=5)["runs"]
    assert slow["span"].max() < 1e-9 and fast["span"].min() > 1e-2
    assert len(slow) == len(fast) == 6


def test_v_is_overshot_by_less_than_a_step_and_at_second_order():
    common = {"m": [1.0, 0.6], "radius": 2.0, "delta_v": 0.1, "delta_e": 1.0, "runs": 40, "steps": 5000}
    parts = [overshoot(lr=lr, **common, seed=5)["runs"] for lr in (0.04, 0.02, 0.01)]
    found = pd.concat(parts)
    assert (found["status"] == "converged").all() and (found["overshoot"] > 0).all()
    assert (found["overshoot"] < found["bound"]).all()
    assert 0.9 < (found["overshoot"] / found["second_order"]).max() < 1.01  # met by some: the bound is tight
    median = found.groupby("lr")["overshoot"].median()
    assert median[0.04] / median[0.01] == pytest.approx(16, rel=0.5)
    pd.testing.assert_frame_equal(overshoot(lr=0.04, **common, seed=5)["runs"], parts[0])


def test_a_lowered_delta_v_lets_the_run_continue():
    ackley = {"_target_": "experiments.landscapes.functions.Ackley"}
    place = Landscape(landscape=ackley, dimension=2, side=0.3, lr=4e-3, delta_v=0.1, delta_e=0.0)
    found = tuned(place, BBI, 6, 500, seed=5)["runs"]
    assert (found["fixed"] < 0.1).all() and (found["fixed"] > 0.07).all()  # it stops where it crosses V = 0
    assert (found["tuned"] < 0.5 * found["fixed"]).all() and (found["delta_v"] < 0.05).all()
