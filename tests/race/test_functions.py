"""The functions of the race against cma, scipy and autograd; their instances; the networks."""

import math

import cma
import numpy as np
import pytest
import scipy.optimize
import torch
from torch import nn
from torch.func import functional_call

from experiments.harness.units import derived_seed
from experiments.pde.problem import Poisson
from experiments.race import networks
from experiments.race.functions import TASKS, WELL, Task
from experiments.race.networks import NETWORKS
from experiments.race.problems import BOX, INNER, functions, instance
from tests.pde.test_problem import laplacian


def well(z):
    far = z - WELL * np.eye(len(z))[0]
    return min(8 * z @ z, 0.5 * far @ far + 1)


def ackley(z):
    mean = sum(math.cos(2 * math.pi * x) for x in z) / len(z)
    return 20 + math.e - 20 * math.exp(-0.2 * math.sqrt(z @ z / len(z))) - math.exp(mean)


def zakharov(z):
    s = sum(0.5 * i * x for i, x in enumerate(z, 1))
    return z @ z + s**2 + s**4


def schwefel(z):  # as CEC's, but with this project's weight of the penalty
    return cma.ff.schwefelmult(np.clip(z, -500, 500)) + 0.02 * sum(max(abs(x) - 500, 0) ** 2 for x in z)


def levy(z):  # cma has all but the last weight of the middle terms, and another range of them
    w = 1 + (z - 1) / 4
    middle = sum((x - 1) ** 2 * (1 + 10 * math.sin(math.pi * x + 1) ** 2) for x in w[:-1])
    return (
        math.sin(math.pi * w[0]) ** 2 + middle + (w[-1] - 1) ** 2 * (1 + math.sin(2 * math.pi * w[-1]) ** 2)
    )


INDEPENDENT = {
    "ackley": ackley,
    "zakharov": zakharov,
    "rastrigin": cma.ff.rastrigin,
    "rosenbrock": scipy.optimize.rosen,
    "styblinski_tang": cma.ff.styblinski_tang,
    "levy": levy,
    "griewank": lambda z: cma.ff.griewank(z / 120),
    "schwefel": schwefel,
    "ellipsoid": cma.ff.elli,
    "double_well": well,
}


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("n", [2, 3, 10, 50])
def test_values_gradients_and_minima(name, n):
    task: Task = TASKS[name]
    random = np.random.default_rng(n)
    z = task.minimiser + task.scale * random.uniform(-9, 9, (20, n))
    values, grads = task.function(torch.from_numpy(z))
    assert values.numpy() == pytest.approx([INDEPENDENT[name](x) for x in z], rel=1e-9, abs=1e-4 * n / 50)
    leaf = torch.from_numpy(z).requires_grad_()
    (expected,) = torch.autograd.grad(task.function(leaf)[0].sum(), leaf)
    torch.testing.assert_close(grads, expected, rtol=1e-10, atol=1e-9)
    lowest, slope = task.function(torch.full((1, n), task.minimiser, dtype=torch.float64))
    assert abs(float(lowest)) < 1e-11 * n
    assert slope.abs().max() < 1e-7
    assert (values > 0).all()


def test_schwefel_has_no_lower_value_outside():
    z = torch.linspace(-3000, 3000, 400_001, dtype=torch.float64)[:, None]
    values, _ = TASKS["schwefel"].function(z)
    assert values.min() > 0
    assert abs(float(z[values.argmin()]) - TASKS["schwefel"].minimiser) < 0.02


@pytest.mark.parametrize("n", [2, 10])
def test_an_instance_is_rotated_and_shifted_and_has_its_minimum_in_the_box(n):
    problems = functions(list(TASKS), n, [4, 5], 3, [1.0])
    assert problems.start.shape == (len(TASKS) * 2 * 3, n)
    assert problems.start.abs().max() <= BOX
    values, grads = problems.evaluate(problems.start)
    for i in range(0, len(values), 5):
        value, grad = problems.alone(i)(problems.start[i])
        torch.testing.assert_close((value, grad), (values[i], grads[i]), rtol=1e-9, atol=1e-9)
    one = instance(n, 3)
    torch.testing.assert_close(one.rotation @ one.rotation.T, torch.eye(n, dtype=torch.float64))
    shifts = torch.stack([instance(n, derived_seed(4, name, n)).shift for name in TASKS])
    assert shifts.abs().max() <= INNER and len(shifts.unique(dim=0)) == len(TASKS)  # each has its own
    for k, shift in enumerate(shifts):
        assert float(problems.alone(6 * k)(shift)[0]) == pytest.approx(0, abs=1e-9)


def test_starts_and_minima_do_not_depend_on_what_else_is_run():
    alone = functions(["levy"], 3, [7], 1, [1.0])
    among = functions(["ackley", "levy"], 3, [6, 7], 2, [1.0])
    point = torch.ones(3, dtype=torch.float64)
    assert torch.equal(alone.start[0], among.start[6])
    assert float(alone.alone(0)(point)[0]) == float(among.alone(6)(point)[0])


def test_the_classifier_is_a_network_of_torch_with_cross_entropy():
    made = NETWORKS["classifier"](3)
    pixels, labels = networks._digits()
    chosen = np.random.default_rng(3).choice(len(pixels), networks.IMAGES, replace=False)
    net = nn.Sequential(nn.Linear(49, networks.HIDDEN), nn.Tanh(), nn.Linear(networks.HIDDEN, 10)).double()
    hidden, outputs = 49 * networks.HIDDEN, networks.HIDDEN * 10
    w, b, v, c = torch.split(made.start, [hidden, networks.HIDDEN, outputs, 10])
    parts = {
        "0.weight": w.reshape(49, -1).T, "0.bias": b, "2.weight": v.reshape(-1, 10).T, "2.bias": c,
    }  # fmt: skip
    scores = functional_call(net, parts, (torch.from_numpy(pixels[chosen]),))
    expected = nn.functional.cross_entropy(scores, torch.from_numpy(labels[chosen]))
    assert float(made.evaluate(made.start[None])[0]) == pytest.approx(float(expected), rel=1e-12)


def test_the_solver_has_the_equation_of_the_paper_and_a_laplacian():
    """The loss with the Laplacian by differentiating twice, at points drawn in the same way."""
    made, problem = NETWORKS["solver"](2), Poisson(networks.WAVE)
    rng, inside = np.random.default_rng(2), networks.INTERIOR
    angle = rng.uniform(0, 2 * math.pi, inside + networks.BOUNDARY)
    radius = np.sqrt(np.append(rng.uniform(size=inside), np.ones(networks.BOUNDARY)))
    x = torch.from_numpy(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)).requires_grad_()
    w, b, v, c = torch.split(made.start, [2 * networks.UNITS, networks.UNITS, networks.UNITS, 1])
    u = torch.tanh(x @ w.reshape(2, -1) + b) @ v + c
    equation = (u**2 - laplacian(u, x) - problem.source(x))[:inside]
    edge = u[inside:] - problem.boundary
    expected = equation.square().mean() + networks.GAMMA * edge.square().mean()
    assert float(made.evaluate(made.start[None])[0]) == pytest.approx(expected.item(), rel=1e-10)


@pytest.mark.parametrize("name", NETWORKS)
def test_weights_of_a_batch_are_independent(name):
    made = NETWORKS[name](1)
    several = torch.stack([made.start, 0.5 * made.start])
    values, grads = made.evaluate(several)
    value, grad = made.evaluate(several[1:])
    torch.testing.assert_close((values[1:], grads[1:]), (value, grad), rtol=1e-10, atol=1e-12)
