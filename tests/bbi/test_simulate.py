"""Ensembles, run eagerly: against torch's SGD, the listing of Algorithm 1, and the conservation laws."""

import math

import numpy as np
import pytest
import torch

from bbi import noise
from bbi.laws import BornInfeld
from bbi.rules import ECDRule, GDMRule
from bbi.simulate import simulate
from experiments.landscapes.functions import Ackley, Quadratic, TwoBasins, Zakharov

LAW = BornInfeld()
RULE = ECDRule(LAW)
BOUNCY = {"lr": 0.01, "delta_v": 1e-4, "delta_e": 2.0, "t0": 7, "t1": 5, "n_bounces": 3}


def starts(count, n=2, width=4.0):
    g = torch.Generator().manual_seed(1)
    return (2 * torch.rand(count, n, dtype=torch.float64, generator=g) - 1) * width


def eager(potential, start, rule, settings, steps, **options):
    return simulate(potential, start, rule, settings, steps, compiled=False, **options)


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize(("potential", "lr"), [(TwoBasins(), 0.02), (Ackley(), 0.01)])
def test_gdm_is_torch_sgd(potential, lr, momentum):
    start = starts(1)
    curves = eager(potential, start, GDMRule(), {"lr": lr, "momentum": momentum}, 100, record_every=1).curves
    theta = start[0].clone().requires_grad_()
    sgd = torch.optim.SGD([theta], lr=lr, momentum=momentum)
    for row in curves.theta:
        torch.testing.assert_close(row, theta.detach(), rtol=1e-10, atol=1e-12)
        sgd.zero_grad()
        potential(theta)[0].backward()
        sgd.step()


@pytest.mark.parametrize("variant", ["paper", "released"])
def test_ecd_is_the_listing_of_algorithm_1(algorithm1, variant):
    vectors = noise.normal if variant == "paper" else noise.uniform
    start, options = starts(1, 4), {k: v for k, v in BOUNCY.items() if k != "lr"}
    listing = algorithm1(Ackley(0.02), start[0], dt=0.01, vectors=vectors, seed=5, replica=3, **options)
    branches = [next(listing) for _ in range(80)]
    # the paper's bounces cost no step; the released code's do, and leave Θ where it is
    rows = [theta for branch, theta, _ in branches if branch == "move" or variant == "released"]
    run = eager(
        Ackley(0.02), start, ECDRule(LAW, variant), BOUNCY, len(rows),
        seed=5, replicas=torch.tensor([3]), record_every=1,
    )  # fmt: skip
    np.testing.assert_allclose(run.curves.theta[1:], np.stack(rows), rtol=1e-9)
    bounces = [branch for branch, _, _ in branches[: len(rows)]].count("bounce")
    assert bounces >= 3
    if variant == "released":
        assert run.scalars[4].item() == bounces


def test_replicas_follow_their_own_settings_seed_and_number():
    start = starts(40)
    settings = {
        "lr": torch.linspace(0.002, 0.02, 40),
        "delta_v": 1e-4,
        "delta_e": torch.linspace(0, 3, 40, dtype=torch.float64),
        "t0": torch.arange(3, 43),
        "t1": [5.0] * 39 + [math.inf],
        "n_bounces": torch.arange(40) % 5,
    }
    together = eager(Ackley(0.02), start, RULE, settings, 100, seed=9)
    assert together.scalars[4].min() < together.scalars[4].max()
    for r in (0, 7, 39):
        own = {k: v if isinstance(v, float) else v[r] for k, v in settings.items()}
        alone = eager(Ackley(0.02), start[r : r + 1], RULE, own, 100, seed=9, replicas=torch.tensor([r]))
        assert torch.equal(alone.theta[0], together.theta[r])
    other = eager(Ackley(0.02), start, RULE, settings, 100, seed=10)
    bounced = together.scalars[4] > 0
    assert ((other.theta != together.theta).any(1) == bounced).all()


def pit(theta):
    """A slope that is NaN beyond x = 1."""
    x = theta[..., 0]
    return torch.where(x < 1, 3 - x, torch.nan), torch.stack((torch.where(x < 1, -1.0, torch.nan),), -1)


def test_status_budget():
    run = eager(TwoBasins(), starts(5), RULE, {"lr": 0.01}, 17)
    assert (run.status, run.steps.tolist()) == (["budget"] * 5, [17] * 5)


def test_status_converged_where_v_reaches_zero():
    run = eager(Quadratic((1.0,)), [[1.0]], RULE, {"lr": 0.1, "delta_v": 1e-3}, 1000, record_every=1)
    assert run.status == ["converged"]
    assert run.value.item() <= 1e-3 < run.curves.value[:-1].min().item()
    assert len(run.curves.step) == run.steps.item() + 1 < 1000
    assert run.curves.theta[-1].item() == run.theta.item()  # it stands where it ended


def test_status_stopped_at_the_first_point_that_says_so():
    run = eager(Quadratic((1.0,)), [[1.0]], RULE, {"lr": 0.1}, 1000, stop=early_in_a_valley, record_every=1)
    assert run.status == ["stopped"]
    assert run.value.item() < 0.1 <= run.curves.value[:-1].min().item()


def early_in_a_valley(theta, value):
    return value < 0.1


def test_status_diverged_by_nan_or_inf():
    # beyond 1 the loss is NaN; on the Zakharov function gradient descent overflows
    nan = eager(pit, [[0.0]], RULE, {"lr": 0.1}, 1000, record_every=1)
    inf = eager(Zakharov(), torch.ones(1, 10), GDMRule(), {"lr": 0.5}, 1000)
    assert (nan.status, inf.status) == (["diverged"], ["diverged"])
    assert nan.steps.item() < 1000
    assert 2 < nan.best.item() <= 3
    assert nan.curves.value[:-1].isfinite().all()
    assert not nan.value.isfinite().any()


def test_a_replica_that_diverges_does_not_disturb_the_others():
    start = torch.tensor([[0.9], [-50.0]])
    run = eager(pit, start, RULE, {"lr": 0.1}, 100)
    assert run.status == ["diverged", "budget"]
    alone = eager(pit, start[1:], RULE, {"lr": 0.1}, 100, replicas=torch.tensor([1]))
    assert torch.equal(alone.theta[0], run.theta[1])


def test_ends_before_the_first_step():
    settings = {"lr": 0.1, "delta_v": [0.0, 1e-3, 0.0]}
    run = eager(Quadratic((1.0,)), [[1.0], [1e-3], [math.nan]], RULE, settings, 0)
    assert run.status == ["budget", "converged", "diverged"]
    assert run.steps.tolist() == [0, 0, 0]
    assert run.value[:2].tolist() == run.best[:2].tolist() == pytest.approx([0.5, 0.5e-6])


@pytest.mark.parametrize(("count", "every", "steps"), [(3, 1, 20), (3, 7, 20), (600, 5, 12), (3, 50, 20)])
def test_curves_are_the_points_of_shorter_runs(count, every, steps):
    start = starts(count)
    run = eager(Ackley(0.02), start, RULE, BOUNCY, steps, record_every=every)
    expected = sorted({*range(0, steps, every), steps})
    curves = run.curves
    assert curves.step.tolist() == expected * count
    assert curves.replica.tolist() == [r for r in range(count) for _ in expected]
    torch.testing.assert_close(curves.value, Ackley(0.02)(curves.theta)[0], rtol=1e-14, atol=0)
    for k in expected:
        shorter = eager(Ackley(0.02), start, RULE, BOUNCY, k)
        assert torch.equal(curves.theta[curves.step == k], shorter.theta)
        torch.testing.assert_close(curves.best[curves.step == k], shorter.best, rtol=1e-14, atol=0)
    assert eager(Ackley(0.02), start[:1], RULE, BOUNCY, 3).curves is None


def test_best_is_the_lowest_value_on_the_way():
    run = eager(Ackley(0.02), starts(4), RULE, BOUNCY, 150, record_every=1)
    lowest = run.curves.value.reshape(4, -1).min(1).values
    torch.testing.assert_close(run.best, lowest, rtol=1e-14, atol=0)
    assert (run.best < run.value).any()


def path(dt, steps=300, delta_e=1.0):
    """Θ_k, Π_k, V_k, ∇V_k and E of a run over the two basins from (3, -1)."""
    settings = {"lr": dt, "delta_e": delta_e, "t0": 40, "n_bounces": math.inf}
    run = eager(TwoBasins(), [[3.0, -1.0]], RULE, settings, steps, record_every=1)
    v, grad = TwoBasins()(run.curves.theta)
    return run.curves.theta, run.curves.momentum, v, grad, v[0] + delta_e


def test_energy_is_restored_to_rounding_in_every_step():
    # what the kick acts on, Π_{k+1} + Δt H_V ∇V, lies on the energy surface of V_k
    dt = 0.01
    _, pi, v, grad, e = path(dt)
    kicked = 0.5 * (v / e + e / v)
    rescaled = pi[1:] + dt * (kicked[:, None] * grad)[:-1]
    energy = (v[:-1] * (v[:-1] + rescaled.square().sum(1))).sqrt()
    torch.testing.assert_close(energy, e.expand(300), rtol=1e-11, atol=0)


def test_speed_limit():
    # |ΔΘ|/Δt ≤ (V/E) (|αΠ| + Δt H_V |∇V|) = √(V (1 - V²/E²)) + ½ Δt (1 + V²/E²) |∇V|, by (5), (6)
    excess = []
    for dt in (0.02, 0.01, 0.005):
        theta, _, v, grad, e = path(dt)
        speed, v, slope = theta.diff(dim=0).norm(dim=1) / dt, v[:-1], grad[:-1].norm(dim=1)
        x2 = (v / e) ** 2
        assert (speed <= (v * (1 - x2)).sqrt() + 0.5 * dt * (1 + x2) * slope + 1e-12).all()
        assert speed.max() > 0.5  # it does come near
        excess.append(float((speed**2 / v - 1).max()))
    # so |dΘ/dt|² ≤ V up to O(Δt)
    assert excess[0] < 0.2
    assert max(excess[1], 0) <= 0.75 * max(excess[0], 0)
    assert max(excess[2], 0) <= 0.75 * max(excess[1], 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"settings": {"lr": 0.1, "momentum": 0.5}}, "momentum"),
        ({"settings": {}}, "lr"),
        ({"steps": -1}, "-1"),
        ({"record_every": -2}, "-2"),
        ({"settings": {"lr": [0.1, 0.2]}}, "lr"),
        ({"replicas": torch.arange(7)}, "replicas"),
        ({"start": torch.ones(2)}, r"start.*\(2,\)"),
        ({"settings": {"lr": 0.1, "t0": [5.0, 20.5, 7.0]}}, "t0: 20.5"),
    ],
)
def test_bad_arguments_are_named(changes, words):
    good = {"start": starts(3), "settings": {"lr": 0.1}, "steps": 1}
    with pytest.raises(ValueError, match=words):
        eager(TwoBasins(), rule=RULE, **{**good, **changes})


def test_recording_more_rarely_than_there_are_steps_costs_no_steps():
    """A chunk of a compiled loop ends at the next record: 10⁹ steps would take minutes."""
    seen = []

    def counted(theta):
        seen.append(1)
        return Quadratic((1.0,))(theta)

    run = simulate(counted, [[1.0]], RULE, {"lr": 0.1}, 20, record_every=10**9, compiled=False)
    assert run.curves.step.tolist() == [0, 20] and len(seen) < 100
