"""Invented tables: the volume law holds, or does not; barriers slow one optimizer down, or both."""

import numpy as np
import pandas as pd
import pytest

from experiments.measure.estimates import dimensions, estimate, law
from tests.answers import judged
from tests.composed import composed

CFG = composed("measure", "occupation.energies=[2.0]")


def occupied(factor: list[float], noise: float, runs: int = 200) -> pd.DataFrame:
    """Shares that are the law's times a factor for each well, and vary from run to run."""
    random, tables = np.random.default_rng(0), []
    for n in dimensions(CFG):
        for name in CFG.occupation.competitors:
            varied = np.array(factor) * (1 + noise * random.standard_normal((runs, 4)))
            table = pd.DataFrame(0.1 * law(CFG, n, 2.0) * varied, columns=[f"in_{i + 1}" for i in range(4)])
            labels = {"stage": "occupation", "name": name, "dimension": n, "energy": 2.0}
            tables.append(table.assign(**labels, run=range(runs)))
    return pd.concat(tables)


def passed(ours: float, theirs: float) -> pd.DataFrame:
    """Steps that grow by these powers of e for each 0.04 of the barrier."""
    rows = [
        {"stage": "escape", "name": name, "barrier": barrier, "run": run, "crossed": True,
         "steps": 100 * np.exp(rate * barrier / 0.04) * (1 + 0.01 * run)}
        for name, rate in (("bbi", ours), ("noisy", theirs))
        for barrier in CFG.escape.barriers
        for run in range(5)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def verdicts(rows: pd.DataFrame, claim: str) -> set[str]:
    return {judged(one) for one in estimate({"runs": rows}, CFG) if one.claim == claim}


@pytest.mark.parametrize(
    ("factor", "noise", "verdict"),
    [
        ([1, 1, 1, 1], 0.05, "holds"),
        ([1, 1, 1, 1.1], 0.05, "violated"),
        ([1, 1, 1, 1], 2.0, "inconclusive"),
    ],
)
def test_the_volume_law(factor, noise, verdict):
    assert verdicts(occupied(factor, noise), "measure-occupation") == {verdict}


@pytest.mark.parametrize(("factor", "verdict"), [([1, 1, 1, 1], "holds"), ([1, 1.2, 1.4, 1.6], "violated")])
def test_the_logarithm(factor, verdict):
    assert verdicts(occupied(factor, 0.05), "measure-logarithm") == {verdict}


@pytest.mark.parametrize(
    ("ours", "theirs", "verdict"), [(0.02, 1.0, "holds"), (1.0, 1.0, "violated"), (1.0, 0.2, "violated")]
)
def test_the_barrier(ours, theirs, verdict):
    rows = pd.concat([occupied([1] * 4, 0.05), passed(ours, theirs)])
    assert verdicts(rows, "measure-barrier") == {verdict}


def entered(ratios: dict[tuple[float, int, int], float]) -> pd.DataFrame:
    """Counts of 10,000 runs with these ratios, 1.7 where none is given."""
    rows = []
    for setting in CFG.entries.settings():
        second = round(10_000 / (1 + ratios.get(setting, 1.7)))
        labels = dict(zip(("lr", "t0", "n_bounces"), setting, strict=True))
        counts = {"first_1": 10_000 - second, "first_2": second, "runs": 10_000}
        rows += [{"stage": "entries", "name": name, **labels, **counts} for name in CFG.entries.competitors]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("claim", "setting", "ratio", "verdict"),
    [
        ("measure-entries-step", (0.005, 20, 1), 1.7, "holds"),
        ("measure-entries-step", (0.005, 20, 1), 2.2, "violated"),
        ("measure-entries-clocks", (0.01, 80, 1), 1.7, "holds"),
        ("measure-entries-clocks", (0.01, 20, 100), 1.3, "violated"),
    ],
)
def test_the_ratio_of_first_entries(claim, setting, ratio, verdict):
    rows = pd.concat([occupied([1] * 4, 0.05), entered({setting: ratio})])
    assert verdict in verdicts(rows, claim)
    assert ("violated" in verdicts(rows, claim)) == (verdict == "violated")


def test_runs_that_end_early_say_nothing():
    rows = occupied([1, 1, 1, 1], 0.05)
    rows.iloc[3, 0] = np.nan
    assert "inconclusive" in verdicts(rows, "measure-occupation")
    assert verdicts(pd.DataFrame(rows.iloc[:0]), "measure-occupation") == {"inconclusive"}
