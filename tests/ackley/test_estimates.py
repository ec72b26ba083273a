"""What the tables must look like for a claim of section 4.1 to hold, and that it fails where they do not."""

import numpy as np
import pandas as pd
import pytest

from experiments.ackley.estimates import estimate
from experiments.harness.statistics import wilson
from experiments.harness.verdicts import judge, load_paper
from tests.composed import composed

CLAIMS = {claim["id"]: claim for claim in load_paper()[0]}


@pytest.fixture(scope="module")
def cfg():
    return composed("ackley", "coefficients=[0.2]")


def answers(claim, cfg, *parts):
    """The answers to a claim from rows of runs, each part with its stage, competitor and columns."""
    runs = pd.concat(pd.DataFrame({"coefficient": cfg.coefficients[0], **part}) for part in parts)
    return [found for found in estimate({"runs": runs}, cfg) if found.claim == claim]


def robust(name, best):
    points = np.arange(len(best))
    return {"stage": "robust", "competitor": name, "point": points, "best": best, "lr": 0.1}


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
def test_more_long_runs_do_not_make_a_better_verdict(cfg, reached, of, gdm, verdict):
    best = [1e-4] * reached + [0.3] * (of - reached)
    long = [{"stage": "long", "competitor": name, "best": x} for name, x in (("bbi", best), ("gdm", [gdm]))]
    [found] = answers("ackley-long-run", cfg, *long)
    assert judge(CLAIMS["ackley-long-run"], found) == verdict
    assert found.estimate + 0.5 == pytest.approx(1 - (1 - reached / of) ** 5)
    assert [a.estimate for name in ("bbi", "gdm") for a in answers(f"ackley-{name}-long", cfg, *long)] == [
        0.3,
        gdm,
    ]


@pytest.mark.parametrize("more", [0, 3, 90])
def test_searches_have_the_same_points(cfg, more):
    """Ten points solved by both say nothing of a difference: paired, it is known as well as the other 90."""
    one, other = (np.where(np.arange(100) < solved, 1e-5, 1.0) for solved in (10, 10 + more))
    [found] = answers("ackley-gamma", cfg, robust("gdm", one), robust("gdm_gamma", other))
    gap, low, high = found.numbers["gap"]
    half = 1.96 * np.sqrt(more / 100 * (1 - more / 100) / 100) if more else wilson(0, 100)[1]
    assert found.estimate == gap == pytest.approx(more / 100)
    assert (gap - low, high - gap) == (pytest.approx(half, abs=0.02), pytest.approx(half, abs=0.02))
    assert judge(CLAIMS["ackley-gamma"], found) == "inconclusive"  # it is still one search of each


@pytest.mark.parametrize(
    ("last", "verdict"), [("erratic", "holds"), ("solved", "violated"), ("settled elsewhere", "violated")]
)
def test_a_tuned_run_that_solves_is_none_of_the_three_regimes(cfg, last, verdict):
    words = ["erratic", "diverged", "stuck at the start", "erratic", last]
    tuned = {"stage": "long", "competitor": "gdm", "best": 1.0, "regime": words}
    grid = {"stage": "regimes", "competitor": "gdm", "best": 1.0, "regime": ["solved"]}
    [found] = answers("ackley-regimes", cfg, tuned, grid, {**tuned, "competitor": "gdm_released"})
    assert judge(CLAIMS["ackley-regimes"], found) == verdict and found.n == 5


@pytest.mark.parametrize(("above", "verdict"), [([1] * 20, "holds"), ([0] * 20, "inconclusive")])
def test_runs_leave_above_the_pass_only(cfg, above, verdict):
    barrier = {"stage": "barrier", "competitor": "bbi", "best": 1.0}
    parts = [{**barrier, "delta_e": e, "left": left} for e, left in ((0.5, [0] * 20), (2.5, above))]
    [found] = answers("ackley-barrier", cfg, *parts)
    assert judge(CLAIMS["ackley-barrier"], found) == verdict


def test_a_coefficient_that_is_not_published_is_reduced():
    cfg = composed("ackley", "coefficients=[0.1]")
    runs = pd.DataFrame({"coefficient": 0.1, **robust("gdm", [1.0])})
    found = estimate({"runs": runs}, cfg)
    assert found and all("coefficient 0.1" in answer.reduced for answer in found)
