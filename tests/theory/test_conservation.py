"""What the units of work on the energy say of runs, against what the algorithm and the laws must give."""

import math
from types import SimpleNamespace

import pandas as pd
import pytest

from experiments.theory import conservation as conserved

LAB = SimpleNamespace(seed=lambda *labels: 5)


def tables(units):
    found = [compute() for _, compute in units]
    return {name: pd.concat([some[name] for some in found if name in some]) for name in ("runs", "curves")}


def test_restored_left_and_in_continuous_time():
    place = conserved.Landscape(4.0, 0.01, 0.0, 0.5)
    plan = conserved.Energy(4, 50, 2, 2, {"two_basin": place})
    [(_, compute)] = conserved.energy(plan, LAB)
    rows = compute()["runs"]
    restored, left, continuous = (
        rows[rows["reading"] == reading] for reading in ("restored", "left", "continuous")
    )
    for mine in (restored, left):
        assert [(lr, *steps.unique()) for lr, steps in mine.groupby("lr")["steps"]] == [
            (0.0025, 200), (0.005, 100), (0.01, 50),
        ]  # fmt: skip
    assert restored["deviation"].max() < 1e-10 and len(continuous) == 2
    assert continuous["deviation"].max() < 1e-10
    worst = left.groupby("lr")["deviation"].median()
    assert worst[0.01] / worst[0.005] == pytest.approx(2, rel=0.1)
    assert worst[0.005] / worst[0.0025] == pytest.approx(2, rel=0.1)
    assert worst[0.0025] > 1e-4


def test_laws_in_a_bowl_conserve_slow_down_and_fall():
    """|dΘ/dt|² = V (1 - V²/E²) of BI, 2 E V of the mass 1/V, 2 (E - V) of plain momentum: to O(Δt)."""
    plan = conserved.Family([1.0, 0.5], 2.0, 2, 750, 1, 0.02, 1.0)
    found = tables(conserved.family(plan, LAB))
    runs, curves = found["runs"], found["curves"]
    assert list(runs.groupby("name").size()) == [2] * 5
    assert runs["deviation"].max() < 1e-9 and runs.groupby("name")["continuous"].max().max() < 1e-9
    assert (runs.groupby("name")["continuous"].count() == 1).all()
    best = runs.groupby("name")["best"].max()
    assert best["bi"] < 1e-4 and best["inverse_mass"] < 1e-4 and best["frictionless"] > 1e-3
    last = runs.set_index(["name", "run"])["last"]
    assert (last >= runs.set_index(["name", "run"])["best"]).all() and last["bi"].max() < 1e-4
    late = curves[curves["step"] > 50]
    for name, law in {
        "bi": lambda v, e: v * (1 - (v / e) ** 2),
        "inverse_mass": lambda v, e: 2 * e * v,
        "frictionless": lambda v, e: 2 * (e - v),
    }.items():
        mine = late[late["name"] == name]
        e = curves.loc[curves["name"] == name, "v"].iloc[0] + 1.0
        wanted = law(mine["v"], e).to_numpy()
        assert mine["stride2"].to_numpy() == pytest.approx(wanted, rel=0.05, abs=0.08), name


def test_a_motion_that_starts_below_zero_has_no_number():
    plan = conserved.Energy(2, 5, 2, 2, {"two_basin": conserved.Landscape(4.0, 0.01, 100.0, 0.0)})
    [(_, compute)] = conserved.energy(plan, LAB)
    assert compute()["runs"]["deviation"].map(math.isnan).all()
