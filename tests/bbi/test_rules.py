"""The functions that make ensembles of the settings of an optimizer class."""

import math

import pytest
import torch

from bbi import BBI, ECD, BornInfeld, ECDq1, ECDSep, InverseMass, Isokinetic, Power, Separable, rules
from bbi.rules import ECDRule, GDMRule
from bbi.simulate import simulate
from experiments.landscapes.functions import Ackley, Quadratic

CLOCKS = {"delta_e": 2.0, "t0": 5, "t1": 7, "n_bounces": 3}
CASES = {
    "bbi": (rules.bbi, BBI, {"lr": 0.01, "delta_v": 1e-4, **CLOCKS}),
    "released": (rules.bbi, BBI, {"lr": 0.01, "variant": "released", **CLOCKS}),
    "eps1": (rules.bbi, BBI, {"lr": 0.01, "eps1": math.inf, **CLOCKS}),
    "free": (rules.bbi, BBI, {"lr": 0.01, "t1": math.inf, "n_bounces": 0}),
    "defaults": (rules.bbi, BBI, {}),
    "ecd": (rules.ecd, ECD, {"law": InverseMass(), "lr": 0.001, **CLOCKS}),
    "ecdsep": (
        rules.ecdsep,
        ECDSep,
        {"lr": 0.01, "eta": 1.4, "nu": 0.1, "s": 0.5, "f0": -0.1, "delta_e": 1.0},
    ),
    "ecdsep without refresh": (rules.ecdsep, ECDSep, {"lr": 0.01, "nu": 0.0, "delta_e": 1.0}),
    "ecdq1": (rules.ecdq1, ECDq1, {"lr": 0.01, "eta": 1.4, "nu": 0.1, "f0": -0.1}),
    "ecdq1 without refresh": (rules.ecdq1, ECDq1, {"lr": 0.01, "nu": 0.0}),
    "ecdq1 defaults": (rules.ecdq1, ECDq1, {}),
    "gdm": (rules.gdm, torch.optim.SGD, {"lr": 0.01, "momentum": 0.9}),
}


@pytest.mark.parametrize("case", CASES)
def test_an_ensemble_of_one_is_the_class(case, descend):
    function, cls, settings = CASES[case]
    start = torch.tensor([1.3, -2.2, 0.4], dtype=torch.float64)
    rule, own = function(**settings)
    run = simulate(Ackley(), start[None], rule, own, 40, compiled=False)
    theta = start.clone().requires_grad_()
    opt = cls([theta], **settings)
    if cls is torch.optim.SGD:
        for _ in range(40):
            theta.grad = Ackley()(theta.detach())[1]
            opt.step()
    else:
        descend(opt, [theta], lambda x: Ackley()(x)[0], 40)
    torch.testing.assert_close(run.theta[0], theta.detach(), rtol=1e-8, atol=1e-9)


def test_rules_compare_by_value_and_need_no_bounces_that_never_come():
    same = {"lr": 0.1, "t1": math.inf, "n_bounces": 0}
    assert rules.bbi(**same)[0] == ECDRule(BornInfeld(), bounces=False)
    assert hash(rules.bbi(**same)[0]) == hash(ECDRule(BornInfeld(), bounces=False))
    for changes in ({"t1": 5}, {"n_bounces": 1}, {"t1": torch.tensor([math.inf, math.inf])}):
        assert rules.bbi(**{**same, **changes})[0] == ECDRule(BornInfeld())
    assert rules.ecdsep(eta=2.0)[0] == ECDRule(Power(Separable(1.0), 2.0), eps1=0.0, nu=1e-5)
    assert rules.ecdsep(nu=0.0)[0] == ECDRule(Power(Separable(1.0), 1.0), eps1=0.0, bounces=False)
    assert rules.ecdq1(nu=0.0)[0] == ECDRule(Isokinetic(1.0), eps1=0.0, bounces=False)
    assert rules.gdm()[0] == GDMRule()


def test_settings_may_belong_to_replicas():
    lr, delta_v = torch.tensor([0.1, 0.2]), torch.tensor([0.0, 1e-3])
    assert rules.bbi(lr=lr, delta_v=delta_v)[1] == {"lr": lr, "delta_v": delta_v}
    assert rules.ecdsep(lr=lr, f0=delta_v)[1]["delta_v"] is delta_v


def test_settings_that_change_no_step_are_accepted():
    rules.bbi(seed=3, foreach=True, fused=None, weight_decay=0.0, tune_delta_v=False)
    rules.gdm(fused=True, foreach=False, nesterov=False, weight_decay=0)


@pytest.mark.parametrize(
    ("function", "bad"),
    [
        (rules.bbi, {"weight_decay": 0.1}),
        (rules.bbi, {"tune_delta_v": True}),
        (rules.bbi, {"replicas": 3}),
        (rules.bbi, {"learning_rate": 3}),
        (rules.ecdsep, {"weight_decay": 0.1}),
        (rules.ecdq1, {"weight_decay": 0.1}),
        (rules.ecdq1, {"t0": 5}),
        (rules.ecdq1, {"delta_e": 1.0}),
        (rules.gdm, {"nesterov": True}),
        (rules.gdm, {"weight_decay": 0.1}),
        (rules.gdm, {"dampening": 0.1}),
    ],
)
def test_what_an_ensemble_cannot_do_is_named(function, bad):
    ((name, value),) = bad.items()
    with pytest.raises(TypeError, match=f"{function.__name__} cannot have {name}={value}"):
        function(**bad)


def test_bad_values_are_named():
    with pytest.raises(ValueError, match="variant: 'mine'"):
        rules.bbi(variant="mine")
    with pytest.raises(ValueError, match="eta: 0"):
        rules.ecdsep(eta=0)
    with pytest.raises(ValueError, match="eta: -1"):
        rules.ecdq1(eta=-1)
    with pytest.raises(ValueError, match="2 dimensions or more"):
        simulate(Quadratic(), torch.ones(3, 1), *rules.ecdq1(), 5, compiled=False)
    with pytest.raises(TypeError, match="law"):
        rules.bbi(law=BornInfeld())
