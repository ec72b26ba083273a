"""Searches repeated with other seeds, and the runs that follow them."""

import numpy as np
import pytest

from experiments.harness.search import best, tpe
from experiments.harness.tables import plain
from experiments.landscapes import repeats, studies
from experiments.landscapes.config import Starts
from experiments.landscapes.repeats import Later
from tests.landscapes.test_ensemble import FILES
from tests.landscapes.test_studies import computed

ACKLEY = {"_target_": "experiments.landscapes.functions.Ackley", "coefficient": 0.02}
SUCCESS = 0.45


def common(name):
    competitor = FILES[name]
    return {
        "landscape": ACKLEY, "optimizer": competitor.optimizer(), "ensemble": competitor.ensemble,
        "space": competitor.space, "start": [2.0, 1.0], "seed": 3, "budget": {"trials": 5, "steps": 20},
    }  # fmt: skip


def plan(number):
    starts = Starts(center=[0.0, 0.0], side=2.0, points=6, repeats=2, seed=number)
    return {"robust": Later(starts=starts, steps=40, success=SUCCESS, seed=number)}


def repeated(name, numbers):
    return computed(
        repeats.repeats, **common(name), first=numbers[0], streams=[[0, name, i] for i in numbers],
        plans=[plan(i) for i in numbers],
    )  # fmt: skip


@pytest.mark.parametrize("name", ["bbi", "gdm", "adam"])
def test_a_block_of_searches_is_the_searches_made_alone(name):
    together = repeated(name, [0, 1, 2])["runs"]
    alone = repeated(name, [1])["runs"]
    assert together[together["search"] == 1].reset_index(drop=True).equals(alone)


@pytest.mark.parametrize("name", ["bbi", "gdm"])
def test_rows_agree_with_the_search_and_the_runs_by_themselves(name):
    tables = repeated(name, [0])
    given = {**common(name), "steps": 20, "compiled": False}
    del given["budget"]
    trials = plain(tpe(FILES[name].space, studies.evaluation(**given), 5, [0, name, 0]))
    assert tables["trials"].equals(trials)
    found = best(trials, FILES[name].space)
    rows = tables["runs"].set_index("where")
    assert rows.loc["search", "best"] == trials["loss"].min() and rows.loc["search", "runs"] == 5
    given = {**FILES[name].optimizer(), **found}
    later = plan(0)["robust"]
    runs = computed(
        studies.runs, landscape=ACKLEY, optimizer=given, ensemble=FILES[name].ensemble, starts=later.starts,
        steps=later.steps, seed=later.seed,
    )["runs"]  # fmt: skip
    robust = rows.loc["robust"]
    lowest, last = (runs[column].to_numpy().reshape(6, 2) for column in ("best", "final"))
    np.testing.assert_array_equal(robust["best"], lowest.min(1))
    np.testing.assert_array_equal(robust["solved"], (lowest < SUCCESS).sum(1))
    np.testing.assert_array_equal(robust["stay"], (last < SUCCESS).sum(1))
    assert 0 < robust["solved"].sum() < 12


def test_a_search_whose_trials_all_diverge_has_a_row_and_no_runs():
    arguments = {**common("gdm"), "space": {"lr": {"low": 1e200, "high": 2e200}}}
    arguments["landscape"] = {"_target_": "experiments.landscapes.functions.Quadratic", "m": [1.0, 3.0]}
    rows = computed(repeats.repeats, **arguments, first=4, streams=[[0]], plans=[plan(4)])["runs"]
    assert list(rows["where"]) == ["search"] and list(rows["search"]) == [4]
    assert rows["diverged"].item() == 5 and rows[["best", "lr"]].isna().all(axis=None)
