"""How people call an optimizer: grad modes, layouts, precisions, the profiler, the compiler, groups."""

import pytest
import torch
from contract import CASES
from torch._dynamo.testing import CompileCounterWithBackend
from torch.nn import Parameter

from bbi import BBI, entries, norms, projection

each = pytest.mark.parametrize("case", CASES, ids=str)
LAYOUTS = (torch.contiguous_format, torch.channels_last)


def bowl(*params):
    x = torch.cat([p.double().flatten() for p in params])
    return (torch.linspace(0.5, 2, len(x), dtype=torch.float64) * x.square()).sum() + 1


def numbers(*shape, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype).requires_grad_()


def run(opt, params, steps=12, forward=bowl):
    for _ in range(steps):
        opt.zero_grad()
        loss = forward(*params)
        loss.backward()
        opt.step(loss=loss)
    return [p.detach().clone() for p in params]


def twin(params):
    return [p.detach().clone(memory_format=torch.contiguous_format).requires_grad_() for p in params]


@each
def test_both_calling_forms_take_the_same_step_and_return_the_loss(case):
    a = [numbers(3), numbers(2)]
    b, c = twin(a), twin(a)
    first, second, third = case.new(a), case.new(b), case.new(c)

    def closure():
        first.zero_grad()
        made.append(bowl(*a))
        made[-1].backward()
        return made[-1]

    made = []
    for _ in range(8):
        assert first.step(closure) is made[-1]
        second.zero_grad()
        loss = bowl(*b)
        loss.backward()
        assert second.step(loss=loss) is loss
        third.zero_grad()
        loss = bowl(*c)
        loss.backward()
        number = loss.item()
        with torch.no_grad():  # and a closure that only gives a Python number
            assert third.step(lambda number=number: number) is number
    for p, q, r in zip(a, b, c, strict=True):
        assert torch.equal(p, q)
        assert torch.equal(p, r)


@each
def test_a_caller_without_gradients_still_gets_them_in_the_closure(case):
    p = numbers(3)
    opt = case.new([p])

    def closure():
        opt.zero_grad()
        loss = bowl(p)
        loss.backward()
        return loss

    with torch.no_grad():
        before = p.clone()
        opt.step(closure)
        assert not torch.is_grad_enabled()
    assert not torch.equal(p, before)
    assert p.grad_fn is None
    assert p.requires_grad


@each
@pytest.mark.parametrize("parameter", LAYOUTS, ids=str)
@pytest.mark.parametrize("gradient", LAYOUTS, ids=str)
def test_neither_layout_nor_slices_change_a_step(case, parameter, gradient, monkeypatch):
    start, ends = numbers(4, 3, 2, 2).detach(), []
    for layouts, size in ((LAYOUTS[:1] * 2, entries.SLICE), ((parameter, gradient), 10)):
        for module in (entries, norms, projection):
            monkeypatch.setattr(module, "SLICE", size)
        p = start.clone(memory_format=layouts[0])
        opt = case.new([p])
        for _ in range(8):
            p.grad = (2 * p).contiguous(memory_format=layouts[1])
            opt.step(loss=p.square().sum())
        ends.append((p, opt.momentum(p), opt.energy))
    assert ends[1][0].is_contiguous(memory_format=parameter)
    assert not torch.equal(ends[1][0], start)
    for got, expected in zip(*ends, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-9, atol=1e-9)


@each
@pytest.mark.parametrize(
    ("half", "tolerance"), [(torch.float32, 1e-4), (torch.bfloat16, 0.04)], ids=["float32", "bfloat16"]
)
def test_parameters_of_several_precisions_share_one_energy(case, half, tolerance):
    dtypes = [torch.float32, torch.float64, half, torch.float32]
    mixed = [numbers(n, dtype=d) for n, d in zip((4, 3, 5, 2), dtypes, strict=True)]
    exact = [p.detach().double().clone().requires_grad_() for p in mixed]
    opt, other = case.new(exact), case.new(mixed)
    ends = run(opt, exact, 4), run(other, mixed, 4)
    for a, b, dtype in zip(*ends, dtypes, strict=True):
        assert b.dtype == dtype
        torch.testing.assert_close(b.double(), a, rtol=0, atol=tolerance)
    torch.testing.assert_close(other.energy, opt.energy, rtol=1e-6, atol=0)
    if half == torch.float32:  # a small move is lost on bfloat16, and Π² is E²/V - V with V near E
        torch.testing.assert_close(other.momentum_norm, opt.momentum_norm, rtol=1e-3, atol=0)


def test_the_profiler_knows_it_by_name():
    p = numbers(3)
    opt = BBI([p], 0.1)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        run(opt, [p], 1)
    names = {event.key for event in profile.key_averages()}
    assert {"Optimizer.step#BBI.step", "Optimizer.zero_grad#BBI.zero_grad"} <= names


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # dynamo looks at all tensors
@pytest.mark.parametrize("form", ["loss", "closure"])
def test_a_compiled_training_step_is_the_step(form):
    # aot_eager traces with fake tensors, as inductor does, and then runs torch's own operations
    def build():
        torch.manual_seed(3)
        net, x = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh()), torch.randn(8, 3)
        opt = BBI(net.parameters(), 0.1, delta_e=1.0)

        def closure():
            opt.zero_grad()
            loss = net(x).square().mean()
            loss.backward()
            return loss

        def train():
            return opt.step(closure) if form == "closure" else opt.step(loss=closure())

        return net, train

    (plain, eager), (compiled, step) = build(), build()
    backend = CompileCounterWithBackend("aot_eager")
    step = torch.compile(step, backend=backend)
    for _ in range(4):
        assert torch.equal(eager(), step())
        for p, q in zip(plain.parameters(), compiled.parameters(), strict=True):
            assert torch.equal(p, q)
    # what is traced is the model at most: traced into, a step is compiled again whenever a number changes
    assert backend.frame_count <= 2


@each
def test_two_groups_are_one_system(case):
    # nothing but the grouping differs; energy, bounces and momentum are shared
    a = [Parameter(torch.randn(3, dtype=torch.float64)), Parameter(torch.randn(2, dtype=torch.float64))]
    b = twin(a)
    one, two = case.new(a), case.new([{"params": [p]} for p in b])
    for p, q in zip(run(one, a), run(two, b), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-14)
    assert torch.equal(one.energy, two.energy)
    assert torch.equal(one.bounces, two.bounces)


@each
def test_printing_names_class_and_settings(case):
    text = repr(case.new([torch.ones(2)]))
    assert text.startswith(f"{case.info.name} (\nParameter Group 0")
    for name in ("lr", "law", "delta_v", "weight_decay", "seed"):
        assert f"    {name}: " in text
