"""The ten functions of the race, each with the minimum F = 0: values and gradients written by hand.

Each maps points ``z`` (..., n), float64, to F (...) and ∇F (..., n), for n ≥ 2. Eight of them are in
M. Jamil and X.-S. Yang, "A literature survey of benchmark functions" (arXiv 1308.4008).
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from experiments.landscapes.functions import Ackley, Zakharov

Function = Callable[[Tensor], tuple[Tensor, Tensor]]

STYBLINSKI_TANG = (-2.9035340277711771, 39.166165703771417)
"""Minimiser of ½ (z⁴ - 16 z² + 5 z), and minus its minimum."""
SCHWEFEL = (420.96874635998199, 418.98288727243369)
"""Maximiser of z sin √|z| in [-500, 500], and its maximum."""
WELL = 4.0
"""Distance of the two minima of :func:`double_well`."""


def rastrigin(z: Tensor) -> tuple[Tensor, Tensor]:
    """Σ z² + 10 (1 - cos 2πz)."""
    phase = 2 * math.pi * z
    value = (z.square() + 10 * (1 - torch.cos(phase))).sum(-1)
    return value, 2 * z + 20 * math.pi * torch.sin(phase)


def rosenbrock(z: Tensor) -> tuple[Tensor, Tensor]:
    """Σ 100 (z_{i+1} - z_i²)² + (1 - z_i)²."""
    head, tail = z[..., :-1], z[..., 1:]
    bend, gap = tail - head.square(), head - 1
    grad = torch.zeros_like(z)
    grad[..., :-1] = 2 * gap - 400 * bend * head
    grad[..., 1:] += 200 * bend
    return (100 * bend.square() + gap.square()).sum(-1), grad


def styblinski_tang(z: Tensor) -> tuple[Tensor, Tensor]:
    """Σ ½ (z⁴ - 16 z² + 5 z) + 39.166."""
    square = z.square()
    value = (0.5 * (square * (square - 16) + 5 * z) + STYBLINSKI_TANG[1]).sum(-1)
    return value, 2 * z * square - 16 * z + 2.5


def levy(z: Tensor) -> tuple[Tensor, Tensor]:
    """sin² πw_1 + Σ_{i<n} (w_i - 1)² (1 + 10 sin²(πw_i + 1)) + (w_n - 1)² (1 + sin² 2πw_n), w = (z + 3)/4."""
    gap = (z - 1) / 4
    first = math.pi * (1 + gap[..., :1])
    head, last = gap[..., :-1], gap[..., -1:]
    phase, end = math.pi * (1 + head) + 1, 2 * math.pi * (1 + last)
    bump, edge = 1 + 10 * torch.sin(phase).square(), 1 + torch.sin(end).square()
    value = (head.square() * bump).sum(-1) + (last.square() * edge + torch.sin(first).square())[..., 0]
    grad = torch.empty_like(z)
    grad[..., :-1] = 2 * head * bump + 10 * math.pi * head.square() * torch.sin(2 * phase)
    grad[..., -1:] = 2 * last * edge + 2 * math.pi * last.square() * torch.sin(2 * end)
    grad[..., :1] += math.pi * torch.sin(2 * first)
    return value, grad / 4


def griewank(z: Tensor) -> tuple[Tensor, Tensor]:
    """1 + Σ z²/4000 - Π cos(z_i/√i)."""
    root = torch.arange(1, z.shape[-1] + 1, dtype=z.dtype).sqrt()
    cosines = torch.cos(z / root)
    ones = torch.ones_like(cosines[..., :1])
    before = torch.cat([ones, cosines[..., :-1]], -1).cumprod(-1)
    after = torch.cat([ones, cosines.flip(-1)[..., :-1]], -1).cumprod(-1).flip(-1)
    value = 1 + z.square().sum(-1) / 4000 - cosines.prod(-1)
    return value, z / 2000 + before * after * torch.sin(z / root) / root  # without dividing by a cosine


def schwefel(z: Tensor) -> tuple[Tensor, Tensor]:
    """418.98 n - Σ z sin √|z| with z clamped at ±500, plus 0.02 Σ (|z| - 500)₊²."""
    inside = z.clamp(-500, 500)
    beyond, root = z - inside, inside.abs().sqrt()
    sine = torch.sin(root)
    value = (SCHWEFEL[1] - inside * sine + 0.02 * beyond.square()).sum(-1)
    slope = torch.where(beyond == 0, -sine - 0.5 * root * torch.cos(root), 0.0)
    return value, slope + 0.04 * beyond


def ellipsoid(z: Tensor) -> tuple[Tensor, Tensor]:
    """Σ 10^{6 (i-1)/(n-1)} z²: a quadratic of condition 10⁶."""
    weights = torch.logspace(0, 6, z.shape[-1], dtype=z.dtype)
    grad = weights * z
    return (grad * z).sum(-1), 2 * grad


def double_well(z: Tensor) -> tuple[Tensor, Tensor]:
    """min(8 |z|², ½ |z - 4e₁|² + 1): the lower minimum has the narrow well."""
    far = z.clone()
    far[..., 0] -= WELL
    narrow, wide = 8 * z.square().sum(-1), 0.5 * far.square().sum(-1) + 1
    return torch.minimum(narrow, wide), torch.where((narrow < wide)[..., None], 16 * z, far)


class Task(NamedTuple):
    """A function, and how it lies in the box [-5, 5]ⁿ: z = scale · R (x - x*) + minimiser."""

    label: str
    function: Function
    scale: float = 1.0
    minimiser: float = 0.0


TASKS = {
    "ackley": Task("Ackley", Ackley()),
    "zakharov": Task("Zakharov", Zakharov()),
    "rastrigin": Task("Rastrigin", rastrigin),
    "rosenbrock": Task("Rosenbrock", rosenbrock, 0.4096, 1.0),
    "styblinski_tang": Task("Styblinski–Tang", styblinski_tang, 1.0, STYBLINSKI_TANG[0]),
    "levy": Task("Levy", levy, 2.0, 1.0),
    "griewank": Task("Griewank", griewank, 120.0),
    "schwefel": Task("Schwefel", schwefel, 100.0, SCHWEFEL[0]),
    "ellipsoid": Task("quadratic (10⁶)", ellipsoid),
    "double_well": Task("narrow double well", double_well),
}
"""The functions by name, in the order of their numbers in COCO's format."""
