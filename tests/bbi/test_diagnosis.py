"""Each finding is provoked by a real run, and healthy runs have none."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from bbi import BBI, ECD, ECDq1, ECDSep, Finding, Recorder, diagnose
from bbi.diagnosis import NAMES
from experiments.landscapes.functions import Ackley


def landscape(opt: ECD, p: Tensor, f: Any, steps: int) -> list[Finding]:
    """Steps on a function that returns its value and gradient."""
    recorder = Recorder(opt)
    for _ in range(steps):
        loss, p.grad = f(p.detach())
        opt.step(loss=loss)
        recorder.record()
    return diagnose(recorder)


def clusters(make: Any, steps: int = 300, batch: int = 50, apart: float = 2.0) -> list[Finding]:
    """A small network that tells apart four Gaussian clusters, with minibatches."""
    torch.manual_seed(0)
    labels = torch.randint(4, (1000,))
    x = apart * torch.eye(4)[labels] + torch.randn(1000, 4)
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 4))
    opt = make(model.parameters())
    recorder = Recorder(opt)
    for _ in range(steps):
        rows = torch.randint(1000, (batch,))
        losses = cross_entropy(model(x[rows]), labels[rows], reduction="none")
        opt.zero_grad()
        losses.mean().backward()
        opt.step(loss=losses.mean())
        recorder.record(losses)
    return diagnose(recorder)


def bowl(theta: Tensor) -> tuple[Tensor, Tensor]:
    """½ θ·h θ with curvatures h from 1 to 10."""
    h = torch.linspace(1, 10, len(theta), dtype=theta.dtype)
    return 0.5 * (h * theta * theta).sum(), h * theta


def point(*x: float, dtype: torch.dtype = torch.float64) -> nn.Parameter:
    return nn.Parameter(torch.tensor(x, dtype=dtype))


def names(found: list[Finding]) -> list[str]:
    return [finding.name for finding in found]


@pytest.mark.parametrize(
    "make",
    [
        lambda params: BBI(params, 0.1),
        lambda params: BBI(params, 0.1, delta_e=1.0, t0=100, n_bounces=2),
        lambda params: ECDSep(params, 0.3),
        lambda params: ECDq1(params, 0.1),
    ],
)
def test_a_healthy_training_with_minibatches_has_no_findings(make: Any) -> None:
    assert clusters(make) == []


@pytest.mark.parametrize("cls", [BBI, ECDSep])
def test_a_healthy_run_on_a_bowl_has_no_findings(cls: type[ECD]) -> None:
    p = point(1.0, 1.0, 1.0)
    assert landscape(cls([p], 0.05), p, bowl, 150) == []


def wells(theta: Tensor) -> tuple[Tensor, Tensor]:
    """A well with F = 0 at (1, 0), and one with F = 0.7 at x = -0.9 behind a barrier of 1.17."""
    x, y = theta
    value = (x * x - 1) ** 2 + 0.2 * (1 - x) ** 2 + y * y
    return value, torch.stack([4 * x * (x * x - 1) - 0.4 * (1 - x), 2 * y])


def test_an_energy_below_the_barrier() -> None:
    def found(delta_e: float) -> list[str]:
        p = point(-1.0, 0.4)
        return names(landscape(BBI([p], 0.02, delta_e=delta_e, t1=50), p, wells, 500))

    assert found(0.0) == ["below the barrier"]
    assert found(1.0) == []


@pytest.mark.parametrize("lr", [0.05, 1.0, 2.0])
def test_an_lr_that_is_too_large(lr: float) -> None:
    p = point(*np.linspace(0.5, 1, 10))
    found = names(landscape(BBI([p], lr, delta_e=0.5), p, bowl, 100))
    assert ("lr too large" in found) == (lr > 0.1)


def test_an_lr_of_which_the_loss_notices_nothing_or_little() -> None:
    single, double = point(1, 1, 1, dtype=torch.float32), point(1, 1, 1)
    (rounding,) = landscape(BBI([single], 1e-7, delta_e=0.1), single, bowl, 100)
    (slow,) = landscape(BBI([double], 1e-5, delta_e=0.1), double, bowl, 100)
    assert rounding.name == slow.name == "lr too small"
    assert "rounding" in rounding.text and "rounding" not in slow.text
    assert rounding.setting == slow.setting == "lr"
    # With minibatches, noise of V is no change of V, and no oscillation below a barrier.
    assert names(clusters(lambda params: BBI(params, 1e-5, delta_e=0.1))) == ["lr too small"]


def test_a_delta_v_that_is_too_high() -> None:
    def found(delta_v: float, tune: bool = False) -> list[str]:
        return names(clusters(lambda params: BBI(params, 0.1, delta_v=delta_v, tune_delta_v=tune)))

    assert "delta_v too high" in found(0.6)
    assert "delta_v too high" not in found(0.6, tune=True)


def test_batches_whose_noise_is_large_compared_with_v() -> None:
    found = clusters(lambda params: BBI(params, 0.1, delta_v=0.2), batch=4)
    assert "batch noise" in names(found)
    assert [finding.setting for finding in found if finding.name == "batch noise"] == ["batch size"]


def test_the_noise_is_the_standard_error_of_the_loss() -> None:
    p = point(1.0)
    opt = BBI([p], 0.01)
    recorder = Recorder(opt)
    _, p.grad = bowl(p.detach())
    opt.step(loss=2.0)
    recorder.record(torch.tensor([1.0, 2.0, 3.0]))
    assert recorder.curves()["noise"] == [pytest.approx(1 / math.sqrt(3))]


def test_clocks_that_are_never_or_too_often_due() -> None:
    def found(**clocks: float) -> list[str]:
        p = point(-3.9, 3.1)
        return names(landscape(BBI([p], 0.01, delta_e=0.0, **clocks), p, Ackley(0.02), 400))

    assert "no bounce" in found(t0=1000, t1=3000)
    assert "no bounce" not in found(t1=math.inf, n_bounces=0)  # none are wanted
    assert "too many bounces" in found(t0=5, n_bounces=math.inf)
    assert not {"no bounce", "too many bounces"} & set(found(t0=50, t1=100, n_bounces=4))


def test_curves_are_those_of_the_run() -> None:
    p = point(1.0, 0.5)
    opt = BBI([p], 0.02, delta_e=0.3)
    recorder = Recorder(opt, kept=7)
    losses, momenta = [], []
    for _ in range(9):
        loss, p.grad = bowl(p.detach())
        opt.step(loss=loss)
        recorder.record()
        losses.append(loss.item())
        momenta.append(opt.momentum(p).norm().item())
    curves = recorder.curves()
    assert curves["potential"] == losses[-7:]
    assert curves["momentum_norm"] == pytest.approx(momenta[-7:])
    assert curves["energy"] == [losses[0] + 0.3] * 7
    # H = √(V (V + Π²)), eq. (31), at the new V and the Π² before it is corrected.
    h = [
        math.sqrt(v * (v + m * m)) / (losses[0] + 0.3) - 1
        for v, m in zip(losses[3:], momenta[2:-1], strict=True)
    ]
    assert curves["energy_error"][1:] == pytest.approx(h, abs=1e-12)
    assert math.isnan(curves["energy_error"][0])


def test_a_short_record_has_no_findings_and_replicas_are_refused() -> None:
    p = point(1.0)
    assert diagnose(Recorder(BBI([p]))) == []
    with pytest.raises(ValueError, match="replicas"):
        Recorder(BBI([point(1.0)], replicas=1))
    with pytest.raises(ValueError, match=r"Invalid losses: shape \(\)"):
        Recorder(BBI([p])).record(torch.tensor(1.0))


def test_an_empty_first_group_and_losses_beyond_all_bounds() -> None:
    p = point(3.0, -1.0)
    opt = BBI([{"params": []}, {"params": [p]}], lr=0.1)
    recorder = Recorder(opt)
    for k in range(40):
        loss, p.grad = bowl(p.detach())
        opt.step(loss=loss)
        recorder.record(torch.tensor([1.0, 1e200]) * 10.0 ** (k % 3))
    assert NAMES[1] not in names(diagnose(recorder))
