"""The compiled kernel against eager torch, in ten dimensions: index arithmetic shows only beyond a few.

Compiling takes most of the time, so two kernels serve all tests here but one: for 16 and for 512 slots.
"""

import warnings

import pytest
import torch
import torch._inductor

from bbi.laws import BornInfeld
from bbi.rules import ECDRule, GDMRule
from bbi.simulate import simulate
from experiments.landscapes.functions import Ackley, TwoBasins

LANDSCAPE = Ackley(0.02)
RULE = ECDRule(BornInfeld())
SETTINGS = {"lr": 0.01, "delta_v": 1e-4, "delta_e": 2.0, "t0": 7, "t1": 11, "n_bounces": 3}


def early(theta, value):
    return value < 2.0


def starts(count):
    return torch.rand(count, 10, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 8 - 4


def run(count, steps, *, compiled=True, only=None, record_every=0):
    numbers = torch.arange(count) if only is None else torch.tensor([only])
    if len(numbers) <= 16:
        record_every = 25
    return simulate(
        LANDSCAPE, starts(1300)[numbers], RULE, SETTINGS, steps,
        seed=4, replicas=numbers, stop=early, record_every=record_every, compiled=compiled,
    )  # fmt: skip


@pytest.fixture(scope="module")
def many():
    """1300 replicas, 200 steps: three fillings of the 512 slots."""
    return run(1300, 200)


@pytest.mark.parametrize("count", [3, 1300])
def test_compiled_is_eager(count):
    # 64-bit products in the generated C++ once went wrong: the directions of bounces would show it
    fast, plain = run(count, 60), run(count, 60, compiled=False)
    torch.testing.assert_close(fast.theta, plain.theta, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(fast.value, plain.value, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(fast.best, plain.best, rtol=1e-12, atol=1e-12)
    assert fast.status == plain.status
    assert torch.equal(fast.steps, plain.steps)
    assert torch.equal(fast.scalars[4], plain.scalars[4])  # bounces
    assert fast.scalars[4].max() >= 4


def test_a_replica_alone_and_among_many_has_the_same_bits(many):
    assert 100 < many.status.count("stopped") < 1200
    assert len(many.steps.unique()) > 20
    for r in [*range(0, 1300, 130), 511, 512, 1299]:
        alone = run(1300, 200, only=r)
        for name in ("theta", "value", "best", "steps"):
            assert torch.equal(getattr(alone, name)[0], getattr(many, name)[r]), (r, name)
        assert alone.status == [many.status[r]]


def test_curves_end_where_the_runs_end(many):
    curves = run(1300, 200, record_every=10).curves
    last = torch.ones_like(curves.replica, dtype=torch.bool)
    last[:-1] = curves.replica[1:] != curves.replica[:-1]
    assert curves.replica[last].tolist() == list(range(1300))
    assert torch.equal(curves.step[last], many.steps)
    assert torch.equal(curves.theta[last], many.theta)
    assert (curves.step[~last] % 10 == 0).all()
    assert int((~last).sum()) == int(((many.steps + 9) // 10).sum())


def test_compiled_gdm_is_torch_sgd():
    theta = torch.tensor([3.0, -1.0], dtype=torch.float64, requires_grad=True)
    sgd = torch.optim.SGD([theta], lr=0.02, momentum=0.9)
    final = simulate(TwoBasins(), theta.detach()[None], GDMRule(), {"lr": 0.02, "momentum": 0.9}, 100).theta
    for _ in range(100):
        sgd.zero_grad()
        TwoBasins()(theta)[0].backward()
        sgd.step()
    torch.testing.assert_close(final[0], theta.detach(), rtol=1e-10, atol=1e-12)


def test_without_a_compiler_it_warns_once_and_runs_eagerly(monkeypatch):
    def refuse(*args, **kwargs):
        raise RuntimeError("no C++ compiler found")

    monkeypatch.setattr(torch._inductor, "standalone_compile", refuse)
    rule = ECDRule(BornInfeld(), eps1=2e-10)  # a rule of its own: no kernel is kept for it
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        runs = [simulate(LANDSCAPE, starts(20), rule, SETTINGS, 60) for _ in range(2)]
    assert [w.category for w in caught] == [RuntimeWarning]
    assert "no C++ compiler found" in str(caught[0].message)
    plain = simulate(LANDSCAPE, starts(20), rule, SETTINGS, 60, compiled=False)
    for fallen_back in runs:
        assert torch.equal(fallen_back.theta, plain.theta)
