"""The network and its Laplacian against nested automatic differentiation, and one network by hand."""

import math

import pytest
import torch
from torch import nn

from experiments.pde.network import ResidualNetwork, value, value_and_laplacian
from tests.pde.test_problem import laplacian


def points(n, d, seed=0):
    return torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def nested_laplacian(parameters, x):
    x = x.clone().requires_grad_()
    return laplacian(value(parameters, x), x)


def steep(network):
    """Parameters far from the initial ones, at which the Laplacian is of order 1 and more."""
    return [nn.Parameter(3 * p.detach()) for p in network.parameters(3, torch.float64)]


@pytest.mark.parametrize("d", [1, 2, 3, 5])
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_value_laplacian_and_gradients_are_those_of_nested_autograd(d, depth):
    parameters, x = steep(ResidualNetwork(d, 11, depth)), points(17, d)
    u, laplacian = value_and_laplacian(parameters, x, 12)
    expected = nested_laplacian(parameters, x)[:12]
    assert u.shape == (17,) and laplacian.shape == (12,)
    assert expected.abs().max() > 0.1
    torch.testing.assert_close(u, value(parameters, x), rtol=0, atol=1e-12)
    torch.testing.assert_close(laplacian, expected, rtol=0, atol=1e-10)
    ours = torch.autograd.grad(laplacian.square().sum() + u.sin().sum(), parameters)
    plain = nested_laplacian(parameters, x)[:12].square().sum() + value(parameters, x).sin().sum()
    expected = torch.autograd.grad(plain, parameters)
    for a, b in zip(ours, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-10)


def test_the_network_is_equation_56():
    w, v, s = 0.7, -1.3, 2.1  # N = 1, D = 1: u = s (y + σ(v y + c)) + e, y = σ(w x + b)
    b, c, e = 0.2, 0.4, -0.5
    parameters = [
        torch.tensor([[t]]) if i % 2 == 0 else torch.tensor([t]) for i, t in enumerate((w, b, v, c, s, e))
    ]
    x = 0.9
    sigma = lambda z: 1 / (1 + math.exp(-z))  # noqa: E731
    y = sigma(w * x + b)
    assert value(parameters, torch.tensor([[x]])).item() == pytest.approx(
        s * (y + sigma(v * y + c)) + e, rel=1e-6
    )


def test_initial_parameters():
    network = ResidualNetwork(2, 200, 3)
    parameters = network.parameters(5)
    assert [tuple(p.shape) for p in parameters] == [
        (200, 2), (200,), *[(200, 200), (200,)] * 3, (1, 200), (1,),
    ]  # fmt: skip
    weight, bias = parameters[2], parameters[3]
    assert weight.std().item() == pytest.approx(math.sqrt(2 / 400), rel=0.02)  # Xavier
    assert bias.abs().max().item() == pytest.approx(1 / math.sqrt(200), rel=0.05)
    assert weight.dtype == torch.float32 and weight.requires_grad
    for p, q in zip(parameters, network.parameters(5), strict=True):
        assert torch.equal(p, q)
    assert not torch.equal(weight, network.parameters(6)[2])
