"""Every law of the family: Hamilton's equations, energy, and the optimizers made of them."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from bbi import (
    BBI,
    ECD,
    BornInfeld,
    ECDSep,
    Frictionless,
    InverseMass,
    Isokinetic,
    Logarithmic,
    Power,
    Separable,
)
from bbi.algorithm import Algorithm
from bbi.laws import Law

LAWS = (
    BornInfeld(),
    InverseMass(),
    Logarithmic(),
    Frictionless(),
    Separable(),
    Separable(0.3),
    Power(BornInfeld(), 2.0),
    Power(Separable(), 1.5),
    Isokinetic(2.0),
    Power(Isokinetic(), 1.5),
)
every = pytest.mark.parametrize("law", LAWS, ids=str)
hamiltonian = pytest.mark.parametrize("law", [law for law in LAWS if not law.isokinetic], ids=str)
SCALES = torch.tensor([0.5, 0.1], dtype=torch.float64)


@hamiltonian
@given(v=st.floats(1e-3, 1e3), p2=st.floats(1e-3, 1e3))
def test_kick_and_drift_are_derivatives_of_the_hamiltonian(law: Law, v: float, p2: float) -> None:
    x = torch.tensor([v, p2], dtype=torch.float64, requires_grad=True)
    conserved = law.energy(x[0], x[1])
    # Separable's conserved quantity is e^H.
    h = conserved.log() if law.separable else conserved
    h_v, h_p = torch.autograd.grad(h, x)[0].tolist()
    e = conserved.item()
    assert law.kick(v, e) == pytest.approx(h_v, rel=1e-8)
    assert law.drift(v, e, p2) == pytest.approx(2 * h_p, rel=1e-8)


@given(v=st.floats(1e-3, 1e3), energy=st.floats(1e-3, 1e3), eta=st.floats(0.1, 10), d=st.integers(2, 99))
def test_the_isokinetic_law_is_a_hamiltonian_in_another_time(
    v: float, energy: float, eta: float, d: int
) -> None:
    # H = ½ log P + c log V moves at the speed 2 H_P |Π|; the law divides time by it, and Π by its length
    c = 0.5 * eta * d / (d - 1)
    x = torch.tensor([v, (energy / v**c) ** 2], dtype=torch.float64, requires_grad=True)
    h = 0.5 * x[1].log() + c * x[0].log()
    h_v, h_p = torch.autograd.grad(h, x)[0].tolist()
    speed = 2 * h_p * x[1].item() ** 0.5
    turning = h_v / x[1].item() ** 0.5 / speed
    law, one = Isokinetic(eta), 1.0
    assert law.momentum_squared(v, law.start(v, 0.0)) == one
    assert law.drift(v, one, one) * eta**0.5 == pytest.approx(1, rel=1e-12)
    assert law.kick(v, one) * eta**0.5 * d / (d - 1) == pytest.approx(turning, rel=1e-9)


@every
@given(v=st.floats(1e-6, 1e3), p2=st.floats(1e-3, 1e6))
def test_momentum_squared_inverts_the_energy(law: Law, v: float, p2: float) -> None:
    e = law.energy(v, p2)
    # P is a difference of E-sized terms where Π² is small beside V: rounding of those is what remains.
    size = p2 + v ** max(1.0, getattr(law, "exponent", 1.0)) + 1
    assert law.momentum_squared(v, e) == pytest.approx(p2, rel=1e-9, abs=1e-12 * size)
    tensors = (torch.tensor(x, dtype=torch.float64) for x in (v, e))
    assert law.momentum_squared(*tensors).item() == pytest.approx(law.momentum_squared(v, e), rel=1e-9)


def bowl(p: torch.Tensor) -> torch.Tensor:
    return (SCALES * p.square()).sum() + 0.3


def run(opt: torch.optim.Optimizer, p: torch.Tensor, steps: int) -> list[tuple[float, float]]:
    """(V, Π²) along a run, each pair at one time."""
    seen = []
    for _ in range(steps):
        opt.zero_grad()
        loss = bowl(p)
        loss.backward()
        if opt.state.get(p):
            seen.append((loss.item(), opt.momentum(p).square().sum().item()))
        opt.step(loss=loss)
    return seen


def deviation(law: Law, lr: float, eps1: float) -> float:
    p = torch.nn.Parameter(torch.tensor([1.0, -1.5], dtype=torch.float64))
    delta_e = 0.0 if law.isokinetic else 0.4
    opt = ECD([p], lr, law=law, delta_e=delta_e, t1=math.inf, n_bounces=0, eps1=eps1)
    seen = run(opt, p, round(1.0 / lr))
    energies = np.array([law.energy(*pair) for pair in seen])
    return float(np.abs(energies / opt.energy.item() - 1).max())


@every
def test_energy_drifts_to_first_order_without_the_rescaling(law: Law) -> None:
    coarse, fine = deviation(law, 1.6e-2, math.inf), deviation(law, 4e-3, math.inf)
    assert 0 < fine < 0.05
    assert math.log(coarse / fine, 4) == pytest.approx(1, abs=0.15)


def separable_reference(p: torch.Tensor, steps: int, lr: float, w: float) -> torch.Tensor:
    """The formulas of ECDSep, written out, without partial bounces."""
    eta, s, f0, delta_e = 1.5, 1.0, 0.05, 0.7
    theta = p.detach().clone()

    def at(x: torch.Tensor) -> tuple[float, torch.Tensor]:
        x = x.clone().requires_grad_()
        f = bowl(x)
        (g,) = torch.autograd.grad(f, x)
        return f.item() + 0.5 * w * x.detach().square().sum().item() - f0, g + w * x.detach()

    u, g = at(theta)
    c = u**eta * (s + delta_e)
    m = -g / g.norm() * delta_e**0.5
    for _ in range(steps):
        u, g = at(theta)
        p2, want = m.square().sum().item(), c / u**eta - s
        if want >= 0 and p2:
            m = m * (want / p2) ** 0.5
        m = m - lr * eta / u * g
        theta = theta + lr * 2 * m / (s + m.square().sum().item())
    return theta


def separable(p: torch.Tensor, **settings: float) -> ECDSep:
    given = {"eta": 1.5, "s": 1.0, "f0": 0.05, "delta_e": 0.7, "nu": 0.0, "weight_decay": 0.02}
    return ECDSep([p], 0.01, **{**given, **settings})


def start() -> torch.nn.Parameter:
    return torch.nn.Parameter(torch.tensor([1.0, -1.5], dtype=torch.float64))


def test_separable_is_the_formulas_written_out() -> None:
    p = start()
    expected = separable_reference(p, 60, 0.01, 0.02)
    run(separable(p), p, 60)
    torch.testing.assert_close(p.detach(), expected, rtol=1e-10, atol=0)


def test_partial_bounces_turn_the_motion_a_little_and_keep_its_length() -> None:
    ends = {}
    for nu in (0.0, 1e-3, 0.5):
        p = start()
        opt = separable(p, nu=nu)
        run(opt, p, 40)
        ends[nu] = p.detach().clone()
        law = opt.law
        assert law.energy(opt.potential, opt.momentum_norm**2) == pytest.approx(opt.energy.item(), rel=0.05)
    small, large = ((ends[nu] - ends[0.0]).norm() for nu in (1e-3, 0.5))
    assert 0 < small < 0.02 < large


def test_weight_decay_is_part_of_the_potential() -> None:
    with_decay, by_hand = start(), start()
    one, other = BBI([with_decay], 0.02, weight_decay=0.3, t0=5), BBI([by_hand], 0.02, t0=5)
    for _ in range(40):
        run(one, with_decay, 1)
        other.zero_grad()
        loss = bowl(by_hand) + 0.15 * by_hand.square().sum()
        loss.backward()
        other.step(loss=loss)
    torch.testing.assert_close(with_decay, by_hand, rtol=1e-9, atol=0)
    assert one.energy == pytest.approx(other.energy.item(), rel=1e-12)


@pytest.mark.filterwarnings("ignore:the loss is")
def test_a_delta_v_that_is_too_high_is_lowered_and_the_run_goes_on() -> None:
    lowest = {}
    for tune in (False, True):
        p = start()
        opt = BBI([p], 0.02, delta_v=0.45, tune_delta_v=tune, t1=math.inf, n_bounces=0)
        lowest[tune] = min(v for v, _ in run(opt, p, 600))
        assert 0 <= opt.delta_v <= 0.45
        assert bool(opt.stopped) is not tune
    assert lowest[True] < lowest[False] < 0.45


def steps_at(opt: torch.optim.Optimizer, p: torch.Tensor, losses: list[float]) -> list[bool]:
    """Steps with these losses and a gradient that is always the same; whether each of them moved."""
    moves = []
    for loss in losses:
        before = p.detach().clone()
        p.grad = torch.ones_like(p)
        opt.step(loss=torch.full(p.shape[:-1], loss, dtype=torch.float64))
        moves.append(not torch.equal(p, before))
        assert p.isfinite().all()
    return moves


SHAPES = pytest.mark.parametrize("lead", [(), (1,)], ids=["floats", "tensors"])


@SHAPES
@pytest.mark.parametrize("extreme", [1e35, 1e-31, 1e-35])  # to the tenth: inf, subnormal, 0
@pytest.mark.parametrize("when", [0, 3])
@pytest.mark.parametrize(
    "law", [Power(BornInfeld(), 10.0), Power(Separable(), 10.0), Power(InverseMass(), 10.0)], ids=str
)
def test_powers_beyond_float64_make_no_step(law: Law, when: int, extreme: float, lead: tuple[int]) -> None:
    losses = [1.0, 0.9, 0.8, 0.9, 0.8]
    ends = []
    for bad in (False, True):
        p = torch.nn.Parameter(torch.ones(*lead, 2, dtype=torch.float64))
        opt = ECD([p], 1e-3, law=law, delta_e=0.5, t1=3, replicas=1 if lead else None)
        assert steps_at(opt, p, losses[:when]) == [True] * when
        if bad:
            assert steps_at(opt, p, [extreme]) == [False]
            assert opt.stopped.all()
        assert steps_at(opt, p, losses[when:]) == [True] * (5 - when)
        assert not opt.stopped.any()
        ends.append((p.detach(), opt.momentum(p), opt.energy, opt.bounces))
    for got, expected in zip(*ends, strict=True):
        assert torch.equal(got, expected)


@every
@pytest.mark.parametrize("v", [1e-300, 1e-40, 1e32, 1e200])
def test_numbers_are_within_range_where_tensors_are(law: Law, v: float) -> None:
    for wide in (law, Power(law, 10.0), Power(law, 0.1)):
        numbers = [np.float64(x) for x in (v, wide.start(1.0, 0.5), 0.0)]
        tensors = [torch.tensor(x, dtype=torch.float64) for x in numbers]
        with np.errstate(all="ignore"):
            finite = Algorithm(wide).coefficients(*numbers).finite
        assert finite == Algorithm(wide).coefficients(*tensors).finite, wide


@SHAPES
def test_a_delta_v_at_its_lowest_is_not_lowered_or_counted_on(lead: tuple[int]) -> None:
    p = torch.nn.Parameter(torch.ones(*lead, 2, dtype=torch.float64))
    opt = BBI([p], 0.1, delta_v=5.0, tune_delta_v=True, replicas=1 if lead else None)
    assert steps_at(opt, p, [4.0]) == [True]
    assert (opt.delta_v, opt.param_groups[0]["system"]["lowered"]) == (3.0, 1)  # 5 - 2¹ · 1
    assert not any(steps_at(opt, p, [-1.0] * 20))
    assert (opt.delta_v, opt.param_groups[0]["system"]["lowered"]) == (0.0, 2)
