"""ECDq1: the published formula written out, and what it means for parameters, groups and replicas."""

import math

import numpy as np
import pytest
import torch

from bbi import ECD, ECDq1, Isokinetic, noise, rules

COUNTS = (2, 1, 3)
SCALES = np.linspace(0.5, 2.0, 6)
START = np.linspace(-1.0, 1.5, 6)


def hills(x):
    """A bowl with waves, of torch tensors or numpy arrays (..., 6)."""
    wave = x.cos() if isinstance(x, torch.Tensor) else np.cos(x)
    scales = torch.from_numpy(SCALES) if isinstance(x, torch.Tensor) else SCALES
    return 0.3 + 0.5 * (scales * x * x).sum(-1) + 0.1 * wave.sum(-1)


def slope(x):
    return SCALES * x - 0.1 * np.sin(x)


def published(steps, lr, eta=1.0, nu=0.0, f0=0.0, w=0.0, seed=0, tensors=(6,)):
    """The published step, statement by statement; u·g within each of the ``tensors``. All positions."""
    theta, d = START.copy(), len(START)
    dt, share = lr / math.sqrt(eta), nu / math.sqrt(d)
    keys = noise.replica_keys(seed, torch.arange(1))[:, None]
    u = -(slope(theta) + w * theta)
    u = u / np.linalg.norm(u)
    seen = [theta]
    for k in range(steps):
        v = hills(theta) + 0.5 * w * theta @ theta - f0
        g = slope(theta) + w * theta
        u = u / np.linalg.norm(u)
        cuts = np.cumsum(tensors)[:-1]
        own = zip(np.split(u, cuts), np.split(g, cuts), strict=True)
        across = np.concatenate([b - a * (a @ b) for a, b in own])
        u = u - 0.5 * dt * eta * d / (d - 1) / v * across
        theta = theta + dt * u
        seen.append(theta)
        length = np.linalg.norm(u)
        z = noise.normal(keys, torch.tensor([k]), torch.arange(d)).numpy()[0]
        u = u / length + share * z
        u = length * u / np.linalg.norm(u)
    return np.array(seen)


def run(steps, lr, start=START, f=hills, toward=None, **settings):
    """Positions before each step and after the last; the first step goes ``toward`` or downhill."""
    replicas = settings.get("replicas")
    counts = COUNTS if len(start) == 6 else (len(start),)
    theta = torch.from_numpy(start if replicas is None else np.tile(start, (replicas, 1)))
    params = [p.clone().requires_grad_() for p in theta.split(counts, -1)]
    opt = ECDq1(params, lr, **settings)
    seen = []
    for k in range(steps):
        opt.zero_grad()
        x = torch.cat(params, -1)
        seen.append(x.detach().numpy())
        loss = f(x)
        loss.sum().backward()
        if k == 0 and toward is not None:
            for p, part in zip(params, torch.from_numpy(toward).split(counts), strict=True):
                p.grad = -part
        opt.step(loss=loss)
    seen.append(torch.cat(params, -1).detach().numpy())
    return np.array(seen), opt


CASES = {
    "plain": {"lr": 0.02},
    "eta": {"lr": 0.02, "eta": 2.5, "f0": 0.2},
    "refresh": {"lr": 0.02, "eta": 0.7, "nu": 0.3, "seed": 4},
}


@pytest.mark.parametrize("w", [0.0, 0.4])
@pytest.mark.parametrize("replicas", [None, 2])
@pytest.mark.parametrize("case", CASES)
def test_it_is_the_published_formula(case, replicas, w):
    settings = {"nu": 0.0, **CASES[case]}
    found, opt = run(100, weight_decay=w, replicas=replicas, **settings)
    expected = published(100, w=w, **settings)
    one = found if replicas is None else found[:, 0]
    np.testing.assert_allclose(one, expected, rtol=0, atol=1e-12)
    assert (opt.energy == 1).all()
    assert np.abs(expected[-1] - expected[0]).max() > 0.3
    if replicas and settings["nu"]:
        assert np.abs(found[-1, 1] - expected[-1]).max() > 1e-2  # random vectors of its own


def test_the_projection_is_over_all_parameters_and_not_tensor_by_tensor():
    found, _ = run(100, 0.02, nu=0.0)
    fault = published(100, 0.02, tensors=COUNTS)
    assert np.abs(found[-1] - fault[-1]).max() > 0.05


@pytest.mark.parametrize("scale", [1e-38, 1e30])
def test_forces_near_the_limits_of_float32_are_projected_too(scale):
    # loss and gradient scale alike, which leaves the motion as it is
    ends = []
    for factor, dtype in ((1.0, torch.float64), (scale, torch.float32)):
        p = torch.linspace(-1, 1, 6, dtype=dtype).requires_grad_()
        opt = ECDq1([p], 0.05, nu=0.0)
        for _ in range(20):
            p.grad = torch.arange(1, 7) * p.detach() * factor
            opt.step(loss=(0.5 * (torch.arange(1, 7) * p.detach().double().square()).sum() + 1) * factor)
        ends.append(p.detach().double())
    torch.testing.assert_close(ends[1], ends[0], rtol=0, atol=1e-5)


@pytest.mark.parametrize(("eta", "nu"), [(1.0, 0.0), (4.0, 0.2)])
def test_the_speed_is_constant(eta, nu):
    excess = []
    for lr in (0.04, 0.01):
        seen, opt = run(round(2 / lr), lr, eta=eta, nu=nu)
        speeds = np.linalg.norm(np.diff(seen, axis=0), axis=1) * math.sqrt(eta) / lr
        force = max(np.linalg.norm(slope(x)) / hills(x) for x in seen)
        bound = math.sqrt(1 + (0.5 * lr * math.sqrt(eta) * 6 / 5 * force) ** 2)
        assert (speeds > 1 - 1e-12).all() and speeds.max() < bound
        assert opt.momentum_norm.item() == pytest.approx(speeds[-1], rel=1e-12)
        excess.append(speeds.max() - 1)
    if not nu:  # with other Δt the same random vectors come at other places
        assert order(excess) == pytest.approx(2, abs=0.1)


def order(errors, ratio=4):
    return math.log(errors[0] / errors[1], ratio)


def test_step_sizes_of_groups_are_a_choice_of_coordinates():
    rates = np.array([0.01, 0.03])
    grouped, scaled = (torch.from_numpy(START).clone() for _ in range(2))
    a, b = (p.clone().requires_grad_() for p in grouped.split((2, 4)))
    rate = torch.from_numpy(rates.repeat((2, 4)))
    x = (scaled / rate).requires_grad_()
    opts = (
        ECDq1([x], 1.0, nu=0.2),
        ECDq1([{"params": [a], "lr": rates[0]}, {"params": [b], "lr": rates[1]}], nu=0.2),
    )
    for k in range(60):
        for opt, point in zip(opts, (lambda: x * rate, lambda: torch.cat([a, b])), strict=True):
            opt.zero_grad()
            loss = hills(point())
            loss.backward()
            if k == 0:  # both go downhill in the coordinates x, without a kick yet
                a.grad, b.grad, loss = x.grad[:2].clone(), x.grad[2:].clone(), 1e30
            opt.step(loss=loss)
    torch.testing.assert_close(torch.cat([a, b]), x * rate, rtol=0, atol=1e-12)


def test_elements_without_gradient_do_not_count():
    ends = []
    for extra in ([], [torch.ones(50)]):
        p = torch.from_numpy(START).clone().requires_grad_()
        opt = ECDq1([p, *extra], 0.02, nu=0.3)
        for _ in range(30):
            opt.zero_grad()
            loss = hills(p)
            loss.backward()
            opt.step(loss=loss)
        ends.append(p.detach())
    assert torch.equal(*ends)


def test_what_has_no_meaning_is_refused():
    p = torch.ones(2)
    for bad in (0.5, torch.zeros(())):
        with pytest.raises(ValueError, match=r"delta_e.* one speed"):
            ECD([p], law=Isokinetic(), delta_e=bad)
    with pytest.raises(ValueError, match=r"delta_e.* one speed"):
        rules.ecd(law=Isokinetic(), delta_e=0.5)
    for bad in ("delta_e", "delta_v", "t0", "variant", "law"):
        with pytest.raises(TypeError, match=bad):
            ECDq1([p], **{bad: 1})
    single = torch.ones(1, requires_grad=True)
    opt = ECDq1([single, p])
    single.grad = torch.ones(1)
    with pytest.raises(ValueError, match="2 elements or more, and only 1 has"):
        opt.step(loss=1.0)
    assert single == 1
