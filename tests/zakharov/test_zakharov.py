"""Section 4.2: optimizers that are added, and points where runs diverge."""

import threading

import pandas as pd
import pytest

from experiments.harness.executor import SerialExecutor
from experiments.harness.session import Compute
from experiments.harness.store import Store
from experiments.zakharov import units
from experiments.zakharov.estimates import estimate
from tests.answers import judged, note
from tests.composed import composed
from tests.landscapes.commands import finished

pytestmark = pytest.mark.usefixtures("coarse_figures")
TINY = "search.trials=2 search.steps=3 long.steps=4 random.points=2 random.steps=3"


def test_any_optimizer_takes_part(tmp_path):
    given = "competitors.gdm_log.space.lr=null +competitors.gdm_log.fixed.lr=1e-6 ~competitors.gdm_gamma"
    added = "+optimizer@competitors.mine=adam +optimizer@competitors.second=lbfgs"
    tables, _ = finished("zakharov", f"{TINY} {given} {added}", tmp_path)
    stages = tables["runs"].groupby("competitor")["stage"].value_counts()
    assert all(stages[name, "long"] == 1 and stages[name, "random"] == 4 for name in ("mine", "second"))
    assert {"mine", "second"} < set(tables["trials"]["competitor"])


def test_the_noise_of_a_stochastic_optimizer_follows_from_the_seed(tmp_path):
    noisy = (
        "+optimizer@competitors.noisy=ecdsep",
        "competitors.noisy.space=null",
        "+competitors.noisy.fixed.lr=0.01",
    )
    others = [f"~competitors.{name}" for name in ("gdm_gamma", "gdm_log", "gdm_narrow", "bbi_log")]
    ends = set()
    for seed in (0, 1):
        cfg = composed("zakharov", *TINY.split(), *noisy, *others, f"seed={seed}", profile="smoke")
        with Store(tmp_path / str(seed)) as store:
            runs = units.run(cfg, Compute(cfg, store, SerialExecutor(), threading.Event()))["runs"]
        ends.add(runs.query("stage == 'long' and competitor == 'noisy'")["best"].item())
    assert len(ends) == 2


def test_a_start_from_which_every_trial_diverges(tmp_path):
    gone = " ".join(
        f"~competitors.{name}" for name in ("gdm", "gdm_gamma", "gdm_log", "gdm_narrow", "bbi_log")
    )
    words = f"{TINY} start=[1e100] {gone} ~competitors.bbi.fixed.delta_v"
    tables, _ = finished("zakharov", words, tmp_path)
    assert "curves" not in tables


def test_a_diverged_run_of_the_method_counts_against_it():
    words = {"b": "budget", "d": "diverged"}
    runs = pd.concat(
        pd.DataFrame(
            {"competitor": name, "point": range(8), "best": best, "status": list(map(words.get, ended))}
        )
        for name, best, ended in (("bbi", 1.0, "bbbbdddd"), ("gdm", 2.0, "bbbdbbbd"))
    ).assign(stage="random", side=1.0)
    found = estimate({"runs": runs}, composed("zakharov", "random.sides=[1.0]"))
    [answer] = [answer for answer in found if answer.claim == "zakharov-random"]
    assert answer.estimate == 4 / 8
    assert answer.numbers == {
        "lower": 4,
        "higher": 3,
        "floor": 1e-22,
        "there": 0,
        "others_there": 0,
        "diverged": 4,
        "others_diverged": 2,
        "alone": 3,
        "others_alone": 1,
    }


def repeated(ours, theirs, converged=1, runs=8):
    """Rows of repeated searches: the lowest F of one long run and from ten points of [-1, 1]ⁿ each."""
    rows = [
        {"stage": "search", "where": where, "search": i, "competitor": name, "point": point, "best": best,
         "converged": converged if name == "bbi" else 0, "diverged": 0}
        for i in range(runs)
        for where, points in (("long", 1), ("side 1", 10))
        for point in range(points)
        for name, best in (("bbi", ours[i % len(ours)]), ("gdm_narrow", theirs[i % len(theirs)]))
    ]  # fmt: skip
    first = [{"stage": "long", "competitor": name, "best": 1e-9, "status": "budget", "steps": 1} for name in
             ("bbi", "gdm_narrow")]  # fmt: skip
    once = [{"stage": "random", "competitor": name, "side": 1.0, "point": 0, "best": 1e-9, "status": "budget"}
            for name in ("bbi", "gdm_narrow")]  # fmt: skip
    return {"runs": pd.DataFrame([*rows, *first, *once])}


@pytest.mark.parametrize(
    ("claim", "tables", "verdict"),
    [
        ("zakharov-speed", repeated([1e-22], [1e-12]), "holds"),
        ("zakharov-speed", repeated([1e-22], [1e-12], converged=0), "violated"),
        ("zakharov-speed", repeated([1e-22], [1e-23]), "violated"),
        ("zakharov-speed", repeated([1e-22], [1e-12, 1e-23]), "inconclusive"),
        ("zakharov-random", repeated([1e-22], [1e-12]), "holds"),
        ("zakharov-random", repeated([1e-12], [1e-13]), "violated"),
        ("zakharov-random", repeated([1e-12], [1e-13, 1.0]), "inconclusive"),
    ],
)
def test_searches_are_the_unit(claim, tables, verdict):
    cfg = composed("zakharov", "random.sides=[1.0]")
    [found] = [one for one in estimate(tables, cfg) if one.claim == claim]
    assert found.n == 8 and judged(found) == verdict
    assert "searches" in note(found)
