"""What PyTorch's generic suite asks of a step: direction, schedulers, groups, complex numbers, errors."""

import copy

import pytest
import torch
from contract import CASES, INFOS, SCHEDULERS, problem
from torch.nn import Parameter
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.testing._internal.common_optimizers import OptimizerErrorEnum

each = pytest.mark.parametrize("case", CASES, ids=str)


def layer(contiguous=True):
    """Weight and bias of a map from 5 to 10 numbers."""
    if contiguous:
        return [Parameter(torch.randn(10, 5)), Parameter(torch.randn(10))]
    return [Parameter(torch.randn(10, 5, 2)[..., 0]), Parameter(torch.randn(10, 2)[..., 0])]


def train(opt, closure, schedulers=(), steps=20):
    first = closure().item()
    for _ in range(steps):
        loss = opt.step(closure)
        for scheduler in schedulers:
            scheduler.step(*[loss.item()] * isinstance(scheduler, ReduceLROnPlateau))
    return first, closure().item()


@each
@pytest.mark.parametrize("contiguous", [True, False])
def test_the_loss_falls(case, contiguous):
    params = layer(contiguous)
    assert params[0].is_contiguous() is contiguous
    opt = case.new(params)
    first, last = train(opt, problem(opt, *params, torch.randn(5)))
    assert last < first


@each
@pytest.mark.parametrize("schedule", SCHEDULERS, ids=lambda s: f"s{len(s)}")
def test_the_loss_falls_with_groups_and_schedulers(case, schedule):
    ways = [(case.new, 0.5 * case.kwargs["lr"])]
    if not case.skips("test_param_group_with_lrscheduler_goes_right_direction"):
        ways.append((case.info.optim_cls, 0.01))  # the other group at the default
    for new, lr in ways:
        weight, bias = layer()
        opt = new([{"params": [weight]}, {"params": [bias], "lr": lr}])
        first, last = train(opt, problem(opt, weight, bias, torch.randn(5)), [make(opt) for make in schedule])
        assert last < first


@each
def test_a_schedule_per_group_by_lambdas(case):
    weight, bias = layer()
    opt = case.new([{"params": [weight]}, {"params": [bias]}], lr=0.01)
    before = weight.detach().clone()
    schedule = LambdaLR(opt, [lambda k: 0.0, lambda k: 1 / (1 + k)])
    train(opt, problem(opt, weight, bias, torch.randn(5)), [schedule], 4)
    assert [group["lr"] for group in opt.param_groups] == [0.0, pytest.approx(0.01 / 5)]
    assert torch.equal(weight, before)
    assert bias.isfinite().all()


@each
@pytest.mark.parametrize("lr", [0.001, 1.0])  # 1.0 may overflow, which must not tell them apart either
@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_a_tensor_lr_is_that_number(case, shape, lr):
    tensor = torch.full(shape, lr)
    a = layer()
    b = [Parameter(p.detach().clone()) for p in a]
    x = torch.randn(5)
    first, second = case.new(a, lr=tensor.item()), case.new(b, lr=tensor)
    for _ in range(5):
        first.step(problem(first, *a, x))
        second.step(problem(second, *b, x))
        torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)


@each
def test_complex_parameters_move_as_pairs_of_reals(case):
    # random gradients and losses, of either sign, as in the suite; the last parameter is real
    shapes = [(10, 5), (10,), ()]
    cplx = [torch.randn(s, dtype=torch.complex64, requires_grad=True) for s in shapes]
    cplx.append(torch.randn(10, 5, requires_grad=True))
    real = [(torch.view_as_real(p) if p.is_complex() else p).detach().clone() for p in cplx]
    opts = case.new(cplx), case.new(real)
    for _ in range(8):
        for a, b in zip(cplx, real, strict=True):
            b.grad = torch.randn_like(b)
            if a.is_complex():  # autograd gives some gradients with the conjugation still to do
                a.grad = torch.view_as_complex(b.grad.clone()).conj().resolve_conj().conj()
            else:
                a.grad = b.grad.clone()
        loss = torch.randn(1)
        for opt in opts:
            opt.step(lambda loss=loss: loss)
        for a, b in zip(cplx, real, strict=True):
            torch.testing.assert_close(torch.view_as_real(a) if a.is_complex() else a, b, rtol=0, atol=0)


@each
def test_weight_decay_belongs_to_a_group(case):
    # no gradient at all but that of ½ w |Θ|²: the group with w falls towards 0, the other does not move
    a, b = Parameter(torch.ones(4)), Parameter(torch.ones(4))
    calm = {"nu": 0.0} if case.info.name in ("ECDSep", "ECDq1") else {"t0": 1000, "t1": 1000}
    opt = case.new([{"params": [a], "weight_decay": 1.0}, {"params": [b]}], weight_decay=0.0, **calm)
    for _ in range(5):
        a.grad, b.grad = torch.zeros_like(a), torch.zeros_like(b)
        opt.step(loss=1.0)
    assert (a < 1).all()
    assert torch.equal(b, torch.ones(4))


@each
def test_parameters_without_gradient_stay(case):
    params = layer()
    before = copy.deepcopy(params)
    opt = case.new(params)
    for _ in range(3):
        opt.step(lambda: torch.tensor([1.0]))
    for p, old in zip(params, before, strict=True):
        assert torch.equal(p, old)


@each
def test_gradients_of_zero_move_nothing_without_energy_to_spare(case):
    kwargs = case.kwargs
    if kwargs.get("weight_decay") or case.skips("test_step_is_noop_for_zero_grads"):
        pytest.skip("weights decay, or momentum is there from the start")
    param = torch.randn(5, 1, requires_grad=True)
    before = param.detach().clone()
    opt = case.new([param])
    param.grad = torch.zeros_like(param)
    for _ in range(3):
        opt.step(lambda: torch.tensor([1.0]))
    assert torch.equal(param, before)


@each
def test_gradients_are_left_as_they_are(case):
    params = layer()
    opt = case.new(params)
    for p in params:
        p.grad = torch.randn_like(p)
    before = [p.grad.clone() for p in params]
    for _ in range(8):
        opt.step(loss=1.0)
    for p, grad in zip(params, before, strict=True):
        assert torch.equal(p.grad, grad)


@pytest.mark.parametrize("info", INFOS, ids=lambda info: info.name)
def test_errors_are_those_of_torch_and_name_the_value(info):
    errors = info.optim_error_inputs_func("cpu", torch.float32)
    assert len(errors) > 10
    for error in errors:
        wrong = error.optimizer_error_input
        expect = pytest.warns if issubclass(error.error_type, Warning) else pytest.raises
        if error.error_on == OptimizerErrorEnum.STEP_ERROR:
            opt = info.optim_cls(wrong.params, **wrong.kwargs)
            with expect(error.error_type, match=error.error_regex):
                opt.step()
        else:
            with expect(error.error_type, match=error.error_regex):
                info.optim_cls(wrong.params, **wrong.kwargs)


@pytest.mark.parametrize(
    ("params", "error", "words"),
    [
        (lambda: [], ValueError, "empty parameter list"),
        (lambda: (x for x in (1.0, 2.0)), TypeError, "can only optimize Tensors"),
        (lambda: [torch.zeros(2, requires_grad=True) * 2], ValueError, "non-leaf"),
        (lambda: [{"params": {torch.zeros(1)}}], TypeError, "ordered"),
        (lambda: [{"params": [torch.zeros(1)]}, "x"], TypeError, "param_group must be a dict"),
    ],
)
def test_invalid_parameters_are_refused(params, error, words):
    with pytest.raises(error, match=words):
        CASES[0].new(params())


def test_hooks_of_a_step_of_one_and_of_all_optimizers():
    opt, seen = CASES[0].new([torch.ones(2)]), []

    def note(name):
        return lambda opt, args, kwargs: seen.append(name)

    handles = [
        register_optimizer_step_pre_hook(note("all pre")),
        register_optimizer_step_post_hook(note("all post")),
        opt.register_step_pre_hook(note("pre")),
        opt.register_step_post_hook(note("post")),
    ]
    opt.step(lambda: 1)
    for handle in handles:
        handle.remove()
    opt.step(lambda: 1)
    assert seen == ["all pre", "pre", "post", "all post"]


def test_hooks_see_and_may_change_what_a_step_is_given():
    opt = CASES[0].new([torch.ones(2)])
    opt.register_step_pre_hook(lambda opt, args, kwargs: (args, {"loss": kwargs["loss"] + 1}))
    assert opt.step(loss=2.0) == 3.0
