"""The Poisson problem against autograd, the printed formula; how its points are spread."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import binomtest, kstest, pearsonr

from experiments.pde.problem import Poisson

N = 20_000


def laplacian(u, x):
    """Δu (N,) of values u (N,) at points x (N, d), by differentiating twice."""
    (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
    columns = [slope[:, i].sum() for i in range(x.shape[1])]
    return sum(torch.autograd.grad(c, x, create_graph=True)[0][:, i] for i, c in enumerate(columns))


@pytest.mark.parametrize("d", [1, 2, 3, 5])
@pytest.mark.parametrize("k", [0.3, 5.0, 20.0])
def test_the_source_is_that_of_the_solution(d, k):
    problem = Poisson(k, d)
    x = problem.interior(300, seed=4).requires_grad_()
    u = problem.solution(x)
    expected = -laplacian(u, x) + u**2
    torch.testing.assert_close(problem.source(x), expected, rtol=1e-10, atol=1e-10 * k**2)
    torch.testing.assert_close(
        problem.solution(problem.sphere(50, 1)), torch.full((50,), problem.boundary).double()
    )
    r = x.detach().norm(dim=-1).numpy()
    np.testing.assert_allclose(problem.source_r(r), expected.detach(), rtol=1e-9, atol=1e-9 * k**2)
    np.testing.assert_allclose(problem.solution_r(r), u.detach(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(2,), (7, 2), (3, 4, 2)])
def test_it_is_the_printed_problem_of_the_paper(shape):
    x = torch.rand(shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64) / 2
    r2 = (x**2).sum(-1).numpy()
    f = 3 - 4 * (1 + 6400 * r2) * np.cos(40 * r2) + np.cos(80 * r2) - 640 * np.sin(40 * r2)
    np.testing.assert_allclose(Poisson(20.0).source(x).numpy(), f / 8, rtol=1e-10, atol=1e-9)
    np.testing.assert_allclose(Poisson(20.0).solution(x).numpy(), np.sin(20 * r2) ** 2, rtol=1e-12)
    assert Poisson(20.0).boundary == pytest.approx(0.833469, abs=5e-7)


@pytest.mark.parametrize("d", [1, 2, 3, 6])
def test_interior_points_are_uniform_in_the_ball(d):
    x = Poisson(5.0, d).interior(N, seed=1).numpy()
    r = np.linalg.norm(x, axis=1)
    assert x.shape == (N, d) and r.max() <= 1
    assert kstest(r**d, "uniform").pvalue > 0.01
    # no direction is preferred, near the middle or far from it
    assert all(binomtest(int((side > 0).sum()), N).pvalue > 0.01 for side in x.T)
    assert all(pearsonr(r, np.sign(side)).pvalue > 0.01 for side in x.T)


def test_points_on_the_circle_and_the_sphere_are_uniform():
    circle = Poisson(5.0, 2).sphere(N, seed=1).numpy()
    disc = Poisson(5.0, 2).interior(N, seed=1).numpy()
    for points in (circle, disc):
        angle = np.arctan2(points[:, 1], points[:, 0]) / (2 * math.pi) + 0.5
        assert kstest(angle, "uniform").pvalue > 0.01
    ball = Poisson(5.0, 3).sphere(N, seed=1).numpy()
    for height in ball.T:  # Archimedes: each coordinate of a uniform point on the sphere is uniform
        assert kstest(height, "uniform", args=(-1, 2)).pvalue > 0.01
    for points in (circle, ball):
        np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, rtol=1e-14)
    ends, counts = np.unique(Poisson(5.0, 1).sphere(N, seed=1).numpy(), return_counts=True)
    assert ends.tolist() == [-1, 1] and binomtest(int(counts[0]), N).pvalue > 0.01


def test_points_follow_from_seed_and_draw_alone():
    problem = Poisson(5.0)
    first = problem.interior(50, seed=7, draw=3)
    torch.rand(10)  # the global generator plays no part
    np.random.default_rng().random(10)
    assert torch.equal(first, problem.interior(50, seed=7, draw=3))
    others = [problem.interior(50, 7, 4), problem.interior(50, 8, 3), problem.interior(50, 3, 7)]
    assert not any((first == other).any() for other in [*others, problem.sphere(50, 7, 3)])
    assert not torch.equal(problem.sphere(50, 7, 3), problem.sphere(50, 7, 4))
    angles = [torch.atan2(p[:, 1], p[:, 0]) for p in (first, problem.sphere(50, 7, 3))]
    assert (angles[0] - angles[1]).abs().min() > 1e-6  # not the same directions, scaled
