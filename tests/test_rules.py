"""Every claim can hold and can fail: verdicts on rows that were made up, for both."""

import math

import numpy as np
import pandas as pd
import pytest

from experiments.harness.claims import load_paper
from experiments.harness.sections import section_of
from experiments.harness.verdicts import judge, sentence
from tests.ackley import test_estimates as ackley
from tests.composed import composed
from tests.images.test_estimates import made, trained
from tests.pde.test_estimates import REDRAWN, SHOTS, rows
from tests.theory import test_estimates as theory

CLAIMS = load_paper().claims
GOOD, BAD = {"holds", "reproduced"}, {"violated", "not reproduced"}


def judged(claim, experiment, tables, *overrides, variant=None):
    """The verdicts on a claim that a section's tables lead to."""
    cfg = composed(experiment, *overrides)
    found = section_of({"experiment": experiment}).estimate(tables, cfg)
    answers = [one for one in found if one.claim == claim and variant in (None, one.variant)]
    assert all(sentence(CLAIMS[claim], one) for one in answers)
    return {judge(CLAIMS[claim], one) for one in answers}


def zakharov(stage, bbi, gdm, status="converged", side=1.0, of=100):
    """BBI's and GDM's lowest F, for the long runs or from points."""
    parts = [
        {"competitor": name, "best": np.broadcast_to(best, of if stage == "random" else 1)}
        for name, best in (("bbi", bbi), ("gdm_narrow", gdm))
    ]
    runs = pd.concat(
        pd.DataFrame({**part, "point": range(len(part["best"]))}).assign(
            stage=stage, side=side, status=status, steps=9.0
        )
        for part in parts
    )
    return {"runs": runs}


def entries(first, second, variant="paper"):
    basin = np.random.default_rng(0).permutation([1] * first + [2] * second)
    return {"stage": "entry", "variant": variant, "run": range(len(basin)), "basin": basin}


def cloud(without):
    basins = {"no bounces": without, "bounces": [1] * 300 + [2] * 200}
    return [
        {"stage": "cloud", "variant": variant, "run": range(len(basin)), "basin": basin}
        for variant, basin in basins.items()
    ]


def occupied(ratio):
    second = np.linspace(0.1, 0.2, 60)
    return {"stage": "occupation", "in_basin_1": ratio * np.roll(second, 7), "in_basin_2": second}


def basins(*parts):
    return {"runs": pd.concat(map(pd.DataFrame, parts))}


def shots(*signs):
    """Of the boundary residual, along u(0)."""
    shot = {"stage": "shooting_scan", "problem": "k=20", "u0": np.linspace(-80, 20, len(signs))}
    return {
        "curves": pd.DataFrame({**shot, "boundary_residual": signs}).assign(r=math.nan, solution="", u=0.0)
    }


def pde(labels):
    return {"curves": SHOTS, "runs": rows(labels)}


def accuracies(bbi, sgd=99.166, losses=(1e-4, 1e-3), **more):
    """Twelve runs of each; the losses of BBI and of SGD."""
    spread = np.tile([-0.02, 0.0, 0.02], 4)
    wide = np.repeat([0.9, 1.1], 6)
    both = [
        trained(name, mean + spread * sign, f"{name}-paper", loss * wide**sign)
        for name, mean, sign, loss in (("bbi", bbi, 1, losses[0]), ("sgd", sgd, -1, losses[1]))
    ]
    return made(*both, **more)


VARIANT = "MNIST, paper selection, BBI"
CASES = {
    "zakharov-speed": lambda ok: judged(
        "zakharov-speed", "zakharov", zakharov("long", 1e-22, 1e-13 if ok else 1e-30)
    ),
    "zakharov-random": lambda ok: judged(
        "zakharov-random", "zakharov",
        zakharov("random", np.where(np.arange(100) < (99 if ok else 75), 1.0, 3.0), 2.0),
    ),
    "basin-ratio": lambda ok: judged(
        "basin-ratio", "two_basin", basins(entries(6600 if ok else 6200, 3400 if ok else 3800))
    ),
    "basin-entries": lambda ok: judged(
        "basin-entries", "two_basin", basins(entries(6300 if ok else 5500, 3700 if ok else 4500))
    ),
    "basin-no-bounce": lambda ok: judged(
        "basin-no-bounce", "two_basin", basins(*cloud([1] * 500 if ok else [1] * 300 + [2] * 200))
    ),
    "basin-occupation": lambda ok: judged(
        "basin-occupation", "two_basin", basins(entries(1, 1), occupied(1.92 if ok else 1.39))
    ),
    "pde-second-solution": lambda ok: judged(
        "pde-second-solution", "pde", shots(-1.0, 1.0, -1.0 if ok else 1.0), "train=[]"
    ),
    "pde-solves": lambda ok: judged(
        "pde-solves", "pde", pde(["first"] * 80 if ok else ["first"] * 30 + ["neither"] * 10), "shoot=[]",
        variant=REDRAWN,
    ),
    "pde-both": lambda ok: judged(
        "pde-both", "pde", pde(["first"] * (22 if ok else 2) + ["second"] * (2 if ok else 22)), "shoot=[]",
        variant=REDRAWN,
    ),
    "mnist-sgd": lambda ok: judged(
        "mnist-sgd", "mnist", accuracies(99.2, 99.166 if ok else 99.5), variant="mean"
    ),
    "mnist-bbi": lambda ok: judged("mnist-bbi", "mnist", accuracies(99.177 if ok else 99.5)),
    "cifar-sgd": lambda ok: judged("cifar-sgd", "cifar", accuracies(92.4, 92.628 if ok else 95.0)),
    "cifar-bbi": lambda ok: judged("cifar-bbi", "cifar", accuracies(92.434 if ok else 95.0)),
    "no-overfit": lambda ok: judged(
        "no-overfit", "mnist", accuracies(99.17 if ok else 98.7), variant=VARIANT
    ),
    "training-loss": lambda ok: judged(
        "training-loss", "mnist", accuracies(99.2, losses=(1e-4, 1e-3) if ok else (1e-3, 1e-4)),
        variant=VARIANT,
    ),
    "batch-rescale": lambda ok: judged(
        "batch-rescale", "mnist", accuracies(99.2, energy=1e-14 if ok else 1e-6)
    ),
}  # fmt: skip


@pytest.mark.parametrize("claim", CASES)
def test_invented_rows_hold_and_fail(claim):
    good, bad = CASES[claim](True), CASES[claim](False)
    assert good & GOOD and not good & BAD
    assert bad & BAD


def test_a_wrong_hessian_is_no_reproduction(monkeypatch):
    """Nothing of this number comes from a table."""
    assert judged("basin-theory", "two_basin", basins(entries(6600, 3400))) == {"reproduced"}
    monkeypatch.setattr("experiments.landscapes.basins.hessian", lambda basin: (float(basin),) * 2)
    assert judged("basin-theory", "two_basin", basins(entries(6600, 3400))) == {"not reproduced"}


def test_no_claim_was_forgotten():
    """A new claim needs a case here or in its section's tests: rows with which it holds, and others."""
    own = {"measure", "race"}  # beyond the paper; the tests of these sections have both for each claim
    here = {name for name, claim in CLAIMS.items() if claim.experiment not in own}
    of_ackley = {(claim, verdict) for claim, _, verdict in ackley.CASES}
    changed = [theory.GOOD, *(expected for *_, expected in theory.CASES)]
    of_theory = {(name.split()[0], verdict) for some in changed for name, verdict in some.items()}
    good, bad = ({name for name, one in of_ackley | of_theory if one in some} for some in (GOOD, BAD))
    assert here - CASES.keys() - (good & bad) == {"basin-theory"}
