"""BBI as a torch optimizer: losses, groups, dtypes, memory layouts and bad values."""

import math

import pytest
import torch

from bbi import BBI
from bbi.norms import sum_squares
from experiments.landscapes.functions import Quadratic, Zakharov

SETTINGS = {"delta_e": 1.0, "t0": 3, "t1": 5, "n_bounces": 4}


def bowl(*params):
    """A smooth loss of any real or complex parameters, that weighs each element its own way."""
    flat = [(torch.view_as_real(p) if p.is_complex() else p).reshape(-1).double() for p in params]
    x = torch.cat(flat)
    return (torch.linspace(0.5, 2, len(x), dtype=torch.float64) * x.square()).sum() + 0.1 * x.cos().sum() + 1


def numbers(*shape, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize(
    "form",
    [float, torch.Tensor.double, lambda x: x.double().reshape(1), lambda x: x.double().reshape(1, 1)],
    ids=["float", "tensor", "one element", "matrix of one"],
)
def test_every_form_of_the_loss_gives_the_same_step(form):
    def run(form):
        theta = numbers(4).requires_grad_()
        opt = BBI([theta], 0.05, **SETTINGS)
        for _ in range(10):
            opt.zero_grad()
            loss = bowl(theta)
            loss.backward()
            given = form(loss.detach() / 3)
            assert opt.step(loss=given) is given
        return theta.detach(), opt.potential

    (theta, potential), (expected, v) = run(form), run(lambda loss: loss)
    assert torch.equal(theta, expected)
    assert torch.equal(potential, v)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("when", [0, 4])
@pytest.mark.parametrize("replicas", [None, 3])
def test_a_step_whose_loss_is_no_number_changes_nothing(bad, when, replicas):
    lead = () if replicas is None else (replicas,)

    def run(skips):
        theta = numbers(2).expand(*lead, 2).clone().requires_grad_()
        opt = BBI([theta], 0.05, replicas=replicas, **SETTINGS)
        for k in range(9):
            if k == when and skips:
                before = theta.detach().clone()
                theta.grad, loss = torch.full_like(theta, math.nan), torch.ones(lead, dtype=torch.float64)
                loss[...] = bad
                opt.step(loss=loss)
                assert torch.equal(theta.detach(), before)
                assert not opt.stopped.any() or bad == -math.inf
            theta.grad = 2 * theta.detach()
            opt.step(loss=theta.detach().square().sum(-1) + 1)
        return theta.detach(), opt.energy, opt.bounces

    for got, expected in zip(run(True), run(False), strict=True):
        assert torch.equal(got, expected)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"lr": math.inf}, "learning rate: inf"),
        ({"lr": torch.tensor([0.1, 0.2])}, "lr"),
        ({"delta_v": math.nan}, "delta_v: nan"),
        ({"t1": 0.5}, "t1: 0.5"),
        ({"t0": 20.5}, "t0: 20.5"),
        ({"t1": torch.tensor(7.25)}, "t1: 7.25"),
        ({"n_bounces": 1e-3}, "n_bounces: 0.001"),
        ({"replicas": 2, "t1": torch.tensor([5.0, 5.5])}, "t1: 5.5"),
        ({"eps1": -1.0}, "eps1"),
        ({"eps2": -1.0}, "eps2"),
        ({"variant": "mine"}, "mine"),
        ({"replicas": 0}, "replicas: 0"),
        ({"replicas": 3}, "replicas=3"),
        ({"replicas": 2, "delta_e": torch.tensor([0.1, 0.2, 0.3])}, "delta_e"),
        ({"replicas": 2, "t0": torch.tensor([5.0, math.nan])}, "t0: nan"),
    ],
)
def test_a_bad_value_is_named(changes, words):
    with pytest.raises(ValueError, match=words):
        BBI([torch.zeros(2, 2)], **{"lr": 0.1, **changes})


def test_counts_may_be_whole_floats_and_endless():
    wholes = {"t0": 1e3, "t1": torch.tensor([2.0, math.inf]), "n_bounces": math.inf}
    group = BBI([torch.zeros(2)], 0.1, replicas=2, **wholes).param_groups[0]
    assert {name: group[name] for name in wholes} == wholes


@pytest.mark.parametrize(
    "bad",
    [
        {"params": [torch.zeros(2, dtype=torch.int64)]},
        {"params": [torch.zeros(2), torch.zeros(3)]},
        {"params": [torch.zeros(2)], "lr": -1.0},
        {"params": [torch.zeros(2)], "t0": 5},
    ],
)
def test_a_group_that_is_refused_does_not_stay(bad):
    p = torch.ones(2, requires_grad=True)
    opt = BBI([p], 0.1, replicas=2)
    with pytest.raises((TypeError, ValueError)):
        opt.add_param_group(bad)
    assert [group["params"] for group in opt.param_groups] == [[p]]
    opt.add_param_group({"params": [torch.ones(2, 3)]})  # and it goes on
    p.grad = torch.ones_like(p)
    opt.step(loss=torch.ones(2))
    assert (p < 1).all()


def test_groups_have_a_step_size_of_their_own():
    # Δt acts on a group's kick and drift; checked by the update itself, eqs. (5), (6)
    a, b = numbers(3).requires_grad_(), numbers(2).requires_grad_()
    opt = BBI([{"params": [a], "lr": 0.01}, {"params": [b]}], 0.1, delta_e=1.0)
    loss = bowl(a, b)
    loss.backward()
    before = [a.detach().clone(), b.detach().clone()]
    opt.step(loss=loss)
    v = loss.item()
    e, grads = v + 1, [a.grad, b.grad]
    norm = torch.cat(grads).norm()
    for p, old, g, dt in zip((a, b), before, grads, (0.01, 0.1), strict=True):
        pi = -g / norm * math.sqrt(e * e / v - v) - 0.5 * dt * (v / e + e / v) * g
        torch.testing.assert_close(p.detach(), old + dt * v / e * pi, rtol=1e-12, atol=0)


@pytest.mark.parametrize("replicas", [None, 2])
def test_complex_parameters_are_pairs_of_real_ones(descend, replicas):
    lead = () if replicas is None else (2,)
    real = [numbers(*lead, 3, 2).requires_grad_(), numbers(*lead, 4).requires_grad_()]
    cplx = [
        torch.view_as_complex(real[0].detach().clone()).requires_grad_(),
        numbers(*lead, 4).requires_grad_(),
    ]
    f = bowl if replicas is None else lambda *ps: torch.stack([bowl(*(p[r] for p in ps)) for r in range(2)])
    for params in (real, cplx):
        descend(BBI(params, 0.02, replicas=replicas, **SETTINGS), params, f, 20)
    torch.testing.assert_close(torch.view_as_real(cplx[0].detach()), real[0].detach(), rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(cplx[1].detach(), real[1].detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("replicas", [None, 2])
def test_memory_layout_does_not_matter(descend, replicas):
    images = numbers(2, 3, 4, 5)
    layouts = [images.clone(), images.to(memory_format=torch.channels_last)]
    layouts.append(images.permute(3, 1, 0, 2).contiguous().permute(2, 1, 3, 0))
    f = bowl if replicas is None else lambda p: torch.stack([bowl(p[0]), bowl(p[1])])
    ends = []
    for theta in layouts:
        theta.requires_grad_()
        opt = BBI([theta], 0.02, replicas=replicas, **SETTINGS)
        descend(opt, [theta], f, 20)
        assert (opt.bounces >= 4).all()
        ends.append(theta.detach())
    assert not ends[1].is_contiguous()
    torch.testing.assert_close(ends[1], ends[0], rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(ends[2], ends[0], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("replicas", [None, 2])
def test_float32_parameters_on_the_zakharov_function_reach_the_bottom(descend, replicas):
    # (E/V)² overflows float32 from V ≈ 1e-14 on; the scalars must not be float32
    theta = torch.ones(*(() if replicas is None else (2,)), 10, requires_grad=True)
    opt = BBI([theta], 0.0026, delta_v=1e-22, t1=math.inf, n_bounces=0, replicas=replicas)
    losses = descend(opt, [theta], lambda x: Zakharov()(x.double())[0], 2000)
    assert torch.stack(losses).isfinite().all()
    assert torch.stack(losses).amin(0).max() < 1e-15
    assert opt.energy.tolist() == torch.full_like(opt.energy, 572680.3125 - 1e-22).tolist()


@pytest.mark.parametrize("size", [1e-30, 1e-12, 1.0, 1e12, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_squared_norms_neither_overflow_nor_vanish(size, dtype):
    # V down to ε2 = 1e-40 means Π² = E²/V far beyond float32, of momenta that it holds
    x = (numbers(1000) * size).to(dtype)
    expected = x.double().square().sum().item()
    assert sum_squares([x], 0.0) == pytest.approx(expected, rel=1e-5, abs=0)
    like = torch.zeros(1, dtype=torch.float64)
    assert sum_squares([x[None]], like).item() == pytest.approx(expected, rel=1e-5, abs=0)


def test_float32_released_variant_with_a_tensor_that_has_no_gradient_yet(descend):
    # a layer whose gradient is exactly 0 at first, as behind a layer initialised at 0, starts at rest
    a, b = torch.ones(2, requires_grad=True), torch.zeros(2, requires_grad=True)
    opt = BBI([a, b], 0.01, delta_e=1.0, variant="released")
    descend(opt, [a, b], lambda x, y: 1 + x.square().sum() + y.square().sum(), 5)
    assert a.isfinite().all()
    assert not b.any()


def test_a_quadratic_valley_falls_at_the_rate_of_the_speed_limit(descend):
    # eq. (8): θ ∝ exp(-m t/√2) once V ≪ E
    theta = torch.tensor([1.0], dtype=torch.float64, requires_grad=True)
    opt = BBI([theta], 0.02, t1=math.inf, n_bounces=0)
    losses = torch.stack(descend(opt, [theta], lambda x: Quadratic((0.5,))(x)[0], 1500))
    fitted = (losses[500].log() - losses[1450].log()).item() / (950 * 0.02)
    assert fitted == pytest.approx(2 * 0.5 / math.sqrt(2), rel=0.02)
