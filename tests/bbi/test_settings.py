"""Settings that contradict each other or are no settings are refused, naming them."""

import inspect
import math

import pytest
import torch

from bbi import BBI, ECD, ECDSep, InverseMass, Recorder, diagnose, first_lr, rules


def zeros():
    return [torch.zeros(2, requires_grad=True)]


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: ECDSep(zeros(), f0=0.1, delta_v=0.1), TypeError, r"ECDSep.*'delta_v'"),
        (lambda: rules.ecdsep(f0=0.1, delta_v=0.1), TypeError, "ECDSep has no delta_v: f0"),
        (lambda: rules.ecdsep(t1=5), TypeError, "ECDSep has no t1"),
        (lambda: BBI(zeros(), nu=0.1, t0=5), ValueError, r"t0=5 has no effect with nu=0\.1"),
        (lambda: BBI(zeros(), nu=0.1, t1=torch.tensor(5)), ValueError, "t1=tensor.* has no effect"),
        (lambda: BBI(zeros(), nu=0.1, n_bounces=7), ValueError, "n_bounces=7 has no effect"),
        (lambda: rules.bbi(nu=0.1, t0=5), ValueError, "t0=5 has no effect"),
        (lambda: ECDSep(zeros(), variant="released"), ValueError, "would never move"),
        (lambda: ECD(zeros(), law="BI"), TypeError, r"law='BI' is no law.*BornInfeld\(\)"),
        (lambda: ECD(zeros(), law=InverseMass), TypeError, r"class InverseMass: law=InverseMass\(\)"),
        (lambda: BBI(zeros(), tune_delta_v="no"), TypeError, "tune_delta_v: 'no' .True or False"),
        (lambda: ECDSep(zeros(), eta="1"), TypeError, "eta: '1'"),
        (lambda: BBI(zeros(), n_bounces=True), TypeError, "n_bounces: True"),
        (lambda: ECDSep(zeros(), s=0.0), ValueError, r"s: 0\.0 \(s must be a finite number > 0\)"),
        (lambda: BBI(zeros(), t0=-3), ValueError, r"t0: -3\.0 \(t0 must be a number >= 1, or inf\)"),
        (lambda: BBI(zeros(), delta_v=math.inf), ValueError, r"delta_v must be a finite number\)"),
        (lambda: BBI(zeros(), foreach=True), TypeError, r"BBI.*'foreach'"),
        (lambda: BBI(zeros(), "fast"), TypeError, "lr: 'fast'"),
        (lambda: BBI(zeros(), seed=0.5), TypeError, "seed: 0.5"),
        (lambda: BBI([torch.zeros(2, dtype=torch.int64)]), TypeError, "int64"),
        (lambda: BBI([{"params": zeros(), "delta_e": 1.0}]), ValueError, "delta_e belongs to the whole"),
        (lambda: BBI([{"params": zeros(), "lr": -1.0}]), ValueError, "learning rate: -1.0"),
        (lambda: BBI(zeros()).step(loss=torch.ones(2)), ValueError, r"one number, got shape \(2,\)"),
        (lambda: BBI(zeros(), replicas=2).step(loss=1.0), ValueError, r"has shape \(2,\), got \(\)"),
        (lambda: BBI(zeros()).step(loss="abc"), TypeError, "loss must be a real number or tensor, got 'abc'"),
        (lambda: BBI(zeros()).step(loss=1j), TypeError, "real number"),
        (lambda: BBI(zeros()).step(loss=torch.tensor(1j)), TypeError, "real number"),
    ],
)
def test_a_refusal_names_what_is_wrong(call, error, words):
    with pytest.raises(error, match=words) as found:
        call()
    assert "\n" not in str(found.value)


def test_a_refresh_without_clocks_of_its_own_is_accepted():
    BBI(zeros(), nu=0.1)
    BBI(zeros(), nu=0.1, t0=1000, t1=3000, n_bounces=1)  # the defaults, which cannot be told from no clocks
    rules.bbi(nu=0.1)


def test_a_state_dict_of_another_optimizer_is_refused():
    with pytest.raises(ValueError, match="one of another optimizer, and this optimizer has BornInfeld"):
        BBI(zeros()).load_state_dict(torch.optim.AdamW(zeros()).state_dict())


@pytest.mark.parametrize("cls", [BBI, ECDSep])
def test_signatures_name_every_setting_and_share_their_defaults(cls):
    own, base = (inspect.signature(c.__init__).parameters for c in (cls, ECD))
    assert all(p.kind is not p.VAR_KEYWORD for p in own.values())
    shared = own.keys() & base.keys() - {"nu", "lr"}
    assert {name: own[name].default for name in shared} == {name: base[name].default for name in shared}
    missing = {"law"} if cls is BBI else {"law", "delta_v", "t0", "t1", "n_bounces", "eps1"}
    assert base.keys() - own.keys() == missing


def test_tools_say_what_they_take():
    sgd = torch.optim.SGD(zeros(), lr=0.1)
    for tool in (Recorder, lambda opt: first_lr(opt, lambda: torch.zeros(()))):
        with pytest.raises(TypeError, match=r"Invalid optimizer: SGD \(one of bbi"):
            tool(sgd)
    with pytest.raises(ValueError, match="Invalid closure: it leaves no gradient"):
        first_lr(BBI(zeros(), lr=0.1), lambda: torch.ones(()))
    with pytest.raises(TypeError, match="diagnose reads a Recorder, got BBI"):
        diagnose(BBI(zeros(), lr=0.1))
