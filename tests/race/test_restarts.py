"""Optimizers that begin anew go on from a state dict as if they had not been interrupted."""

import itertools
from typing import Any

import pytest
import torch

from experiments.race.optimizers import DecayingDescent, RestartedBBI


def descend(opt: torch.optim.Optimizer, theta: torch.Tensor, steps: int) -> list[list[float]]:
    seen = []
    for _ in range(steps):
        opt.zero_grad()
        loss = theta.square().sum()
        loss.backward()
        opt.step(loss=loss) if isinstance(opt, RestartedBBI) else opt.step(lambda loss=loss: loss)
        seen.append(theta.tolist())
    return seen


@pytest.mark.parametrize("cls", [DecayingDescent, RestartedBBI])
@pytest.mark.parametrize("box", [None, 3.0])
def test_a_state_dict_has_the_steps_of_the_period(cls: type[Any], box: float | None) -> None:
    def new() -> tuple[torch.optim.Optimizer, torch.Tensor]:
        theta = torch.tensor([1.0, -2.0], requires_grad=True)
        return cls([theta], lr=0.05, every=7, box=box, seed=3), theta

    opt, theta = new()
    whole = descend(opt, theta, 30)
    first, there = new()
    seen = descend(first, there, 11)
    second, theta = new()
    with torch.no_grad():
        theta.copy_(there)
    second.load_state_dict(first.state_dict())
    assert seen + descend(second, theta, 19) == whole
    jumps = [abs(b[0] - a[0]) > 0.5 for a, b in itertools.pairwise(whole)]
    assert any(jumps) == (box is not None)
