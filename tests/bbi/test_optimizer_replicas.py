"""Replicas of BBI: independent of one another, each like a run of its own."""

import math

import pytest
import torch

from bbi import BBI, BornInfeld, ECDq1
from bbi.rules import ECDRule
from bbi.simulate import simulate
from experiments.landscapes.functions import Ackley

R = 40
OWN = {
    "lr": torch.linspace(0.002, 0.02, R, dtype=torch.float64),
    "delta_v": torch.linspace(0, 1e-2, R, dtype=torch.float64),
    "delta_e": torch.linspace(0, 3, R, dtype=torch.float64),
    "t0": torch.arange(3.0, R + 3, dtype=torch.float64),
    "t1": torch.tensor([5.0, 8.0, 13.0, math.inf] * (R // 4), dtype=torch.float64),
    "n_bounces": torch.arange(R, dtype=torch.float64) % 5,
}
BOUNCY = {"lr": 0.01, "delta_e": 1.0, "t0": 4, "t1": 6, "n_bounces": 5}


def starts(count, n=3):
    return torch.rand(count, n, dtype=torch.float64, generator=torch.Generator().manual_seed(6)) * 8 - 4


def run(descend, start, settings, steps=60, cls=BBI, **options):
    theta = start.clone().requires_grad_()
    opt = cls([theta], replicas=len(start), **settings, **options)
    descend(opt, [theta], lambda x: Ackley(0.02)(x)[0], steps)
    return theta.detach(), opt


def test_per_replica_settings_are_those_of_simulate(descend):
    start = starts(R)
    theta, opt = run(descend, start, OWN, seed=3)
    rule = ECDRule(BornInfeld())
    expected = simulate(Ackley(0.02), start, rule, OWN, 60, seed=3, compiled=False)
    torch.testing.assert_close(theta, expected.theta, rtol=1e-8, atol=1e-8)
    assert torch.equal(opt.bounces, expected.scalars[4])
    assert len(opt.bounces.unique()) > 4


@pytest.mark.parametrize(
    ("cls", "n", "settings"), [(BBI, 1, BOUNCY), (BBI, 1000, BOUNCY), (ECDq1, 1000, {"lr": 0.05, "nu": 0.1})]
)
def test_a_replica_among_many_has_the_bits_that_it_has_among_few(descend, cls, n, settings):
    many, opt = run(descend, starts(100, n), settings, 30, cls)
    assert (opt.bounces >= 4).all()
    for count in (1, 2, 7):
        few, _ = run(descend, starts(100, n)[:count], settings, 30, cls)
        assert torch.equal(few, many[:count])


def test_one_replica_is_a_run_without_replicas(descend):
    one, opt = run(descend, starts(1), BOUNCY)
    theta = starts(1)[0].clone().requires_grad_()
    alone = BBI([theta], **BOUNCY)
    descend(alone, [theta], lambda x: Ackley(0.02)(x)[0], 60)
    torch.testing.assert_close(one[0], theta.detach(), rtol=1e-9, atol=1e-9)
    assert opt.bounces.item() == alone.bounces.item() > 4


def test_replicas_draw_vectors_of_their_own(descend):
    settings = {"lr": 0.01, "delta_e": 1.0, "t0": 4, "t1": math.inf, "n_bounces": torch.ones(50)}
    theta, _ = run(descend, starts(1).expand(50, 3), settings, steps=4)
    assert (theta == theta[0]).all()  # nothing tells them apart before the bounce
    theta, _ = run(descend, starts(1).expand(50, 3), settings, steps=5)
    assert len(theta.unique(dim=0)) == 50
    other, _ = run(descend, starts(1).expand(50, 3), settings, steps=5, seed=1)
    assert (theta != other).any(1).all()


@pytest.mark.parametrize("variant", ["paper", "released"])
@pytest.mark.parametrize("first", [math.nan, 0.0])
def test_a_replica_with_a_bad_first_loss_starts_at_its_first_good_one(first, variant):
    # with minibatches the next loss may be good; alone, such a run starts there
    def descend_from(losses, replicas):
        theta = torch.ones(
            *(() if replicas is None else (replicas,)), 2, dtype=torch.float64, requires_grad=True
        )
        opt = BBI([theta], 0.1, delta_e=1.0, replicas=replicas, variant=variant)
        for loss in losses:
            theta.grad = theta.detach() * torch.where(torch.tensor(loss) > 0, 1.0, 0.0)[..., None]
            opt.step(loss=torch.tensor(loss, dtype=torch.float64))
        return theta.detach(), opt.energy

    together, energy = descend_from([[first, 3.0], [2.0, 2.5], [1.5, 2.0]], 2)
    for r, losses in enumerate(([first, 2.0, 1.5], [3.0, 2.5, 2.0])):
        alone, energy_alone = descend_from(losses, None)
        torch.testing.assert_close(together[r], alone, rtol=1e-12, atol=0)
        assert energy[r] == pytest.approx(energy_alone.item(), rel=1e-14)


def test_a_replica_that_has_stopped_stands_still_beside_the_others(descend):
    start = torch.tensor([[0.1, 0.0], [3.0, 1.0]], dtype=torch.float64)
    theta = start.clone().requires_grad_()
    opt = BBI([theta], 0.05, delta_v=torch.tensor([0.1, 0.0]), replicas=2)
    descend(opt, [theta], lambda x: x.square().sum(-1) + 0.05, 30)
    # V = 0.06 - 0.1 < 0 from the start
    assert opt.stopped.tolist() == [True, False]
    assert torch.equal(theta[0].detach(), start[0])
    alone = start[1].clone().requires_grad_()
    single = BBI([alone], 0.05)
    descend(single, [alone], lambda x: x.square().sum() + 0.05, 30)
    torch.testing.assert_close(theta[1].detach(), alone.detach(), rtol=1e-12, atol=0)


def test_one_number_settings_may_be_tensors(descend):
    plain = {**BOUNCY, "delta_v": 1e-3}
    tensors = {k: torch.tensor(float(v), dtype=torch.float64) for k, v in plain.items()}
    singles = {k: v.reshape(1) for k, v in tensors.items()}
    expected, _ = run(descend, starts(3), plain)
    for settings in (tensors, singles):
        assert torch.equal(run(descend, starts(3), settings)[0], expected)
    theta = starts(1)[0].clone().requires_grad_()
    other = starts(1)[0].clone().requires_grad_()
    for p, settings in ((theta, plain), (other, singles)):
        opt = BBI([p], **settings)
        descend(opt, [p], lambda x: Ackley(0.02)(x)[0], 30)
    assert torch.equal(theta, other)
