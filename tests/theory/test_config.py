"""Settings that are refused, in one line that says what is allowed."""

import pytest

from tests.landscapes.commands import refusal

REFUSED = {
    "energy.landscapes.ackley.lr=0": "above 0",
    "energy.landscapes.ackley.landscape._target_=bbi.Nothing": "cannot be made",
    "energy.landscapes.two_basin.dimension=3": "takes no points of 3 dimensions",
    "energy.halvings=1": "2 or more",
    "energy.halvings=60": "8 or less",
    "energy.landscapes.ackley.dimension=100000000": "10000 or less",
    "stall.competitors.gdm.space=[1]": "a mapping of names",
    "family.m=[]": "a list of 1 or more",
    "family.delta_e=-1": "0 or more",
    "family.laws.bi.law._target_=bbi.Nothing": "cannot be made",
    "family.laws.frictionless.role=other": "not known",
    "+stall.competitors.bbi_spare.fixed.momentum=1": "no such setting",
    "~stall.competitors.gdm": "one must have role=baseline",
    "stall.competitors.gdm.fixed.momentum=-1": "refuses",
    "shallow.m=[1,1,0.5]": "three different values or more",
    "shallow.target=1": "below 1",
    "overshoot.delta_v=3": "must be below",
    "overshoot.lr=[0.1]": "three different values or more",
    "tuned.landscapes.ackley.delta_v=0": "above 0",
    "tuned.optimizer.fixed.n_bounces=-1": "refuses",
    "volumes.n=[0]": "1 or more",
    "volumes.depths=[3]": "a list of 2 or more",
    "volumes.depths=[2,4,4]": "all different",
    "volumes.n=[2,2]": "all different",
    "~diffusion.competitors.bbi": "one must have role=method",
    "+optimizer@stall.competitors.adam=adam": "add stall.competitors.adam.space=null "
    "+stall.competitors.adam.fixed.lr=VALUE",
    "diffusion.phases.late.lags=[1,2]": "three different values or more",
}


@pytest.mark.parametrize(("words", "why"), REFUSED.items(), ids=REFUSED)
def test_refused_in_one_line(words, why):
    error = refusal("theory", words)
    assert why in error
    assert words.strip("+~").removeprefix("optimizer@").partition(".")[0] in error
