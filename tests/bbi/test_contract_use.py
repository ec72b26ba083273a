"""How people call an optimizer: grad modes, clearing, clipping, scalers, autocast, layouts, groups."""

import pytest
import torch
from contract import CASES
from torch._dynamo.testing import CompileCounterWithBackend
from torch.nn import Parameter
from torch.utils.data import DataLoader, TensorDataset

from bbi import BBI, ECDSep

each = pytest.mark.parametrize("case", CASES, ids=str)


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
@pytest.mark.parametrize("to_none", [True, False])
def test_clearing_gradients(case, to_none):
    p, q = numbers(3), numbers(2)
    opt = case.new([p, q])
    bowl(p, q).backward()
    opt.zero_grad(set_to_none=to_none)
    assert (p.grad is None) if to_none else not p.grad.any()


@each
@pytest.mark.parametrize("shape", [(4, 3, 2, 2), (64, 64, 9, 8)], ids=["small", "large"])
@pytest.mark.parametrize("which", ["parameter", "gradient", "both"])
def test_channels_last_is_only_a_layout(case, shape, which):
    last = torch.channels_last
    a = [numbers(*shape, dtype=torch.float32)]
    b = twin(a)
    if which != "gradient":
        b = [b[0].detach().to(memory_format=last).requires_grad_()]
    ends = []
    for params, layout in ((a, torch.contiguous_format), (b, last if which != "parameter" else None)):
        opt = case.new(params)
        for _ in range(4):
            grad = 2e-4 * params[0].detach()
            params[0].grad = grad.contiguous(memory_format=layout or torch.contiguous_format)
            opt.step(loss=1e-4 * params[0].detach().double().square().sum())
        ends.append(params[0].detach())
    assert ends[1].is_contiguous(memory_format=last) is (which != "gradient")
    torch.testing.assert_close(ends[1], ends[0], rtol=1e-5, atol=1e-6)


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


@each
def test_a_grad_scaler_changes_nothing_and_skips_overflows(case):
    a = [numbers(3, dtype=torch.float32)]
    b = twin(a)
    plain, scaled = case.new(a), case.new(b)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    for k in range(8):
        scaled.zero_grad()
        loss = bowl(*b)
        scaler.scale(loss).backward()
        if k == 3:
            b[0].grad[0] = torch.inf
            before = b[0].detach().clone()
        scaler.step(scaled, loss=loss)
        scaler.update()
        if k == 3:
            assert torch.equal(b[0], before)
            assert scaler.get_scale() == 2.0**9
        else:
            run(plain, a, 1)
            assert torch.equal(a[0], b[0])


def test_a_closure_is_refused_by_the_grad_scaler_itself():
    p = numbers(3)
    opt = BBI([p], 0.1)
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(bowl(p)).backward()
    with pytest.raises(RuntimeError, match="Closure use is not currently supported"):
        scaler.step(opt, closure=lambda: bowl(p))


def test_a_network_under_bf16_autocast_learns_two_moons():
    def moons(n):
        angle, label = torch.rand(n) * torch.pi, torch.arange(n) % 2
        upper = torch.stack([angle.cos(), angle.sin()], 1)
        x = torch.where(label[:, None] == 0, upper, torch.tensor([1.0, 0.5]) - upper)
        return x + 0.1 * torch.randn(n, 2), label

    net = torch.nn.Sequential(
        *(
            torch.nn.Linear(2, 32),
            torch.nn.Tanh(),
            torch.nn.Linear(32, 32),
            torch.nn.Tanh(),
            torch.nn.Linear(32, 2),
        )
    )
    opt = BBI(net.parameters(), 0.1)
    train, (x, y) = TensorDataset(*moons(512)), moons(512)
    for _ in range(60):
        for inputs, labels in DataLoader(train, batch_size=128, shuffle=True):
            opt.zero_grad()
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = torch.nn.functional.cross_entropy(net(inputs), labels)
            loss.backward()
            opt.step(loss=loss)
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
        out = net(x)
    assert out.dtype == torch.bfloat16
    assert (out.argmax(1) == y).double().mean() > 0.95


@each
def test_freezing_thawing_and_adding_groups_on_the_way(case):
    a, b, c = numbers(3), numbers(2), numbers(2)
    opt = case.new([a, b])
    b.requires_grad_(False)
    start = b.clone()
    run(opt, [a, b], 3)
    assert torch.equal(b, start)
    b.requires_grad_(True)
    opt.add_param_group({"params": [c], "lr": 0.5 * case.kwargs["lr"], "weight_decay": 0.01})
    energy, at = opt.energy, c.detach().clone()
    run(opt, [a, b, c], 5)
    assert not torch.equal(b, start)
    assert not torch.equal(c, at)
    assert torch.equal(opt.energy, energy)
    held = b.detach().clone()
    b.requires_grad_(False)
    run(opt, [a, b, c], 3)
    assert torch.equal(b, held)
    assert torch.cat([a, b, c]).isfinite().all()


def test_the_profiler_knows_it_by_name():
    p = numbers(3)
    opt = BBI([p], 0.1)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        run(opt, [p], 1)
    names = {event.key for event in profile.key_averages()}
    assert {"Optimizer.step#BBI.step", "Optimizer.zero_grad#BBI.zero_grad"} <= names


@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor")  # dynamo looks at all tensors
@pytest.mark.parametrize("cls", [BBI, ECDSep])
@pytest.mark.parametrize("form", ["loss", "closure"])
def test_a_compiled_training_step_is_the_step(cls, form):
    # aot_eager traces with fake tensors, as inductor does, and then runs torch's own operations
    def build():
        torch.manual_seed(3)
        net, x = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Tanh()), torch.randn(8, 3)
        opt = cls(net.parameters(), 0.1, delta_e=1.0)

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
@pytest.mark.parametrize("order", [1, 2])
def test_two_groups_are_one_system(case, order):
    # nothing but the grouping differs; energy, bounces and momentum are shared
    a = [Parameter(torch.randn(3, dtype=torch.float64)), Parameter(torch.randn(2, dtype=torch.float64))]
    b = twin(a)
    one = case.new(a)
    two = case.new([{"params": [b[0]]}, {"params": [b[1]]}] if order == 1 else [{"params": b}])
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
