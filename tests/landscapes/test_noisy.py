"""Gradient descent with noise against its stationary distribution in a parabola."""

import math

import pytest
import torch

from bbi.simulate import simulate
from experiments.landscapes.functions import Quadratic
from experiments.landscapes.noisy import NoisyGD, ensemble

LR, SIGMA, RUNS = 0.1, 0.7, 2000
VARIANCE = (LR * SIGMA) ** 2 / (1 - (1 - LR) ** 2)  # of θ ← (1 - lr) θ - lr σ z
ERROR = VARIANCE * math.sqrt(2 / (2 * RUNS))


def test_replicas_have_the_variance_of_the_recursion():
    rule, settings = ensemble(lr=LR, sigma=SIGMA)
    start = torch.zeros(RUNS, 2, dtype=torch.float64)
    done = simulate(Quadratic((1.0, 1.0)), start, rule, settings, 200, seed=1, compiled=False)
    assert abs(float(done.theta.var()) - VARIANCE) < 4 * ERROR
    assert abs(float(done.theta.prod(-1).mean())) < 4 * VARIANCE / math.sqrt(RUNS)  # elements are independent
    quiet = simulate(Quadratic((1.0, 1.0)), start + 1, rule, {"lr": LR, "sigma": 0.0}, 3, compiled=False)
    torch.testing.assert_close(quiet.theta, torch.full_like(start, (1 - LR) ** 3))


def test_the_optimizer_has_it_too():
    theta = torch.nn.Parameter(torch.zeros(RUNS, 2, dtype=torch.float64))
    optimizer = NoisyGD([theta], lr=LR, sigma=SIGMA, seed=3)
    for _ in range(100):
        theta.grad = theta.detach().clone()
        optimizer.step()
    assert abs(float(theta.detach().var()) - VARIANCE) < 4 * ERROR


def test_a_bad_sigma_is_refused():
    with pytest.raises(ValueError, match=r"sigma=-1: must be 0 or more"):
        NoisyGD([torch.zeros(1, requires_grad=True)], sigma=-1)
