"""Section 4.1 as a whole: whatever can run leaves figures and claims."""

import pytest

from tests.landscapes.commands import finished

pytestmark = pytest.mark.usefixtures("coarse_figures")
TINY = (
    "coefficients=[0.2] search.trials=2 search.steps=3 long.steps=4 long.runs=2 long.drawn=1 barrier.runs=1 "
    "barrier.steps=3 regimes.lr=2 regimes.momentum=2 regimes.steps=3 robust.points=2 robust.steps=3 "
)
NO_GDM = "~competitors.gdm ~competitors.gdm_small ~competitors.gdm_gamma ~competitors.gdm_log"
ONE_METHOD = f"{NO_GDM} ~competitors.gdm_released ~competitors.bbi_log ~competitors.bbi_released"


def test_any_optimizer_takes_part(tmp_path):
    others = ("adam", "lbfgs", "ecdsep", "frictionless")
    added = " ".join(f"+optimizer@competitors.my_{name}={name}" for name in others)
    tables, _ = finished("ackley", f"{TINY} ~competitors.gdm_small {added}", tmp_path)
    runs = tables["runs"].groupby(["competitor", "stage"]).size()
    for name in others:
        repeats = 1 if name in ("adam", "lbfgs") else 5  # the others draw random numbers
        assert runs["my_" + name, "robust"] == 2 * repeats
        assert runs["my_" + name, "long"] == min(repeats, 2)
        assert (tables["trials"]["competitor"] == "my_" + name).sum() == 2
    assert tables["runs"].query("stage == 'long' and competitor == 'my_adam'")["regime"].tolist() == [""]
    assert not runs.loc["gdm_released"].index.isin(["search", "regimes found"]).any()  # nothing is searched
    curves = tables["curves"].groupby(["competitor", "run"])["loss"]
    assert curves.size().groupby("competitor").size().max() == 2
    # One run is drawn whole; of the other only the points where the lowest F falls, and its end.
    assert all(lost.iloc[:-1].is_monotonic_decreasing for (_, run), lost in curves if run >= 1)


def test_the_method_alone_on_a_landscape_without_passes(tmp_path):
    """Its δE is searched in place of its step size; nothing is a baseline, so there is no grid of regimes."""
    given = "competitors.bbi.space.lr=null +competitors.bbi.fixed.lr=0.01 ~competitors.bbi.fixed.delta_e"
    searched = "+competitors.bbi.space.delta_e={low:1,high:3} barrier.values=2 coefficients=[9.0]"
    tables, _ = finished("ackley", f"{TINY} {ONE_METHOD} {given} {searched}", tmp_path)
    assert set(tables["runs"]["stage"]) == {"search", "long", "robust", "barrier"}
    assert tables["trials"]["delta_e"].between(1, 3).all()
