"""Searches and runs as units of work: optimizers of any kind, starts, blocks of runs."""

import numpy as np
import pytest

from experiments.harness.units import Surroundings, perform, unit
from experiments.landscapes import studies
from experiments.landscapes.ensemble import uniform_points
from experiments.landscapes.repeats import repeats
from experiments.landscapes.studies import Starts, points_of
from tests.landscapes.test_ensemble import FILES, optimizer

VALLEY = {"_target_": "experiments.landscapes.functions.Quadratic", "m": [1.0, 3.0]}
ACKLEY = {"_target_": "experiments.landscapes.functions.Ackley"}


def computed(function, **arguments):
    return perform(unit(function, **arguments, compiled=False).key, Surroundings()).tables


@pytest.mark.parametrize("name", FILES)
def test_settings_of_every_optimizer_are_searched(name):
    competitor = FILES[name]
    arguments = {
        "landscape": VALLEY,
        "optimizer": competitor.optimizer(),
        "ensemble": competitor.ensemble,
        "space": competitor.space,
        "start": [2.0, 1.0],
        "seed": 3,
        "first": 0,
        "streams": [[0, name]],
        "plans": [{}],
    }
    trials = computed(repeats, **arguments, budget={"trials": 5, "steps": 20, "batch": 2})["trials"]
    assert list(trials["trial"]) == list(range(5))
    assert trials["loss"].min() < 0.5 * (2**2 + 3**2)
    assert all(trials[key].between(*axis.bounds()).all() for key, axis in competitor.space.items())
    again = computed(repeats, **arguments, budget={"trials": 1, "steps": 20})["trials"]
    assert again.iloc[0].equals(trials.iloc[0])  # a trial does not depend on its batch


@pytest.mark.parametrize("name", ["bbi", "adam"])
def test_blocks_of_runs_are_the_runs_of_one_unit(name):
    def runs(count, first=0):
        return computed(
            studies.runs, landscape=ACKLEY, optimizer=optimizer(name), ensemble=FILES[name].ensemble,
            starts=Starts(center=[2.0, 1.0], repeats=count), steps=30, seed=5, slots=16, first=first,
        )["runs"]  # fmt: skip

    whole, last = runs(9), runs(4, first=5)
    assert whole[5:].reset_index(drop=True).equals(last)


def test_starts_are_a_point_or_a_cube_around_it():
    assert points_of(Starts(center=[1.0, 2.0], repeats=3)).tolist() == [[1.0, 2.0]] * 3
    cube = points_of(Starts(center=[1.0, 2.0], side=0.5, points=20, repeats=2, seed=4))
    assert (cube[::2] == cube[1::2]).all() and len(cube.unique(dim=0)) == 20
    expected = uniform_points(20, 2, -0.5, 0.5, 4).numpy() + np.array([1.0, 2.0])
    np.testing.assert_array_equal(cube[::2], expected)


def test_runs_that_are_not_drawn_keep_the_points_of_their_running_minimum():
    common = {"landscape": ACKLEY, "optimizer": optimizer("bbi"), "ensemble": FILES["bbi"].ensemble}
    common |= {"steps": 300, "seed": 1, "starts": Starts(center=[-4.0, 3.0], repeats=4), "compiled": False}
    every = studies.runs(**common, record_every=1)["curves"]
    tables = studies.runs(**common, record_every=20, drawn=1)
    curves, ends = tables["curves"], tables["runs"]["best"]
    assert (curves["run"] == 0).sum() == 16 and (curves["run"] == 3).sum() < 16
    lowest = curves.pivot(index="step", columns="run", values="lowest").ffill()
    truth = every.assign(low=every.groupby("run")["loss"].cummin()).pivot(
        index="step", columns="run", values="low"
    )
    np.testing.assert_allclose(lowest, truth.loc[lowest.index], rtol=1e-12)
    np.testing.assert_array_equal(lowest.iloc[-1], ends)
