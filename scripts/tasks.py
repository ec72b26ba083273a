"""Small optimization problems on which step sizes are measured: landscapes, networks, a PINN.

Each takes milliseconds a step or less. A :class:`Task` makes runs from seeds; a run has a module, a closure
that returns the loss of the next batch with its gradients, and a score, lower being better.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from experiments.images.digits import mnist_digits
from experiments.landscapes.functions import Ackley, Zakharov
from experiments.pde.network import ResidualNetwork, value_and_laplacian
from experiments.pde.problem import Poisson

BATCH = 50


class Run(NamedTuple):
    """One training that has not started yet."""

    model: nn.Module
    closure: Callable[[], Tensor]
    score: Callable[[], float]


class Task(NamedTuple):
    """A problem, the number of steps that it gets, and the settings apart from lr."""

    name: str
    make: Callable[[int], Run]
    steps: int
    seeds: int
    bbi: dict[str, Any]
    ecdsep: dict[str, Any]


class _Point(nn.Module):
    def __init__(self, theta: Tensor) -> None:
        super().__init__()
        self.theta = nn.Parameter(theta)


def _landscape(function: Callable[[Tensor], tuple[Tensor, Tensor]], width: float, n: int, seed: int) -> Run:
    """From a point uniform in [-width, width]^n; the score is the lowest value found."""
    point = _Point(torch.from_numpy(np.random.default_rng(seed).uniform(-width, width, n)))
    found = [float("inf")]

    def closure() -> Tensor:
        loss, point.theta.grad = function(point.theta.detach())
        found[0] = min(found[0], loss.item())
        return loss

    return Run(point, closure, lambda: found[0])


def _quadratic(theta: Tensor) -> tuple[Tensor, Tensor]:
    """½ Σ h θ² with curvatures h from 1 to 100, and its gradient."""
    h = torch.logspace(0, 2, theta.shape[-1], dtype=theta.dtype)
    return 0.5 * (h * theta * theta).sum(-1), h * theta


def _trained(
    model: nn.Module, x: Tensor, y: Tensor, loss: Callable[[Tensor, Tensor], Tensor], seed: int
) -> Run:
    """Minibatches of 50 drawn with replacement; the score is the mean loss of all examples at the end."""
    order = torch.Generator().manual_seed(seed)

    def closure() -> Tensor:
        rows = torch.randint(len(x), (BATCH,), generator=order)
        model.zero_grad()
        value = loss(model(x[rows]), y[rows])
        value.backward()
        return value

    def score() -> float:
        with torch.no_grad():
            return loss(model(x), y).item()

    return Run(model, closure, score)


def _digits(seed: int) -> Run:
    """scikit-learn's 1,797 digits of 8 x 8 pixels, in [0, 1]; a network with one hidden layer."""
    torch.manual_seed(seed)
    images, labels = load_digits(return_X_y=True)
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    return _trained(
        model, torch.from_numpy(images).float() / 16, torch.from_numpy(labels), cross_entropy, seed
    )


def _mnist(seed: int) -> Run:
    """A CNN on 2,000 digits of MNIST, 28 x 28."""
    torch.manual_seed(seed)
    pixels, labels = mnist_digits()
    x, y = (
        torch.from_numpy(pixels[::2] / 255).float().view(-1, 1, 28, 28),
        torch.from_numpy(labels[::2]).long(),
    )
    model = nn.Sequential(
        *(nn.Conv2d(1, 8, 5, stride=2), nn.ReLU(), nn.Conv2d(8, 16, 5, stride=2), nn.ReLU()),
        *(nn.Flatten(), nn.Linear(16 * 4 * 4, 10)),
    )
    return _trained(model, x, y, cross_entropy, seed)


def _moons(seed: int) -> Run:
    """Two half circles, 500 points with noise 0.1; a network with two hidden layers of tanh."""
    torch.manual_seed(seed)
    angle, label = torch.rand(500) * np.pi, torch.arange(500) % 2
    x = torch.stack([angle.cos(), angle.sin()], 1)
    x = torch.where(label[:, None] == 1, torch.tensor([1.0, 0.5]) - x, x) + 0.1 * torch.randn(500, 2)
    model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2))
    return _trained(model, x, label, cross_entropy, seed)


def _regression(seed: int) -> Run:
    """y = sin 3x₁ x₂ on 500 points, mean squared error."""
    torch.manual_seed(seed)
    x = torch.rand(500, 2) * 2 - 1
    y = torch.sin(3 * x[:, :1]) * x[:, 1:]
    model = nn.Sequential(nn.Linear(2, 64), nn.Tanh(), nn.Linear(64, 1))
    return _trained(model, x, y, nn.functional.mse_loss, seed)


def _pde(seed: int) -> Run:
    """Eq. (53) with k = 2, by the network (56) of width 32 and depth 1; the full batch, in float64."""
    problem = Poisson(2.0)
    theta = ResidualNetwork(2, 32, 1).parameters(seed, torch.float64)
    model = nn.Module()
    model.theta = nn.ParameterList(theta)
    inner, sphere = problem.interior(100, 0), problem.sphere(20, 0)
    points, source = torch.cat([inner, sphere]), problem.source(inner)

    def loss() -> Tensor:
        u, laplacian = value_and_laplacian(theta, points, len(inner))
        u0 = u[len(inner) :]
        residual = -laplacian + u[: len(inner)].square() - source
        return residual.square().mean() + 100 * (u0 - problem.boundary).square().mean()

    def closure() -> Tensor:
        model.zero_grad()
        now = loss()
        now.backward()
        return now

    return Run(model, closure, lambda: loss().item())


_ACKLEY = {"delta_e": 2.0, "t0": 20, "n_bounces": 4, "t1": 100, "delta_v": 1e-4}
TASKS = (
    Task("Ackley", lambda s: _landscape(Ackley(0.02), 4, 2, s), 500, 6, _ACKLEY,
         {"delta_e": 0.25, "f0": 1e-4, "nu": 1e-3}),
    Task("Zakharov", lambda s: _landscape(Zakharov(), 1, 10, s), 400, 3, {"delta_v": 1e-22}, {"f0": 1e-22}),
    Task("quadratic", lambda s: _landscape(_quadratic, 1, 20, s), 300, 3, {}, {}),
    Task("PINN", _pde, 300, 2, {}, {}),
    Task("moons, MLP", _moons, 300, 3, {}, {}),
    Task("regression, MLP", _regression, 300, 3, {}, {}),
    Task("MNIST subset, CNN", _mnist, 200, 2, {}, {}),
    Task("digits, MLP", _digits, 300, 3, {}, {}),
)  # fmt: skip
