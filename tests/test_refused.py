"""Settings that a section refuses, in one line that says what is allowed."""

import pytest

from experiments.__main__ import one_line, prepare
from experiments.harness.errors import UserError
from experiments.harness.settings import compose

ADAM = "occupation.competitors.adam"
REFUSED = {
    "ackley": {
        "competitors.bbi.fixed.delta_e=-1": "delta_e",
        "~competitors.bbi ~competitors.bbi_log": "competitors: must have one competitor with role=method",
        "+competitors.bbi_log.role=method": "competitors: must have one competitor with role=method",
        "robust.success=-1": "robust.success=-1: must be above 0",
        "barrier.values=0": "barrier.values=0: must be 1 or more",
        "regimes.lr=0": "regimes.lr=0: must be 1 or more",
        "coefficients=[]": "coefficients=[]: must be a list of 1 or more",
        "start=[1]": "start=[1]: must be a list of 2 or more",
    },
    "zakharov": {
        "random.sides=[]": "random.sides=[]: must be a list of 1 or more",
        "random.sides=[0]": "must be above 0",
        "random.sides=[1,1]": "must be all different",
        "start=[inf,1]": "must be a finite number",
        "start=[]": "start=[]: must be a list of 1 or more",
        "start.x=1": "start.x=1",
        "competitors.bbi.fixed=1": "competitors.bbi.fixed=1: must be a mapping of names",
        "competitors.bbi.space=abc": "competitors.bbi.space=abc: must be a mapping of names",
        "competitors.bbi.fixed.delta_v=[nan]": "delta_v=[nan]",
        "competitors.bbi.fixed.t1={a:1}": "t1={'a': 1}",
        "competitors.bbi.color=sky": "color=sky: no colour",
        "competitors.bbi.marker=zzz": "marker=zzz: no marker",
        "competitors.bbi.label='$x'": "label=$x",
        "competitors.bbi.ensemble=nowhere": "nowhere",
        "competitors.bbi.ensemble=os.getcwd": "getcwd",
    },
    "two_basin": {
        "~counts.paper": "counts: one must have published_runs",
        "counts.paper.competitor=bbj": "did you mean 'bbi'",
        "counts.paper.n_bounces=0.5": "n_bounces",
        "counts.paper.runs=0": "counts.paper.runs=0: must be 1 or more",
        "occupation.burn_in=2000": "occupation.burn_in=2000: must be below steps",
        "cloud.side=0": "cloud.side=0: must be above 0",
        "~competitors.bbi_endless.fixed.delta_v": "fixed.delta_v=0.0: must be below 0",
        "competitors.bbi_endless.fixed.delta_v=[1]": "delta_v=[1]: must be below 0",
        "+optimizer@competitors.mine=adam": "nothing is searched here",
    },
    "theory": {
        "energy.landscapes.ackley.landscape._target_=bbi.Nothing": "ackley.landscape._target_=bbi.Nothing: "
        "cannot be made",
        "energy.landscapes.two_basin.dimension=3": "two_basin: the landscape takes no points of 3 dimensions",
        "energy.landscapes.ackley.dimension=100000000": "must be 10000 or less",
        "energy.halvings=1": "energy.halvings=1: must be 2 or more",
        "energy.halvings=60": "energy.halvings=60: must be 8 or less",
        "family.m=[]": "family.m=[]: must be a list of 1 or more",
        "family.delta_e=-1": "family.delta_e=-1: must be 0 or more",
        "family.laws.bi.law._target_=bbi.Nothing": "family.laws.bi.law._target_=bbi.Nothing: cannot be made",
        "family.laws.frictionless.role=other": "family.laws.frictionless.role=other: not known",
        "+stall.competitors.bbi_spare.fixed.momentum=1": "fixed.momentum: bbi.BBI has no such setting",
        "~stall.competitors.gdm": "stall.competitors: one must have role=baseline",
        "stall.competitors.gdm.fixed.momentum=-1": "stall.competitors.gdm.fixed: torch.optim.SGD refuses",
        "+optimizer@stall.competitors.adam=adam": "add stall.competitors.adam.space=null "
        "+stall.competitors.adam.fixed.lr=VALUE",
        "shallow.m=[1,1,0.5]": "must be three different values or more",
        "shallow.target=1": "shallow.target=1: must be below 1",
        "overshoot.delta_v=3": "overshoot.delta_v=3.0: must be below",
        "overshoot.lr=[0.1]": "must be three different values or more",
        "tuned.landscapes.ackley.delta_v=0": "tuned.landscapes.ackley.delta_v=0: must be above 0",
        "tuned.optimizer.fixed.n_bounces=-1": "tuned.optimizer.fixed: bbi.BBI refuses",
        "volumes.n=[0]": "must be 1 or more",
        "volumes.n=[2,2]": "volumes.n=[2, 2]: must be all different",
        "volumes.depths=[3]": "volumes.depths=[3]: must be a list of 2 or more",
        "volumes.depths=[2,4,4]": "volumes.depths=[2, 4, 4]: must be all different",
        "~diffusion.competitors.bbi": "diffusion.competitors: one must have role=method",
        "diffusion.phases.late.lags=[1,2]": "must be three different values or more",
    },
    "pde": {
        "problems.k5.k=0": "problems.k5.k=0: must be above 0",
        "problems.k5.interior=0": "problems.k5.interior=0: must be 1 or more",
        "thresholds.l2=0": "thresholds.l2=0: must be above 0",
        "engine.device=tpu": "engine.device=tpu: not known",
        "train=[k3]": "train=k3: no such problem",
        "train=[] shoot=[]": "shoot=[]: nothing to do",
        "problems.k20.k=5 train=[k5] shoot=[k20]": "problems: two of them are k=5",
        "~problems.k5.competitors.bbi": "problems.k5.competitors: must have one competitor with role=method",
        "~problems.k5.competitors.gdm.fixed.lr": "problems.k5.competitors.gdm: fixed.lr must be given",
    },
    "mnist": {
        "protocols.paper.criterion=accuracy": "protocols.paper.criterion=accuracy: not known",
        "protocols.validation.validation_images=0": "protocols.validation: validation_images=0: must be 1",
        "protocols.paper.validation_images=-1": "protocols.paper.validation_images=-1: must be 0 or more",
        "protocols.paper.runs=0": "protocols.paper.runs=0: must be 1 or more",
        "recipe.train=0": "recipe.train=0: must be 1 or more",
        "recipe.crop_padding=-1": "recipe.crop_padding=-1: must be 0 or more",
        "engine.device=gpu": "engine.device=gpu: not known",
        "grid.values.bbi.lr=[]": "grid.values.bbi.lr=[]: must be a list of 1 or more",
        "grid.values.bbi.lr=[-1]": "grid.values.bbi.lr: bbi.BBI refuses",
        "+grid.values.bbi.t0=[9]": "grid.values.bbi.t0: is in competitors.bbi.fixed",
        "+grid.values.nobody.lr=[9]": "grid.values.nobody: no such competitor",
        "protocols.validation.label=${protocols.paper.label}": "protocols: two have the same label",
        "~protocols.paper ~protocols.validation": "protocols: must have one or more",
    },
    "race": {
        "functions.names=[ackly]": "functions.names=ackly: not known (did you mean 'ackley'?)",
        "+networks.mlp={evaluations:5,targets:[2.0,1.0]}": "networks=mlp: not known",
        "functions.dimensions=[2,2]": "functions.dimensions=[2, 2]: must be all different",
        "functions.targets=[1.0,2.0]": "targets must fall",
        "entrants.bbi.space=null": "entrants.bbi.space: must have an axis",
        "tuning.instances=1": "tuning.instances=1: must be 2 or more",
        "entrants.bbi.minimum=delta_w": "bbi.BBI has no setting delta_w (did you mean 'delta_v'?)",
        "+entrants.adam.knows_box=true": "entrants.adam.knows_box=true: torch.optim.Adam has no setting box",
    },
    "measure": {
        f"+optimizer@{ADAM}=adam {ADAM}.space=null +{ADAM}.fixed.lr=0.01": "torch.optim.Adam has no delta_e",
        "occupation.places.five.dimension=2": "places: two have the same dimension",
        "occupation.energies=[2.0,2.0]": "occupation.energies=[2.0, 2.0]: must be all different",
        "~entries.competitors.bbi.fixed.t1": "competitors.bbi.fixed.t1: must be given",
    },
}
CASES = [(name, words) for name, refused in REFUSED.items() for words in refused]


@pytest.mark.parametrize(("experiment", "words"), CASES)
def test_what_cannot_work_is_refused_in_one_line(experiment: str, words: str) -> None:
    overrides = [f"experiment={experiment}", "profile=smoke", *words.split()]
    with pytest.raises(UserError) as refused, one_line(overrides):
        prepare(compose(*overrides), overrides).cfg.check()
    assert "\n" not in str(refused.value) and REFUSED[experiment][words] in str(refused.value)
