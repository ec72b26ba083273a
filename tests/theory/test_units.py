"""All checks together, at budgets of a few steps."""

import pytest

from experiments.landscapes.volumes import sphere
from experiments.theory import integrator
from experiments.theory.units import volumes
from tests.answers import CLAIMS, judged
from tests.landscapes.commands import finished

pytestmark = pytest.mark.usefixtures("coarse_figures")
TINY = (
    "energy.runs=2 energy.steps=4 energy.halvings=2 family.runs=2 family.steps=5 stall.runs=2 "
    "stall.steps=100 shallow.steps=300 overshoot.runs=2 overshoot.steps=40 tuned.runs=2 tuned.steps=3 "
    "volumes.n=[2] volumes.depths=[2,4] diffusion.phases.late.runs=1 diffusion.phases.late.images=20 "
    "diffusion.phases.late.epochs=1 diffusion.phases.settled.images=20 diffusion.phases.settled.epochs=2"
)
STRANGE = (
    # Nothing moves, or ends at once.
    "energy.landscapes.ackley.delta_v=100 overshoot.steps=1 shallow.steps=1 "
    "stall.competitors.bbi.fixed.delta_v=50 "
    # Others take part.
    "+optimizer@stall.competitors.adam=adam stall.competitors.adam.space=null "
    "+optimizer@shallow.competitors.lbfgs=lbfgs shallow.competitors.lbfgs.space=null "
    "+optimizer@diffusion.competitors.adam=adam diffusion.competitors.adam.space=null "
    "+family.laws.mine={label:mine,color:red,law:{_target_:bbi.InverseMass}} "
    # The rest diverges.
    "energy.landscapes.zakharov.lr=1e3 energy.landscapes.two_basin.lr=1e6 family.lr=1e6 family.delta_e=0 "
    "stall.competitors.gdm.fixed.lr=1e9 tuned.landscapes.zakharov.lr=1e6 "
    "diffusion.competitors.sgd.fixed.lr=1e9 diffusion.competitors.bbi.fixed.lr=1e9"
)


def test_whatever_can_run_leaves_figures_and_answers(tmp_path, monkeypatch):
    monkeypatch.setattr(integrator, "EVALUATIONS", 1000)  # which motions that diverge use up
    words = f"{TINY} {STRANGE} paths.data=null paths.download=false"
    _, found = finished("theory", words, tmp_path)
    assert len(list(tmp_path.rglob("*.png"))) == 8
    verdicts = [judged(one) for one in found if one.claim in CLAIMS]
    assert set(verdicts) <= {"reduced", "reproduced"} and len(verdicts) > 15


def test_volumes_have_a_row_for_every_dimension_and_depth():
    rows = volumes([2, 3], [1, 4], 1e3)["runs"]
    assert list(rows["n"]) == [2, 2, 3, 3] and list(rows["v_i"]) == [0.1, 1e-4, 0.1, 1e-4]
    assert rows["plain"].iloc[1] == pytest.approx(sphere(2) ** 2 / 2, rel=1e-9)  # (41) with n = 2 is an area
