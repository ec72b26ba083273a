"""Wells and barriers against autograd, Monte Carlo integration and minimisation."""

import numpy as np
import pytest
import scipy.optimize
import torch

from bbi.laws import BornInfeld
from experiments.landscapes.volumes import density
from experiments.measure.config import Config
from experiments.measure.landscapes import Crossed, DoubleWell
from experiments.measure.units import double_well, wells
from tests.composed import composed

CFG: Config = composed("measure")


@pytest.mark.parametrize("n", [2, 3, 5])
def test_gradients_of_the_wells_are_those_of_autograd(n):
    potential = wells(CFG.occupation, n)
    theta = 3 * torch.rand(50, n, dtype=torch.float64, generator=torch.Generator().manual_seed(n)) - 1.5
    theta.requires_grad_()
    value, grad = potential(theta)
    (expected,) = torch.autograd.grad(value.sum(), theta)
    torch.testing.assert_close(grad.detach(), expected, rtol=1e-12, atol=1e-12)
    assert torch.isfinite(potential(torch.zeros(1, n, dtype=torch.float64))[1]).all()  # at the origin too


@pytest.mark.parametrize("n", [2, 5])
def test_volumes_are_those_of_monte_carlo_integration_of_the_whole_landscape(n):
    """The other wells and the wall, which the quadrature over the radius leaves out, do not matter."""
    potential, law, energy = wells(CFG.occupation, n), BornInfeld(), 1.7
    random = np.random.default_rng(n)
    for basin, center in enumerate(potential.centers):
        radius = 1 / potential.frequency(basin)
        directions = random.standard_normal((20_000, n))
        directions /= np.linalg.norm(directions, axis=1, keepdims=True)
        r = radius * random.random((20_000, 1))
        points = torch.from_numpy(np.array(center) + r * directions)
        assert potential.inside(points)[:, basin].all() and potential.inside(points).sum() == len(points)
        heights = potential(points)[0].numpy()
        shells = np.array([density(law, v, energy, n) for v in heights]) * r[:, 0] ** (n - 1)
        area = 2 * np.pi ** (n / 2) / scipy.special.gamma(n / 2)
        estimate, error = area * radius * shells.mean(), area * radius * shells.std() / np.sqrt(len(r))
        assert abs(potential.volume(law, energy, basin) - estimate) < 4 * error


@pytest.mark.parametrize("barrier", [0.1, 0.34])
def test_the_double_well_has_the_barrier_that_was_asked_for(barrier):
    potential = double_well(barrier, CFG.escape)

    def value(x: float) -> float:
        return float(potential(torch.tensor([x], dtype=torch.float64))[0])

    bottom = scipy.optimize.minimize_scalar(value, bounds=(-1.5, -0.5), method="bounded")
    top = scipy.optimize.minimize_scalar(lambda x: -value(x), bounds=(-0.5, 0.5), method="bounded")
    assert -top.fun - bottom.fun == pytest.approx(barrier, abs=1e-9)
    assert potential.minimum() == pytest.approx(bottom.x, abs=1e-4)
    assert value(1.0) == 0 and bottom.fun > 0
    x = torch.linspace(-2, 2, 41, dtype=torch.float64)[:, None].requires_grad_()
    energy, grad = potential(x)
    (expected,) = torch.autograd.grad(energy.sum(), x)
    torch.testing.assert_close(grad.detach(), expected)
    assert Crossed()(torch.tensor([[0.95], [0.5]]), torch.zeros(2)).tolist() == [True, False]


def test_the_height_is_a_parameter_of_one_kernel():
    x = torch.tensor([[0.3]], dtype=torch.float64)
    assert DoubleWell(0.2)(x, torch.tensor([0.7], dtype=torch.float64))[0] == DoubleWell(0.7)(x)[0]
