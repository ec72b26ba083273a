"""A first lr: what it proposes scales as it must, and it leaves no trace."""

import copy
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bbi import BBI, ECD, ECDq1, ECDSep, first_lr

H = torch.linspace(1, 10, 5, dtype=torch.float64)


def closure(p: Tensor, scale: float = 1.0) -> Any:
    def compute() -> Tensor:
        p.grad = scale * H * p.detach()
        return scale * 0.5 * (H * p.detach().square()).sum()

    return compute


def start() -> nn.Parameter:
    return nn.Parameter(torch.ones(5, dtype=torch.float64))


@pytest.mark.parametrize("cls", [BBI, ECDSep])
@pytest.mark.parametrize("lr", [1e-4, 3.0])
def test_it_is_stable_and_four_times_as_much_is_not(cls: type[ECD], lr: float) -> None:
    p = start()
    found = first_lr(cls([p], lr), closure(p))

    def worst(lr: float) -> float:
        q = start()
        opt = cls([q], lr)
        errors = []
        before = math.nan
        for _ in range(9):
            opt.step(closure(q))
            errors.append(abs(float(opt.law.energy(opt.potential, before)) / float(opt.energy) - 1))
            before = float(opt.momentum_norm) ** 2
        return sorted(errors[1:])[3]

    share = 1 if cls is ECDSep else 3
    assert worst(found * share / 2) < 0.3 < worst(found * share)


def test_it_scales_as_the_time_step_does() -> None:
    # |dΘ/dt| ~ √V for BBI, so that with the loss c F time scales as 1/√c; log V, of ECDSep, is only shifted.
    for cls, ratio in ((BBI, 4.0), (ECDSep, 1.0)):
        p, q = start(), start()
        one, other = first_lr(cls([p], 0.01), closure(p)), first_lr(cls([q], 0.01), closure(q, 16.0))
        assert other == pytest.approx(one / ratio)


def test_it_leaves_model_optimizer_and_random_numbers_as_they_were() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 1))
    x = torch.randn(20, 3)
    opt = BBI(model.parameters(), 0.05, delta_e=0.1)

    def train() -> Tensor:
        opt.zero_grad()
        loss = model(x).square().mean() + 0.1
        loss.backward()
        return loss

    opt.step(train)

    def numbers() -> list[Any]:
        grads = [p.grad for p in model.parameters()]
        return copy.deepcopy(
            [model.state_dict(), opt.state_dict()["state"], grads, opt.param_groups[0]["system"]]
        )

    before, random = numbers(), torch.get_rng_state()
    assert first_lr(opt, train, model) > 0
    assert torch.equal(random, torch.get_rng_state())
    torch.testing.assert_close(numbers(), before, rtol=0, atol=0)
    assert opt.param_groups[0]["lr"] == 0.05


def test_what_it_cannot_do_is_refused_and_leaves_no_trace() -> None:
    p, q = start(), start()
    with pytest.raises(ValueError, match="isokinetic"):
        first_lr(ECDq1([p]), closure(p))
    with pytest.raises(ValueError, match="no replicas, one lr"):
        first_lr(BBI([p], replicas=5), closure(p))
    with pytest.raises(ValueError, match="no replicas, one lr"):
        first_lr(BBI([{"params": [p], "lr": 0.1}, {"params": [q], "lr": 0.2}]), closure(p))

    def flat() -> float:
        p.grad = torch.zeros_like(p)
        return 1.0

    opt = BBI([p], 0.01)
    with pytest.raises(ValueError, match="found no lr"):
        first_lr(opt, flat)
    assert not opt.state and opt.param_groups[0]["lr"] == 0.01 and torch.equal(p, start())


@pytest.mark.parametrize("cls", [BBI, ECDSep])
def test_the_default_lr_trains_a_classifier_on_which_it_was_not_chosen(cls: type[ECD]) -> None:
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = map(torch.from_numpy, datasets.load_digits(return_X_y=True))
    torch.manual_seed(0)
    order = torch.randperm(len(images))
    x, y = images[order].float() / 16, labels[order]
    model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
    opt = cls(model.parameters())
    for _ in range(500):
        rows = torch.randint(1347, (64,))
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        loss.backward()
        opt.step(loss=loss)
    accuracy = (model(x[1347:]).argmax(1) == y[1347:]).double().mean()
    assert accuracy > 0.93
