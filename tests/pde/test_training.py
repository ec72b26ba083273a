"""The loss against nested autograd, interrupted trainings against uninterrupted ones, and the judge."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn

from experiments.competitors import create
from experiments.harness import checkpoint
from experiments.harness.units import Surroundings, within
from experiments.pde import training
from experiments.pde.config import Thresholds
from experiments.pde.network import ResidualNetwork, value
from experiments.pde.outcome import Judge
from experiments.pde.problem import Poisson
from experiments.pde.shooting import Radial
from experiments.pde.training import Loss, Points, Training, gradients
from tests.landscapes.test_ensemble import FILES
from tests.pde.test_problem import laplacian

PROBLEM = Poisson(2.0)
NETWORK = ResidualNetwork(2, 8, 2)
LOSS = Loss(PROBLEM.boundary, 20, 10.0, 1e-3)
SGD, ADAM = {"_target_": "torch.optim.SGD"}, {"_target_": "torch.optim.Adam", "lr": 1e-2}
VARIANTS = ["paper", "released"]


def points(redraw=0, variant="paper"):
    return Points(PROBLEM, 20, 6, 3, redraw, variant)


def plain_loss(parameters, x, variant):
    """Eq. (19) by nested autograd, f from the manufactured solution by autograd too."""
    x = x.double().requires_grad_()
    exact = torch.sin(2 * x.square().sum(1)) ** 2
    u = value(parameters, x)
    wrong = (u**2 - laplacian(u, x)) - (exact**2 - laplacian(exact, x))
    equation = (wrong if variant == "released" else wrong[:20]).square().mean()
    boundary = (u[20:] - math.sin(2) ** 2).square().mean()
    return equation + 10.0 * boundary + 1e-3 * sum(p.square().sum() for p in parameters)


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_loss_is_equation_19(variant):
    parameters = NETWORK.parameters(1, torch.float64)
    x, f = points(variant=variant).at(0)
    assert len(f) == (26 if variant == "released" else 20)
    ours, slopes = gradients(LOSS, parameters, x, f, compiled=False)(parameters, x.double(), f.double())
    expected = plain_loss(parameters, x, variant)
    # points and source are float32
    assert ours.item() == pytest.approx(expected.item(), rel=1e-6)
    for a, b in zip(slopes, torch.autograd.grad(expected, parameters), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("variant", "compiled", "pieces"),
    [*product(VARIANTS, [False], [1, 2]), ("paper", True, 2)],  # a kernel takes long
)
def test_compiled_and_in_pieces_the_gradients_are_the_same(variant, compiled, pieces, monkeypatch):
    x, f = points(variant=variant).at(0)
    network = ResidualNetwork(2, 8, 1) if compiled else NETWORK  # half the time to compile
    parameters = network.parameters(1)
    whole, expected = gradients(LOSS, parameters, x, f, compiled=False)(parameters, x, f)
    monkeypatch.setattr(training, "PIECE_BYTES", 4 * 20 * 8 * 4 // pieces)
    assert training.pieces(LOSS, parameters, x) == pieces
    found, slopes = gradients(LOSS, network.parameters(0), x, f, compiled)(parameters, x, f)
    torch.testing.assert_close(found, whole, rtol=1e-5, atol=0)
    for p, q in zip(slopes, expected, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("interior", "boundary", "pieces"), [(20, 6, 2), (21, 7, 7), (20, 7, 1), (4, 2, 1)])
def test_pieces_are_equal_and_no_smaller_than_they_need_to_be(interior, boundary, pieces, monkeypatch):
    monkeypatch.setattr(training, "PIECE_BYTES", 4 * 12 * 8 * 4)  # 12 points inside
    loss, x = Loss(0.0, interior, 1.0, 0.0), torch.zeros(interior + boundary, 2)
    assert training.pieces(loss, NETWORK.parameters(0), x) == pieces


def test_points_follow_from_the_draw():
    fixed, fresh = points(), points(redraw=10)
    assert {fixed.draw(i) for i in range(30)} == {0}
    assert [fresh.draw(i) for i in (0, 9, 10, 29)] == [0, 0, 1, 2]
    x, f = fresh.at(1)
    assert x.shape == (26, 2) and f.shape == (20,) and x.dtype == f.dtype == torch.float32
    torch.testing.assert_close(x[20:].norm(dim=1), torch.ones(6))


def made(optimizer, iterations, redraw=10):
    """A training with a row every five iterations."""
    parameters, where = NETWORK.parameters(2), points(redraw)
    gradient = gradients(LOSS, parameters, *where.at(0), compiled=False)
    measure = lambda p: {"size": float(sum(q.detach().square().sum() for q in p))}  # noqa: E731
    return Training(parameters, create(optimizer, parameters, 4), where, gradient, iterations, 5, measure)


def files():
    """Every optimizer that comes with the project, with settings inside its search space."""
    for name, competitor in FILES.items():
        middle = {key: axis.value(sum(axis.coordinates()) / 2) for key, axis in competitor.space.items()}
        yield pytest.param(competitor.optimizer(middle), id=name)


BOUNCING = {"_target_": "bbi.BBI", "lr": 2e-2, "delta_e": 30.0, "t0": 7, "t1": 11, "n_bounces": 3}


@pytest.mark.parametrize("optimizer", [*files(), pytest.param(BOUNCING, id="bouncing")])
def test_an_interrupted_training_goes_on_to_the_same_bits(optimizer, tmp_path, monkeypatch):
    expected = made(optimizer, 47)
    rows = checkpoint.run(expected)
    save, saved = checkpoint.save, []

    def save_and_die(state):
        save(state)
        saved.append(state["work"]["iteration"])
        if len(saved) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", save_and_die)
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    with within(Surroundings(checkpoint=tmp_path / "state.pt")):
        with pytest.raises(KeyboardInterrupt):
            checkpoint.run(made(optimizer, 47))
        again = made(optimizer, 47)
        assert checkpoint.run(again) == rows
    assert saved == [5, 10, 15, 20, 25, 30, 35, 40, 45, 47] and math.isfinite(rows[-1]["loss"])
    for p, q in zip(expected.parameters, again.parameters, strict=True):
        assert torch.equal(p, q)
    if optimizer is BOUNCING:
        assert again.optimizer.bounces == expected.optimizer.bounces > 3


@pytest.mark.parametrize("redraw", [0, 12])  # no fresh points for the last row
def test_the_curve_says_where_the_parameters_were(redraw):
    work = made(ADAM, 12, redraw)
    rows = checkpoint.run(work)
    assert [row["iteration"] for row in rows] == [0, 5, 10, 12]
    x, f = points().at(0)
    assert rows[0]["loss"] == pytest.approx(LOSS(NETWORK.parameters(2), x, f).item(), rel=1e-6)
    assert rows[-1]["loss"] == pytest.approx(LOSS(work.parameters, x, f).item(), rel=1e-6)
    assert rows[-1]["size"] == pytest.approx(float(sum(p.detach().square().sum() for p in work.parameters)))
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_a_training_that_diverges_ends():
    rows = checkpoint.run(made({**SGD, "lr": 1e3, "momentum": 0.9}, 1000))
    assert rows[-1]["iteration"] < 1000 and not math.isfinite(rows[-1]["loss"])


def judge(second, l2=0.2, residual=0.2):
    radial = Radial(0.0, PROBLEM.solution_r), second and Radial(-3.0, second)
    return Judge(PROBLEM, radial, 7, Thresholds(points=500, l2=l2, residual=residual))


def constant(level):
    """Parameters whose network is the same everywhere."""
    zeros = [nn.Parameter(torch.zeros_like(p)) for p in NETWORK.parameters(0)]
    return [*zeros[:-1], nn.Parameter(torch.tensor([level]))]


def test_the_boundary_value_everywhere_is_neither():
    found = judge(lambda r: r * 0 - 3).judge(constant(PROBLEM.boundary))
    assert found["label"] == "neither"
    # and would be a solution if the residual alone, or the error alone, were asked for with such a threshold
    assert found["residual"] > 0.5
    assert found["l2_first"] > 0.5
    assert found["l2_second"] == pytest.approx((3 + PROBLEM.boundary) / 3, rel=1e-5)
    assert found["l1_second"] == pytest.approx(3 + PROBLEM.boundary, rel=1e-5)


def test_errors_and_residual_are_what_they_say():
    level, x = 0.3, PROBLEM.interior(500, 7)
    found = judge(lambda r: r * 0 - 3).judge(constant(level))
    exact, f = PROBLEM.solution(x), PROBLEM.source(x)
    assert found["l1_first"] == pytest.approx((exact - level).abs().mean().item(), rel=1e-5)
    assert found["l2_first"] == pytest.approx(((exact - level).norm() / exact.norm()).item(), rel=1e-5)
    wrong = (level**2 - f).square().mean() / f.square().mean()
    assert found["residual"] == pytest.approx(math.sqrt(wrong), rel=1e-5)


def test_the_label_asks_for_both_a_small_error_and_a_small_residual():
    near = lambda r: r * 0 + 0.31  # noqa: E731
    assert judge(near, residual=10.0).judge(constant(0.3))["label"] == "second"
    assert judge(near).judge(constant(0.3))["label"] == "neither"
    assert judge(near, l2=0.01, residual=10.0).judge(constant(0.3))["label"] == "neither"
    assert judge(near, l2=5.0, residual=10.0).judge(constant(math.nan))["label"] == "neither"


def test_without_a_second_solution_nothing_is_near_to_it():
    found = judge(None)
    assert found.near(constant(0.0))["l1_second"] == math.inf
    assert found.judge(constant(0.0))["l2_second"] == math.inf


def test_a_profile_is_the_network_along_a_radius():
    parameters, r = NETWORK.parameters(3), np.array([0.0, 0.5, 1.0])
    profile = judge(lambda r: r).profile(parameters, r)
    expected = value(parameters, torch.tensor([[0.0, 0.0], [0.5, 0.0], [1.0, 0.0]]))
    np.testing.assert_allclose(profile, expected.detach().numpy(), rtol=1e-6)
