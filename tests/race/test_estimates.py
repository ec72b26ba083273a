"""What invented races say of each question: every rule can hold and be violated."""

import math
from itertools import product

import numpy as np
import pandas as pd
import pytest

from experiments.race.config import Entrant
from experiments.race.estimates import estimate
from experiments.race.panels import groups
from tests.answers import CLAIMS, judged, note
from tests.composed import composed
from tests.landscapes.commands import finished

INF = math.inf


def race(scores, forced=0.0, solver=False):
    """Runs with the given mean scores of entrants, on a network too if ``solver``."""
    cfg = composed("race")
    random = np.random.default_rng(0)
    problems = [(name, n) for name in cfg.functions.names for n in (2, 10)]
    problems += [("solver", 81)] if solver else []
    rows = [
        {"entrant": entrant, "problem": problem, "n": n, "tuning": tuning, "instance": instance,
         "score": mean + random.uniform(-0.01, 0.01), "best": 1.0, "hit1": 3.0, "hit2": INF,
         "forced": forced if "ecdsep" in entrant else math.nan, "evaluations": 10.0}
        for (problem, n), (entrant, mean), tuning, instance in product(
            problems, scores.items(), range(3), range(4)
        )
    ]  # fmt: skip
    trials = [
        {"entrant": entrant, "problem": problem, "n": n, "tuning": tuning, "trial": trial, "lr": 10.0**-trial,
         "score0": score, "score1": score, "evaluations": 5.0}
        for entrant in scores for problem, n in problems[:20] for tuning in range(3)
        for trial, score in enumerate([1.0, 0.95, 0.91 if entrant == "bbi" else 0.0])
    ]  # fmt: skip
    return {"runs": pd.DataFrame(rows), "trials": pd.DataFrame(trials)}, cfg


def verdicts(tables, cfg):
    """Verdicts by claim and variant; every sentence can be filled."""
    found = estimate(tables, cfg)
    assert all(note(one) for one in found)
    return {(one.claim, one.variant): judged(one) for one in found if one.claim in CLAIMS}


@pytest.mark.parametrize(("bbi", "verdict"), [(0.5, "holds"), (0.1, "violated"), (0.3, "inconclusive")])
def test_who_scores_higher(bbi, verdict):
    names = {"bbi": bbi, "bbi_restarts": bbi, "gdm": 0.3, "cmaes": 0.3, "lbfgs": 0.3}
    found = verdicts(*race(names, solver=True))
    assert found["race-score", "GDM"] == found["race-score", "L-BFGS"] == verdict
    assert found["race-box", "CMA-ES"] == verdict
    assert found["race-networks", "PDE, 81 weights: GDM"] == verdict
    assert ("race-score", "CMA-ES") not in found  # it knows the box, and BBI does not
    assert found["race-case", ""] == verdict


def test_a_wrong_minimum_and_polyak():
    scores = {"ecdsep": 0.4, "ecdsep_low": 0.2, "polyak": 0.3, "polyak_low10": 0.35, "bbi": 0.3}
    found = verdicts(*race(scores))
    assert found["race-wrong-minimum", "ECDSep, F* − 0.1"] == "holds"
    assert found["race-wrong-minimum", "Polyak, F* − 10 %"] == "violated"
    assert found["race-polyak", "ECDSep, η = 1"] == "holds"


@pytest.mark.parametrize(("forced", "verdict"), [(0.9, "holds"), (0.1, "violated")])
def test_the_share_of_polyak_steps(forced, verdict):
    tables, cfg = race({"bbi": 0.3, "ecdsep": 0.3}, forced)
    noise = np.random.default_rng(1).uniform(0, 0.05, len(tables["runs"]))
    tables["runs"]["forced"] += noise
    assert verdicts(tables, cfg)["race-polyak-steps", "ECDSep, η = 1"] == verdict


def test_the_share_of_good_settings():
    tables, cfg = race({"bbi": 0.3, "gdm": 0.3})
    [found] = [one for one in estimate(tables, cfg) if one.claim == "race-sensitivity"]
    assert found.estimate == pytest.approx(1 - 2 / 3)
    assert (found.numbers["ours"], found.numbers["other"]) == pytest.approx((1.0, 2 / 3))


def test_totals_have_what_was_spent_and_solved():
    tables, cfg = race({"bbi": 0.3})
    [total] = [one for one in estimate(tables, cfg) if one.claim == "race-total"]
    assert total.estimate == pytest.approx(0.3, abs=0.01)
    assert total.numbers["knows"] == "F*"
    assert (total.numbers["solved"], total.numbers["runs"]) == (0, 240)
    assert total.numbers["tuning"] == 20 * 3 * 3 * 5.0


def test_knowledge_in_words():
    common = {"_target_": "x", "label": "", "color": ""}
    assert Entrant(**common).knowledge == "nothing"
    assert Entrant(**common, minimum="f0", too_low=1.0).knowledge == "wrong F*"
    assert Entrant(**common, minimum="f0", knows_box=True).knowledge == "F* and box"
    assert not Entrant(**common, too_low=1.0).misled  # it is told no minimum


def test_figures_have_a_place_for_every_knowledge():
    cfg = composed("race", "+entrants.bbi_restarts.too_low=0.1")
    assert sorted(name for names in groups(cfg).values() for name in names) == sorted(cfg.entrants)


@pytest.mark.usefixtures("coarse_figures")
def test_any_optimizer_takes_part_from_its_file(tmp_path):
    few = " ".join(f"~entrants.{name}" for name in composed("race").entrants if name not in ("bbi", "gdm"))
    words = (
        f"{few} +optimizer@entrants.mine=rmsprop functions.names=[levy,ackley] functions.evaluations=9 "
        "networks={} scoring.instances=3 tuning.trials=2"
    )
    tables, answers = finished("race", words, tmp_path)
    assert set(tables["runs"]["entrant"]) == {"bbi", "gdm", "mine"}
    assert {path.stem for path in tmp_path.rglob("*.png")} == {
        *("totals", "ecdf", "profiles", "running_times", "functions", "tuning", "sensitivity")
    }
    assert all(one.reduced for one in answers)
