"""Shooting against the exact solution, collocation, another integrator, and how the equation scales."""

import math

import numpy as np
import pytest
import torch
from numpy.polynomial import chebyshev
from scipy.integrate import solve_ivp

from experiments.harness.errors import UserError
from experiments.pde import shooting
from experiments.pde.problem import Poisson

R = np.linspace(0, 1, 2001)


def collocated(problem, guess, degree=150):
    """The radial solution near ``guess`` (of s = r²) by Chebyshev collocation and Newton's method.

    In s the equation is 4 s u″ + 2 d u′ = u² - f, regular at the centre for polynomials: no shot, no series.
    """
    s = (1 + np.cos(np.pi * np.arange(degree + 1) / degree)) / 2
    value = chebyshev.chebvander(2 * s - 1, degree)
    first, second = (
        chebyshev.chebval(2 * s - 1, chebyshev.chebder(np.eye(degree + 1), order)).T * 2**order
        for order in (1, 2)
    )
    linear = 4 * s[:, None] * second + 2 * problem.dimension * first
    c = np.linalg.solve(value, guess(s))
    for _ in range(40):
        u = value @ c
        residual = linear @ c - u**2 + problem.source_r(np.sqrt(s))
        jacobian = linear - 2 * u[:, None] * value
        residual[0], jacobian[0] = u[0] - problem.boundary, value[0]
        step = np.linalg.solve(jacobian, residual)
        c = c - step
        if np.abs(step).max() < 1e-9:
            return lambda r: chebyshev.chebval(2 * r**2 - 1, c)
    raise AssertionError("Newton's method did not converge")


@pytest.mark.parametrize(("k", "d"), [(20.0, 1), (20.0, 2), (5.0, 3)])
def test_the_shot_from_0_is_the_manufactured_solution(k, d):
    problem = Poisson(k, d)
    assert abs(shooting.boundary_residual(problem, 0.0)) < 1e-10
    np.testing.assert_allclose(shooting.profile(problem, 0.0).at(R), problem.solution_r(R), atol=1e-9, rtol=0)


@pytest.mark.parametrize(("k", "d", "depth"), [(20.0, 2, 11), (8.0, 1, 4), (5.0, 3, 20)])
def test_the_second_solution_is_that_of_collocation(k, d, depth):
    problem = Poisson(k, d)
    first, second = shooting.solutions(problem)
    expected = collocated(problem, lambda s: np.sin(k * s) ** 2 - depth * (1 - s) ** 2)
    np.testing.assert_allclose(second.at(R), expected(R), atol=1e-8, rtol=0)
    assert second.u0 == pytest.approx(expected(0.0), abs=1e-8)
    assert second.at(np.array([1.0])) == pytest.approx(problem.boundary, abs=1e-9)
    assert first.u0 == 0 and np.array_equal(first.at(R), problem.solution_r(R))


def test_the_papers_problem_has_two_radial_solutions():
    problem = Poisson(20.0)
    found = shooting.roots(problem, shooting.scan(problem, -65.0, 12.0, 401))
    assert found == pytest.approx([-10.225767, 0.0], abs=5e-7)
    u = shooting.profile(problem, found[0]).at(R)
    assert (u.min(), u.max()) == pytest.approx((-10.2258, 0.8335), abs=5e-5)


@pytest.mark.parametrize("k", [1.0, 14.0])
def test_other_problems_on_the_disc_have_two_as_well(k):
    problem = Poisson(k)
    found = shooting.roots(problem, shooting.scan(problem, points=161))
    assert len(found) == 2
    assert found[1] == pytest.approx(0, abs=1e-9) and -10.3 < found[0] < -8.5


def test_shots_outside_blow_up_however_far():
    problem = Poisson(20.0)
    assert np.isinf(shooting.scan(problem, -3000.0, -69.0, 40)["boundary_residual"]).all()
    assert np.isinf(shooting.scan(problem, 13.0, 900.0, 40)["boundary_residual"]).all()
    assert np.isfinite(shooting.scan(problem, -60.0, 11.0, 40)["boundary_residual"]).all()
    assert shooting.boundary_residual(problem, -69.0) == math.inf
    with pytest.raises(ValueError, match="blows up"):
        shooting.profile(problem, 13.0)


def test_the_lower_end_is_where_the_equation_without_source_has_it():
    # u = λ² U(λ r) with U″ + U′/r = U², U(0) = -1, blowing up at R: a shot from -R² does so at r = 1
    def high(_, y):
        return y[0] - 1e6

    high.terminal = True
    free = solve_ivp(
        lambda r, y: (y[1], y[0] ** 2 - y[1] / r), (1e-6, 20), (-1, 5e-7), rtol=1e-9, events=high
    )
    scanned = shooting.scan(Poisson(0.01), -80.0, -50.0, 121)
    assert scanned["u0"][np.isfinite(scanned["boundary_residual"])].min() == pytest.approx(
        -(free.t[-1] ** 2), rel=0.01
    )


def test_a_scan_is_its_shots_one_by_one_by_another_integrator():
    problem, d = Poisson(5.0, 3), 3
    scanned = shooting.scan(problem, -20.0, 10.0, 7)
    for u0, residual in zip(scanned["u0"], scanned["boundary_residual"], strict=True):
        done = solve_ivp(
            lambda r, y: (y[1], y[0] ** 2 - problem.source_r(r) - (d - 1) / r * y[1]),
            (1e-5, 1),
            (u0, u0**2 / d * 1e-5),
            method="LSODA",
            rtol=1e-9,
            atol=1e-9,
        )
        assert residual == pytest.approx(done.y[0, -1] - problem.boundary, abs=1e-5)
        assert shooting.boundary_residual(problem, u0) == pytest.approx(residual, abs=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(2,), (50, 2), (3, 4, 2)])
def test_solutions_are_functions_of_points(dtype, shape):
    problem = Poisson(5.0)
    x = (torch.rand(shape, generator=torch.Generator().manual_seed(0)) / 2).to(dtype).requires_grad_()
    radial = shooting.profile(problem, 0.0)
    u = radial(x)
    assert (u.dtype, u.shape, u.requires_grad) == (dtype, x.shape[:-1], False)
    torch.testing.assert_close(u, problem.solution(x.detach().double()).to(dtype), atol=1e-7, rtol=0)


def test_a_range_without_a_second_solution_says_so():
    problem = Poisson(5.0)
    assert shooting.solutions(problem, shooting.scan(problem, -5.0, 5.0, 21))[1] is None


def test_a_scan_that_is_too_coarse_says_so():
    problem = Poisson(5.0)
    with pytest.raises(UserError, match=r"^points=3: two solutions near .*; scan with more points$"):
        shooting.roots(problem, shooting.scan(problem, -23.0, 9.0, 3))
