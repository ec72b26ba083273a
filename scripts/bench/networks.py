"""The speed of the optimizer class on the parameters of networks, gradients given."""

import math
from collections.abc import Callable
from typing import Any

import torch
import torchvision

from bbi import BBI, ECD, ECDSep
from bench.timing import Row, compare, in_turn, threads

Shapes = list[tuple[int, ...]]
UNIT = "ms per step"
OURS, SEPARABLE, FUSED, LOOP = "BBI", "ECDSep, defaults", "SGD, fused", "SGD, for-loop"
FOREACH, ADAMW, RANDN = "SGD, foreach", "AdamW, fused", "torch.randn of as many numbers"
PAIRS = ((OURS, FUSED), (OURS, LOOP), (OURS, FOREACH), (SEPARABLE, FUSED), (RANDN, FUSED), (ADAMW, FUSED))


def resnet18() -> Shapes:
    """The shapes of ResNet-18's parameters (He et al., CVPR 2016), with ten classes."""
    return [tuple(p.shape) for p in torchvision.models.resnet18(num_classes=10).parameters()]


def perceptron() -> Shapes:
    """Five layers of 100 to 100: ten tensors, 50,500 parameters."""
    return 5 * [(100, 100), (100,)]


def _stepper(
    make: Callable[[list[torch.nn.Parameter]], Any], shapes: Shapes, steps: int
) -> Callable[[], None]:
    generator = torch.Generator().manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in shapes]
    for p in parameters:
        p.grad = torch.randn(p.shape, generator=generator)
    optimizer = make(parameters)
    given = {"loss": torch.tensor(2.3)} if isinstance(optimizer, ECD) else {}

    def loop() -> None:
        for _ in range(steps):
            optimizer.step(**given)

    return loop


def _network(
    name: str, shapes: Shapes, steps: int, turns: int, count: int, limits: dict[tuple[str, str], float]
) -> list[Row]:
    # The loss stays what it is: clocks that are never due, and a δE that keeps the momentum alive.
    settings = {"delta_e": 2.0, "t0": math.inf, "t1": math.inf}
    makers: dict[str, Callable[[list[torch.nn.Parameter]], Any]] = {
        OURS: lambda parameters: BBI(parameters, 1e-6, **settings),
        FUSED: lambda parameters: torch.optim.SGD(parameters, 1e-6, momentum=0.9, fused=True),
        LOOP: lambda parameters: torch.optim.SGD(parameters, 1e-6, momentum=0.9, foreach=False),
        FOREACH: lambda parameters: torch.optim.SGD(parameters, 1e-6, momentum=0.9, foreach=True),
        SEPARABLE: lambda parameters: ECDSep(parameters, 1e-6),
        ADAMW: lambda parameters: torch.optim.AdamW(parameters, 1e-6, fused=True),
    }
    runs = {key: _stepper(make, shapes, steps) for key, make in makers.items()}
    size = sum(map(math.prod, shapes))
    runs[RANDN] = lambda: [torch.randn(size) for _ in range(steps)]  # what ECDSep's refresh takes at least
    with threads(count):
        times = in_turn(runs, turns)
    per = dict.fromkeys(runs, steps)
    return [
        compare(name, times, what, other, UNIT, per, count, ratio_limit=limits.get((what, other), math.nan))
        for what, other in PAIRS
    ]


def networks(cores: int) -> list[Row]:
    """One step against SGD with momentum: ResNet-18 on all cores and on one, a small network on one.

    Args:
        cores: Number of threads for the first.
    """
    limits = {(OURS, FUSED): 1.3, (SEPARABLE, FUSED): 3.0}
    rows = _network("ResNet-18", resnet18(), 5, 15, cores, limits)
    if cores > 1:
        rows += _network("ResNet-18", resnet18(), 5, 9, 1, {})
    limits = {(OURS, FUSED): 2.5, (OURS, FOREACH): 1.3}
    return rows + _network("small network", perceptron(), 200, 15, 1, limits)
