"""The residual network (56), with its gradient and Laplacian carried through the layers together.

A layer is linear in all of them at once. The rows of one matrix are therefore the values at the points,
the d first derivatives and the Laplacian, and a layer is one product with it. The activation mixes them by
the chain rule: ∂ᵢσ(z) = σ′ ∂ᵢz and ∇²σ(z) = σ′ ∇²z + σ″ |∇z|². One ordinary backward pass gives the
gradients by the parameters; nested automatic differentiation does more arithmetic for the same numbers.

Parameters are a list of tensors, weight and bias in turn, as in ``torch.nn.Linear``.

The method: Li, Ye, …, Wang, "A computational framework for neural network-based variational Monte Carlo
with forward Laplacian", Nature Machine Intelligence 6 (2024).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class ResidualNetwork:
    """Eq. (56): d → N, σ; D times y + σ(W y + b); N → 1; σ is the logistic function."""

    dimension: int
    width: int
    depth: int

    def parameters(self, seed: int, dtype: torch.dtype = torch.float32) -> list[nn.Parameter]:
        """Initial parameters: Xavier's normal weights (out, in) and PyTorch's default biases (out,), in turn.

        They are the released code's, 2 (D + 2) tensors, and follow from ``seed``.
        """
        generator = torch.Generator().manual_seed(seed)
        sizes = [self.dimension, *[self.width] * (self.depth + 1), 1]
        drawn: list[Tensor] = []
        for size, out in pairwise(sizes):
            weight, bias = torch.empty(out, size, dtype=dtype), torch.empty(out, dtype=dtype)
            drawn.append(nn.init.xavier_normal_(weight, generator=generator))
            drawn.append(nn.init.uniform_(bias, -1 / math.sqrt(size), 1 / math.sqrt(size), generator))
        return [nn.Parameter(p) for p in drawn]


def value(parameters: Sequence[Tensor], x: Tensor) -> Tensor:
    """u (n,) at points ``x`` (n, d); parameters as of :class:`ResidualNetwork`."""
    first, *blocks, last = _layers(parameters)
    y = torch.sigmoid(_linear(x, *first))
    for block in blocks:
        y = y + torch.sigmoid(_linear(y, *block))
    return _linear(y, *last).squeeze(-1)


def value_and_laplacian(parameters: Sequence[Tensor], x: Tensor, inner: int) -> tuple[Tensor, Tensor]:
    """u (n,) at all points, and ∇²u = Σ ∂ᵢ∂ᵢu at the first ``inner`` of them."""
    (first, bias), *blocks, last = _layers(parameters)
    z = _linear(x, first, bias)
    # ∂ᵢz is the same at all points, a column of the weights, and ∇²z = 0.
    slopes = first.mT.unsqueeze(1).expand(-1, inner, -1)
    y = _activate(z, slopes, None, inner)
    for weight, bias in blocks:
        values, slopes, laplacian = (y @ weight.mT).tensor_split((len(x), -inner))
        y = y + _activate(values + bias, slopes.reshape(-1, inner, len(bias)), laplacian, inner)
    weight, bias = last
    u = (y @ weight.mT).squeeze(-1)
    return u[: len(x)] + bias, u[-inner:]


def _activate(z: Tensor, slopes: Tensor, laplacian: Tensor | None, inner: int) -> Tensor:
    """Rows of σ(z) from z (n, N), ∂ᵢz (d, inner, N) and ∇²z (inner, N; None for 0)."""
    s = torch.sigmoid(z)
    slope = (s * (1 - s))[:inner]
    bend = slope * (1 - 2 * s[:inner])
    curved = bend * slopes.square().sum(0)
    if laplacian is not None:
        curved = curved + slope * laplacian
    return torch.cat([s, (slope * slopes).flatten(0, 1), curved])


def _layers(parameters: Sequence[Tensor]) -> list[tuple[Tensor, Tensor]]:
    return list(zip(parameters[::2], parameters[1::2], strict=True))


def _linear(y: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return y @ weight.mT + bias
