"""How runs end, against closed forms: the decay of friction and of BI, rest, and what ΔV leaves."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from experiments.competitors import Contender
from experiments.theory import stopping as valleys
from experiments.theory.conservation import Landscape

LAB = SimpleNamespace(seed=lambda *labels: 5)
FRICTION = Contender("gdm", "GDM", {"lr": 0.4, "momentum": 0.5})
BI = Contender("bbi", "BBI", {"lr": 0.1, "delta_v": 0.0, "delta_e": 1.0})


def rows(units) -> pd.DataFrame:
    return pd.concat([compute()["runs"] for _, compute in units], ignore_index=True)


def test_steps_in_a_shallow_valley():
    """Friction: powers of the larger root of z² - (1 + μ - η m²) z + μ; BI: exp(-m t/√2), eq. (8)."""
    m = [0.25, 0.125, 0.0625]
    found = rows(valleys.shallow(valleys.Shallow(m, 0.01, 5000, {"friction": FRICTION, "bi": BI})))
    assert set(found["status"]) == {"stopped"}
    for name, contender in (("friction", FRICTION), ("bi", BI)):
        mine, lr = found[found["name"] == name], contender.fixed["lr"]
        if name == "friction":
            decay = [-math.log(max(np.roots([1, -(1.5 - lr * x**2), 0.5]).real)) for x in m]
        else:
            decay = [lr * x / math.sqrt(2) for x in m]
        assert mine["steps"].to_numpy() == pytest.approx(math.log(100) / np.array(decay), rel=0.03)


def test_a_budget_that_does_not_suffice_is_told():
    found = rows(valleys.shallow(valleys.Shallow([1.0, 0.5, 1e-4], 0.01, 300, {"bi": BI})))
    assert list(found["status"]) == ["stopped", "stopped", "budget"]


def test_gdm_comes_to_rest_and_bbi_does_not():
    slow = Contender("gdm", "GDM", {"lr": 3e-3, "momentum": 0.88})
    moving = Contender("bbi", "BBI", {"lr": 4e-3, "delta_v": 1e-4, "delta_e": 2.0})
    found = rows(valleys.stall(valleys.Stall(6, 1500, 4.0, {"gdm": slow, "bbi": moving}), LAB))
    by_name = found.groupby("name")["span"]
    assert by_name.max()["gdm"] < 1e-9 and by_name.min()["bbi"] > 1e-2
    assert list(found.groupby("name").size()) == [6, 6]


def test_v_is_overshot_by_less_than_a_step_and_at_second_order():
    plan = valleys.Overshoot([1.0, 0.6], 2.0, 0.1, 1.0, [0.04, 0.02, 0.01], 40, 5000)
    found = rows(valleys.overshoot(plan, LAB))
    assert (found["status"] == "converged").all() and (found["overshoot"] > 0).all()
    assert (found["overshoot"] < found["bound"]).all()
    assert (
        0.9 < (found["overshoot"] / found["second_order"]).max() < 1.01
    )  # met by some: it is no loose bound
    median = found.groupby("lr")["overshoot"].median()
    assert median[0.04] / median[0.01] == pytest.approx(16, rel=0.5)


def test_a_lowered_delta_v_lets_the_run_go_on():
    plan = valleys.Tuned(6, 1500, {"ackley": Landscape(0.3, 4e-3, 0.1, 0.0)})
    found = rows(valleys.tuned(plan, LAB))
    assert (found["fixed"] < 0.1).all() and (found["fixed"] > 0.07).all()  # it stops where it crosses V = 0
    assert (found["tuned"] < 0.5 * found["fixed"]).all() and (found["delta_v"] < 0.05).all()


def test_the_same_seed_gives_the_same_rows():
    plan = valleys.Overshoot([1.0, 0.6], 2.0, 0.1, 1.0, [0.04, 0.02, 0.01], 5, 500)
    pd.testing.assert_frame_equal(rows(valleys.overshoot(plan, LAB)), rows(valleys.overshoot(plan, LAB)))
