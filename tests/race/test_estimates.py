"""What invented races say of each question: every rule can hold and be violated."""

import math

import numpy as np
import pandas as pd
import pytest

from experiments.harness.claims import load_paper
from experiments.harness.results import read_tables
from experiments.harness.verdicts import judge, sentence
from experiments.race.config import Entrant
from experiments.race.estimates import estimate
from experiments.race.figures import draw
from tests.composed import composed
from tests.landscapes.commands import finished, refusal

INF = math.inf


def race(scores, forced=0.0, networks=()):
    """Runs with the given mean scores of entrants; one who is in ``networks`` runs on the solver too."""
    cfg = composed("race")
    random = np.random.default_rng(0)
    problems = [(name, n) for name in cfg.functions.names for n in (2, 10)]
    problems += [("solver", 81)] if networks else []
    rows = []
    for problem, n in problems:
        for entrant, mean in scores.items():
            for tuning in range(3):
                for instance in range(4):
                    rows.append({
                        "entrant": entrant, "problem": problem, "n": n, "tuning": tuning,
                        "instance": instance, "score": mean + random.uniform(-0.01, 0.01), "best": 1.0,
                        "forced": forced if "ecdsep" in entrant else math.nan, "evaluations": 10.0,
                        "hit1": 3.0, "hit2": INF,
                    })  # fmt: skip
    trials = [
        {"entrant": entrant, "problem": problem, "n": n, "tuning": tuning, "trial": trial, "lr": 10.0**-trial,
         "score0": score, "score1": score, "evaluations": 5.0}
        for entrant in scores for problem, n in problems[:20] for tuning in range(3)
        for trial, score in enumerate([1.0, 0.95, 0.91 if entrant == "bbi" else 0.0])
    ]  # fmt: skip
    return {"runs": pd.DataFrame(rows), "trials": pd.DataFrame(trials)}, cfg


def verdicts(tables, cfg):
    """Verdicts by claim and variant; every sentence can be filled."""
    claims, numbers, _ = load_paper()
    found = {}
    for one in estimate(tables, cfg):
        if one.claim in claims:
            found[one.claim, one.variant] = judge(claims[one.claim], one)
            assert sentence(claims[one.claim], one)
        else:
            [entry] = [entry for entry in numbers["race"] if entry.id == one.claim]
            assert sentence(entry, one)
    return found


@pytest.mark.parametrize(("bbi", "verdict"), [(0.5, "holds"), (0.1, "violated"), (0.3, "inconclusive")])
def test_who_scores_higher(bbi, verdict):
    names = {"bbi": bbi, "bbi_restarts": bbi, "gdm": 0.3, "cmaes": 0.3, "lbfgs": 0.3}
    found = verdicts(*race(names, networks=names))
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


REFUSED = {
    "functions.names=[ackly]": "functions.names=ackly: not known (did you mean 'ackley'?)",
    "+networks.mlp={evaluations:5,targets:[2.0,1.0]}": "networks=mlp: not known",
    "functions.dimensions=[2,2]": "functions.dimensions=[2, 2]: must be all different",
    "functions.targets=[1.0,2.0]": "targets must fall",
    "entrants.bbi.space=null": "must have an axis",
    "tuning.instances=1": "2 or more",
    "entrants.bbi.minimum=delta_w": "bbi.BBI has no setting delta_w (did you mean 'delta_v'?)",
    "+entrants.adam.knows_box=true": "entrants.adam.knows_box=true: torch.optim.Adam has no setting box",
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_work_is_refused_in_one_line(words):
    assert REFUSED[words] in refusal("race", words)


@pytest.mark.usefixtures("coarse_figures")
def test_any_optimizer_takes_part_from_its_file(tmp_path):
    few = " ".join(f"~entrants.{name}" for name in composed("race").entrants if name not in ("bbi", "gdm"))
    words = f"{few} +optimizer@entrants.mine=rmsprop functions.names=[levy,ackley] functions.evaluations=9"
    tables = finished("race", f"{words} networks={{}} scoring.instances=3 tuning.trials=2", tmp_path)
    assert set(tables["runs"]["entrant"]) == {"bbi", "gdm", "mine"}
    again = read_tables(next(tmp_path.rglob("provenance.json")).parent)
    cfg = composed(
        "race", *words.split(), "networks={}", "scoring.instances=3", "tuning.trials=2", profile="smoke"
    )
    assert set(draw(again, cfg, {})) == {
        *("totals", "ecdf", "profiles", "running_times", "functions", "tuning", "sensitivity")
    }
    assert all(one.reduced for one in estimate(again, cfg))
