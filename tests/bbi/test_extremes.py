"""Gradients that are NaN, inf, tiny or huge."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bbi import BBI, ECD, ECDq1, ECDSep, Frictionless

SETTINGS = {"delta_e": 1.0, "t0": 3, "t1": 5, "n_bounces": 4}
RANGES = {
    torch.float16: (-4, 3),
    torch.bfloat16: (-37, 37),
    torch.float32: (-37, 37),
    torch.float64: (-300, 300),
}


def fresh(shape, dtype, replicas=None):
    """Two parameters; the second is not contiguous."""
    lead = () if replicas is None else (replicas,)
    g = torch.Generator().manual_seed(5)
    a = torch.randn(*lead, *shape, generator=g, dtype=torch.float64).to(dtype)
    b = torch.randn(*lead, 3, 4, generator=g, dtype=torch.float64).to(dtype).transpose(-1, -2)
    return [a.requires_grad_(), b.requires_grad_()]


def state(opt, params):
    """All that a step may change, except what tells of the last loss."""
    system = {
        k: v for k, v in opt.param_groups[0]["system"].items() if k not in ("potential", "skipped", "members")
    }
    numbers = [torch.as_tensor(v) for _, v in sorted(system.items())]
    return [*params, *(opt.state[p]["momentum_buffer"] for p in params), *numbers]


def step(opt, params, scale=1.0, bad=None, at=None):
    lead = params[0].shape[:1] if opt.defaults["replicas"] else ()
    for p in params:
        p.grad = (2 * scale * p.detach()).clone()
    if bad is not None:
        params[at[0]].grad[at[1:]] = bad
    loss = sum(p.detach().double().reshape(*lead, -1).square().mean(-1) for p in params) + 1
    opt.step(loss=loss)


@pytest.mark.parametrize(  # the large one in two slices
    ("cls", "shape"), [(BBI, (5,)), (ECDSep, (5,)), (BBI, (700, 800))], ids=["BBI", "ECDSep", "large"]
)
@pytest.mark.parametrize(("bad", "at"), [(math.nan, (0, -1)), (math.inf, (0, -1)), (-math.inf, (1, 0))])
@pytest.mark.parametrize("when", [0, 4])
def test_a_gradient_that_is_no_number_changes_nothing_and_is_counted(cls, shape, bad, at, when):
    own = SETTINGS if cls is BBI else {"delta_e": 1.0, "nu": 0.1}
    ends = []
    for skips in (True, False):
        params = fresh(shape, torch.float32)
        opt = cls(params, 0.05, **own)
        for k in range(7):
            if skips and k == when:
                for _ in range(2):
                    before = [x.clone() for x in state(opt, params)] if k else [p.clone() for p in params]
                    step(opt, params, bad=bad, at=at)
                    after = state(opt, params) if k else params
                    assert all(map(torch.equal, before, after))
                assert opt.skipped == 2
            step(opt, params)
        ends.append([x.clone() for x in state(opt, params)])
    assert all(map(torch.equal, *ends))
    assert opt.skipped == 0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("when", [0, 4])
def test_of_replicas_only_the_one_with_the_bad_gradient_stands_still(bad, when):
    ends = []
    for skips in (True, False):
        params = fresh((4,), torch.float64, replicas=3)
        opt = BBI(params, 0.05, replicas=3, **SETTINGS)
        for k in range(7):
            if skips and k == when:
                before = [p.detach().clone() for p in params]
                step(opt, params, bad=bad, at=(1, 1, 0))
                for old, new in zip(before, params, strict=True):
                    assert torch.equal(new[1], old[1])
                    assert not torch.equal(new[0], old[0])
                assert opt.skipped.tolist() == [0, 1, 0]
            step(opt, params)
        ends.append([*params, opt.energy, opt.bounces])
    for got, expected in zip(*ends, strict=True):
        assert torch.equal(got[1], expected[1])  # as if it had never seen that step


@given(
    dtype=st.sampled_from(list(RANGES)),
    fraction=st.floats(0, 1),
    cls=st.sampled_from([BBI, ECDSep]),
    delta_e=st.sampled_from([0.0, 1.0]),
    replicas=st.sampled_from([None, 2]),
    variant=st.sampled_from(["paper", "released"]),
)
@settings(max_examples=150, deadline=None)
def test_a_first_gradient_of_any_size_gives_its_direction(dtype, fraction, cls, delta_e, replicas, variant):
    low, high = RANGES[dtype]
    size = 10.0 ** (low + fraction * (high - low))
    params = fresh((5,), dtype, replicas)
    before = [p.detach().clone() for p in params]
    gradients = [torch.ones_like(p) * size for p in params]
    own = {"nu": 0.0} if cls is ECDSep else {}  # each step of the released variant is a bounce with ν > 0
    opt = cls(params, 1e-3, delta_e=delta_e, replicas=replicas, variant=variant, **own)
    lead = () if replicas is None else (replicas,)
    for k, value in enumerate((2.0, 1.9)):
        for p, g in zip(params, gradients, strict=True):
            p.grad = g.clone()
        if size * 1e-6 > 1:  # the kick moves Θ by Δt² ∇V in the first step
            break
        opt.step(loss=torch.full(lead, value, dtype=torch.float64))
        assert all(p.isfinite().all() for p in params)
        if not (k or delta_e):
            continue
        # P(E, V): 2.5 and 1.6; Π_0 along -∇F, so that the elements of a tensor move alike
        parts = [opt.momentum(p) for p in params]
        assert all((x < 0).all() for x in parts)
        assert all(torch.allclose(x, x.reshape(-1)[0], rtol=0.02) for x in parts)
        assert (opt.momentum_norm > 0.1).all()
    if size < 1e-3 and dtype != torch.bfloat16 and dtype != torch.float16:
        assert all((p < q).all() for p, q in zip(params, before, strict=True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("cls", [BBI, ECDSep])
def test_the_first_momentum_has_the_length_of_the_energy_at_any_size(dtype, cls):
    for size in (10.0 ** RANGES[dtype][0], 1.0):
        params = fresh((5,), dtype)
        for p in params:
            p.grad = torch.full_like(p, size)
        opt = cls(params, 1e-5 if dtype != torch.float16 else 1e-2, delta_e=1.0)
        opt.step(loss=2.0)
        # V = 2: E²/V - V = 2.5 for E = 3, and Π² = δE for ECDSep; then the kick
        expected = math.sqrt(2.5) if cls is BBI else 1.0
        assert opt.momentum_norm.item() == pytest.approx(expected, rel=0.1)


@pytest.mark.parametrize("cls", [BBI, ECDSep, ECDq1])
@pytest.mark.parametrize("lr", [1e-3, 1e-6])
def test_a_small_step_size_in_float16_stays_in_its_range(cls, lr):
    """On the CPU Π is kept in units of Δt H_V, which in float16 has room for 65504 of them."""
    p = torch.linspace(-1, 1, 144).to(torch.float16).requires_grad_()
    opt = cls([p], lr, **{"f0" if cls is not BBI else "delta_v": -10.0})
    for _ in range(5):
        p.grad = 10 * p.detach()
        opt.step(loss=5 * p.detach().double().square().sum())
        assert p.isfinite().all() and opt.momentum(p).isfinite().all()


@pytest.mark.parametrize("cls", [BBI, ECDSep, lambda *a, **k: ECD(*a, law=Frictionless(), **k)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("contiguous", [True, False])
def test_huge_gradients_with_weight_decay_raise_nothing(cls, dtype, contiguous):
    p = torch.ones(4, 3, dtype=dtype)
    p = (p if contiguous else p.T).requires_grad_()
    opt = cls([p], 0.1, weight_decay=0.1)
    for _ in range(5):
        p.grad = torch.full_like(p, min(1e30, torch.finfo(dtype).max / 4))
        before = p.detach().clone()
        opt.step(loss=2.0)
        if opt.skipped:
            assert torch.equal(p, before)
    assert p.isfinite().all() or dtype == torch.float16  # whose range the momentum itself leaves


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("lr", [1e-40, 1e-160])
def test_a_step_size_near_0_keeps_the_momentum(dtype, lr):
    """What an exponential schedule comes to: u = Π/(Δt H_V) would leave the range of its dtype."""
    [p] = params = [torch.ones(3, dtype=dtype, requires_grad=True)]
    opt, lengths = BBI(params, lr=0.1, delta_v=-10, n_bounces=0), []
    for k in range(8):
        opt.param_groups[0]["lr"] = 0.1 if k < 3 else lr
        opt.zero_grad()
        loss = p.square().sum()
        loss.backward()
        opt.step(loss=loss)
        lengths.append(float(opt.momentum_norm))
    assert p.isfinite().all() and lengths[3:] == pytest.approx([lengths[3]] * 5, rel=1e-6)
    assert float(opt.momentum(p).norm()) == pytest.approx(lengths[3], rel=0.01)
