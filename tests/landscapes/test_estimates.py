"""What the landscapes' tables must look like for a claim to hold, and that it fails where they do not."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from experiments.ackley import estimates as ackley_claims
from experiments.harness.statistics import wilson
from experiments.harness.store import Lab, read_tables
from experiments.harness.verdicts import judge, load_paper
from experiments.landscapes.ensemble import Contest
from experiments.two_basin import estimates as two_basin_claims
from experiments.two_basin import units as two_basin
from experiments.zakharov import estimates as zakharov_claims
from tests.composed import composed

CLAIMS = {claim["id"]: claim for claim in load_paper()[0]}
CONTENDERS = {
    "bbi": SimpleNamespace(optimizer="bbi", label="BBI", space={"lr": ()}),
    "gdm": SimpleNamespace(optimizer="gdm", label="GDM", space={"lr": ()}),
    "gdm_gamma": SimpleNamespace(optimizer="gdm", label="GDM over γ", space={"lr": ()}),
    "gdm_released": SimpleNamespace(optimizer="gdm", label="GDM, released settings", space={}),
}
CFG = SimpleNamespace(
    contenders=CONTENDERS, seed=0, robust=SimpleNamespace(success=5e-4), random=SimpleNamespace(sides=[1.0])
)


class Published:
    """Stands for settings that are all as published."""

    def __call__(self, *patterns):
        return ""

    def tuned(self, name, contender, *patterns):
        return ""


def cloud(without, with_bounces):
    """Tables of a cloud of starts: the basin that each run enters, without bounces and with them."""
    parts = [
        pd.DataFrame({"stage": "cloud", "reading": reading, "run": range(len(basins)), "basin": basins})
        for reading, basins in (("no bounces", without), ("bounces", with_bounces))
    ]
    return {"runs": pd.concat(parts)}


@pytest.mark.parametrize(
    ("without", "verdict"),
    [
        ([1] * 500, "holds"),
        ([1] * 300 + [2] * 200, "violated"),
        ([1] * 12, "inconclusive"),
        ([0] * 500, "inconclusive"),
    ],
)
def test_mixing_without_bounces_would_be_seen(without, verdict):
    tables = cloud(without, [1] * 300 + [2] * 200)
    found = two_basin_claims._without_bounces(tables, Published())
    assert judge(CLAIMS["basin-no-bounce"], found) == verdict


def long_runs(reached, of, gdm):
    best = [1e-4] * reached + [0.3] * (of - reached)
    bbi = pd.DataFrame({"stage": "long", "contender": "bbi", "best": best})
    return pd.concat([bbi, pd.DataFrame({"stage": "long", "contender": "gdm", "best": [gdm]})])


@pytest.mark.parametrize(
    ("reached", "of", "gdm", "verdict"),
    [
        (21, 100, 0.004, "holds"),
        (21, 100, 1e-4, "violated"),  # GDM is there too
        (1, 100, 0.004, "violated"),
        (10, 1000, 0.004, "violated"),  # the best of so many says nothing
        (2, 12, 0.004, "inconclusive"),
    ],
)
def test_more_long_runs_do_not_make_a_better_verdict(reached, of, gdm, verdict):
    found, middle, other = ackley_claims._in_the_long_run(long_runs(reached, of, gdm), CFG, "", Published())
    assert judge(CLAIMS["ackley-long-run"], found) == verdict
    assert found.estimate + 0.5 == pytest.approx(1 - (1 - reached / of) ** 5)
    assert (middle.estimate, other.estimate) == (0.3, gdm)


def test_searches_meet_the_same_points():
    """Ten points solved by both say nothing of a difference: paired, it is known as well as the other 90."""
    best = np.where(np.arange(100) < 10, 1e-5, 1.0)
    parts = [
        pd.DataFrame({"stage": "robust", "contender": name, "point": range(100), "best": best})
        for name in ("gdm", "gdm_gamma")
    ]
    [same] = ackley_claims._over_gamma(pd.concat(parts), CFG, "", Published())
    assert same.estimate == 0.0 and f"[-{wilson(0, 100)[1]:.3g}, {wilson(0, 100)[1]:.3g}]" in same.note
    parts[1]["best"] = np.where(np.arange(100) < 13, 1e-5, 1.0)
    [more] = ackley_claims._over_gamma(pd.concat(parts), CFG, "", Published())
    half = 1.96 * np.sqrt(0.03 * 0.97 / 100)
    assert more.estimate == pytest.approx(0.03)
    low, high = map(float, more.note.split("[")[1].split("]")[0].split(","))
    assert high == pytest.approx(0.03 + half, abs=0.02) and low == pytest.approx(0.03 - half, abs=0.02)
    parts[1]["best"] = 1e-5  # 90 points more: still one search of each
    [most] = ackley_claims._over_gamma(pd.concat(parts), CFG, "", Published())
    assert {judge(CLAIMS["ackley-gamma"], found) for found in (same, more, most)} == {"inconclusive"}


def test_a_diverged_run_of_bbi_counts_against_it():
    ended = {"bbi": "bbbbdddd", "gdm": "bbbdbbbd"}  # b: a budget used up, d: diverged
    lowest = {"bbi": 1.0, "gdm": 2.0}
    runs = pd.concat(
        pd.DataFrame(
            {
                "contender": name,
                "side": 1.0,
                "point": range(8),
                "best": lowest[name],
                "status": ["diverged" if letter == "d" else "budget" for letter in word],
            }
        )
        for name, word in ended.items()
    )
    [found] = zakharov_claims._from_random_points(runs, CFG, Published())
    assert found.estimate == 4 / 8 - 0.5
    assert "higher from 3" in found.note and "BBI diverged from 4 points, GDM from 2" in found.note
    assert "BBI alone from 3, GDM alone from 1" in found.note


def test_a_tuned_run_that_solves_is_none_of_the_three_regimes():
    words = ["erratic", "diverged", "stuck at the start", "erratic"]
    grid = pd.DataFrame({"stage": "regimes", "contender": "gdm", "regime": ["solved"]})
    for last, verdict in (("erratic", "holds"), ("solved", "violated"), ("settled elsewhere", "violated")):
        tuned = pd.DataFrame({"stage": "long", "contender": "gdm", "regime": [*words, last]})
        given = tuned.assign(contender="gdm_released", regime="solved")
        [found] = ackley_claims._regimes_claim(pd.concat([tuned, grid, given]), CFG, "", Published())
        assert judge(CLAIMS["ackley-regimes"], found) == verdict and found.n == 5


@pytest.mark.parametrize(
    ("wild", "gone"),
    [
        (("settings.lr=3", "settings.t0=2", "steps=60", "burn_in=50"), True),  # some diverge before that
        (
            ("start=[-2,-2]", "settings.delta_e=0", "steps=60", "burn_in=50"),
            False,
        ),  # no volume at this energy
    ],
)
def test_an_occupation_that_cannot_be_told_is_no_crash(tmp_path, wild, gone):
    given = [f"occupation.{word}" for word in (*wild, "runs=16", "every=1")]
    cfg = composed("two_basin", f"paths.results={tmp_path}", *given, profile="smoke")
    with Lab(cfg) as lab:
        two_basin._occupation(cfg, Contest(lab, compiled=False))
        lab.finish()
    tables = read_tables(lab.folder)
    assert tables["runs"]["run"].tolist() == list(range(16))
    assert tables["runs"]["in_basin_2"].isna().any() == gone
    found = two_basin_claims._occupied(tables, cfg, Published())
    assert judge(CLAIMS["basin-occupation"], found) == "inconclusive"


def test_a_coefficient_that_is_not_published_is_reduced():
    row = {
        "stage": "robust",
        "contender": "gdm",
        "point": [0],
        "run": 0,
        "best": 1.0,
        "lr": 0.1,
        "regime": "",
    }
    runs = pd.DataFrame({**row, "coefficient": 0.1, "delta_e": 0.0, "left": 0.0})
    found = ackley_claims.claims({"runs": runs}, composed("ackley", "coefficients=[0.1]"))
    assert found and all("coefficient 0.1" in answer.reduced for answer in found)
