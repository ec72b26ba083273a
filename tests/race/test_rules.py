"""An optimizer of the race does the same in an ensemble and alone, and the same as a formula."""

import math

import numpy as np
import pytest
import torch

from experiments.race.engine import run
from experiments.race.optimizers import ClippedGDM, Polyak
from experiments.race.problems import functions

TARGETS = [10.0**k for k in range(4, -6, -1)]
CASES = {
    "Polyak": ("experiments.race.rules.polyak", {"lr": 0.7, "f_star": -0.1}),
    "ClippedGDM": ("experiments.race.rules.clipped", {"lr": 0.05, "momentum": 0.8, "max_norm": 2.0}),
    "DecayingDescent": ("experiments.race.rules.decaying", {"lr": 1e-3, "every": 20.3, "box": 5.0}),
    "RestartedBBI": (
        "experiments.race.rules.bbi_restarts",
        {"lr": 0.02, "every": 20.3, "box": 5.0, "delta_e": 1.0, "t1": 1000, "n_bounces": 0},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_an_ensemble_and_the_class_reach_the_same_targets(name):
    ensemble, settings = CASES[name]
    steps = 90 if "box" in settings else 25
    for function in ("rosenbrock", "levy", "ackley"):
        problems = functions([function], 3, [1], 1, TARGETS)
        many = run(problems, "", settings, ensemble, steps, seed=5)
        target = f"experiments.race.optimizers.{name}"
        seed = {"seed": 5} if "box" in settings else {}  # the class counts its own replica as number 0
        one = run(problems, target, {**settings, **seed}, "single", steps, seed=0)
        assert torch.equal(many.hits, one.hits)
        assert many.evaluations == one.evaluations
        # Cutting divides by the norm plus 1e-6, and rounding errors grow on the way.
        torch.testing.assert_close(many.best, one.best, rtol=1e-5, atol=1e-9)


def test_rows_with_their_own_settings_and_single_runs_reach_the_same_targets():
    problems = functions(["ackley", "ellipsoid"], 3, [1, 2], 2, TARGETS)
    settings = {"lr": np.tile([0.1, 0.5], 4), "betas": (0.9, 0.99)}
    rows, single = (
        run(problems, "torch.optim.Adam", settings, kind, 60, 0) for kind in ("elementwise", "single")
    )
    assert torch.equal(rows.hits, single.hits)
    assert rows.hits.isfinite().any()
    torch.testing.assert_close(rows.best, single.best, rtol=1e-9, atol=0)


def test_polyak_step_is_the_formula():
    theta = torch.nn.Parameter(torch.tensor([3.0, -1.0], dtype=torch.float64))
    loss = (theta.square() * torch.tensor([1.0, 4.0])).sum()
    loss.backward()
    gap, grad = loss.item() - 2.0, np.array([6.0, -8.0])
    Polyak([theta], lr=0.5, f_star=2.0).step(loss=loss)
    expected = np.array([3.0, -1.0]) - 0.5 * gap * grad / (grad @ grad)
    np.testing.assert_allclose(theta.detach().numpy(), expected, rtol=1e-14)


def test_a_gradient_is_cut_over_all_parameters():
    a, b = (torch.nn.Parameter(torch.zeros(1, dtype=torch.float64)) for _ in range(2))
    a.grad, b.grad = torch.tensor([3.0], dtype=torch.float64), torch.tensor([4.0], dtype=torch.float64)
    ClippedGDM([a, b], lr=1.0, max_norm=2.5).step()
    assert math.isclose(a.item(), -1.5, rel_tol=1e-6)
    assert math.isclose(b.item(), -2.0, rel_tol=1e-6)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("optimizers.Polyak", {"lr": -1.0}),
        ("optimizers.DecayingDescent", {"every": 0.0}),
        ("optimizers.ClippedGDM", {"max_norm": math.nan}),
        ("libraries.LBFGS", {"history": 0.0}),
        ("libraries.BasinHopping", {"temperature": -1.0}),
        ("libraries.CMAES", {"population": 0.5}),
    ],
)
def test_bad_settings_are_named(name, settings):
    problems = functions(["levy"], 2, [1], 1, TARGETS)
    with pytest.raises(Exception, match=f"Invalid {next(iter(settings))}"):
        run(problems, f"experiments.race.{name}", settings, "single", 5, 0)
