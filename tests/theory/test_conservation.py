"""Units of work on the energy against what the algorithm and the laws must give."""

import math

import pytest

from experiments.theory.config import Landscape
from experiments.theory.conservation import VARIANTS, bowl, continuous, energy

BASINS = {"_target_": "experiments.landscapes.functions.TwoBasins"}
BI = {"_target_": "bbi.BornInfeld"}
LAWS = ("BornInfeld", "InverseMass", "Logarithmic", "Separable", "Frictionless")


def place(lr=0.01, delta_v=0.0):
    return Landscape(landscape=BASINS, dimension=2, side=4.0, lr=lr, delta_v=delta_v, delta_e=0.5)


def test_the_energy_is_restored_or_off_by_an_error_of_first_order():
    found = {
        (variant, halving): energy(place(0.01 / 2**halving), BI, 4, 50 * 2**halving, eps1, seed=5)["runs"]
        for variant, eps1 in VARIANTS.items()
        for halving in range(3)
    }
    for (variant, halving), rows in found.items():
        assert list(rows["run"]) == [0, 1, 2, 3] and set(rows["steps"]) == {50 * 2**halving}
        assert (rows["deviation"].max() < 1e-10) == (variant == "restored")
        assert (rows["speed"] <= 1 + 1e-12).all() or variant == "left"
    worst = [found["left", halving]["deviation"].median() for halving in range(3)]
    assert [worst[0] / worst[1], worst[1] / worst[2]] == pytest.approx([2, 2], rel=0.1)
    assert worst[2] > 1e-4


def test_the_energy_is_conserved_in_continuous_time():
    rows = continuous(place(), BI, 2, 0.5, seed=5)["runs"]
    assert list(rows["run"]) == [0, 1] and rows["deviation"].max() < 1e-10


def test_a_motion_that_starts_below_zero_has_no_number():
    below = place(delta_v=100.0)
    assert energy(below, BI, 2, 5, 1e-10, seed=5)["runs"]["deviation"].map(math.isnan).all()
    assert continuous(below, BI, 2, 0.1, seed=5)["runs"]["deviation"].map(math.isnan).all()


def test_laws_in_a_bowl_conserve_their_energy_slow_down_and_fall():
    """|dΘ/dt|² = V (1 - V²/E²) of BI, 2 E V of the mass 1/V, 2 (E - V) of plain momentum: to O(Δt)."""
    speeds = {
        "BornInfeld": lambda v, e: v * (1 - (v / e) ** 2),
        "InverseMass": lambda v, e: 2 * e * v,
        "Frictionless": lambda v, e: 2 * (e - v),
    }
    for name in LAWS:
        found = bowl({"_target_": f"bbi.{name}"}, [1.0, 0.5], 2.0, 2, 750, 1, 0.02, 1.0, seed=5)
        runs, curve = found["runs"], found["curves"]
        assert len(runs) == 2 and runs["deviation"].max() < 1e-9, name
        assert runs["continuous"].count() == 1 and runs["continuous"][0] < 1e-9, name
        assert (runs["last"] >= runs["best"]).all(), name
        if name in speeds:
            assert (runs["best"].max() < 1e-4) == (name != "Frictionless"), name
            late = curve[curve["step"] > 50]
            wanted = speeds[name](late["v"], curve["v"].iloc[0] + 1.0).to_numpy()
            assert late["stride2"].to_numpy() == pytest.approx(wanted, rel=0.05, abs=0.08), name
