"""Section 4.2: its settings, optimizers that are added, and points where runs diverge."""

import pandas as pd
import pytest

from experiments.harness.claims import load_paper
from experiments.harness.verdicts import judge, sentence
from experiments.zakharov.estimates import estimate
from tests.composed import composed
from tests.landscapes.commands import finished, refusal

pytestmark = pytest.mark.usefixtures("coarse_figures")
CLAIMS = load_paper().claims
REFUSED = {
    "~competitors.bbi ~competitors.bbi_log": "role=method",
    "random.sides=[]": "a list of 1 or more",
    "random.sides=[0]": "above 0",
    "start=[inf,1]": "finite",
    "start=[]": "a list of 1 or more",
    "random.sides=[1,1]": "all different",
    "competitors.bbi.fixed=1": "a mapping of names",
    "competitors.bbi.fixed.delta_v=[nan]": "delta_v=[nan]",
    "competitors.bbi.fixed.t1={a:1}": "t1={'a': 1}",
    "competitors.bbi.space=abc": "a mapping of names",
    "competitors.bbi.color=sky": "color=sky: no colour",
    "competitors.bbi.marker=zzz": "marker=zzz: no marker",
    "competitors.bbi.label='$x'": "label=$x",
    "competitors.bbi.ensemble=nowhere": "nowhere",
    "competitors.bbi.ensemble=os.getcwd": "getcwd",
    "start.x=1": "start.x=1",
    "competitors.gdm_narrow.space.lr.low=1": "must be below high",
}
TINY = "search.trials=2 search.steps=3 long.steps=4 random.points=2 random.steps=3"


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_work_is_refused_in_one_line(words):
    assert REFUSED[words] in refusal("zakharov", words)


def test_any_optimizer_takes_part(tmp_path):
    given = "competitors.gdm_log.space.lr=null +competitors.gdm_log.fixed.lr=1e-6 ~competitors.gdm_gamma"
    added = "+optimizer@competitors.mine=adam +optimizer@competitors.second=lbfgs"
    tables = finished("zakharov", f"{TINY} {given} {added}", tmp_path)
    stages = tables["runs"].groupby("competitor")["stage"].value_counts()
    assert all(stages[name, "long"] == 1 and stages[name, "random"] == 4 for name in ("mine", "second"))
    assert {"mine", "second"} < set(tables["trials"]["competitor"])


def test_a_start_from_which_every_trial_diverges(tmp_path):
    gone = " ".join(
        f"~competitors.{name}" for name in ("gdm", "gdm_gamma", "gdm_log", "gdm_narrow", "bbi_log")
    )
    words = f"{TINY} start=[1e100] {gone} ~competitors.bbi.fixed.delta_v"
    assert "curves" not in finished("zakharov", words, tmp_path)


def test_a_diverged_run_of_the_method_counts_against_it():
    ended = {"bbi": "bbbbdddd", "gdm": "bbbdbbbd"}  # b: a budget used up, d: diverged
    parts = [
        {
            "competitor": name,
            "point": range(8),
            "best": {"bbi": 1.0, "gdm": 2.0}[name],
            "status": ["diverged" if letter == "d" else "budget" for letter in word],
        }
        for name, word in ended.items()
    ]
    runs = pd.concat(pd.DataFrame({"stage": "random", "side": 1.0, **part}) for part in parts)
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
    assert found.n == 8 and judge(CLAIMS[claim], found) == verdict
    assert "searches" in sentence(CLAIMS[claim], found)
