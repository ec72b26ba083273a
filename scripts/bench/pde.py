"""The speed of the gradients of section 4.4's loss, at the paper's size, against matrix products."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf
from torch import Tensor

from bench.timing import Row, compare, in_turn
from experiments.pde.network import ResidualNetwork, value
from experiments.pde.problem import Poisson
from experiments.pde.training import Loss, Points, gradients, residual

SETTINGS: Any = OmegaConf.load(Path(__file__).resolve().parents[2] / "conf" / "experiment" / "pde.yaml")
COMPILED, EAGER = "forward Laplacian, compiled", "forward Laplacian, eager"
NESTED, RATE = "nested autograd", "matrix products"
PER_GFLOP, PER_CALL = "ms per GFLOP", "ms per iteration"


@dataclass(frozen=True)
class Size:
    """What is timed: the paper's network and points."""

    width: int = SETTINGS.problems.k20.width
    depth: int = SETTINGS.problems.k20.depth
    interior: int = SETTINGS.problems.k20.interior
    boundary: int = SETTINGS.problems.k20.boundary
    matrix: int = 2048
    turns: int = 5

    @property
    def gflop(self) -> float:
        """The least arithmetic: products of the layers, forward and twice backward, for values everywhere and
        for two slopes and the Laplacian inside."""
        rows = 4 * self.interior + self.boundary
        return 3 * 2 * rows * self.depth * self.width**2 / 1e9


BENCH = Size()


def nested(loss: Loss, parameters: Sequence[Tensor], x: Tensor, f: Tensor) -> list[Tensor]:
    """The gradients of the loss with the Laplacian as derivative of a derivative."""
    inside = x[: len(f)].clone().requires_grad_()
    u = value(parameters, inside)
    [slopes] = torch.autograd.grad(u.sum(), inside, create_graph=True)
    laplacian = sum(
        torch.autograd.grad(slopes[:, i].sum(), inside, create_graph=True)[0][:, i] for i in range(x.shape[1])
    )
    assert isinstance(laplacian, Tensor)
    edge = (value(parameters, x[len(f) :]) - loss.f0).square().mean()
    size = sum((p.square().sum() for p in parameters), torch.zeros(()))
    total = residual(u, laplacian, f).square().mean() + loss.gamma * edge + loss.regularizer * size
    return list(torch.autograd.grad(total, parameters))


def pde(threads: int, size: Size = BENCH) -> list[Row]:
    """Compiled gradients against the machine's own rate of products, eager ones and nested autograd."""
    problem, task = Poisson(SETTINGS.problems.k20.k), SETTINGS.problems.k20
    network = ResidualNetwork(2, size.width, size.depth)
    parameters = network.parameters(0)
    x, f = Points(problem, size.interior, size.boundary, seed=0).at(0)
    loss = Loss(problem.boundary, size.interior, float(task.gamma), float(task.regularizer))
    fast, eager = (gradients(loss, parameters, x, f, compiled) for compiled in (True, False))
    matrix = torch.randn(size.matrix, size.matrix)
    contenders = {
        COMPILED: lambda: fast(parameters, x, f),
        EAGER: lambda: eager(parameters, x, f),
        NESTED: lambda: nested(loss, parameters, x, f),
        RATE: lambda: matrix @ matrix,
    }
    times = in_turn(contenders, size.turns)
    work = {name: size.gflop for name in contenders} | {RATE: 2 * size.matrix**3 / 1e9}
    calls = dict.fromkeys(contenders, 1.0)
    bench = f"PDE, {size.width} wide, {size.interior + size.boundary:,} points"
    return [
        compare(bench, times, COMPILED, RATE, PER_GFLOP, work, threads, ratio_limit=round(1 / 0.75, 3)),
        compare(bench, times, EAGER, RATE, PER_GFLOP, work, threads),
        compare(bench, times, NESTED, RATE, PER_GFLOP, work, threads),
        compare(bench, times, COMPILED, NESTED, PER_CALL, calls, threads, ratio_limit=round(1 / 1.7, 3)),
    ]
