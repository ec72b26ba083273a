"""The landscapes against autograd, their formulas in numpy, and what is known of their minima."""

import math

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from experiments.landscapes.functions import Ackley, Quadratic, TwoBasins, Zakharov

CASES = [
    *[(Ackley(a), n) for a in (0.2, 0.02) for n in (1, 2, 7)],
    *[(Zakharov(), n) for n in (1, 2, 10)],
    (TwoBasins(), 2),
    (TwoBasins(epsilon=0.1, wall=0.01, c1=(-1.0, 0.5)), 2),
    (Quadratic((0.1, 1.0, 3.0)), 3),
]


def points(*shape):
    return torch.rand(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(3)) * 8 - 4


def value(landscape, theta):
    return landscape(torch.as_tensor(theta, dtype=torch.float64))[0]


def hessian(landscape, theta):
    where = torch.tensor(theta, dtype=torch.float64)
    return torch.autograd.functional.hessian(lambda x: landscape(x)[0], where)


@pytest.mark.parametrize(("landscape", "n"), CASES)
@pytest.mark.parametrize("batch", [(), (1,), (50,), (4, 5, 3)])
def test_gradients_by_hand_are_those_of_autograd(landscape, n, batch):
    theta = points(*batch, n).requires_grad_()
    f, grad = landscape(theta)
    assert f.shape == batch
    assert grad.shape == theta.shape
    (expected,) = torch.autograd.grad(f.sum(), theta)
    torch.testing.assert_close(grad, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("a", [0.2, 0.02])
def test_ackley_is_equation_15(a):
    x, y = points(2, 100).numpy()
    ripple = np.exp(0.5 * (np.cos(2 * np.pi * x) + np.cos(2 * np.pi * y)))
    expected = -20 * np.exp(-a * np.sqrt(0.5 * (x**2 + y**2))) - ripple + np.e + 20
    np.testing.assert_allclose(value(Ackley(a), np.stack((x, y), -1)), expected, rtol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 30])
def test_ackley_has_its_minimum_at_the_origin(n):
    f, grad = Ackley()(torch.zeros(n, dtype=torch.float64))
    assert f == 0
    assert (grad == 0).all()
    assert (value(Ackley(), points(1000, n)) > 0).all()
    # the cusp: F = 20 a |θ|/√n to first order
    step = torch.full((n,), 1e-9, dtype=torch.float64)
    assert float(value(Ackley(), step)) == pytest.approx(20 * 0.2 * 1e-9, rel=1e-5)


@pytest.mark.parametrize("n", [1, 2, 10])
def test_zakharov_is_equation_16(n):
    theta = points(20, n)
    s = 0.5 * (theta.numpy() * np.arange(1, n + 1)).sum(-1)
    np.testing.assert_allclose(
        value(Zakharov(), theta), (theta.numpy() ** 2).sum(-1) + s**2 + s**4, rtol=1e-12
    )
    i = np.arange(1.0, n + 1)
    np.testing.assert_allclose(
        hessian(Zakharov(), [0.0] * n), 2 * np.eye(n) + 0.5 * np.outer(i, i), atol=1e-12
    )


def test_zakharov_at_the_published_start():
    assert float(value(Zakharov(), [1.0] * 10)) == 572680.3125
    assert float(value(Zakharov(), [-1.0] * 10)) == 572680.3125


@pytest.mark.parametrize(
    ("center", "curvature", "depth"),
    # each well lies in the other's tail, 32 = |c1 - c2|² away: ε nearly makes up for it
    [((-2, -2), 0.864, -math.exp(-0.8 * 32)), ((2, 2), 1.664, 2.75e-6 - math.exp(-0.4 * 32))],
)
def test_two_basins_at_their_minima(center, curvature, depth):
    landscape = TwoBasins()

    def scipy_view(x):
        f, grad = landscape(torch.tensor(x))
        return float(f), grad.numpy()

    found = minimize(scipy_view, np.array(center) + 0.3, jac=True, tol=1e-12)
    np.testing.assert_allclose(found.x, center, atol=1e-5)
    assert found.fun == pytest.approx(depth, abs=2e-10)
    eigenvalues = torch.linalg.eigvalsh(hessian(landscape, [float(c) for c in center]))
    np.testing.assert_allclose(eigenvalues, [curvature] * 2, atol=1e-4)


def test_two_basins_is_equation_17():
    x, y = points(2, 100).numpy()
    d1, d2 = (x + 2) ** 2 + (y + 2) ** 2, (x - 2) ** 2 + (y - 2) ** 2
    expected = -np.exp(-0.4 * d1) - (1 - 2.75e-6) * np.exp(-0.8 * d2) + 1e-3 * d1 * d2 + 1
    np.testing.assert_allclose(value(TwoBasins(), np.stack((x, y), -1)), expected, rtol=1e-12)


def test_quadratic_has_the_frequencies_asked_for():
    valley = Quadratic((0.5, 2.0))
    np.testing.assert_allclose(hessian(valley, [0.3, -1.0]), np.diag([0.25, 4.0]))
    assert float(value(valley, [2.0, 1.0])) == pytest.approx(0.5 * (0.25 * 4 + 4 * 1))


@pytest.mark.parametrize(
    ("stem", "landscape"),
    [
        ("ackley002_lr0.009649484068918336_deltaE2_deltaV1e-4", Ackley(0.02)),
        ("two_basin_lr0.01_deltaE0_deltaV1e-3", TwoBasins()),
        ("zakharov10_lr0.0026036721489343054_deltaE0_deltaV1e-22", Zakharov()),
    ],
)
def test_the_recorded_losses_of_the_released_code(golden, stem, landscape):
    rows = golden(stem)
    np.testing.assert_allclose(value(landscape, rows.filter(like="x").to_numpy()), rows["loss"], rtol=1e-9)


def test_landscapes_with_equal_settings_share_a_compiled_kernel():
    # kernels are kept by the landscape: it must be hashable, and equal where its numbers are
    assert hash(Ackley(0.02)) == hash(Ackley(0.02))
    assert Ackley(0.02) != Ackley(0.2)
