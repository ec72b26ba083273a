"""What PyTorch's generic suite asks of state dicts: determinism, names, copies, hooks."""

import copy
import pickle

import pytest
import torch
from contract import CASES, INFOS, problem
from torch.nn import Parameter

each = pytest.mark.parametrize("case", CASES, ids=str)


def named(params, names):
    return [(f"name{i}", p) for i, p in enumerate(params)] if names else list(params)


def without_names(state):
    groups = [{k: v for k, v in group.items() if k != "param_names"} for group in state["param_groups"]]
    return {**state, "param_groups": groups}


def same(a, b):
    """Whether two state dicts hold the same types, numbers and bits."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


@each
@pytest.mark.parametrize("names", [(False, False), (True, False), (False, True), (True, True)])
def test_a_loaded_optimizer_goes_on_as_the_first(case, names):
    params, x = [Parameter(torch.randn(2, 3)), Parameter(torch.randn(2))], torch.randn(3)
    first = case.new(named(params, names[0]))
    for _ in range(10):
        first.step(problem(first, *params, x))
    copies = [Parameter(p.detach().clone()) for p in params]
    second = case.new(named(copies, names[1]), lr=3.0, seed=99)
    saved = first.state_dict()
    given = copy.deepcopy(saved)
    second.load_state_dict(given)
    assert same(saved, given)
    for _ in range(10):
        first.step(problem(first, *params, x))
        second.step(problem(second, *copies, x))
        assert torch.equal(params[0], copies[0])
        assert torch.equal(params[1], copies[1])
    assert same(without_names(first.state_dict()), without_names(second.state_dict()))
    found = second.state_dict()["param_groups"][0].get("param_names")
    assert found == (["name0", "name1"] if any(names) else None)


@each
@pytest.mark.parametrize("carry", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_copies_keep_every_attribute_and_go_on(case, carry):
    params, x = [Parameter(torch.randn(2, 3)), Parameter(torch.randn(2))], torch.randn(3)
    opt = case.new(params)
    for _ in range(4):
        opt.step(problem(opt, *params, x))
    copies, other = carry((params, opt))
    public = {k for k in vars(opt) if not k.startswith("_")}
    assert {k for k in vars(other) if not k.startswith("_")} == public
    assert public >= {"defaults", "state", "param_groups", "law"}
    assert other.law == opt.law
    assert other.defaults.items() >= opt.defaults.items()  # torch adds `differentiable` on the way
    assert repr(other) == repr(opt)
    for _ in range(8):
        opt.step(problem(opt, *params, x))
        other.step(problem(other, *copies, x))
    assert torch.equal(params[0], copies[0])
    assert same(opt.state_dict(), other.state_dict())


@each
@pytest.mark.parametrize("replicas", [None, 2])
def test_after_loading_two_optimizers_are_independent(case, replicas):
    lead = () if replicas is None else (replicas,)
    first, second = (torch.ones(*lead, 3, requires_grad=True) for _ in range(2))
    opt, other = (case.new([p], replicas=replicas) for p in (first, second))

    def step(opt, p):
        p.grad = 2 * p.detach()
        opt.step(loss=p.detach().square().sum(-1) + 1)

    for _ in range(3):
        step(opt, first)
    other.load_state_dict(opt.state_dict())
    kept = copy.deepcopy(other.state_dict())
    for _ in range(8):
        step(opt, first)
    assert same(other.state_dict(), kept)
    kept = copy.deepcopy(opt.state_dict())
    for _ in range(4):
        step(other, second)
    assert same(opt.state_dict(), kept)


@each
@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_state_dict_is_cast_to_the_parameters_but_not_its_numbers(case, dtype):
    params, x = [Parameter(torch.randn(2, 3)), Parameter(torch.randn(2))], torch.randn(3)
    opt = case.new(params)
    for _ in range(4):
        opt.step(problem(opt, *params, x))
    other_params = [Parameter(p.detach().to(dtype)) for p in params]
    other = case.new(other_params)
    other.load_state_dict(opt.state_dict())
    assert torch.equal(other.energy, opt.energy)
    assert torch.equal(other.momentum_norm, opt.momentum_norm)
    for p, q in zip(params, other_params, strict=True):
        for name, value in opt.state[p].items():
            assert torch.equal(other.state[q][name], value.to(dtype))
    for _ in range(3):
        other.step(problem(other, *other_params, x.to(dtype)))
    assert all(p.isfinite().all() for p in other_params)


@each
def test_hooks_of_saving_and_loading_and_what_they_put_into_the_state(case):
    param = torch.rand(2, 3, requires_grad=True)
    opt = case.new([param])
    opt.register_state_dict_pre_hook(lambda opt: opt.state.update(saved=True))
    opt.register_state_dict_post_hook(lambda opt, state: {**state, "seen": True})
    opt.register_load_state_dict_pre_hook(lambda opt, state: state["param_groups"][0].update(lr=0.002))
    opt.register_load_state_dict_post_hook(lambda opt: opt.state.update(loaded=True))
    state = opt.state_dict()
    assert state["seen"] and state["state"] == {"saved": True}
    opt.load_state_dict(state)
    assert opt.param_groups[0]["lr"] == 0.002
    param.grad = torch.ones_like(param)
    before = param.detach().clone()
    for _ in range(2):
        opt.step(loss=1.0)
    assert opt.state["saved"] and opt.state["loaded"]
    assert not torch.equal(param, before)


@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.name)
@pytest.mark.parametrize("groups", [1, 2])
def test_a_state_dict_of_another_shape_is_refused(info, groups):
    kwargs = info.optim_inputs_func("cpu")[0].kwargs
    a, b = torch.zeros(2), torch.zeros(3)
    opt = info.optim_cls([{"params": [a]}, {"params": [b]}][:groups], **kwargs)
    other = info.optim_cls([a, b], **kwargs)
    with pytest.raises(ValueError, match=r"different number of parameter groups|doesn't match the size"):
        other.load_state_dict(opt.state_dict())
