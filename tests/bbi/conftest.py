"""What the optimizer is compared with: Algorithm 1 as it is printed, in numpy, and a loop of steps."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bbi import noise

Array = np.ndarray


def _algorithm1(
    potential: Callable[[Tensor], tuple[Tensor, Tensor]],
    start: Tensor,
    *,
    dt: float,
    delta_v: float = 0.0,
    delta_e: float = 0.0,
    t0: float = math.inf,
    t1: float = math.inf,
    n_bounces: float = 1,
    vectors: Callable[..., Tensor] = noise.normal,
    seed: int = 0,
    replica: int = 0,
    momentum: Array | None = None,
    eps1: float = 1e-10,
    eps2: float = 1e-40,
) -> Iterator[tuple[str, Array, Array]]:
    """The listing, statement by statement: yields ("move" | "bounce", Θ, Π) after each branch."""
    key, theta = noise.replica_keys(seed, torch.tensor(replica)), start.numpy()

    def f(theta: Array) -> tuple[float, Array]:
        loss, grad = potential(torch.from_numpy(theta))
        return float(loss), grad.numpy()

    c0 = c1 = n_b = draws = 0
    lowest = math.inf
    loss, grad = f(theta)
    v = loss - delta_v
    e = v + delta_e
    pi = momentum if momentum is not None else -grad / np.sqrt(grad @ grad) * np.sqrt(e * e / v - v)
    while v > eps2:
        if c0 != t0 and c1 != t1:
            p2, want = pi @ pi, e * e / v - v
            alpha = 1.0 if abs(p2 - want) < eps1 or want < 0 else math.sqrt(want / p2)
            pi = alpha * pi - 0.5 * dt * (v / e + e / v) * grad
            theta = theta + dt * (v / e) * pi
            c0, c1 = c0 + 1, c1 + 1
            if v < lowest:
                lowest, c1 = v, 0
            loss, grad = f(theta)
            v = loss - delta_v
            yield "move", theta, pi
        else:
            n = vectors(key, torch.tensor(draws), torch.arange(len(theta))).numpy()
            draws += 1
            pi = n * math.sqrt((pi @ pi) / (n @ n))
            if c0 == t0:
                n_b += 1
                c0 = 0 if n_b < n_bounces else c0 + 1
            c1 = 0
            yield "bounce", theta, pi


def _descend(
    opt: torch.optim.Optimizer, params: list[Tensor], f: Callable[..., Tensor], steps: int
) -> list[Tensor]:
    """Steps of ``opt`` on ``f(*params)`` ((R,) or ()); returns the losses at the start of each."""

    def closure() -> Tensor:
        opt.zero_grad()
        loss = f(*params)
        loss.sum().backward()
        return loss

    return [opt.step(closure).detach() for _ in range(steps)]  # type: ignore[attr-defined]


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(1234)


@pytest.fixture
def algorithm1() -> Any:
    return _algorithm1


@pytest.fixture
def descend() -> Any:
    return _descend
