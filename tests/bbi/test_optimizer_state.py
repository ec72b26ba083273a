"""What BBI keeps: resuming, copies, and parameters that come and go."""

import copy
import io

import pytest
import torch

from bbi import BBI

SETTINGS = {"delta_e": 1.0, "t0": 3, "t1": 5, "n_bounces": 6, "seed": 7}


def bowl(*params):
    """Σ w x² + 1 for each replica, with weights that tell the elements apart."""
    rows = torch.cat([p.double().flatten(-1 if p.dim() < 3 else 1) for p in params], -1)
    return (torch.linspace(0.5, 2, rows.shape[-1], dtype=torch.float64) * rows.square()).sum(-1) + 1


def parameters(replicas, dtype=torch.float64):
    lead = () if replicas is None else (replicas,)
    g = torch.Generator().manual_seed(4)
    return [
        torch.randn(*lead, n, generator=g, dtype=torch.float64).to(dtype).requires_grad_() for n in (3, 2)
    ]


def new(params, replicas):
    return BBI(params, 0.03, replicas=replicas, **SETTINGS)


@pytest.mark.parametrize("replicas", [None, 3])
@pytest.mark.parametrize("when", [0, 1, 10])
def test_a_run_that_is_saved_goes_on_to_the_bit(descend, replicas, when):
    params = parameters(replicas, torch.float32)
    opt, file = new(params, replicas), io.BytesIO()
    descend(opt, params, bowl, when)
    torch.save({"params": [p.detach() for p in params], "opt": opt.state_dict()}, file)
    file.seek(0)
    loaded = torch.load(file, weights_only=True)
    others = [p.requires_grad_() for p in loaded["params"]]
    other = BBI(others, 9.0, replicas=replicas, seed=1)  # what was saved has the last word
    other.load_state_dict(loaded["opt"])
    descend(opt, params, bowl, 20)
    descend(other, others, bowl, 20)
    assert (other.bounces >= 3).all()
    assert all(map(torch.equal, params, others))
    found, expected = (each.param_groups[0]["system"] for each in (other, opt))
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert type(found[name]) is type(value)
        assert torch.equal(torch.as_tensor(found[name]), torch.as_tensor(value)), name


def test_what_it_reads_before_the_first_step():
    one, many = new(parameters(None), None), new(parameters(3), 3)
    for name in ("energy", "potential", "momentum_norm"):
        assert getattr(one, name).isnan()
        assert getattr(many, name).isnan().tolist() == [True] * 3
    assert (one.bounces, one.stopped) == (0, False)
    assert many.bounces.tolist() == [0, 0, 0]
    assert many.stopped.tolist() == [False] * 3


@pytest.mark.parametrize("replicas", [None, 2])
def test_a_parameter_without_gradient_stands_still_and_does_not_count(descend, replicas):
    params = parameters(replicas)
    frozen = params[1].detach().clone()
    opt = new(params, replicas)
    descend(opt, params[:1], bowl, 20)
    alone = parameters(replicas)[:1]
    other = new(alone, replicas)
    descend(other, alone, bowl, 20)
    assert torch.equal(params[1], frozen)
    assert torch.equal(params[0], alone[0])
    assert params[1] not in opt.state


def test_a_frozen_parameter_keeps_the_random_numbers_of_the_others_where_they_are(descend):
    # addresses count all parameters, whether they take part or not
    def second_after_bounces(first_moves):
        params = parameters(None)
        opt = BBI(params, 1e-9, delta_e=1.0, t0=2, n_bounces=1)
        descend(opt, params if first_moves else params[1:], lambda *p: bowl(*p), 3)
        return opt.momentum(params[1])

    a, b = second_after_bounces(True), second_after_bounces(False)
    assert torch.nn.functional.cosine_similarity(a, b, dim=0) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("way", ["no gradient", "add_param_group"])
@pytest.mark.parametrize("replicas", [None, 2])
def test_a_thawed_parameter_joins_at_rest_and_the_energy_stays(descend, way, replicas):
    params = parameters(replicas)
    opt = new(params if way == "no gradient" else params[:1], replicas)
    descend(opt, params[:1], bowl, 2)
    energy, norm = opt.energy, opt.momentum_norm
    if way == "add_param_group":
        opt.add_param_group({"params": [params[1]], "lr": 0.01})
    before = params[1].detach().clone()
    for p in params:
        p.grad = torch.zeros_like(p)
    # the loss that went before: V, and with it Π², stay what they are, up to the restoration
    opt.step(loss=bowl(params[0]).detach())
    assert torch.equal(params[1], before)
    v = opt.potential
    torch.testing.assert_close(opt.momentum_norm, (energy**2 / v - v).sqrt(), rtol=1e-12, atol=0)
    assert (norm > 0).all()
    descend(opt, params, bowl, 10)
    assert not torch.equal(params[1], before)
    assert torch.equal(opt.energy, energy)
    total = sum(opt.momentum(p).square().sum(-1) for p in params)
    torch.testing.assert_close(opt.momentum_norm, total.sqrt(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("replicas", [None, 2])
def test_when_a_parameter_is_frozen_the_others_take_over_its_momentum(descend, replicas):
    params = parameters(replicas)
    opt = new(params, replicas)
    descend(opt, params, bowl, 2)
    direction = opt.momentum(params[0]).clone()
    params[0].grad, params[1].grad = torch.zeros_like(params[0]), None
    opt.step(loss=bowl(params[0], params[1].detach()).detach())
    v, e, now = opt.potential, opt.energy, opt.momentum(params[0])
    torch.testing.assert_close(opt.momentum_norm, (e**2 / v - v).sqrt(), rtol=1e-12, atol=0)
    torch.testing.assert_close(now.norm(dim=-1), opt.momentum_norm, rtol=1e-12, atol=0)
    cosine = torch.nn.functional.cosine_similarity(now, direction, dim=-1)
    torch.testing.assert_close(cosine, torch.ones_like(cosine), rtol=1e-12, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_parameters_at_rest_continue_after_the_moving_one_is_frozen(descend, dtype):
    # fine-tuning: the one that moved is frozen, the one that stood still goes on alone
    params = parameters(None, dtype)
    opt = new(params, None)
    descend(opt, params[:1], bowl, 2)
    params[0].grad = None
    descend(opt, params[1:], bowl, 2)
    assert params[1].isfinite().all()
    v, e = opt.potential.item(), opt.energy.item()
    assert e == pytest.approx(bowl(parameters(None, dtype)[0]).item() + 1)
    assert opt.momentum_norm.item() == pytest.approx((e * e / v - v) ** 0.5, rel=0.2)


def test_a_parameter_that_pauses_comes_back_at_rest(descend):
    """One trajectory, in whatever unit momenta are kept, while the step size and V change in the pause."""
    found = []
    for replicas in (None, 1):
        params = [
            p.detach().reshape(*([1] if replicas else []), -1).requires_grad_() for p in parameters(None)
        ]
        opt = new(params, replicas)
        descend(opt, params, bowl, 4)
        assert opt.momentum(params[1]).any()
        opt.param_groups[0]["lr"] = 1e-3
        params[1].grad = None
        rest = params[1].detach()
        descend(opt, params[:1], lambda a, b=rest: bowl(a, b), 3)
        assert not opt.momentum(params[1]).any()
        opt.param_groups[0]["lr"] = 0.03
        descend(opt, params, bowl, 6)
        found.append(torch.cat([p.detach().reshape(-1) for p in params]))
        total = sum(opt.momentum(p).square().sum() for p in params)
        torch.testing.assert_close(opt.momentum_norm.reshape(()), total.sqrt(), rtol=1e-12, atol=0)
    torch.testing.assert_close(*found, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("width", [4, 64])
def test_a_state_dict_of_a_model_of_another_size_is_refused(width):
    def trained(n):
        params = [torch.ones(n, 2, requires_grad=True), torch.ones(n, requires_grad=True)]
        opt = BBI(params, lr=0.01)
        sum(p.square().sum() for p in params).backward()
        opt.step(loss=torch.tensor(1.0))
        return opt

    opt, saved = trained(width), trained(8).state_dict()
    before = copy.deepcopy(opt.state_dict())
    with pytest.raises(ValueError, match=rf"shape \(8, 2\) for a parameter of shape \({width}, 2\)"):
        opt.load_state_dict(saved)
    for p, q in zip(before["state"].values(), opt.state_dict()["state"].values(), strict=True):
        assert torch.equal(p["momentum_buffer"], q["momentum_buffer"])


@pytest.mark.parametrize("size", [60, 600])
def test_a_parameter_that_changes_its_size_is_refused(size):
    p = torch.ones(300, requires_grad=True)
    opt = BBI([p], lr=0.01)
    for n in (300, size):
        p.data, p.grad = torch.ones(n), None
        p.square().sum().backward()
        if n == 300:
            opt.step(loss=torch.tensor(1.0))
    with pytest.raises(ValueError, match=rf"shape \({size},\) has .* momentum of shape \(300,\)"):
        opt.step(loss=torch.tensor(1.0))
